//! Lossless reading of JSON text from outside, with errors in plain English.
//!
//! `serde_json` reads an integer of more than 64 bits as the nearest float, and a float that is too
//! small as 0. Both are errors here. This module knows text and numbers, and not what they are for.

mod keys;
mod mismatch;
mod syntax;

use std::fmt;
use std::ops::{ControlFlow, Range};

use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Number, Value as Json};

use crate::bounds::{self, TooLarge};

use keys::UniqueKeys;
pub use mismatch::Mismatch;
pub use syntax::SyntaxError;

/// The error of reading a JSON text.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// The text is not valid JSON.
    #[error("{0}")]
    Syntax(SyntaxError),
    /// The text does not fit the wanted type.
    #[error("{0}")]
    Shape(ShapeError),
    /// Arrays and objects are nested too deeply.
    #[error("{0}")]
    TooLarge(TooLarge),
    /// The text contains a number that would change.
    #[error("{0}")]
    Number(LostNumber),
}

/// JSON that does not fit a Rust type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ShapeError {
    path: String,
    mismatch: Mismatch,
    place: Option<(usize, usize)>,
}

impl ShapeError {
    /// Returns the path of the value, such as `rows[2].name`; `None` for the whole value.
    pub fn path(&self) -> Option<&str> {
        (!self.path.is_empty()).then_some(self.path.as_str())
    }

    /// Returns what is wrong with the value.
    pub fn mismatch(&self) -> &Mismatch {
        &self.mismatch
    }

    /// Returns what is wrong with the value, with the line and column if the value was a text.
    pub fn reason(&self) -> String {
        match self.place {
            Some((line, column)) => format!("{} (line {line}, column {column})", self.mismatch),
            None => self.mismatch.to_string(),
        }
    }
}

impl fmt::Display for ShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&place(&self.path))?;
        f.write_str(&self.reason())
    }
}

/// A number that does not fit 64 bits, and its place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}the number {} {}; {CURE}", place(path), number.chars().take(40).collect::<String>(), reason)]
pub struct LostNumber {
    /// The path of the number, such as `input.rows[2]`; empty if the text is only this number.
    pub path: String,
    /// The number as written.
    pub number: String,
    /// Why it would change, such as "has more than 64 bits".
    pub reason: &'static str,
}

fn place(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!("`{path}`: ") }
}

/// What to do about a number that would change.
const CURE: &str = "write it as text, in quotes";

/// Reads JSON without changing a number: integers have at most 64 bits, and floats are exact.
///
/// ```
/// use workflow_core::json;
///
/// let rows: u64 = json::read("18446744073709551615")?;
/// assert_eq!(rows, u64::MAX);
///
/// let error = json::read::<serde_json::Value>(r#"{"n": [18446744073709551616]}"#).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "`n[0]`: the number 18446744073709551616 has more than 64 bits; write it as text, in quotes"
/// );
/// # Ok::<(), json::JsonError>(())
/// ```
///
/// # Errors
///
/// Fails as [`check`] does, when the text is not valid JSON, when it does not fit the wanted type,
/// and when an object has the same key twice.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T, JsonError> {
    check(text)?;
    let value = parse(text)?;
    parse::<UniqueKeys>(text)?;
    Ok(value)
}

/// Reads JSON that this program wrote, or whose numbers and nesting are checked.
///
/// # Errors
///
/// Fails when the text is not valid JSON, and when it does not fit the wanted type.
pub fn parse<T: DeserializeOwned>(text: &str) -> Result<T, JsonError> {
    serde_json::from_str(text).map_err(|error| explain::<T>(text, &error))
}

/// Reads a value as a type.
///
/// # Errors
///
/// Fails when the value does not fit the type.
pub fn from_value<T: DeserializeOwned>(value: Json) -> Result<T, ShapeError> {
    serde_path_to_error::deserialize(value).map_err(|error| ShapeError {
        path: path_text(error.path()),
        mismatch: Mismatch::from_serde(&error.into_inner().to_string()),
        place: None,
    })
}

/// Describes the type of a value, such as "a string".
pub fn kind(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "a boolean",
        Json::Number(_) => "a number",
        Json::String(_) => "a string",
        Json::Array(_) => "a list",
        Json::Object(_) => "an object",
    }
}

/// The path of a value; empty for the whole value. For a key, the path of its object.
fn path_text(path: &serde_path_to_error::Path) -> String {
    let text = path.to_string();
    let known = text.strip_suffix('?').unwrap_or(&text);
    known.strip_suffix('.').unwrap_or(known).to_owned()
}

/// Translates an error of `serde_json`.
fn explain<T: DeserializeOwned>(text: &str, error: &serde_json::Error) -> JsonError {
    // `serde_json` also takes a list that is too long for a mistake of syntax.
    if !error.is_data() && serde_json::from_str::<Json>(text).is_err() {
        return JsonError::Syntax(SyntaxError::new(text, error));
    }
    // Only the second reading, of a text with an error, pays for the path.
    let mut from = serde_json::Deserializer::from_str(text);
    let path = serde_path_to_error::deserialize::<_, T>(&mut from).err();
    JsonError::Shape(ShapeError {
        path: path.map(|error| path_text(error.path())).unwrap_or_default(),
        mismatch: Mismatch::from_serde(&syntax::message(error)),
        place: syntax::position(text, error),
    })
}

