//! Values of parameters and rows, the same for both databases.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::Value as Json;
use uuid::Uuid;
use workflow_core::json::read_recorded;

use crate::db::sql::{SqlError, SqlKind};

/// The value of a parameter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value<'a> {
    Null,
    Int(i64),
    Bool(bool),
    Text(&'a str),
    Bytes(&'a [u8]),
    /// Microseconds since 1970, in UTC.
    Time(i64),
    Uuid(u128),
    /// Lists, one statement for many rows; PostgreSQL only.
    Ints(&'a [i64]),
    Texts(&'a [Option<&'a str>]),
    Blobs(&'a [Option<&'a [u8]>]),
}

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

macro_rules! into_value {
    ($($from:ty => $variant:ident),*) => {$(
        impl<'a> From<$from> for Value<'a> {
            fn from(value: $from) -> Self {
                Self::$variant(value.into())
            }
        }
    )*};
}

into_value!(i64 => Int, u32 => Int, i32 => Int, bool => Bool, &'a str => Text, &'a [u8] => Bytes);

impl<'a> From<&'a String> for Value<'a> {
    fn from(value: &'a String) -> Self {
        Self::Text(value)
    }
}

impl From<u64> for Value<'_> {
    fn from(value: u64) -> Self {
        Self::Int(signed(value))
    }
}

/// A count as a signed number, saturating.
pub(crate) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The value of a column. SQLite has no types for times, booleans and UUIDs.
#[cfg_attr(not(feature = "postgres"), expect(dead_code))]
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    Null,
    Int(i64),
    Bool(bool),
    Text(String),
    Bytes(Vec<u8>),
    Time(i64),
    Uuid(u128),
}

/// A row of a result.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row(pub(crate) Vec<Cell>);

impl Row {
    fn wrong(&self, column: usize, wanted: &str) -> SqlError {
        let found = self.0.get(column);
        let text = format!(
            "column {} of a row is {found:?}, but must be {wanted}; another program changed \
             the database, restore it from a backup",
            column + 1
        );
        SqlError::new(SqlKind::Unusable, text)
    }

    pub(crate) fn int(&self, column: usize) -> Result<i64, SqlError> {
        self.maybe_int(column)?.ok_or_else(|| self.wrong(column, "a number"))
    }

    pub(crate) fn maybe_int(&self, column: usize) -> Result<Option<i64>, SqlError> {
        match self.0.get(column) {
            Some(Cell::Int(value)) => Ok(Some(*value)),
            Some(Cell::Null) => Ok(None),
            _ => Err(self.wrong(column, "a number")),
        }
    }

    pub(crate) fn count(&self, column: usize) -> Result<u64, SqlError> {
        u64::try_from(self.int(column)?).map_err(|_| self.wrong(column, "a count"))
    }

    pub(crate) fn bool(&self, column: usize) -> Result<bool, SqlError> {
        match self.0.get(column) {
            Some(Cell::Bool(value)) => Ok(*value),
            Some(Cell::Int(value)) => Ok(*value != 0),
            Some(Cell::Null) => Ok(false),
            _ => Err(self.wrong(column, "true or false")),
        }
    }

    pub(crate) fn text(&self, column: usize) -> Result<String, SqlError> {
        self.maybe_text(column)?.ok_or_else(|| self.wrong(column, "a text"))
    }

    pub(crate) fn maybe_text(&self, column: usize) -> Result<Option<String>, SqlError> {
        match self.0.get(column) {
            Some(Cell::Text(value)) => Ok(Some(value.clone())),
            Some(Cell::Null) => Ok(None),
            _ => Err(self.wrong(column, "a text")),
        }
    }

    pub(crate) fn maybe_bytes(&self, column: usize) -> Result<Option<Vec<u8>>, SqlError> {
        match self.0.get(column) {
            Some(Cell::Bytes(value)) => Ok(Some(value.clone())),
            Some(Cell::Null) => Ok(None),
            _ => Err(self.wrong(column, "bytes")),
        }
    }

    pub(crate) fn uuid(&self, column: usize) -> Result<u128, SqlError> {
        self.maybe_uuid(column)?.ok_or_else(|| self.wrong(column, "a UUID"))
    }

    pub(crate) fn maybe_uuid(&self, column: usize) -> Result<Option<u128>, SqlError> {
        match self.0.get(column) {
            Some(Cell::Uuid(value)) => Ok(Some(*value)),
            Some(Cell::Null) => Ok(None),
            Some(Cell::Text(text)) => {
                let uuid = text.parse::<Uuid>().map_err(|_| self.wrong(column, "a UUID"))?;
                Ok(Some(uuid.as_u128()))
            }
            _ => Err(self.wrong(column, "a UUID")),
        }
    }

    pub(crate) fn time(&self, column: usize) -> Result<SystemTime, SqlError> {
        self.maybe_time(column)?.ok_or_else(|| self.wrong(column, "a time"))
    }

