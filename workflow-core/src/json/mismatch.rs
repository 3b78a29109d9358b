//! Why JSON does not fit a Rust type, in plain English.
//!
//! serde reports it as text only. The text is taken apart here, in the one place that knows serde's
//! wording.

use std::fmt;

use crate::bounds;
use crate::id::nearest;

/// Why a JSON value does not fit a Rust type.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mismatch {
    /// The value is another one than the type expects.
    Unexpected {
        /// What the type expects, such as "an integer".
        expected: String,
        /// What the value is, such as "a list".
        found: String,
    },
    /// A field is missing.
    MissingField(String),
    /// A field occurs twice.
    DuplicateField(String),
    /// The type has no such field.
    UnknownField {
        /// The name of the field.
        field: String,
        /// The fields of the type.
        known: Vec<String>,
    },
    /// The type has no such variant.
    UnknownVariant {
        /// The name of the variant.
        variant: String,
        /// The variants of the type.
        known: Vec<String>,
    },
    /// The message of the type's own code.
    Custom(String),
}

impl Mismatch {
    /// Reads the message of an error of serde, from any deserializer.
    ///
    /// ```
    /// use workflow_core::json::Mismatch;
    ///
    /// let mismatch = Mismatch::from_serde("invalid type: null, expected u64");
    /// assert_eq!(mismatch.to_string(), "expected a non-negative integer, found null");
    /// ```
    pub fn from_serde(message: &str) -> Self {
        known(message).unwrap_or_else(|| Self::Custom(custom(message)))
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unexpected { expected, found } => write!(f, "expected {expected}, found {found}"),
            Self::MissingField(field) => write!(f, "the field `{field}` is missing"),
            Self::DuplicateField(field) => write!(f, "the field `{field}` is given twice"),
            Self::UnknownField { field, known } => unknown(f, "field", field, known),
            Self::UnknownVariant { variant, known } => unknown(f, "choice", variant, known),
            Self::Custom(message) => f.write_str(message),
        }
    }
}

fn unknown(f: &mut fmt::Formatter<'_>, what: &str, name: &str, known: &[String]) -> fmt::Result {
    write!(f, "unknown {what} `{}`", shorten(name))?;
    match nearest(name, known.iter().map(String::as_str)) {
        Some(near) => write!(f, "; did you mean `{near}`?"),
        None if known.is_empty() => write!(f, "; there is no {what} to choose from"),
        None => write!(f, "; available: {}", known.join(", ")),
    }
}

/// Reads the messages of serde's own kinds of errors.
fn known(message: &str) -> Option<Mismatch> {
    let rest_of = |kind| message.strip_prefix(kind);
    if let Some(rest) = rest_of("invalid type: ") {
        return unexpected(rest, of_type);
    }
    if let Some(rest) = rest_of("invalid value: ") {
        return unexpected(rest, of_value);
    }
    if let Some(rest) = rest_of("invalid length ") {
        let (length, wanted) = rest.split_once(", expected ")?;
        if wanted.starts_with("struct ") {
            // serde also reads the fields of a struct from a list, without their names.
            return unexpected(&format!("sequence, expected {wanted}"), of_type);
        }
        let items = if length == "1" { "item" } else { "items" };
        let found = format!("{length} {items}");
        return Some(Mismatch::Unexpected { expected: of_length(wanted), found });
    }
    if let Some(rest) = rest_of("missing field ") {
        return Some(Mismatch::MissingField(quoted(rest)?.to_owned()));
    }
    if let Some(rest) = rest_of("duplicate field ") {
        return Some(Mismatch::DuplicateField(quoted(rest)?.to_owned()));
    }
    if let Some(rest) = rest_of("unknown field ") {
        return alternatives(rest).map(|(field, known)| Mismatch::UnknownField { field, known });
    }
    let (variant, known) = alternatives(rest_of("unknown variant ")?)?;
    Some(Mismatch::UnknownVariant { variant, known })
}

