//! Files that people write, as trees of values that know their places, and what is to be said
//! about them. Knows YAML, JSON and JSON5; refuses to know what the values mean.

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
    Field, Ignored, Read, Scalar, Spanned, Table, Verbatim, choice, entries, field, name_of,
    record, record_schema, word, wrong_type,
};
pub use source::SourceText;

/// Reads YAML whose meaning is left to the caller, such as the input of a run. As in workflow files,
/// a number that no 64 bits hold is text.
///
/// # Errors
///
/// Fails when it is no YAML, and when it is nested too deeply or copies too much by aliases, with
/// each place.
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

/// A place in a text, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// Where it begins.
    pub start: u32,
    /// Where it ends: before this byte.
    pub end: u32,
}

impl Span {
    fn holds(self, other: Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    fn len(self) -> usize {
        (self.end - self.start) as usize
    }

    /// The place between two bytes of a text, which has at most 64 MiB.
    pub fn new(start: usize, end: usize) -> Self {
        // Texts are at most `bounds::file::BYTES` long.
        Self { start: start as u32, end: end.max(start) as u32 }
    }
}

/// How a text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// YAML 1.2.
    Yaml,
    /// JSON, and JSON5, which holds it.
    Json,
}

impl Format {
    /// The format that the file's name ends in; YAML where it does not say.
    pub fn of(path: &Path) -> Self {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("json" | "json5" | "jsonc") => Self::Json,
            _ => Self::Yaml,
        }
    }
}

/// A value and its place.
#[derive(Debug, Clone)]
pub struct Node {
    /// Where it stands.
    pub span: Span,
    /// What it is.
    pub value: Value,
}

/// A value of a document.
#[derive(Debug, Clone)]
pub enum Value {
    /// Null, or nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A number that 64 bits hold.
    Number(Number),
    /// A text.
    Text(Box<str>),
    /// A list.
    List(Vec<Node>),
    /// A map, in the order in which it is written; no key comes twice.
    Map(Vec<(Key, Node)>),
}

/// The key of an entry of a map.
#[derive(Debug, Clone)]
pub struct Key {
    /// The key itself.
    pub text: Box<str>,
    /// Where it stands.
    pub span: Span,
}

impl Node {
    /// What the value is, in words.
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

    /// The way from here to the innermost value that holds a place, or whose key does, written
    /// `jobs[2].command`; empty where that is this one.
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

    /// How many values there are, this one included.
    pub fn count(&self) -> usize {
        self.size().0
    }

    /// How many values there are, this one and keys included, and how many bytes of text.
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

/// Reports keys that come twice in one map, and keeps the first of each.
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
                .label("here again")
                .also(*earlier, "first here")
                .help("remove one of them, or rename it");
            false
        }
    });
}
