//! Reads types from a tree of values, reporting every mistake and not only the first; and writes
//! the JSON Schema of the same types.

mod choice;
mod record;
mod scalar;

use serde_json::{Map, Value as Json, json};

use super::{Findings, Node, Span, Value};

pub(crate) use choice::{Choice, choice, word};
pub(crate) use record::{Field, entries, field, name_of, record, record_schema};
pub(crate) use scalar::{Scalar, Verbatim, WithPlaces};

/// A type that can be read from a value of a file.
pub(crate) trait Read: Sized {
    /// A description of the type: "a string".
    const WANTED: &'static str;

    /// Whether the value is meant for another engine and has no effect here.
    const IGNORED: bool = false;

    /// Reads the value; `None` if it does not fit, which has been reported.
    fn read(node: &Node, findings: &mut Findings) -> Option<Self>;

    /// The default for a missing value; `None` if the value is required.
    fn absent() -> Option<Self> {
        None
    }

    /// The span and the engine of a value that has no effect here.
    fn without_effect(&self) -> Option<(Span, &'static str)> {
        None
    }

    /// The JSON Schema; named types go into `definitions`.
    fn schema(definitions: &mut Map<String, Json>) -> Json;
}

/// A value with its span.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Spanned<T> {
    pub(crate) value: T,
    pub(crate) span: Span,
}

/// A map with any keys, in the order of the file.
#[derive(Debug, Clone)]
pub(crate) struct Table<T>(pub(crate) Vec<(Spanned<Box<str>>, T)>);

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

/// Reports a value of the wrong type.
pub(crate) fn wrong_type(node: &Node, wanted: &str, findings: &mut Findings) {
    let written = findings.source().slice(node.span).trim_start();
    let is_bracketed = written.starts_with(['[', '{']);
    let help = match (&node.value, wanted) {
        (Value::Number(_) | Value::Bool(_), "a string") => Some("put it in quotes".to_owned()),
        (Value::List(_) | Value::Map(_), "a string") if is_bracketed => {
            Some("put it in quotes, or write it below `|`".to_owned())
        }
        (Value::List(_), "a string") => {
            Some("write one text: its lines, without `-`, below `|`".to_owned())
        }
        (Value::Map(_), "a string") => Some("put the text in quotes".to_owned()),
        (Value::List(items), "a map") => {
            items.first().and_then(entry_in).map(|entry| format!("write `{entry}`, without `-`"))
        }
        (Value::Text(text), "a map") => pair(text).map(|entry| format!("write `{entry}` below it")),
        _ => None,
    };
    let diagnostic = findings.error(node.span, format!("expected {wanted}, found {}", node.kind()));
    if let Some(help) = help {
        diagnostic.help(help);
    }
}

/// The map entry that a list item probably means: `FOO: bar` for `FOO=bar`.
fn entry_in(item: &Node) -> Option<String> {
    match &item.value {
        Value::Text(text) => pair(text),
        Value::Map(entries) => match entries.as_slice() {
            [(key, _)] => Some(format!("{}: ..", key.text)),
            _ => None,
        },
        _ => None,
    }
}

fn pair(text: &str) -> Option<String> {
    let (name, value) = text.split_once('=')?;
    let is_name = !name.is_empty() && !name.contains(char::is_whitespace);
    is_name.then(|| format!("{name}: {value}"))
}

impl<T: Read> Read for Spanned<T> {
    const WANTED: &'static str = T::WANTED;

    fn read(node: &Node, findings: &mut Findings) -> Option<Self> {
        Some(Self { value: T::read(node, findings)?, span: node.span })
    }

    fn schema(definitions: &mut Map<String, Json>) -> Json {
        T::schema(definitions)
    }
}

impl<T: Read> Read for Option<T> {
    const WANTED: &'static str = T::WANTED;
    const IGNORED: bool = T::IGNORED;

    fn read(node: &Node, findings: &mut Findings) -> Option<Self> {
        if node.is_null() { Some(None) } else { T::read(node, findings).map(Some) }
    }

    fn absent() -> Option<Self> {
        Some(None)
    }

    fn without_effect(&self) -> Option<(Span, &'static str)> {
        self.as_ref().and_then(T::without_effect)
    }

    fn schema(definitions: &mut Map<String, Json>) -> Json {
        json!({ "anyOf": [T::schema(definitions), { "type": "null" }] })
    }
}

impl<T: Read> Read for Vec<T> {
    const WANTED: &'static str = "a list";

    fn read(node: &Node, findings: &mut Findings) -> Option<Self> {
        match &node.value {
            Value::Null => Some(Self::new()),
            // Invalid items have been reported; the others are read.
            Value::List(items) => {
                let mut list = Self::with_capacity(items.len());
                list.extend(items.iter().filter_map(|item| T::read(item, findings)));
                Some(list)
            }
            _ => {
                let message =
                    format!("expected a list, each item {}, found {}", T::WANTED, node.kind());
                let written = findings.source().slice(node.span).to_owned();
                let diagnostic = findings.error(node.span, message);
                if matches!(node.value, Value::Text(_)) {
                    diagnostic.help(format!("write `[{written}]`"));
                }
                None
            }
        }
    }

    fn absent() -> Option<Self> {
        Some(Self::new())
    }

    fn schema(definitions: &mut Map<String, Json>) -> Json {
        json!({ "type": ["array", "null"], "items": T::schema(definitions) })
    }
}

impl<T: Read> Read for Box<T> {
    const WANTED: &'static str = T::WANTED;

    fn read(node: &Node, findings: &mut Findings) -> Option<Self> {
        T::read(node, findings).map(Self::new)
    }

    fn absent() -> Option<Self> {
        T::absent().map(Self::new)
    }

    fn schema(definitions: &mut Map<String, Json>) -> Json {
        T::schema(definitions)
    }
}

impl<T: Read> Read for Table<T> {
    const WANTED: &'static str = "a map";

    fn read(node: &Node, findings: &mut Findings) -> Option<Self> {
        match &node.value {
            Value::Null => Some(Self::default()),
            Value::Map(entries) => {
                let entries = entries.iter().filter_map(|(key, value)| {
                    let key = Spanned { value: key.text.clone(), span: key.span };
                    Some((key, T::read(value, findings)?))
                });
                Some(Self(entries.collect()))
            }
            _ => {
                wrong_type(node, Self::WANTED, findings);
                None
            }
        }
    }

    fn absent() -> Option<Self> {
        Some(Self::default())
    }

    fn schema(definitions: &mut Map<String, Json>) -> Json {
        json!({ "type": ["object", "null"], "additionalProperties": T::schema(definitions) })
    }
}

/// A value of any shape that is meant for another engine, Slurm or not, and has no effect.
#[derive(Debug, Clone)]
pub(crate) struct Ignored<const SLURM: bool>(Span);

impl<const SLURM: bool> Read for Ignored<SLURM> {
    const WANTED: &'static str = "any value";
    const IGNORED: bool = true;

    fn read(node: &Node, _: &mut Findings) -> Option<Self> {
        Some(Self(node.span))
    }

    fn without_effect(&self) -> Option<(Span, &'static str)> {
        Some((self.0, if SLURM { "Slurm" } else { "" }))
    }

    fn schema(_: &mut Map<String, Json>) -> Json {
        json!({})
    }
}