fn unexpected(rest: &str, words: fn(&str) -> String) -> Option<Mismatch> {
    // A string is in quotes, and may contain anything.
    let is_string = rest.starts_with("string \"");
    let start = if is_string { bounds::end_of_string(rest.as_bytes(), STRING.len()) } else { 0 };
    let (found, wanted) = rest.get(start..)?.split_once(", expected ")?;
    let found = &rest[..start + found.len()];
    Some(Mismatch::Unexpected { expected: words(wanted), found: of_found(found) })
}

const STRING: &str = "string ";

/// The text in backquotes, which is all of this text.
fn quoted(text: &str) -> Option<&str> {
    text.strip_prefix('`')?.strip_suffix('`')
}

/// A name that is not known, and the names that are.
fn alternatives(rest: &str) -> Option<(String, Vec<String>)> {
    if let Some((name, _)) = rest.rsplit_once(", there are no ") {
        return Some((quoted(name)?.to_owned(), Vec::new()));
    }
    let (name, known) = rest.rsplit_once("`, expected ")?;
    let known = known.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    Some((name.strip_prefix('`')?.to_owned(), known))
}

/// The words for a value that was found.
fn of_found(found: &str) -> String {
    let (kind, value) = found.split_once(' ').unwrap_or((found, ""));
    let value = value.trim_matches('`');
    match (kind, value) {
        ("integer", _) => format!("the number {value}"),
        ("floating", _) => format!("the number {}", value.trim_start_matches("point `")),
        ("boolean", _) => format!("`{value}`"),
        ("string", _) => format!("the string {}", shorten(value)),
        ("character", _) => format!("the string {value:?}"),
        ("null", "") | ("unit" | "Option", "value") => "null".to_owned(),
        ("sequence", "") => "a list".to_owned(),
        ("map", "") => "an object".to_owned(),
        ("byte", "array") => "bytes".to_owned(),
        ("unit", "variant") => "only the name".to_owned(),
        _ => found.to_owned(),
    }
}

/// The words for what a type expects where the value is of another type.
fn of_type(wanted: &str) -> String {
    match wanted {
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => "an integer".to_owned(),
        "u8" | "u16" | "u32" | "u64" | "u128" | "usize" => "a non-negative integer".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        "a boolean" => "`true` or `false`".to_owned(),
        "a character" => "a string of one character".to_owned(),
        "a borrowed string" | "variant identifier" | "field identifier" => "a string".to_owned(),
        "a sequence" => "a list".to_owned(),
        "a map" => "an object".to_owned(),
        "map with a single key" => "an object with one key".to_owned(),
        "string or map" => "a string or an object".to_owned(),
        "option" => "a value or null".to_owned(),
        "unit" => "null".to_owned(),
        "newtype variant" | "tuple variant" | "struct variant" => {
            "an object with this name as its key".to_owned()
        }
        _ => of_structure(wanted),
    }
}

/// The words for a compound type, which serde names.
fn of_structure(wanted: &str) -> String {
    let length = || of_length(wanted);
    let begins = |prefix| wanted.starts_with(prefix);
    match wanted.strip_prefix("a nonzero ") {
        Some(integer) if integer.starts_with('u') => "a positive integer".to_owned(),
        Some(_) => "an integer other than 0".to_owned(),
        None if begins("tuple ") || begins("a tuple ") || begins("an array ") => length(),
        None if begins("unit struct ") => "null".to_owned(),
        None if begins("struct ") || wanted.contains("tagged enum ") => "an object".to_owned(),
        None if begins("enum ") => "a string or an object".to_owned(),
        None => wanted.to_owned(),
    }
}

/// The words for what a type expects where a value of the right type does not fit it.
fn of_value(wanted: &str) -> String {
    let (least, most) = match wanted {
        "i8" => (i64::from(i8::MIN), i8::MAX as u64),
        "i16" => (i64::from(i16::MIN), i16::MAX as u64),
        "i32" => (i64::from(i32::MIN), i32::MAX as u64),
        "i64" | "isize" => (i64::MIN, i64::MAX as u64),
        "u8" => (0, u8::MAX.into()),
        "u16" => (0, u16::MAX.into()),
        "u32" => (0, u32::MAX.into()),
        "u64" | "usize" => (0, u64::MAX),
        _ => return of_type(wanted),
    };
    format!("an integer from {least} to {most}")
}

