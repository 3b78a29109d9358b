//! The values of a parameter: lists, ranges, and lists in texts.

use serde_json::Value as Json;

use super::{Argument, Axes, MAX_COPIES, fill};
use crate::document::{Findings, Format, Source};

/// The values of a parameter, or what is wrong with it.
pub(super) fn values(json: &Json, constants: &Axes) -> Result<Vec<Argument>, String> {
    let values = match json {
        Json::Array(items) => items.iter().map(argument).collect::<Result<Vec<_>, _>>()?,
        Json::String(text) => from_text(&fill(text, constants, 0))?,
        Json::Number(_) | Json::Bool(_) => vec![argument(json)?],
        Json::Null | Json::Object(_) => return Err("is no list and no range".to_owned()),
    };
    if values.is_empty() { Err("has no values".to_owned()) } else { Ok(values) }
}

fn argument(json: &Json) -> Result<Argument, String> {
    Ok(match json {
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => Argument::Integer(integer),
            (None, Some(number)) => Argument::Number(number),
            (None, None) => return Err(format!("holds {number}, which is out of range")),
        },
        Json::String(text) => Argument::Text(text.as_str().into()),
        Json::Bool(value) => Argument::Text(value.to_string().into()),
        _ => return Err("holds something else than texts and numbers".to_owned()),
    })
}

/// A range `first:last` or `first:last:step`, a list in a text, or one value.
fn from_text(text: &str) -> Result<Vec<Argument>, String> {
    let text = text.trim();
    if text.starts_with('[') {
        return listed(text);
    }
    let parts: Vec<&str> = text.split(':').map(str::trim).collect();
    let numeric = parts.iter().all(|part| part.parse::<f64>().is_ok());
    match parts.as_slice() {
        [_, _] | [_, _, _] if numeric => range(text, &parts),
        [one] => Ok(vec![single(one)]),
        _ => Err(format!("is `{text}`, which is no range of numbers")),
    }
}

fn single(text: &str) -> Argument {
    match (text.parse::<i64>(), text.parse::<f64>()) {
        (Ok(integer), _) => Argument::Integer(integer),
        (Err(_), Ok(number)) if number.is_finite() => Argument::Number(number),
        _ => Argument::Text(text.into()),
    }
}

/// A list as text, the way in which torc writes it: `[1,2]`, `['a','b']`.
fn listed(text: &str) -> Result<Vec<Argument>, String> {
    let source = Source::new("", text);
    let mut findings = Findings::new(&source);
    let node = source.parse(Format::Yaml, &mut findings).filter(|_| !findings.has_errors());
    match node.map(|node| node.to_json()) {
        Some(Json::Array(items)) => items.iter().map(argument).collect(),
        _ => Err(format!("is `{text}`, which is no list")),
    }
}

/// Counts in whole units of the last decimal that is written, so that nothing drifts.
fn range(text: &str, parts: &[&str]) -> Result<Vec<Argument>, String> {
    let decimals = parts.iter().map(|part| decimals(part)).max().flatten();
    let decimals = decimals.ok_or_else(|| format!("is `{text}`; write its numbers as decimals"))?;
    let units =
        |part: &str| scaled(part, decimals).ok_or_else(|| format!("is `{text}`, too large"));
    let (first, last) = (units(parts[0])?, units(parts[1])?);
    let step = match parts.get(2) {
        Some(step) => units(step)?,
        None => 10_i128.pow(decimals),
    };
    if step == 0 {
        return Err(format!("is `{text}`, whose step is 0"));
    }
    if (last - first).signum() * step.signum() < 0 {
        return Err(format!("is `{text}`, which holds nothing: it steps away from its end"));
    }
    let count = (last - first) / step + 1;
    if count > MAX_COPIES as i128 {
        return Err(format!("is `{text}`, which holds {count} values; the limit is {MAX_COPIES}"));
    }
    let values = (0..count).map(|index| first + index * step);
    if decimals == 0 && parts.iter().all(|part| !part.contains('.')) {
        return values
            .map(|value| i64::try_from(value).map(Argument::Integer))
            .collect::<Result<_, _>>()
            .map_err(|_| format!("is `{text}`, too large"));
    }
    let unit = 10_f64.powi(i32::try_from(decimals).unwrap_or(i32::MAX));
    Ok(values.map(|value| Argument::Number(value as f64 / unit)).collect())
}

/// How many decimals a number is written with; `None` when it is written in another way.
fn decimals(number: &str) -> Option<u32> {
    let unsigned = number.trim_start_matches(['-', '+']);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > 15 || whole.len() > 18 {
        return None;
    }
    u32::try_from(fraction.len()).ok()
}

fn scaled(number: &str, decimals: u32) -> Option<i128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let padding = decimals as usize - fraction.len();
    format!("{whole}{fraction}{}", "0".repeat(padding)).parse().ok()
}
