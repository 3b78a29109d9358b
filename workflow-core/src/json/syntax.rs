//! Errors of text that is not JSON, in plain English. `serde_json` knows the place; what stands
//! there says what the author meant.

use std::fmt;

/// A text that is not valid JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct SyntaxError {
    reason: String,
    /// Line and column, from 1; of an empty text there is none.
    place: Option<(usize, usize)>,
}

impl SyntaxError {
    /// Explains an error of `serde_json` about this text.
    pub(super) fn new(text: &str, error: &serde_json::Error) -> Self {
        if text.trim().is_empty() {
            return Self { reason: "the text is empty".to_owned(), place: None };
        }
        let message = message(error);
        let at = match message.as_str() {
            _ if error.is_eof() => text.trim_end().len(),
            "expected value" | "expected ident" | "invalid number" | "number out of range" => {
                start_of_word(text, offset(text, error))
            }
            _ => offset(text, error),
        };
        Self { reason: reason(text, at, &message), place: Some(place(text, at)) }
    }

    /// Returns the line of the mistake, from 1; `None` for an empty text.
    pub fn line(&self) -> Option<usize> {
        self.place.map(|(line, _)| line)
    }

    /// Returns the column of the mistake in characters, from 1; `None` for an empty text.
    pub fn column(&self) -> Option<usize> {
        self.place.map(|(_, column)| column)
    }
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)?;
        self.place.map_or(Ok(()), |(line, column)| write!(f, " (line {line}, column {column})"))
    }
}

/// The message of `serde_json` without the place.
pub(super) fn message(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    message.strip_suffix(&place).unwrap_or(&message).to_owned()
}

/// The line and column of an error of `serde_json`, from 1. Errors at the end of a value that serde
/// buffered have none.
pub(super) fn position(text: &str, error: &serde_json::Error) -> Option<(usize, usize)> {
    (error.line() > 0).then(|| place(text, offset(text, error)))
}

