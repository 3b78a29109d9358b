//! Durations in flow control: texts such as `5s` and `1m 30s`, or numbers of seconds.

use std::time::Duration;

use jiff::{SignedDuration, Span, SpanRelativeTo};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serializer};
use serde_json::Value as Json;

pub(super) fn serialize<S: Serializer>(length: &Duration, to: S) -> Result<S::Ok, S::Error> {
    let length = SignedDuration::try_from(*length).unwrap_or(SignedDuration::MAX);
    to.serialize_str(&format!("{length:#}"))
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let value = Json::deserialize(from)?;
    read(&value).ok_or_else(|| {
        D::Error::custom(format!(
            "{value} is not a duration; write `500ms`, `90s`, `1h 30m`, or a number of seconds"
        ))
    })
}

fn read(value: &Json) -> Option<Duration> {
    match value {
        Json::String(text) => {
            let span: Span = text.trim().parse().ok()?;
            let length = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
            Duration::try_from(length).ok()
        }
        Json::Number(seconds) => Duration::try_from_secs_f64(seconds.as_f64()?).ok(),
        _ => None,
    }
}

pub(super) mod option {
    use std::time::Duration;

    use serde::{Deserializer, Serializer};

    pub(in super::super) fn serialize<S: Serializer>(
        length: &Option<Duration>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match length {
            Some(length) => super::serialize(length, to),
            None => to.serialize_none(),
        }
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Duration>, D::Error> {
        super::deserialize(from).map(Some)
    }
}
