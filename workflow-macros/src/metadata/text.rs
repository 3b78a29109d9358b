//! JSON inside a string literal.

use proc_macro2::Span;
use serde_json::Value;
use syn::LitStr;

use super::{Entry, Json, Node};

/// Parses the JSON in a literal; every value has the span of the literal.
pub(super) fn parse(literal: &LitStr) -> syn::Result<Node> {
    let text = literal.value();
    let value: Value = serde_json::from_str(&text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let message = format!(
            "invalid JSON at line {line}, column {column} of this text; look for a missing quote, \
             comma or bracket, or one too many"
        );
        syn::Error::new(literal.span(), message)
    })?;
    if let Some(number) = numbers(&text).find(|number| is_long_integer(number)) {
        return Err(syn::Error::new(literal.span(), long_integer(number)));
    }
    if let Some(key) = duplicate(&text) {
        return Err(syn::Error::new(literal.span(), format!("the key {key:?} is given twice")));
    }
    Ok(node(value, literal.span()))
}

fn node(value: Value, span: Span) -> Node {
    let json = match value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(value),
        Value::Number(number) => Json::Number(number),
        Value::String(text) => Json::Text(text),
        Value::Array(list) => Json::List(list.into_iter().map(|value| node(value, span)).collect()),
        Value::Object(map) => {
            let entry = |(key, value)| Entry { key, span, value: node(value, span) };
            Json::Object(map.into_iter().map(entry).collect())
        }
    };
    Node { span, json }
}

/// The literal numbers of valid JSON.
fn numbers(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        while let Some(letter) = rest.chars().next() {
            let of_numbers =
                |letter: char| letter.is_ascii_alphanumeric() || "+-.".contains(letter);
            let length = match letter {
                '"' => string_length(rest),
                _ if of_numbers(letter) => {
                    rest.find(|letter| !of_numbers(letter)).unwrap_or(rest.len())
                }
                _ => letter.len_utf8(),
            };
            let (token, after) = rest.split_at(length);
            rest = after;
            if letter.is_ascii_digit() || letter == '-' {
                return Some(token);
            }
        }
        None
    })
}

/// Whether a number is an integer that does not fit into 64 bits.
pub(super) fn is_long_integer(number: &str) -> bool {
    let digits = number.trim_start_matches('-');
    digits.bytes().all(|byte| byte.is_ascii_digit())
        && number.parse::<u64>().is_err()
        && number.parse::<i64>().is_err()
}

pub(super) fn long_integer(number: &str) -> String {
    format!("`{number}` has more than 64 bits; write it as text, in quotes")
}

/// The first duplicate key of an object in valid JSON.
fn duplicate(text: &str) -> Option<String> {
    let mut open: Vec<Vec<String>> = Vec::new();
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        match letter {
            '{' | '[' => open.push(Vec::new()),
            '}' | ']' => drop(open.pop()),
            '"' => {
                let length = string_length(rest);
                let after = rest[length..].trim_start();
                if after.starts_with(':') {
                    let key: String = serde_json::from_str(&rest[..length]).ok()?;
                    let keys = open.last_mut()?;
                    if keys.contains(&key) {
                        return Some(key);
                    }
                    keys.push(key);
                }
                rest = after;
                continue;
            }
            _ => {}
        }
        rest = &rest[letter.len_utf8()..];
    }
    None
}

/// The length of the string at the start of the text, with its quotes.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    let end = text.char_indices().skip(1).find(|(_, letter)| {
        let end = *letter == '"' && !escaped;
        escaped = *letter == '\\' && !escaped;
        end
    });
    end.map_or(text.len(), |(index, _)| index + 1)
}

#[cfg(test)]
mod tests {
    use super::{duplicate, is_long_integer, numbers};

    #[test]
    fn keys_are_unique_within_an_object() {
        let found = |text: &str| duplicate(text);
        assert_eq!(found(r#"{ "a": [{ "a": "a" }, { "a": 1 }], "b": { "a": 2 } }"#), None);
        assert_eq!(found(r#"{ "a\"": 1, "b": "a\"", "c": "\\" }"#), None);
        assert_eq!(found(r#"{ "x": { "a": 1, "\u0061": 2 } }"#), Some("a".to_owned()));
    }

    #[test]
    fn integers_have_64_bits() {
        let text =
            r#"{"a1": [-1.5e3, true, "7", 18446744073709551615], "b": -9223372036854775809}"#;
        let found: Vec<_> = numbers(text).collect();
        assert_eq!(found, ["-1.5e3", "18446744073709551615", "-9223372036854775809"]);
        assert!(found.iter().map(|number| is_long_integer(number)).eq([false, false, true]));
    }
}