/// Checks a JSON text that another parser is going to read. Invalid JSON passes, because that
/// parser reports it.
///
/// # Errors
///
/// Fails when arrays and objects are nested more than [`bounds::NESTING`] levels deep, and as
/// [`check_numbers`] does.
pub fn check(text: &str) -> Result<(), JsonError> {
    bounds::json(text).map_err(JsonError::TooLarge)?;
    check_numbers(text).map_err(JsonError::Number)
}

/// Checks the numbers of a JSON text. Invalid JSON passes.
///
/// # Errors
///
/// Fails for a number that would change: an integer of more than 64 bits, or a number that is too
/// large or too small for a 64-bit float or has too many digits before its decimal point.
pub fn check_numbers(text: &str) -> Result<(), LostNumber> {
    let mut lost = None;
    each_number(text, |place, open| {
        let written = &text[place];
        let Err(reason) = number(written) else { return ControlFlow::Continue(()) };
        lost = Some(LostNumber { path: path(open), number: written.to_owned(), reason });
        ControlFlow::Break(())
    });
    match lost {
        Some(lost) if serde_json::from_str::<IgnoredAny>(text).is_ok() => Err(lost),
        _ => Ok(()),
    }
}

/// Reads stored JSON, which must not fail: a number that does not fit 64 bits becomes a string with
/// all of its digits.
///
/// Databases may write a float as an integer of more than 64 bits. It is read as a number if the
/// shortest form of the float has the same digits.
///
/// ```
/// use serde_json::json;
/// use workflow_core::json;
///
/// let row = json::read_recorded(r#"{"n": 18446744073709551616, "f": 100000000000000000000}"#)?;
/// assert_eq!(row, json!({"n": "18446744073709551616", "f": 1e20}));
/// # Ok::<(), json::SyntaxError>(())
/// ```
///
/// # Errors
///
/// Fails when the text is not valid JSON.
pub fn read_recorded(text: &str) -> Result<Json, SyntaxError> {
    let mut lost = Vec::new();
    each_number(text, |place, _| {
        let written = &text[place.clone()];
        if number(written).is_err() && !is_shortest_float(written) {
            lost.push(place);
        }
        ControlFlow::Continue(())
    });
    if lost.is_empty() {
        return serde_json::from_str(text).map_err(|error| SyntaxError::new(text, &error));
    }
    let mut quoted = String::with_capacity(text.len() + 2 * lost.len());
    let mut end = 0;
    for place in lost {
        quoted.push_str(&text[end..place.start]);
        quoted.push('"');
        quoted.push_str(&text[place.clone()]);
        quoted.push('"');
        end = place.end;
    }
    quoted.push_str(&text[end..]);
    serde_json::from_str(&quoted).map_err(|error| SyntaxError::new(&quoted, &error))
}

/// Returns whether a string of digits is the shortest form of a float.
fn is_shortest_float(written: &str) -> bool {
    written.parse::<f64>().is_ok_and(|float| float.is_finite() && float.to_string() == written)
}

/// Parses a decimal number.
///
/// # Errors
///
/// Fails with the reason when the number does not fit 64 bits.
pub fn number(text: &str) -> Result<Number, &'static str> {
    let integer = text.parse::<u64>().map(Number::from);
    if let Ok(integer) = integer.or_else(|_| text.parse::<i64>().map(Number::from)) {
        return Ok(integer);
    }
    let digits = text.trim_start_matches(['-', '+']);
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("has more than 64 bits");
    }
    let float: f64 = text.parse().map_err(|_| "is not a number")?;
    let mantissa = digits.split(['e', 'E']).next().unwrap_or_default();
    let whole = mantissa.split('.').next().unwrap_or_default().trim_start_matches('0');
    let keeps_whole = || format!("{:.0}", float.abs().trunc()) == whole;
    if float == 0.0 && mantissa.bytes().any(|byte| matches!(byte, b'1'..=b'9')) {
        return Err("is too small for a 64-bit float");
    }
    if float.abs() >= EXACT_FLOATS && mantissa.len() == digits.len() && !keeps_whole() {
        return Err("has more digits than a 64-bit float can hold");
    }
    Number::from_f64(float).ok_or("is too large for a 64-bit float")
}

/// The largest integer up to which a float holds every integer: 2^53.
const EXACT_FLOATS: f64 = 9_007_199_254_740_992.0;

/// An array or object that is open at the current position of the text.
enum Open<'t> {
    /// At the element of this index.
    List(usize),
    /// At the entry of this key, which still has its quotes.
    Object(&'t str),
}

