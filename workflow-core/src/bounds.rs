//! Limits on input: how deep and how large a text or value may be.
//!
//! Parsers recurse, and a stack overflow aborts the process. So nesting is counted here first, in
//! one pass without recursion. Everything that multiplies (aliases, parameters, patterns) is
//! counted before it is copied. Knows sizes, and not what is read.

use std::ops::Range;

use serde_json::Value as Json;

/// The deepest nesting of lists and maps, in files, bodies, inputs and outputs.
///
/// A store writes a value inside of a record, and reads 128 levels.
pub const NESTING: usize = 64;

/// The error of an input that is too large: what exceeds which limit, what to do, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}; {help}")]
pub struct TooLarge {
    message: String,
    help: &'static str,
    at: Range<usize>,
}

impl TooLarge {
    /// Creates an error from what is too large with its limit, what to do, and the place in the
    /// text.
    pub fn new(message: String, help: &'static str, at: Range<usize>) -> Self {
        Self { message, help, at }
    }

    /// Returns what is too large, and the limit.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns what to do.
    pub fn help(&self) -> &'static str {
        self.help
    }

    /// Returns where the limit is exceeded, in bytes from the start of the text.
    pub fn place(&self) -> Range<usize> {
        self.at.clone()
    }
}

/// Checks the nesting of lists and maps in JSON or JSON5, before a parser recurses over them.
///
/// ```
/// use workflow_core::bounds;
///
/// assert!(bounds::json(r#"{"rows": [1, 2]}"#).is_ok());
/// let error = bounds::json(&"[".repeat(100_000)).unwrap_err();
/// assert_eq!(error.place(), 64..65);
/// ```
///
/// # Errors
///
/// Fails if lists and maps are nested more than [`NESTING`] levels deep.
pub fn json(text: &str) -> Result<(), TooLarge> {
    let bytes = text.as_bytes();
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' | b'\'' => at = end_of_string(bytes, at),
            b'/' => at = end_of_comment(bytes, at),
            b'[' | b'{' => {
                depth += 1;
                if depth > NESTING {
                    return Err(nested(at..at + 1));
                }
                at += 1;
            }
            b']' | b'}' => {
                depth = depth.saturating_sub(1);
                at += 1;
            }
            _ => at += 1,
        }
    }
    Ok(())
}

/// Checks the nesting of a value, so that a store can read it back.
///
/// # Errors
///
/// Fails if lists and maps are nested more than [`NESTING`] levels deep.
pub fn value(value: &Json) -> Result<(), TooLarge> {
    let mut left = vec![(value, 0)];
    while let Some((value, depth)) = left.pop() {
        let inner = depth + 1;
        match value {
            Json::Array(_) | Json::Object(_) if depth >= NESTING => return Err(nested(0..0)),
            Json::Array(items) => left.extend(items.iter().map(|item| (item, inner))),
            Json::Object(entries) => left.extend(entries.values().map(|item| (item, inner))),
            _ => {}
        }
    }
    Ok(())
}

/// Creates the error of lists and maps that are nested too deep from this place on.
pub fn nested(at: Range<usize>) -> TooLarge {
    let message = format!("lists and maps are nested more than {NESTING} levels deep");
    TooLarge::new(message, "flatten the value, or pass the inner part as text", at)
}

/// Returns the end of the string that starts at `start` with a quote of either kind: after its
/// closing quote, or the end of the text if it is not closed.
pub fn end_of_string(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 2,
            byte if *byte == bytes[start] => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// Returns the end of a comment, or the next byte if there is none.
fn end_of_comment(bytes: &[u8], start: usize) -> usize {
    let rest = &bytes[start + 1..];
    let length = match rest.first() {
        Some(b'/') => rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')),
        Some(b'*') => rest[1..].windows(2).position(|pair| pair == b"*/").map(|end| end + 3),
        _ => return start + 1,
    };
    length.map_or(bytes.len(), |length| start + 1 + length)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nesting_is_counted_outside_of_strings_and_comments() {
        let deep = |open: &str, close: &str, times| open.repeat(times) + &close.repeat(times);
        assert_eq!(json(&deep("[", "]", NESTING)), Ok(()));
        assert_eq!(json(&deep("{\"a\":", "}", NESTING)), Ok(()));
        for text in [deep("[", "]", NESTING + 1), deep("{a: ", "}", NESTING + 1), "[".repeat(65)] {
            let error = json(&text).expect_err("too deep");
            assert!(error.to_string().contains("more than 64 levels"), "{error}");
        }
        let brackets = "[".repeat(100);
        for text in [
            format!("\"{brackets}\""),
            format!("'{brackets}\\'{brackets}'"),
            format!("1 // {brackets}"),
            format!("/* {brackets} */ 1"),
            format!("/* {brackets}"),
            "[],".repeat(100),
            "\"\\".to_owned(),
            "/".to_owned(),
            "/*".to_owned(),
            "/*/".to_owned(),
        ] {
            assert_eq!(json(&text), Ok(()), "{text}");
        }
        assert!(json(&format!("/* */ {brackets}")).is_err());
        assert!(json(&format!("// \n{brackets}")).is_err());
    }

    #[test]
    fn a_value_is_as_deep_as_its_text() {
        let mut nested = json!(1);
        for depth in 0..=NESTING {
            assert_eq!(value(&nested), Ok(()), "{depth}");
            assert_eq!(json(&nested.to_string()), Ok(()), "{depth}");
            nested = if depth % 2 == 0 { json!([nested]) } else { json!({ "a": nested }) };
        }
        assert!(value(&nested).is_err());
        assert!(json(&nested.to_string()).is_err());
    }
}
