//! The tree of settings: values of any layer with their places, and the merge of two layers.

use std::collections::HashMap;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Number, Value as Json};

use super::place::{Layer, Place};
use super::secret::MASK;
use super::template;
use workflow_files::document::{Findings, Node, SourceText, Span, Value};

/// The most values in a file or a variable.
pub(super) const MAX_VALUES: usize = 100_000;

/// A value with its place.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    pub(super) place: Place,
    pub(super) kind: Kind,
    /// The text that was read as YAML to make this value, used where a string is expected.
    pub(super) written: Option<Box<str>>,
    /// The variables at its place.
    pub(super) variables: Option<Box<str>>,
    /// Whether the value must not be shown.
    pub(super) secret: Concealed,
}

/// Whether a value must not be shown. Copies of the value share it, so a type that asks for a
/// secret conceals the value wherever it is shown.
#[derive(Debug, Clone, Default)]
pub(super) struct Concealed(Arc<AtomicBool>);

impl Concealed {
    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl From<bool> for Concealed {
    fn from(is_set: bool) -> Self {
        Self(Arc::new(AtomicBool::new(is_set)))
    }
}

#[derive(Debug, Clone)]
pub(super) enum Kind {
    Null,
    Bool(bool),
    Number(Number),
    Text(Box<str>),
    List(Vec<Setting>),
    Map(Vec<(Key, Setting)>),
}

#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) text: Box<str>,
    pub(super) place: Place,
}

impl Setting {
    pub(super) fn new(kind: Kind, place: Place) -> Self {
        Self { place, kind, written: None, variables: None, secret: Concealed::default() }
    }

    /// The tree of a file.
    pub(super) fn from_node(node: Node, source: &Arc<SourceText>) -> Self {
        let place = |span| Place { layer: Layer::File, source: Arc::clone(source), span };
        Self::at(node, &place)
    }

    fn at(node: Node, place: &dyn Fn(Span) -> Place) -> Self {
        let kind = match node.value {
            Value::Null => Kind::Null,
            Value::Bool(value) => Kind::Bool(value),
            Value::Number(number) => Kind::Number(number),
            Value::Text(text) => Kind::Text(text),
            Value::List(items) => {
                Kind::List(items.into_iter().map(|item| Self::at(item, place)).collect())
            }
            Value::Map(entries) => {
                let entry = |(key, node): (workflow_files::document::Key, Node)| {
                    (Key { text: key.text, place: place(key.span) }, Self::at(node, place))
                };
                Kind::Map(entries.into_iter().map(entry).collect())
            }
        };
        Self::new(kind, place(node.span))
    }

    /// The tree of a value from the program.
    pub(super) fn from_json(json: Json, place: &Place) -> Self {
        let kind = match json {
            Json::Null => Kind::Null,
            Json::Bool(value) => Kind::Bool(value),
            Json::Number(number) => Kind::Number(number),
            Json::String(text) => Kind::Text(text.into()),
            Json::Array(items) => {
                Kind::List(items.into_iter().map(|item| Self::from_json(item, place)).collect())
            }
            Json::Object(entries) => {
                let entry = |(key, value): (String, Json)| {
                    (Key { text: key.into(), place: place.clone() }, Self::from_json(value, place))
                };
                Kind::Map(entries.into_iter().map(entry).collect())
            }
        };
        Self::new(kind, place.clone())
    }

    /// Reads the text of a variable as YAML. Invalid YAML is text, and text stays unchanged unless
    /// it is in quotes.
    pub(super) fn from_text(text: &str, place: &Place) -> Self {
        let source = SourceText::new(place.source.name(), text);
        let mut findings = Findings::new(&source);
        let node = source.parse(workflow_files::document::Format::Yaml, &mut findings);
        let node = node.filter(|node| !findings.has_errors() && node.count() <= MAX_VALUES);
        let setting = match node {
            Some(node) if !matches!(node.value, Value::Text(_)) || is_quoted(text) => {
                Self::at(node, &|_| place.clone())
            }
            _ => Self::new(Kind::Text(text.into()), place.clone()),
        };
        Self { written: Some(text.into()), ..setting }
    }

    pub(super) fn empty_map(place: Place) -> Self {
        Self::new(Kind::Map(Vec::new()), place)
    }

    /// Lays another layer over this one: maps merge by key, everything else replaces.
    pub(super) fn merge(&mut self, mut upper: Self) {
        if let (Kind::Map(entries), Kind::Map(others)) = (&mut self.kind, &mut upper.kind) {
            merge_entries(entries, mem::take(others));
            if self.place.layer == Layer::Default {
                self.place = upper.place;
            }
            return;
        }
        if self.holds_secret() {
            upper.conceal();
        }
        *self = upper;
    }

