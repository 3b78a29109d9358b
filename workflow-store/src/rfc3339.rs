//! Serialization of times as RFC 3339.

use std::time::SystemTime;

use jiff::Timestamp;
use serde::Serializer;

/// Serializes a time as RFC 3339.
pub(crate) fn serialize<S: Serializer>(time: &SystemTime, s: S) -> Result<S::Ok, S::Error> {
    let text = Timestamp::try_from(*time).map_err(serde::ser::Error::custom)?;
    s.collect_str(&text)
}

/// Serializes an optional time.
pub(crate) mod option {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(
        time: &Option<SystemTime>,
        s: S,
    ) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => super::serialize(time, s),
            None => s.serialize_none(),
        }
    }
}
