//! Scalars: texts, numbers, booleans; and values of any shape.

use serde_json::{Map, Value as Json, json};

use super::{Read, wrong_type};
use crate::document::{Findings, Node, SourceText, Span, Value};

impl Read for Box<str> {
    const WANTED: &'static str = "a string";

    fn read(node: &Node, findings: &mut Findings) -> Option<Self> {
        match &node.value {
            Value::Text(text) => Some(text.clone()),
            _ => {
                wrong_type(node, Self::WANTED, findings);
                None
            }
        }
    }

    fn schema(_: &mut Map<String, Json>) -> Json {
        json!({ "type": "string" })
    }
}

/// A string, or the text of a number or boolean.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scalar(pub(crate) Box<str>);

impl Read for Scalar {
    const WANTED: &'static str = "a string, a number or a boolean";

    fn read(node: &Node, findings: &mut Findings) -> Option<Self> {
        match &node.value {
            Value::Text(text) => Some(Self(text.clone())),
            Value::Number(_) | Value::Bool(_) => {
                Some(Self(findings.source().slice(node.span).into()))
            }
            _ => {
                wrong_type(node, Self::WANTED, findings);
                None
            }
        }
    }

    fn schema(_: &mut Map<String, Json>) -> Json {
        json!({ "type": ["string", "number", "boolean"] })
    }
}

impl Read for bool {
    const WANTED: &'static str = "`true` or `false`";

    fn read(node: &Node, findings: &mut Findings) -> Option<Self> {
        match &node.value {
            Value::Bool(value) => Some(*value),
            _ => {
                wrong_type(node, Self::WANTED, findings);
                None
            }
        }
    }

    fn absent() -> Option<Self> {
        Some(false)
    }

    fn schema(_: &mut Map<String, Json>) -> Json {
        json!({ "type": "boolean" })
    }
}

macro_rules! read_integer {
    ($($integer:ty),*) => {$(
        impl Read for $integer {
            const WANTED: &'static str = "an integer";

            fn read(node: &Node, findings: &mut Findings) -> Option<Self> {
                let Value::Number(number) = &node.value else {
                    wrong_type(node, Self::WANTED, findings);
                    return None;
                };
                let fits = number.as_i64().map(Self::try_from).and_then(Result::ok);
                let fits = fits.or_else(|| number.as_u64().and_then(|n| Self::try_from(n).ok()));
                if fits.is_none() {
                    let (least, most) = (Self::MIN, Self::MAX);
                    let message = format!("expected an integer from {least} to {most}, found {number}");
                    findings.error(node.span, message);
                }
                fits
            }

            fn schema(_: &mut Map<String, Json>) -> Json {
                json!({ "type": "integer", "minimum": Self::MIN })
            }
        }
    )*};
}

read_integer!(i32, u32, i64, u64);

impl Read for f64 {
    const WANTED: &'static str = "a number";

    fn read(node: &Node, findings: &mut Findings) -> Option<Self> {
        match &node.value {
            Value::Number(number) => number.as_f64(),
            _ => {
                wrong_type(node, Self::WANTED, findings);
                None
            }
        }
    }

    fn schema(_: &mut Map<String, Json>) -> Json {
        json!({ "type": "number" })
    }
}

impl Read for Json {
    const WANTED: &'static str = "any value";

    fn read(node: &Node, _: &mut Findings) -> Option<Self> {
        Some(node.to_json())
    }

    fn schema(_: &mut Map<String, Json>) -> Json {
        json!(true)
    }
}

/// A value of any shape, with the places of its entries if it is a map.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct WithPlaces {
    pub(crate) json: Json,
    /// The spans of the values, by key.
    pub(crate) entries: Vec<(Box<str>, Span)>,
}

impl Read for WithPlaces {
    const WANTED: &'static str = "any value";

    fn read(node: &Node, _: &mut Findings) -> Option<Self> {
        let entries = match &node.value {
            Value::Map(entries) => {
                entries.iter().map(|(key, value)| (key.text.clone(), value.span)).collect()
            }
            _ => Vec::new(),
        };
        Some(Self { json: node.to_json(), entries })
    }

    fn schema(_: &mut Map<String, Json>) -> Json {
        json!(true)
    }
}

/// A value of any shape, whose numbers and booleans keep their text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Verbatim {
    Null,
    Map,
    /// A string: what it says.
    Text(Box<str>),
    /// Digits: `007`, `0x10`.
    Integer(Box<str>),
    /// Any other number: `3.10`, `1234e8`.
    Number(Box<str>),
    /// `true`, `False`.
    Bool(Box<str>),
    List(Vec<Verbatim>),
}

impl Verbatim {
    /// The value of a node of this source.
    pub(crate) fn of(node: &Node, source: &SourceText) -> Self {
        let written = || Box::from(source.slice(node.span));
        match &node.value {
            Value::Null => Self::Null,
            Value::Map(_) => Self::Map,
            Value::Text(text) => Self::Text(text.clone()),
            Value::Bool(_) => Self::Bool(written()),
            Value::Number(number) if number.is_f64() => Self::Number(written()),
            Value::Number(_) => Self::Integer(written()),
            Value::List(items) => {
                Self::List(items.iter().map(|item| Self::of(item, source)).collect())
            }
        }
    }
}

impl Read for Verbatim {
    const WANTED: &'static str = "any value";

    fn read(node: &Node, findings: &mut Findings) -> Option<Self> {
        Some(Self::of(node, findings.source()))
    }

    fn schema(_: &mut Map<String, Json>) -> Json {
        json!(true)
    }
}