/// The words for a list of another length.
fn of_length(wanted: &str) -> String {
    if wanted.starts_with("fewer elements in ") {
        return "fewer items".to_owned();
    }
    let length = wanted.split(' ').find(|word| word.parse::<usize>().is_ok());
    match length {
        Some("1") => "a list of 1 item".to_owned(),
        Some(length) => format!("a list of {length} items"),
        None if wanted.starts_with("tuple ") => "a list".to_owned(),
        None => of_type(wanted),
    }
}

/// The words for messages of the standard library and of derived code.
fn custom(message: &str) -> String {
    let words = match message {
        "invalid digit found in string" => "must be an integer",
        "cannot parse integer from empty string" => "must be an integer, not empty",
        "number too large to fit in target type" => "is too large",
        "number too small to fit in target type" => "is too small",
        "invalid float literal" => "must be a number",
        "cannot parse float from empty string" => "must be a number, not empty",
        "provided string was not `true` or `false`" => "must be `true` or `false`",
        "expected value" => "must be a string or an object",
        "trailing characters" => "has too many items",
        "invalid value: expected key to be a number in quotes" => "the key must be a number",
        _ if message.starts_with("data did not match any variant of untagged enum ") => {
            "does not have any of the accepted forms"
        }
        _ => message,
    };
    words.to_owned()
}

