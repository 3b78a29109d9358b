//! Documents: files that people write, as trees of values with their places, and diagnostics about
//! them. Knows YAML, JSON and JSON5, not what the values mean.

mod diagnostic;
mod json;
mod read;
mod render;
mod source;
mod yaml;

use std::path::Path;

use serde_json::{Map, Number, Value as Json};

pub use diagnostic::{Diagnostic, DiagnosticBuilder, Diagnostics, Findings, Severity};
pub(crate) use read::{
    Choice, Field, Ignored, Read, Scalar, Spanned, Table, Verbatim, WithPlaces, choice, entries,
    field, name_of, record, record_schema, word, wrong_type,
};
pub use source::{SourceText, read_file, read_text};

/// Reads any YAML, such as the input of a run. As in workflow files, a number that does not fit
/// into 64 bits is text.
///
/// # Errors
///
/// Fails for invalid YAML, for values that are nested too deeply, and for aliases that copy too
/// much, each with its place.
pub fn read_yaml(name: &str, text: &str) -> Result<Json, Diagnostics> {
    let source = SourceText::new(name, text);
    let mut findings = Findings::new(&source);
    let node = source.parse(Format::Yaml, &mut findings);
    let diagnostics = findings.finish();
    match node {
        Some(node) if diagnostics.errors() == 0 => Ok(node.to_json()),
        _ => Err(diagnostics),
    }
}

/// A range of bytes in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// The first byte.
    pub start: u32,
    /// The byte after the last.
    pub end: u32,
}

impl Span {
    fn holds(self, other: Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    fn len(self) -> usize {
        (self.end - self.start) as usize
    }

    /// A span between two bytes of a text, which has at most 64 MiB.
    pub fn new(start: usize, end: usize) -> Self {
        // Texts are at most `bounds::file::BYTES` long.
        Self { start: start as u32, end: end.max(start) as u32 }
    }
}

/// The format of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// YAML 1.2.
    Yaml,
    /// JSON and JSON5.
    Json,
}

impl Format {
    /// The format by the extension of a file; YAML for unknown ones.
    pub fn of(path: &Path) -> Self {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("json" | "json5" | "jsonc") => Self::Json,
            _ => Self::Yaml,
        }
    }
}

/// A value with its span.
#[derive(Debug, Clone)]
pub struct Node {
    /// Its span in the text.
    pub span: Span,
    /// The value.
    pub value: Value,
}

/// A value of a document.
#[derive(Debug, Clone)]
pub enum Value {
    /// Null, or nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A number that fits into 64 bits.
    Number(Number),
    /// A text.
    Text(Box<str>),
    /// A list.
    List(Vec<Node>),
    /// A map in the order of the text, with unique keys.
    Map(Vec<(Key, Node)>),
}

/// The key of a map entry.
#[derive(Debug, Clone)]
pub struct Key {
    /// The text of the key.
    pub text: Box<str>,
    /// Its span in the text.
    pub span: Span,
}

impl Node {
    /// Describes the type of the value, such as "a string".
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Value::Null if self.span.start == self.span.end => "nothing",
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(number) if number.is_f64() => "a number",
            Value::Number(_) => "an integer",
            Value::Text(_) => "a string",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }

    /// Whether there is no value, or null.
    pub fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }

    /// The value as JSON, without places.
    pub fn to_json(&self) -> Json {
        match &self.value {
            Value::Null => Json::Null,
            Value::Bool(value) => Json::Bool(*value),
            Value::Number(number) => Json::Number(number.clone()),
            Value::Text(text) => Json::String(text.to_string()),
            Value::List(items) => items.iter().map(Self::to_json).collect(),
            Value::Map(entries) => {
                let entries =
                    entries.iter().map(|(key, node)| (key.text.to_string(), node.to_json()));
                Json::Object(entries.collect::<Map<_, _>>())
            }
        }
    }

    /// Returns the path from here to the innermost value that contains a span, or whose key does:
    /// `jobs[2].command`; empty if that is this value.
    pub fn path_at(&self, place: Span) -> String {
        let (mut path, mut node) = (String::new(), self);
        loop {
            let below = match &node.value {
                Value::Map(entries) => {
                    let at = |(key, node): &&(Key, Self)| {
                        key.span.holds(place) || node.span.holds(place)
                    };
                    entries.iter().find(at).map(|(key, node)| {
                        path.push_str(if path.is_empty() { "" } else { "." });
                        path.push_str(&key.text);
                        node
                    })
                }
                Value::List(items) => {
                    let index = items.iter().position(|item| item.span.holds(place));
                    index.map(|index| {
                        path.push_str(&format!("[{index}]"));
                        &items[index]
                    })
                }
                _ => None,
            };
            match below {
                Some(below) => node = below,
                None => return path,
            }
        }
    }

    /// Counts the values, this one included.
    pub fn count(&self) -> usize {
        self.size().0
    }

    /// Counts the values, this one and keys included, and the bytes of text.
    fn size(&self) -> (usize, usize) {
        let add = |(nodes, bytes): (usize, usize), (more, text): (usize, usize)| {
            (nodes + more, bytes + text)
        };
        match &self.value {
            Value::Text(text) => (1, text.len()),
            Value::List(items) => items.iter().map(Self::size).fold((1, 0), add),
            Value::Map(entries) => {
                let sizes = entries.iter().map(|(key, node)| add(node.size(), (1, key.text.len())));
                sizes.fold((1, 0), add)
            }
            _ => (1, 0),
        }
    }
}

/// Reports duplicate keys of a map, and keeps the first of each.
fn drop_repeated_keys(entries: &mut Vec<(Key, Node)>, findings: &mut Findings) {
    let mut first = std::collections::HashMap::with_capacity(entries.len());
    if entries.len() <= 8 {
        let repeats = |at: usize| entries[..at].iter().any(|(k, _)| k.text == entries[at].0.text);
        if !(1..entries.len()).any(repeats) {
            return;
        }
    }
    entries.retain(|(key, _)| match first.get(&key.text) {
        None => {
            first.insert(key.text.clone(), key.span);
            true
        }
        Some(earlier) => {
            findings
                .error(key.span, format!("the key `{}` is given twice", key.text))
                .label("duplicate")
                .also(*earlier, "first here")
                .help("remove one of them, or rename it");
            false
        }
    });
}
