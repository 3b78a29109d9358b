//! Files that people write, as trees of values that know their places, and what is to be said
//! about them. Knows YAML, JSON and JSON5; refuses to know what the values mean.

mod diagnostic;
mod json;
mod read;
mod render;
mod yaml;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Number, Value as Json};

pub(crate) use diagnostic::Findings;
pub use diagnostic::{Diagnostic, Diagnostics, Severity};
pub(crate) use read::{
    Field, Idle, Read, Scalar, Spanned, Table, choice, entries, field, record, record_schema, word,
    wrong_type,
};

/// The largest file that is read, in bytes: 64 MiB.
pub(crate) const MAX_BYTES: usize = 64 << 20;
/// The most values that a file may hold, aliases counted as often as they are used.
pub(crate) const MAX_NODES: usize = 8_000_000;
/// The deepest nesting of lists and maps.
pub(crate) const MAX_DEPTH: usize = 128;

/// A place in a text, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

/// So many bytes are shown on both sides of a place in a long line.
const AROUND: usize = 100;

impl Span {
    fn len(self) -> usize {
        (self.end - self.start) as usize
    }

    pub(crate) fn new(start: usize, end: usize) -> Self {
        // Texts are at most `MAX_BYTES` long.
        Self { start: start as u32, end: end.max(start) as u32 }
    }
}

/// A text and where it came from.
pub(crate) struct Source {
    name: String,
    text: String,
    /// Whether there are lines to show.
    is_file: bool,
    /// Where each line begins.
    lines: Vec<u32>,
}

/// How a text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Yaml,
    /// JSON, and JSON5, which holds it.
    Json,
}

impl Format {
    /// The format that the file's name ends in; YAML where it does not say.
    pub(crate) fn of(path: &Path) -> Self {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("json" | "json5" | "jsonc") => Self::Json,
            _ => Self::Yaml,
        }
    }
}

impl Source {
    pub(crate) fn new(name: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        let mut text: String = text.into();
        if text.starts_with('\u{feff}') {
            text.drain(..'\u{feff}'.len_utf8());
        }
        let after_breaks = text.match_indices('\n').map(|(at, _)| at as u32 + 1);
        let lines = std::iter::once(0).chain(after_breaks).collect();
        Arc::new(Self { name: name.into(), text, is_file: true, lines })
    }

    /// What is no file and has no text to show, such as an environment variable; `name` says
    /// what it is.
    pub(crate) fn elsewhere(name: impl Into<String>) -> Arc<Self> {
        Arc::new(Self { name: name.into(), text: String::new(), is_file: false, lines: vec![0] })
    }

    /// Reads a file whole.
    pub(crate) fn load(path: &Path) -> Result<Arc<Self>, Diagnostics> {
        let name = path.display().to_string();
        let read = || -> Result<String, String> {
            let length = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
            if length > MAX_BYTES as u64 {
                return Err(too_long(length));
            }
            let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
            String::from_utf8(bytes).map_err(|error| {
                format!("it is not UTF-8 text, from byte {} on", error.utf8_error().valid_up_to())
            })
        };
        match read() {
            Ok(text) => Ok(Self::new(name, text)),
            Err(reason) => Err(Diagnostics::unreadable(&name, &reason)),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// What is written at the place.
    pub(crate) fn slice(&self, span: Span) -> &str {
        self.text.get(span.start as usize..span.end as usize).unwrap_or_default()
    }

    /// Line and column, both from 1, the column in characters.
    pub(crate) fn line_and_column(&self, at: u32) -> (usize, usize) {
        let line = self.lines.partition_point(|start| *start <= at);
        let start = self.lines.get(line.saturating_sub(1)).copied().unwrap_or(0);
        (line.max(1), self.slice(Span { start, end: at }).chars().count() + 1)
    }

    /// The lines that the place touches, and where they begin.
    pub(crate) fn lines_around(&self, span: Span) -> (usize, Span) {
        let first = self.lines.partition_point(|start| *start <= span.start).max(1);
        let last = self.lines.partition_point(|start| *start < span.end.max(span.start + 1));
        let end = self.lines.get(last.max(first)).map_or(self.text.len() as u32, |next| *next);
        (first, Span { start: self.lines[first - 1], end })
    }

    /// The smallest place of whole characters that holds this one.
    fn whole(&self, span: Span) -> Span {
        let mut start = (span.start as usize).min(self.text.len());
        while !self.text.is_char_boundary(start) {
            start -= 1;
        }
        let mut end = (span.end as usize).min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end += 1;
        }
        Span::new(start, end)
    }

    /// The place in whole characters, and of one that goes over more than a few lines the first:
    /// enough to find it.
    fn shown(&self, span: Span) -> Span {
        let span = self.whole(span);
        let mut breaks = self.slice(span).match_indices('\n').map(|(at, _)| at as u32);
        match (breaks.next(), breaks.nth(2)) {
            (Some(first), Some(_)) => Span { start: span.start, end: span.start + first },
            _ => span,
        }
    }

    /// The place with a little of what is around it.
    fn window(&self, span: Span) -> Span {
        let from = (span.start as usize).saturating_sub(AROUND);
        let to = (span.end as usize).min(span.start as usize + AROUND) + AROUND;
        let Span { start, end } = self.whole(Span::new(from, to));
        // Nothing of the lines before and after.
        let before = self.slice(Span { start, end: span.start }).rfind('\n').map_or(0, |at| at + 1);
        let after = self.slice(Span { start: span.start, end });
        let length = after.find(['\n', '\r']).unwrap_or(after.len());
        Span::new(start as usize + before, span.start as usize + length)
    }

    /// The place of a part of what is written there, if the part is written as it reads.
    pub(crate) fn find(&self, within: Span, part: &str) -> Span {
        match self.slice(within).find(part) {
            Some(at) if !part.is_empty() => {
                let start = within.start as usize + at;
                Span::new(start, start + part.len())
            }
            _ => within,
        }
    }

    /// The tree of values; `None` when the text cannot be read far enough to have one.
    pub(crate) fn parse(self: &Arc<Self>, format: Format, findings: &mut Findings) -> Option<Node> {
        if self.text.len() > MAX_BYTES {
            findings.error(Span::default(), too_long(self.text.len() as u64));
            return None;
        }
        match format {
            Format::Yaml => yaml::parse(self, findings),
            Format::Json => json::parse(self, findings),
        }
    }
}

fn too_long(length: u64) -> String {
    format!("it has {length} bytes; the limit is {MAX_BYTES}")
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Source").field(&self.name).finish()
    }
}

/// A value and its place.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) span: Span,
    pub(crate) value: Value,
}

#[derive(Debug, Clone)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Number(Number),
    Text(Box<str>),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// The key of an entry of a map.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) text: Box<str>,
    pub(crate) span: Span,
}

impl Node {
    /// What the value is, in words.
    pub(crate) fn kind(&self) -> &'static str {
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

    pub(crate) fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }

    pub(crate) fn to_json(&self) -> Json {
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

    /// How many values there are, this one included.
    pub(crate) fn count(&self) -> usize {
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