/// Calls `show` with the range and the path of each number of a text, which may be invalid JSON.
fn each_number<'t>(
    text: &'t str,
    mut show: impl FnMut(Range<usize>, &[Open<'t>]) -> ControlFlow<()>,
) {
    let bytes = text.as_bytes();
    let mut open: Vec<Open<'_>> = Vec::new();
    let mut string = "";
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let start = at;
        at += 1;
        match byte {
            b'"' => {
                at = bounds::end_of_string(bytes, start);
                string = &text[start..at];
            }
            b':' => {
                if let Some(Open::Object(key)) = open.last_mut() {
                    *key = string;
                }
            }
            b',' => {
                if let Some(Open::List(index)) = open.last_mut() {
                    *index += 1;
                }
            }
            b'[' => open.push(Open::List(0)),
            b'{' => open.push(Open::Object("")),
            b']' | b'}' => drop(open.pop()),
            b'-' | b'0'..=b'9' => {
                let of_numbers = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
                at += bytes[at..].iter().take_while(|byte| of_numbers(byte)).count();
                if show(start..at, &open).is_break() {
                    return;
                }
            }
            _ => {}
        }
    }
}

fn path(open: &[Open<'_>]) -> String {
    let mut path = String::new();
    for level in open {
        match level {
            Open::List(index) => path.push_str(&format!("[{index}]")),
            Open::Object(key) => {
                let dot = if path.is_empty() { "" } else { "." };
                let name: String = serde_json::from_str(key).unwrap_or_default();
                path.push_str(&format!("{dot}{name}"));
            }
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn wrong(text: &str) -> String {
        read::<Json>(text).expect_err(text).to_string()
    }

    #[test]
    fn numbers_that_64_bits_hold_are_read() {
        for (text, value) in [
            ("9007199254740993", json!(9_007_199_254_740_993_u64)),
            ("9223372036854775808", json!(1_u64 << 63)),
            ("18446744073709551615", json!(u64::MAX)),
            ("-9223372036854775808", json!(i64::MIN)),
            ("0.1", json!(0.1)),
            ("1.10", json!(1.1)),
            ("3.10", json!(3.1)),
            ("\"007\"", json!("007")),
            ("1e300", json!(1e300)),
            ("0e-500", json!(0.0)),
            ("-0.0", json!(-0.0)),
            ("0.1000000000000000055511151231257827", json!(0.1)),
            ("0.99999999999999999999", json!(1.0)),
            ("100000000000000000000.0", json!(1e20)),
            ("12345678901234567168.5", json!(12345678901234567168.0)),
            ("5e-324", json!(5e-324)),
        ] {
            assert_eq!(read::<Json>(text).ok(), Some(value), "{text}");
        }
    }

    #[test]
    fn a_number_that_would_become_another_one_is_refused() {
        for (number, reason) in [
            ("18446744073709551616", "has more than 64 bits"),
            ("-9223372036854775809", "has more than 64 bits"),
            ("99999999999999999999", "has more than 64 bits"),
            ("1e400", "is too large for a 64-bit float"),
            ("-1.5E+400", "is too large for a 64-bit float"),
            ("1e-400", "is too small for a 64-bit float"),
            ("0.001e-400", "is too small for a 64-bit float"),
            ("99999999999999999999.5", "has more digits than a 64-bit float can hold"),
            ("-9007199254740993.25", "has more digits than a 64-bit float can hold"),
        ] {
            let cure = "write it as text, in quotes";
            assert_eq!(wrong(number), format!("the number {number} {reason}; {cure}"));
            let inside = format!(r#"{{"a": [1, {{"b\"c": [0, {number}]}}], "d": 1}}"#);
            assert_eq!(
                wrong(&inside),
                format!("`a[1].b\"c[1]`: the number {number} {reason}; {cure}")
            );
            let text = format!(r#"["{number}", "\\", "\"{number}", {{"{number}": 1}}]"#);
            assert!(read::<Json>(&text).is_ok(), "{text}");
        }
    }

    #[test]
    fn what_is_on_record_is_read_whatever_it_is() {
        for (text, value) in [
            (r#"{"a": [1, 18446744073709551616]}"#, json!({"a": [1, "18446744073709551616"]})),
            ("[1e400, -1e-400, 0.1]", json!(["1e400", "-1e-400", 0.1])),
            ("-99999999999999999999.5", json!("-99999999999999999999.5")),
            ("[100000000000000000000, -1e20]", json!([1e20, -1e20])),
            (r#"["18446744073709551616", "é", 7]"#, json!(["18446744073709551616", "é", 7])),
            ("18446744073709552000", json!(18446744073709552000.0)),
        ] {
            assert_eq!(read_recorded(text).ok(), Some(value), "{text}");
        }
        assert_eq!(read_recorded(&format!("1{}", "0".repeat(300))).ok(), Some(json!(1e300)));
        assert!(read_recorded("[18446744073709551616").is_err());
    }

    #[test]
    fn what_is_no_json_is_said_before_its_numbers() {
        for text in ["[18446744073709551616", "{a: 1e400}", "1e400 x", "\"\\", "\"é", "-", "1-1"] {
            assert!(matches!(read::<Json>(text), Err(JsonError::Syntax(_))), "{text}");
        }
        assert!(matches!(read::<Json>(&"[".repeat(65)), Err(JsonError::TooLarge(_))));
    }
}