    /// The entries of a map; a scalar gives way to an empty map, a list does not.
    pub(super) fn entries_or_new(&mut self, place: &Place) -> Option<&mut Vec<(Key, Self)>> {
        if !matches!(self.kind, Kind::List(_) | Kind::Map(_)) {
            *self = Self::empty_map(place.clone());
        }
        match &mut self.kind {
            Kind::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// Whether it contains a secret, or will after its variables are replaced.
    fn holds_secret(&self) -> bool {
        self.secret.is_set()
            || match &self.kind {
                Kind::Text(text) => self.place.layer == Layer::File && template::names_secret(text),
                Kind::List(items) => items.iter().any(Self::holds_secret),
                Kind::Map(entries) => entries.iter().any(|(_, value)| value.holds_secret()),
                _ => false,
            }
    }

    /// Marks it as a secret: it replaces one, or a type reads it as one.
    pub(super) fn conceal(&self) {
        self.secret.set();
        match &self.kind {
            Kind::List(items) => items.iter().for_each(Self::conceal),
            Kind::Map(entries) => entries.iter().for_each(|(_, value)| value.conceal()),
            _ => {}
        }
    }

    /// Whether these characters of its file show a secret, which is written in clear.
    pub(super) fn shows_secret(&self, span: Span) -> bool {
        let is_shown = self.place.span.start < span.end && span.start < self.place.span.end;
        match &self.kind {
            Kind::List(items) => items.iter().any(|item| item.shows_secret(span)),
            Kind::Map(entries) => entries.iter().any(|(_, value)| value.shows_secret(span)),
            _ => is_shown && self.secret.is_set() && self.variables.is_none(),
        }
    }

    /// Describes the type of the value, such as "a string".
    pub(super) fn describe(&self) -> &'static str {
        match &self.kind {
            Kind::Null => "null",
            Kind::Bool(_) => "a boolean",
            Kind::Number(number) if number.is_f64() => "a number",
            Kind::Number(_) => "an integer",
            Kind::Text(_) => "a string",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a map",
        }
    }

    /// The value as JSON, with secrets exposed or masked.
    pub(super) fn to_json(&self, secrets: Secrets) -> Json {
        match &self.kind {
            Kind::List(items) => items.iter().map(|item| item.to_json(secrets)).collect(),
            Kind::Map(entries) => {
                let entry =
                    |(key, value): &(Key, Self)| (key.text.to_string(), value.to_json(secrets));
                Json::Object(entries.iter().map(entry).collect())
            }
            _ if self.secret.is_set() && secrets == Secrets::Masked => {
                Json::String(MASK.to_owned())
            }
            Kind::Null => Json::Null,
            Kind::Bool(value) => Json::Bool(*value),
            Kind::Number(number) => Json::Number(number.clone()),
            Kind::Text(text) => Json::String(text.to_string()),
        }
    }
}

/// How secrets are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Secrets {
    Masked,
    Exposed,
}

/// Whether two keys are the same in the name of an environment variable.
pub(super) fn same_key(one: &str, other: &str) -> bool {
    let plain = |byte: u8| if byte == b'-' { b'_' } else { byte.to_ascii_lowercase() };
    one.len() == other.len() && one.bytes().map(plain).eq(other.bytes().map(plain))
}

fn is_quoted(text: &str) -> bool {
    text.trim_start().starts_with(['"', '\''])
}

fn merge_entries(entries: &mut Vec<(Key, Setting)>, others: Vec<(Key, Setting)>) {
    let places = entries.iter().enumerate().map(|(at, (key, _))| (key.text.clone(), at));
    let places: HashMap<Box<str>, usize> = places.collect();
    for (key, setting) in others {
        match places.get(&key.text) {
            Some(&at) => entries[at].1.merge(setting),
            None => entries.push((key, setting)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(json: Json) -> Setting {
        Setting::from_json(json, &Place::given("a"))
    }

    fn merged(lower: Json, upper: Json) -> Json {
        let mut tree = of(lower);
        tree.merge(of(upper));
        tree.to_json(Secrets::Masked)
    }

    #[test]
    fn maps_merge_and_everything_else_replaces() {
        let (lower, upper) =
            (json!({ "a": { "b": 1, "c": 2 } }), json!({ "a": { "c": 3, "d": 4 } }));
        assert_eq!(merged(lower.clone(), upper), json!({ "a": { "b": 1, "c": 3, "d": 4 } }));
        for upper in [json!([1]), json!("x"), json!(null)] {
            assert_eq!(merged(lower.clone(), json!({ "a": upper })), json!({ "a": upper }));
            assert_eq!(merged(json!({ "a": upper }), lower.clone()), lower);
        }
        assert_eq!(merged(json!([1, 2]), json!([3])), json!([3]));
    }

    #[test]
    fn a_merged_value_in_place_of_a_secret_is_secret() {
        let source = SourceText::new("file", "a: ${secret:A}\nb: ['${secret:B}']\nc: $${B}\n");
        let node =
            source.parse(workflow_files::document::Format::Yaml, &mut Findings::new(&source));
        let mut tree = Setting::from_node(node.expect("YAML"), &source);
        tree.merge(of(json!({ "a": { "x": 1 }, "b": "y", "c": "z" })));
        let masked = json!({ "a": { "x": "***" }, "b": "***", "c": "z" });
        assert_eq!(tree.to_json(Secrets::Masked), masked);
        let exposed = json!({ "a": { "x": 1 }, "b": "y", "c": "z" });
        assert_eq!(tree.to_json(Secrets::Exposed), exposed);
    }

    #[test]
    fn a_text_from_outside_is_yaml_or_text() {
        let read =
            |text| Setting::from_text(text, &Place::environment("A")).to_json(Secrets::Masked);
        assert_eq!(read("8080"), json!(8080));
        assert_eq!(read("{a: [true, ~]}"), json!({ "a": [true, null] }));
        assert_eq!(read(""), json!(null));
        assert_eq!(read("'8080' # quoted"), json!("8080"));
        for text in ["a # b", " a ", "a\nb", "*a", "{a", "@", "a: b: c", "&a x", "{a: 1, a: 2}"] {
            assert_eq!(read(text), json!(text));
        }
        let laughs = "[&a [x,x,x,x,x,x,x,x,x], &b [*a,*a,*a,*a,*a,*a,*a,*a,*a], \
                      &c [*b,*b,*b,*b,*b,*b,*b,*b,*b], &d [*c,*c,*c,*c,*c,*c,*c,*c,*c], \
                      &e [*d,*d,*d,*d,*d,*d,*d,*d,*d], *e, *e, *e]";
        assert_eq!(read(laughs), json!(laughs), "more values than anyone means");
    }
}
