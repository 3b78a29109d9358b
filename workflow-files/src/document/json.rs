//! JSON and JSON5: converts the parser's tree to nodes.

use std::borrow::Cow;
use std::sync::Arc;

use jsonc_parser::ast::Value as Ast;
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use serde_json::Number;

use super::{Findings, Key, Node, SourceText, Span, Value, drop_repeated_keys};
use crate::bounds::{self, file::VALUES};

pub(super) fn parse(source: &Arc<SourceText>, findings: &mut Findings) -> Option<Node> {
    // The parser recurses.
    if let Err(error) = bounds::json(source.text()) {
        findings
            .error(Span::new(error.place().start, error.place().end), error.message())
            .help(error.help());
        return None;
    }
    let options = ParseOptions { allow_missing_commas: false, ..ParseOptions::default() };
    match parse_to_ast(source.text(), &CollectOptions::default(), &options) {
        Ok(parsed) => {
            let mut tree = Tree { findings, nodes: 0 };
            match parsed.value {
                Some(value) => tree.node(value),
                None => Some(Node { span: Span::default(), value: Value::Null }),
            }
        }
        Err(error) => {
            let range = error.range();
            let span = Span::new(range.start, range.end.max(range.start + 1));
            findings.error(span, format!("invalid JSON: {}", lowercase(&error.kind().to_string())));
            None
        }
    }
}

fn lowercase(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

struct Tree<'f> {
    findings: &'f mut Findings,
    nodes: usize,
}

impl Tree<'_> {
    fn node(&mut self, ast: Ast<'_>) -> Option<Node> {
        let range = ast.range();
        let span = Span::new(range.start, range.end);
        self.nodes += 1;
        if self.nodes > VALUES {
            self.findings
                .error(span, format!("the file has more than {VALUES} values"))
                .help("split it into several files");
            return None;
        }
        let value = match ast {
            Ast::NullKeyword(_) => Value::Null,
            Ast::BooleanLit(literal) => Value::Bool(literal.value),
            Ast::NumberLit(literal) => self.number(literal.value, span),
            Ast::StringLit(literal) => Value::Text(boxed(literal.value)),
            Ast::Array(array) => {
                let items = array.elements.into_iter().map(|item| self.node(item));
                Value::List(items.collect::<Option<_>>()?)
            }
            Ast::Object(object) => {
                let mut entries = Vec::with_capacity(object.properties.len());
                for property in object.properties {
                    let name = property.name.range();
                    let key = Key {
                        text: property.name.into_string().into_boxed_str(),
                        span: Span::new(name.start, name.end),
                    };
                    entries.push((key, self.node(property.value)?));
                }
                drop_repeated_keys(&mut entries, self.findings);
                Value::Map(entries)
            }
        };
        Some(Node { span, value })
    }

    fn number(&mut self, text: &str, span: Span) -> Value {
        let (sign, digits) = match text.strip_prefix('-') {
            Some(digits) => ("-", digits),
            None => ("", text.strip_prefix('+').unwrap_or(text)),
        };
        let hexadecimal = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"));
        let number = match hexadecimal {
            Some(digits) => {
                i64::from_str_radix(&format!("{sign}{digits}"), 16).ok().map(Number::from)
            }
            None => workflow_core::json::number(&format!("{sign}{digits}")).ok(),
        };
        number.map_or_else(
            || {
                self.findings
                    .error(span, format!("the number `{text}` cannot be represented"))
                    .help("put it in quotes if it is meant as text");
                Value::Null
            },
            Value::Number,
        )
    }
}

fn boxed(text: Cow<'_, str>) -> Box<str> {
    text.into_owned().into_boxed_str()
}