/// A text that is cut after 60 characters.
fn shorten(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

const SHOWN: usize = 60;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fmt::Debug;
    use std::num::NonZeroU8;

    use serde::Deserialize;
    use serde::de::DeserializeOwned;

    use serde_json::json;

    use super::super::{from_value, read};

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read")]
    struct Order {
        item: String,
        amount: u8,
        #[serde(default)]
        size: Option<Size>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    #[expect(dead_code, reason = "only read")]
    enum Size {
        Small,
        Large,
        Other { cups: u32 },
    }

    #[derive(Debug, Deserialize)]
    #[serde(tag = "kind")]
    #[expect(dead_code, reason = "only read")]
    enum Tagged {
        A { a: u8 },
    }

    #[derive(Debug, Deserialize)]
    #[serde(untagged)]
    #[expect(dead_code, reason = "only read")]
    enum Either {
        Number(u8),
        Flag(bool),
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Empty {}

    fn wrong<T: DeserializeOwned + Debug>(text: &str, expected: &str) {
        assert_eq!(read::<T>(text).expect_err(text).to_string(), expected, "{text}");
    }

    #[test]
    fn fields_and_choices_are_named() {
        wrong::<Order>(r#"{"amount": 1}"#, "the field `item` is missing (line 1, column 13)");
        wrong::<Order>(
            r#"{"item": "a", "item": "b"}"#,
            "the field `item` is given twice (line 1, column 20)",
        );
        wrong::<Order>(
            r#"{"items": "tea"}"#,
            "`items`: unknown field `items`; did you mean `item`? (line 1, column 8)",
        );
        wrong::<Order>(
            r#"{"x`, expected y": 1}"#,
            "`x`, expected y`: unknown field `x`, expected y`; available: item, amount, size (line 1, column 17)",
        );
        wrong::<Empty>(
            r#"{"a": 1}"#,
            "`a`: unknown field `a`; there is no field to choose from (line 1, column 4)",
        );
        wrong::<Vec<Size>>(
            r#"["small", "smaller"]"#,
            "`[1]`: unknown choice `smaller`; did you mean `small`? (line 1, column 19)",
        );
        wrong::<Size>(
            r#""tiny""#,
            "unknown choice `tiny`; available: small, large, other (line 1, column 6)",
        );
        wrong::<Size>("3", "must be a string or an object (line 1, column 1)");
        wrong::<Size>(
            "\"other\"",
            "`other`: expected an object with this name as its key, found only the name",
        );
        wrong::<Size>(
            "{\"small\": 3}",
            "`small`: expected null, found the number 3 (line 1, column 11)",
        );
        wrong::<Tagged>("{\"a\": 1}", "the field `kind` is missing (line 1, column 8)");
        wrong::<Tagged>("3", "expected an object, found the number 3 (line 1, column 1)");
        wrong::<Either>("null", "does not have any of the accepted forms");
    }

    #[test]
    fn values_are_explained_as_well_as_texts() {
        let wrong = |value| from_value::<Vec<Order>>(value).expect_err("no order").to_string();
        assert_eq!(
            wrong(json!([{ "item": 3 }])),
            "`[0].item`: expected a string, found the number 3"
        );
        assert_eq!(wrong(json!([{ "item": "tea" }])), "`[0]`: the field `amount` is missing");
        assert_eq!(wrong(json!(null)), "expected a list, found null");
        let error = from_value::<(u8, u8)>(json!([1, 2, 3])).expect_err("too long");
        assert_eq!(error.to_string(), "expected fewer items, found 3 items");
    }

    #[test]
    fn values_of_another_type_are_shown() {
        wrong::<u64>(
            "\"x\"",
            "expected a non-negative integer, found the string \"x\" (line 1, column 3)",
        );
        wrong::<i32>("1.5", "expected an integer, found the number 1.5 (line 1, column 3)");
        wrong::<u8>(
            "300",
            "expected an integer from 0 to 255, found the number 300 (line 1, column 3)",
        );
        wrong::<u64>(
            "-1",
            "expected an integer from 0 to 18446744073709551615, found the number -1 (line 1, column 2)",
        );
        wrong::<NonZeroU8>(
            "0",
            "expected a positive integer, found the number 0 (line 1, column 1)",
        );
        wrong::<f64>("null", "expected a number, found null (line 1, column 4)");
        wrong::<bool>("[1]", "expected `true` or `false`, found a list (line 1, column 1)");
        wrong::<String>("{}", "expected a string, found an object (line 1, column 1)");
        wrong::<char>(
            "\"ab\"",
            "expected a string of one character, found the string \"ab\" (line 1, column 4)",
        );
        wrong::<Vec<u8>>("{}", "expected a list, found an object (line 1, column 1)");
        wrong::<BTreeMap<String, u8>>("[]", "expected an object, found a list (line 1, column 1)");
        wrong::<()>("true", "expected null, found `true` (line 1, column 4)");
        wrong::<Order>("7", "expected an object, found the number 7 (line 1, column 1)");
        wrong::<Order>("[]", "expected an object, found a list (line 1, column 2)");
        wrong::<(u8, u8)>("[1]", "expected a list of 2 items, found 1 item (line 1, column 3)");
        wrong::<[u8; 3]>("[1, 2]", "expected a list of 3 items, found 2 items (line 1, column 6)");
        wrong::<(u8, u8)>("7", "expected a list of 2 items, found the number 7 (line 1, column 1)");
        wrong::<(u8, u8)>("[1, 2, 3]", "has too many items (line 1, column 8)");
        wrong::<BTreeMap<u8, u8>>("{\"a\": 1}", "the key must be a number (line 1, column 2)");
        wrong::<BTreeMap<String, Vec<Order>>>(
            "{\"tea\": [\n  {\"item\": \"a, expected b\", \"amount\": \"c, expected \\\"d\"}]}",
            "`tea[0].amount`: expected a non-negative integer, found the string \"c, expected \\\"d\" (line 2, column 55)",
        );
        let long = format!("\"{}\"", "a".repeat(100));
        let start = "a".repeat(59);
        wrong::<u8>(
            &long,
            &format!(
                "expected a non-negative integer, found the string \"{start}... (line 1, column 102)"
            ),
        );
    }
}
