//! `Cursor`: where an incremental load continues, and which texts have an order.

use std::cmp::Ordering;
use std::str::FromStr;

use jiff::{Timestamp, civil};
use serde::Deserialize;
use serde_json::json;

/// Where an incremental load continues: the largest value of a column, with the column's type.
///
/// A sink stores it as one text:
///
/// ```
/// use workflow_data::Cursor;
///
/// let cursor = Cursor::new("11", "integer");
/// assert_eq!(cursor.to_string(), r#"{"type":"integer","value":"11"}"#);
/// assert_eq!(Cursor::from(cursor.to_string()), cursor);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Cursor {
    /// The type of the column, as in configurations or as Arrow names it. `None` for the option
    /// `initial`, and for a text that does not say it: then the value only has to fit the column.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// The value as text.
    pub value: String,
}

impl Cursor {
    /// A cursor of a column of this type.
    pub fn new(value: impl Into<String>, kind: impl Into<String>) -> Self {
        Self { kind: Some(kind.into()), value: value.into() }
    }

    /// A cursor of which only the value is known.
    pub(crate) fn untyped(value: impl Into<String>) -> Self {
        Self { kind: None, value: value.into() }
    }

    /// Checks that a column still has the type of the last load.
    ///
    /// # Errors
    ///
    /// Fails with the reason: the order of the values may be another one.
    pub(crate) fn check_type(&self, column: &str, kind: &str) -> Result<(), String> {
        let is_other = match &self.kind {
            Some(before) => before != kind,
            None => kind == "text" && is_number(&self.value),
        };
        if !is_other {
            return Ok(());
        }
        let value = &self.value;
        let before = self.kind.as_deref().unwrap_or("number");
        Err(format!(
            "the column `{column}` of the cursor has the type {kind}, and had the type {before} at \
             the last load, which ended at `{value}`; give it that type with `columns` of the \
             source, or with `CAST` in its query"
        ))
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.kind {
            Some(kind) => json!({ "type": kind, "value": self.value }).fmt(f),
            None => f.write_str(&self.value),
        }
    }
}

/// Reads what a sink has stored. A text that is not a cursor with its type is a value.
impl From<String> for Cursor {
    fn from(text: String) -> Self {
        serde_json::from_str(&text).unwrap_or_else(|_| Self::untyped(text))
    }
}

/// Why a text has no place in an order; `None` if it may have one.
pub(crate) fn without_order(text: &str) -> Option<&'static str> {
    if is_number(text) {
        return Some("has numbers as texts, which have no order; convert it to numbers");
    }
    let date = text.split(|c: char| c == 'T' || c.is_whitespace()).next().unwrap_or_default();
    let parts: Vec<_> = date.split(['.', '/', '-']).collect();
    let is_date = parts.len() == 3
        && parts.iter().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
    let has_order = parts.iter().map(|part| part.len()).eq([4, 2, 2]);
    (is_date && !has_order)
        .then_some("has dates as texts, which have no order; write them as 2026-01-31")
}

/// Whether the order of two texts is not that of the numbers or times in them, as with `A9` and
/// `A10`.
pub(crate) fn are_misordered(one: &str, other: &str) -> bool {
    // Texts of one form, which most columns have, are compared digit by digit.
    if one.len() == other.len() && !may_have_offset(one) && !may_have_offset(other) {
        return false;
    }
    let order = one.cmp(other);
    if let Some(of_times) =
        time_order::<Timestamp>(one, other).or_else(|| time_order::<civil::DateTime>(one, other))
    {
        return of_times != order && of_times != Ordering::Equal;
    }
    one.len() != other.len() && natural_order(one, other) != order
}

/// Whether a text may be a time with an offset, such as `2026-01-31T09:30:00+02:00`.
fn may_have_offset(text: &str) -> bool {
    text.bytes().skip("2026-01-31T".len()).any(|byte| b"+-".contains(&byte))
}

fn time_order<T: FromStr + Ord>(one: &str, other: &str) -> Option<Ordering> {
    Some(one.parse::<T>().ok()?.cmp(&other.parse().ok()?))
}

/// Compares runs of digits as numbers.
fn natural_order(one: &str, other: &str) -> Ordering {
    let start = one.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count();
    // Where the number begins in which they differ.
    let digits = one.bytes().take(start).rev().take_while(u8::is_ascii_digit).count();
    let number = |text: &str| {
        let digits = text.bytes().skip(start - digits).take_while(u8::is_ascii_digit);
        digits.skip_while(|digit| *digit == b'0').collect::<Vec<_>>()
    };
    let (first, second) = (number(one), number(other));
    let of_numbers = first.len().cmp(&second.len()).then_with(|| first.cmp(&second));
    if first.is_empty() || second.is_empty() {
        one.cmp(other)
    } else {
        of_numbers.then(one.cmp(other))
    }
}

fn is_number(text: &str) -> bool {
    text.parse::<f64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_texts_are_values() {
        for text in ["11", "2026-01-31", "null", "[1]", "{}"] {
            assert_eq!(Cursor::from(text.to_owned()), Cursor::untyped(text));
        }
    }

    #[test]
    fn texts_need_an_order() {
        for text in ["9", "9.1.2026", "31/12/2025 10:00", "2026-1-9", "1-2-26"] {
            assert!(without_order(text).is_some(), "{text}");
        }
        for text in ["2026-01-31", "2026-01-31T09:30:00", "A9", "01ARZ3NDEK", "1.2.3.4", ""] {
            assert!(without_order(text).is_none(), "{text}");
        }
        let misordered = [
            ("A9", "A10"),
            ("v1.9", "v1.10"),
            ("A19", "A2"),
            ("2026-01-31T09:00:00Z", "2026-01-31T09:30:00+02:00"),
            ("2026-01-31T09:00:00+00:00", "2026-01-31T09:30:00+02:00"),
            ("2026-01-31T09:00:00Z", "2026-01-31T09:00:00.5Z"),
        ];
        for (one, other) in misordered {
            assert!(are_misordered(one, other) && are_misordered(other, one), "{one}, {other}");
        }
        let ordered = [
            ("A09", "A10"),
            ("A009", "A10"),
            ("01H9-9Z", "01H9-10"),
            ("2026-01-31 09:00:00.5", "2026-01-31 09:00:00.25"),
            ("A1", "A10"),
            ("Bo", "Alice 10"),
            ("2026-01-31", "2026-01-31T09:00:00"),
            ("2026-01-31T09:00:00Z", "2026-01-31T09:00:00Z"),
            ("", "a1"),
        ];
        for (one, other) in ordered {
            assert!(!are_misordered(one, other) && !are_misordered(other, one), "{one}, {other}");
        }
    }
}
