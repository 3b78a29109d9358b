//! Times in what is shown.

use std::time::SystemTime;

use jiff::Timestamp;
use serde::Serializer;

/// A time as RFC 3339 has it.
pub(crate) fn serialize<S: Serializer>(time: &SystemTime, s: S) -> Result<S::Ok, S::Error> {
    let text = Timestamp::try_from(*time).map_err(serde::ser::Error::custom)?;
    s.collect_str(&text)
}

/// A time, or null.
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