    pub(crate) fn maybe_time(&self, column: usize) -> Result<Option<SystemTime>, SqlError> {
        let micros = match self.0.get(column) {
            Some(Cell::Null) => return Ok(None),
            Some(Cell::Time(micros)) => Some(*micros),
            Some(Cell::Text(text)) => parse_time(text),
            _ => None,
        };
        micros.map(|at| Some(from_micros(at))).ok_or_else(|| self.wrong(column, "a time"))
    }

    pub(crate) fn json(&self, column: usize) -> Result<Json, SqlError> {
        self.maybe_json(column)?.ok_or_else(|| self.wrong(column, "JSON"))
    }

    pub(crate) fn maybe_json(&self, column: usize) -> Result<Option<Json>, SqlError> {
        match self.0.get(column) {
            Some(Cell::Text(text)) => {
                read_recorded(text).map(Some).map_err(|_| self.wrong(column, "JSON"))
            }
            Some(Cell::Null) => Ok(None),
            _ => Err(self.wrong(column, "a text")),
        }
    }
}

/// Microseconds since 1970.
pub(crate) fn to_micros(time: SystemTime) -> i64 {
    let micros = |span: Duration| i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => micros(after),
        Err(before) => -micros(before.duration()),
    }
}

/// The time for microseconds since 1970.
pub(crate) fn from_micros(micros: i64) -> SystemTime {
    let span = Duration::from_micros(micros.unsigned_abs());
    let time = if micros < 0 { UNIX_EPOCH.checked_sub(span) } else { UNIX_EPOCH.checked_add(span) };
    time.unwrap_or(UNIX_EPOCH)
}

/// Nanoseconds since 1970.
pub(crate) fn to_nanos(time: SystemTime) -> i64 {
    let nanos = |span: Duration| i64::try_from(span.as_nanos()).unwrap_or(i64::MAX);
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => nanos(after),
        Err(before) => -nanos(before.duration()),
    }
}

/// The time for nanoseconds since 1970.
pub(crate) fn from_nanos(nanos: i64) -> SystemTime {
    let span = Duration::from_nanos(nanos.unsigned_abs());
    let time = if nanos < 0 { UNIX_EPOCH.checked_sub(span) } else { UNIX_EPOCH.checked_add(span) };
    time.unwrap_or(UNIX_EPOCH)
}

/// A time as text for SQLite, which sorts correctly.
#[cfg(feature = "sqlite")]
pub(crate) fn time_text(micros: i64) -> String {
    let time = Timestamp::from_microsecond(micros).unwrap_or_default();
    time.strftime("%Y-%m-%d %H:%M:%S.%6f").to_string()
}

/// Parses a time; without an offset, it is in UTC.
fn parse_time(text: &str) -> Option<i64> {
    if text.get(19..).is_some_and(|rest| rest.contains(['Z', '+', '-'])) {
        return Some(text.parse::<Timestamp>().ok()?.as_microsecond());
    }
    let time: DateTime = text.parse().ok()?;
    Some(TimeZone::UTC.to_timestamp(time).ok()?.as_microsecond())
}

/// The beginning of a text, for errors.
pub(crate) fn beginning(text: &str) -> std::borrow::Cow<'_, str> {
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}..", &text[..end]).into(),
        None => text.into(),
    }
}

/// A text without NUL, which PostgreSQL cannot store.
pub(crate) fn clean(text: &str) -> std::borrow::Cow<'_, str> {
    if text.contains('\0') { text.replace('\0', "\u{fffd}").into() } else { text.into() }
}

/// JSON as a text for both databases, with [`clean`] texts.
pub(crate) fn clean_json(json: &Json) -> String {
    let text = json.to_string();
    // An escaped NUL; one after another backslash is the text `\u0000`.
    if text.contains("\\u0000") { scrub(json).to_string() } else { text }
}

fn scrub(json: &Json) -> Json {
    match json {
        Json::String(text) => clean(text).into(),
        Json::Array(list) => list.iter().map(scrub).collect(),
        Json::Object(object) => Json::Object(
            object.iter().map(|(key, value)| (clean(key).into_owned(), scrub(value))).collect(),
        ),
        other => other.clone(),
    }
}

#[cfg(all(test, feature = "sqlite"))]
mod tests {
    use super::*;

    #[test]
    fn times_survive_text() {
        for micros in [0, 1, -1, 1_766_000_000_123_456] {
            assert_eq!(parse_time(&time_text(micros)), Some(micros));
            assert_eq!(to_micros(from_micros(micros)), micros);
        }
        for text in [
            "2026-01-02 03:04:05",
            "2026-01-02T03:04:05",
            "2026-01-02T03:04:05Z",
            "2026-01-02 05:04:05+02:00",
            "2026-01-01 22:04:05.000000-05:00",
        ] {
            assert_eq!(parse_time(text), Some(1_767_323_045_000_000), "{text}");
        }
    }

    #[test]
    fn nul_characters_are_replaced() {
        let json = serde_json::json!({ "a\0": ["b\0", "\\u0000"] });
        assert_eq!(clean_json(&json), "{\"a\u{fffd}\":[\"b\u{fffd}\",\"\\\\u0000\"]}");
    }
}
