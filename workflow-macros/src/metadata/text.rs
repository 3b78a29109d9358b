//! JSON inside a string literal.

use proc_macro2::Span;
use serde_json::Value;
use syn::LitStr;

use super::{Entry, Json, Node};

/// Reads the JSON that the literal holds; every value stands where the literal does.
pub(super) fn parse(literal: &LitStr) -> syn::Result<Node> {
    let text = literal.value();
    let value: Value = serde_json::from_str(&text).map_err(|error| {
        syn::Error::new(literal.span(), format!("this text is no JSON: {error}"))
    })?;
    if let Some(key) = duplicate(&text) {
        return Err(syn::Error::new(literal.span(), format!("the key {key:?} is there twice")));
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

/// The first key that an object of this well-formed JSON has twice.
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

/// The length of the string that the text starts with, with its quotes.
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
    use super::duplicate;

    #[test]
    fn keys_may_come_again_in_other_objects_only() {
        let found = |text: &str| duplicate(text);
        assert_eq!(found(r#"{ "a": [{ "a": "a" }, { "a": 1 }], "b": { "a": 2 } }"#), None);
        assert_eq!(found(r#"{ "a\"": 1, "b": "a\"", "c": "\\" }"#), None);
        assert_eq!(found(r#"{ "x": { "a": 1, "\u0061": 2 } }"#), Some("a".to_owned()));
    }
}
