//! Durations and amounts of memory, as people write them.

use std::time::Duration;

use jiff::{Span, SpanRelativeTo};
use serde_json::{Map, Value as Json, json};

use crate::document::{Findings, Node, Read, Value, wrong_type};

/// A duration: `30s`, `1h 30m`, `PT30M`, or a number of seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Time(pub(crate) Duration);

impl Read for Time {
    const WANTED: &'static str = "a duration such as `90s`, `1h 30m` or `PT30M`";

    fn read(node: &Node, findings: &mut Findings) -> Option<Self> {
        let parsed = match &node.value {
            Value::Text(text) => parse_time(text),
            Value::Number(number) => number
                .as_f64()
                .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
                .ok_or(Some("a duration cannot be negative")),
            _ => {
                wrong_type(node, Self::WANTED, findings);
                return None;
            }
        };
        match parsed {
            Ok(duration) => Some(Self(duration)),
            Err(reason) => {
                let written = findings.source().slice(node.span).to_owned();
                let reason = reason.map_or_else(String::new, |reason| format!(": {reason}"));
                findings
                    .error(node.span, format!("`{written}` is not a duration{reason}"))
                    .help("write `90s`, `1h 30m`, `PT30M`, or a number of seconds");
                None
            }
        }
    }

    fn schema(_: &mut Map<String, Json>) -> Json {
        json!({ "type": ["string", "number"], "examples": ["90s", "1h 30m", "PT30M", 90] })
    }
}

/// Parses a duration. The error is the reason, if there is one to report.
fn parse_time(text: &str) -> Result<Duration, Option<&'static str>> {
    let span: Span = text.trim().parse().map_err(|_| None)?;
    let length = span
        .to_duration(SpanRelativeTo::days_are_24_hours())
        .map_err(|_| Some("months and years have no fixed length"))?;
    Duration::try_from(length).map_err(|_| Some("it is negative"))
}

/// An amount of memory, in bytes: `512m`, `2g`, `1GiB`. Units are powers of 1,024.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Memory(pub(crate) u64);

impl Read for Memory {
    const WANTED: &'static str = "an amount of memory such as `512m` or `2g`";

    fn read(node: &Node, findings: &mut Findings) -> Option<Self> {
        let bytes = match &node.value {
            Value::Text(text) => parse_memory(text),
            Value::Number(number) => number.as_u64(),
            _ => {
                wrong_type(node, Self::WANTED, findings);
                return None;
            }
        };
        if bytes.is_none() {
            let written = findings.source().slice(node.span).to_owned();
            findings
                .error(node.span, format!("`{written}` is not an amount of memory"))
                .help("write a number and one of k, m, g, t: `512m`, `2g`");
        }
        bytes.map(Self)
    }

    fn schema(_: &mut Map<String, Json>) -> Json {
        json!({ "type": ["string", "integer"], "examples": ["512m", "2g"] })
    }
}

fn parse_memory(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let shift = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        _ => return None,
    };
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(1 << shift);
    }
    let bytes = number.parse::<f64>().ok()? * (1_u64 << shift) as f64;
    (bytes.is_finite() && bytes < u64::MAX as f64).then_some(bytes as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        let seconds = |text| parse_time(text).map(|time| time.as_secs_f64());
        assert_eq!(seconds("90s"), Ok(90.0));
        assert_eq!(seconds("1h 30m"), Ok(5400.0));
        assert_eq!(seconds("PT30M"), Ok(1800.0));
        assert_eq!(seconds("P0DT1M"), Ok(60.0));
        assert_eq!(seconds("P1D"), Ok(86_400.0));
        assert_eq!(seconds("200ms"), Ok(0.2));
        assert!(seconds("soon").is_err());
        assert!(seconds("-5s").is_err());
        assert!(seconds("1 month").is_err());
    }

    #[test]
    fn memory_is_counted_in_powers_of_1024() {
        assert_eq!(parse_memory("512m"), Some(512 << 20));
        assert_eq!(parse_memory("2g"), Some(2 << 30));
        assert_eq!(parse_memory("1.5 GiB"), Some(3 << 29));
        assert_eq!(parse_memory("100"), Some(100));
        assert_eq!(parse_memory("lots"), None);
        assert_eq!(parse_memory("99999999999t"), None);
    }
}