/// The place of an error of `serde_json`, in bytes from the start of the text.
fn offset(text: &str, error: &serde_json::Error) -> usize {
    let lines = text.split_inclusive('\n').take(error.line().saturating_sub(1));
    let line: usize = lines.map(str::len).sum();
    // Column 0 is the line break before the line.
    let mut at = (line + error.column()).saturating_sub(1).min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// The line and column, from 1, of a place.
fn place(text: &str, at: usize) -> (usize, usize) {
    let before = &text[..at];
    let line = before.rfind('\n').map_or(0, |end| end + 1);
    (before.matches('\n').count() + 1, before[line..].chars().count() + 1)
}

fn reason(text: &str, at: usize, message: &str) -> String {
    match message {
        "EOF while parsing a list" => "the text ends inside a list".to_owned(),
        "EOF while parsing an object" => "the text ends inside an object".to_owned(),
        "EOF while parsing a string" => "the text ends inside a string".to_owned(),
        "EOF while parsing a value" => "the text ends before a value".to_owned(),
        "expected value" | "expected ident" => not_a_value(text, at),
        "key must be a string" => not_a_key(text, at),
        "trailing comma" => format!("trailing comma before {}", found(text, at)),
        "trailing characters" => format!("unexpected {} after the JSON value", found(text, at)),
        "expected `:`" => format!("expected `:` after a key, found {}", found(text, at)),
        "expected `,` or `]`" | "expected `,` or `}`" => {
            format!("{message}, found {}", found(text, at))
        }
        "invalid number" => match word(text, at) {
            number @ "-Infinity" => format!("JSON has no number `{number}`"),
            _ => format!("invalid number {}", found(text, at)),
        },
        "number out of range" => format!("the number {} is too large", found(text, at)),
        "control character (\\u0000-\\u001F) found while parsing a string" => {
            "line breaks and control characters inside a string must be escaped, such as `\\n`"
                .to_owned()
        }
        "invalid escape" => "invalid escape in a string; write `\\\\` for a backslash".to_owned(),
        "invalid unicode code point"
        | "lone leading surrogate in hex escape"
        | "unexpected end of hex escape" => "invalid `\\u` escape in a string".to_owned(),
        "recursion limit exceeded" => "lists and objects are nested too deeply".to_owned(),
        other => other.to_owned(),
    }
}

fn not_a_value(text: &str, at: usize) -> String {
    let word = word(text, at);
    match (word, text[at..].chars().next()) {
        ("True" | "TRUE", _) => format!("`{word}` must be `true`"),
        ("False" | "FALSE", _) => format!("`{word}` must be `false`"),
        ("None" | "nil" | "undefined" | "NULL" | "Null", _) => format!("`{word}` must be `null`"),
        ("NaN" | "nan" | "Infinity" | "inf", _) => {
            format!("JSON has no number `{word}`")
        }
        ("", Some('\'')) => "strings need double quotes, not single quotes".to_owned(),
        ("", Some('/' | '#')) => "comments are not allowed in JSON".to_owned(),
        _ if word.starts_with(char::is_alphabetic) => {
            format!("{} is neither in double quotes nor a JSON value", found(text, at))
        }
        _ => format!("expected a value, found {}", found(text, at)),
    }
}

fn not_a_key(text: &str, at: usize) -> String {
    match text[at..].chars().next() {
        Some('\'') => "keys need double quotes, not single quotes".to_owned(),
        Some('/' | '#') => "comments are not allowed in JSON".to_owned(),
        _ if word(text, at).is_empty() => {
            format!("expected a key in double quotes, found {}", found(text, at))
        }
        _ => format!("the key {} needs double quotes", found(text, at)),
    }
}

/// What stands at a place: a word or number, or one character.
fn found(text: &str, at: usize) -> String {
    let word = word(text, at);
    match text[at..].chars().next() {
        _ if word.chars().count() > SHOWN => {
            format!("`{}...`", word.chars().take(SHOWN).collect::<String>())
        }
        _ if !word.is_empty() => format!("`{word}`"),
        Some('\n' | '\r') => "a line break".to_owned(),
        Some('"') => "a string".to_owned(),
        Some(letter) => format!("`{}`", letter.escape_debug()),
        None => "the end of the text".to_owned(),
    }
}

/// How many characters of a word a message shows.
const SHOWN: usize = 40;

/// The word or number at a place; empty if there is none.
fn word(text: &str, at: usize) -> &str {
    let rest = &text[at..];
    &rest[..rest.find(|letter| !is_of_word(letter)).unwrap_or(rest.len())]
}

/// The start of the word around a place.
fn start_of_word(text: &str, at: usize) -> usize {
    if word(text, at).is_empty() { at } else { text[..at].trim_end_matches(is_of_word).len() }
}

fn is_of_word(letter: char) -> bool {
    letter.is_alphanumeric() || "_-+.".contains(letter)
}

#[cfg(test)]
mod tests {
    use serde_json::Value as Json;

    use super::super::read;

    #[test]
    fn mistakes_are_named_with_their_place() {
        for (text, expected) in [
            ("", "the text is empty"),
            (" \n", "the text is empty"),
            ("[1, 2,]", "trailing comma before `]` (line 1, column 7)"),
            ("{\"a\": 1,\n}", "trailing comma before `}` (line 2, column 1)"),
            ("'a'", "strings need double quotes, not single quotes (line 1, column 1)"),
            ("{'a': 1}", "keys need double quotes, not single quotes (line 1, column 2)"),
            ("{a: 1}", "the key `a` needs double quotes (line 1, column 2)"),
            ("{\"a\": 1, 7: 2}", "the key `7` needs double quotes (line 1, column 10)"),
            ("{,}", "expected a key in double quotes, found `,` (line 1, column 2)"),
            ("{", "the text ends inside an object (line 1, column 2)"),
            ("{\"a\": [1,\n  2\n", "the text ends inside a list (line 2, column 4)"),
            ("{\"a\": \"b", "the text ends inside a string (line 1, column 9)"),
            ("{\"a\":", "the text ends before a value (line 1, column 6)"),
            ("[1, t", "the text ends before a value (line 1, column 6)"),
            ("[NaN]", "JSON has no number `NaN` (line 1, column 2)"),
            ("-Infinity", "JSON has no number `-Infinity` (line 1, column 1)"),
            ("{\"é\": True}", "`True` must be `true` (line 1, column 7)"),
            ("[None]", "`None` must be `null` (line 1, column 2)"),
            ("[tree]", "`tree` is neither in double quotes nor a JSON value (line 1, column 2)"),
            (
                "{ \"owner\": web-1 }",
                "`web-1` is neither in double quotes nor a JSON value (line 1, column 12)",
            ),
            ("{\"a\": }", "expected a value, found `}` (line 1, column 7)"),
            ("[1,,2]", "expected a value, found `,` (line 1, column 4)"),
            ("[+1]", "expected a value, found `+1` (line 1, column 2)"),
            ("[01]", "invalid number `01` (line 1, column 2)"),
            ("[1] x", "unexpected `x` after the JSON value (line 1, column 5)"),
            ("{} {}", "unexpected `{` after the JSON value (line 1, column 4)"),
            ("[1 2]", "expected `,` or `]`, found `2` (line 1, column 4)"),
            ("{\"a\": 1 \"b\": 2}", "expected `,` or `}`, found a string (line 1, column 9)"),
            ("{\"a\" 1}", "expected `:` after a key, found `1` (line 1, column 6)"),
            ("// hi\n1", "comments are not allowed in JSON (line 1, column 1)"),
            (
                "[\"a\nb\"]",
                "line breaks and control characters inside a string must be escaped, such as `\\n` (line 1, column 4)",
            ),
            (
                r#""C:\dir""#,
                "invalid escape in a string; write `\\\\` for a backslash (line 1, column 5)",
            ),
            (r#""\ud800""#, "invalid `\\u` escape in a string (line 1, column 8)"),
            (
                r#""\u00zz""#,
                "invalid escape in a string; write `\\\\` for a backslash (line 1, column 7)",
            ),
            ("\u{feff}1", "expected a value, found `\\u{feff}` (line 1, column 1)"),
        ] {
            assert_eq!(read::<Json>(text).expect_err(text).to_string(), expected, "{text}");
        }
    }
}
