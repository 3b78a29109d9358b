//! JSON and JSON5: converts the parser's tree to nodes.

use std::borrow::Cow;
use std::sync::Arc;

use jsonc_parser::ast::Value as Ast;
use jsonc_parser::common::Ranged;
use jsonc_parser::errors::ParseErrorKind;
use jsonc_parser::{CollectOptions, ParseOptions, ParseStringErrorKind, parse_to_ast};
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
            let (message, help) = explain(error.kind());
            findings.error(span, format!("invalid JSON: {message}")).help(help);
            None
        }
    }
}

/// What is wrong, and what to do about it.
fn explain(kind: &ParseErrorKind) -> (&'static str, &'static str) {
    match kind {
        ParseErrorKind::UnterminatedArray => ("`[` is not closed", "close it with `]`"),
        ParseErrorKind::UnterminatedObject => ("`{` is not closed", "close it with `}`"),
        ParseErrorKind::UnterminatedCommentBlock => ("`/*` is not closed", "close it with `*/`"),
        ParseErrorKind::UnexpectedCloseBrace => {
            ("unexpected `}`", "remove it, or close the `[` before it with `]`")
        }
        ParseErrorKind::UnexpectedCloseBracket => {
            ("unexpected `]`", "remove it, or close the `{` before it with `}`")
        }
        ParseErrorKind::ExpectedComma => {
            ("expected a `,`", "write `,` between the values, and put texts in quotes")
        }
        ParseErrorKind::UnexpectedComma => {
            ("unexpected `,`", "remove it, or write a value before it")
        }
        ParseErrorKind::ExpectedColonAfterObjectKey => {
            ("expected a `:` after the key", r#"write `"key": value`"#)
        }
        ParseErrorKind::UnexpectedColon => {
            ("unexpected `:`", r#"write the key before it, as in `"key": value`"#)
        }
        ParseErrorKind::ExpectedObjectValue => {
            ("expected a value after `:`", "write the value, or `null`")
        }
        ParseErrorKind::ExpectedStringObjectProperty | ParseErrorKind::UnexpectedTokenInObject => {
            ("expected a key", r#"write `"key": value`"#)
        }
        ParseErrorKind::UnexpectedWord | ParseErrorKind::UnexpectedToken => {
            ("expected a value", "put texts in quotes")
        }
        ParseErrorKind::MultipleRootJsonValues => {
            ("more text follows the value", "write one value, in `{` and `}`")
        }
        ParseErrorKind::ExpectedDigit
        | ParseErrorKind::ExpectedDigitFollowingNegativeSign
        | ParseErrorKind::ExpectedPlusMinusOrDigitInNumberLiteral
        | ParseErrorKind::NonFiniteNumbersNotAllowed => {
            ("this is not a number", "put it in quotes if it is meant as text")
        }
        ParseErrorKind::String(ParseStringErrorKind::UnterminatedStringLiteral) => {
            ("the quote is not closed", r#"close it; write `\"` for a quote in the text"#)
        }
        ParseErrorKind::String(_) => (
            "invalid escape in quotes",
            r"write `\\` for a backslash; escapes are such as `\n` or `\u00e9`",
        ),
        _ => ("this is not expected here", "check the line before it"),
    }
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
