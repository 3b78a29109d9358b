//! Writes a configuration as YAML, with the origin of each value in a comment.

use std::fmt::Write;

use serde_json::Value as Json;

use super::origin::Origin;
use super::setting::{Kind, Secrets, Setting};

/// Writes the tree as a document, with secrets masked.
pub(super) fn write(tree: &Setting) -> String {
    let mut text = String::new();
    match &tree.kind {
        Kind::Map(entries) if !entries.is_empty() => block(tree, 0, &mut text),
        _ => line(tree, &mut text),
    }
    text
}

/// Writes a list or a map that is not empty, each item on its own lines.
fn block(setting: &Setting, depth: usize, text: &mut String) {
    let mut item = |start: &str, value: &Setting| {
        text.extend(std::iter::repeat_n("  ", depth));
        text.push_str(start);
        match &value.kind {
            Kind::List(items) if !items.is_empty() => below(value, depth, text),
            Kind::Map(entries) if !entries.is_empty() => below(value, depth, text),
            _ => {
                text.push(' ');
                line(value, text);
            }
        }
    };
    match &setting.kind {
        Kind::List(items) => items.iter().for_each(|value| item("-", value)),
        Kind::Map(entries) => {
            for (key, value) in entries {
                item(&format!("{}:", scalar(&Json::from(&*key.text))), value);
            }
        }
        _ => {}
    }
}

fn below(setting: &Setting, depth: usize, text: &mut String) {
    text.push('\n');
    block(setting, depth + 1, text);
}

/// Writes a value on one line, with its origin.
fn line(setting: &Setting, text: &mut String) {
    let value = scalar(&setting.to_json(Secrets::Masked));
    let origin = Origin::of(setting).to_string().replace(char::is_control, " ");
    // Writing to a string does not fail.
    let _ = writeln!(text, "{value} # {origin}");
}

/// Plain if that is certainly a string, otherwise as JSON, which is valid YAML.
fn scalar(value: &Json) -> String {
    match value {
        Json::String(text) if is_plain(text) => text.clone(),
        // JSON does not escape the C1 control characters, nor the line breaks and the byte order
        // mark of YAML 1.1.
        other => other.to_string().chars().fold(String::new(), |mut text, letter| {
            if letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}' | '\u{feff}') {
                let _ = write!(text, "\\u{:04x}", u32::from(letter));
            } else {
                text.push(letter);
            }
            text
        }),
    }
}

fn is_plain(text: &str) -> bool {
    let rest = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'/');
    let word = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(rest)
        && !word.iter().any(|word| word.eq_ignore_ascii_case(text))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::place::Place;
    use super::*;
    use workflow_files::document::{Findings, Format, SourceText};

    fn tree(json: Json) -> Setting {
        Setting::from_json(json, &Place::given("x"))
    }

    #[test]
    fn each_value_has_its_origin() {
        let json =
            json!({ "a": { "b": [1, { "c": "x y" }, []] }, "d e": "***", "f": {}, "g": "no" });
        insta::assert_snapshot!(write(&tree(json)), @r#"
        a:
          b:
            - 1 # override `x`
            -
              c: "x y" # override `x`
            - [] # override `x`
        "d e": "***" # override `x`
        f: {} # override `x`
        g: "no" # override `x`
        "#);
    }

    fn values() -> impl Strategy<Value = Json> {
        let scalar = prop_oneof![
            Just(json!(null)),
            any::<bool>().prop_map(Json::from),
            any::<i64>().prop_map(Json::from),
            any::<String>().prop_map(Json::from),
            "[a-z0-9~:#\\-\\[{'\"*&!%@ \n]{0,6}".prop_map(Json::from),
        ];
        scalar.prop_recursive(4, 32, 4, |inner| {
            let key = prop_oneof!["[a-z0-9~: #\\-]{0,4}", any::<String>()];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
                prop::collection::btree_map(key, inner, 0..4)
                    .prop_map(|map| Json::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(json in values()) {
            let written = write(&tree(json!({ "root": json })));
            let source = SourceText::new("written", written.as_str());
            let mut findings = Findings::new(&source);
            let read = source.parse(Format::Yaml, &mut findings).map(|node| node.to_json());
            prop_assert_eq!(read, Some(json!({ "root": json })), "{}\n{}", written, findings.finish());
            // Others read the same: what is shown may go anywhere.
            let by_others: Json = serde_yaml::from_str(&written).expect("it is YAML");
            prop_assert_eq!(by_others, json!({ "root": json }), "{}", written);
        }
    }
}
