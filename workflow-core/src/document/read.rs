//! From a tree of values to types, with everything that does not fit reported, not just the
//! first thing; and the JSON Schema of the same types.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::{Findings, Key, Node, Span, Value};
use crate::id::nearest;

/// A type that can be read from a value of a file.
pub(crate) trait Read: Sized {
    /// What is wanted, in words: "a string".
    const WANTED: &'static str;

    /// Whether the value is kept for another engine and has no effect here.
    const IDLE: bool = false;

    /// Reads the value; `None` when it does not fit, which has been reported.
    fn read(node: &Node, findings: &mut Findings) -> Option<Self>;

    /// What stands for a value that is not there; `None` when there must be one.
    fn absent() -> Option<Self> {
        None
    }

    /// Where the value stands and whose it is, if it is kept for another engine and has no effect.
    fn without_effect(&self) -> Option<(Span, &'static str)> {
        None
    }

    /// The JSON Schema; types with names of their own go into `definitions`.
    fn schema(definitions: &mut Map<String, Json>) -> Json;
}

/// A value together with its place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Spanned<T> {
    pub(crate) value: T,
    pub(crate) span: Span,
}

/// A map whose keys are free, in the order of the file.
#[derive(Debug, Clone)]
pub(crate) struct Table<T>(pub(crate) Vec<(Spanned<Box<str>>, T)>);

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

/// Reports a value of another type than the one that is wanted.
pub(crate) fn wrong_type(node: &Node, wanted: &str, findings: &mut Findings) {
    let said = findings.error(node.span, format!("expected {wanted}, found {}", node.kind()));
    let is_scalar = matches!(node.value, Value::Number(_) | Value::Bool(_));
    if wanted == "a string" && is_scalar {
        said.help("put it in quotes");
    }
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
    const IDLE: bool = T::IDLE;

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
            // What cannot be read has been reported; the rest is looked at all the same.
            Value::List(items) => {
                let mut list = Self::with_capacity(items.len());
                list.extend(items.iter().filter_map(|item| T::read(item, findings)));
                Some(list)
            }
            _ => {
                let message =
                    format!("expected a list, each item {}, found {}", T::WANTED, node.kind());
                let written = findings.source().slice(node.span).to_owned();
                let said = findings.error(node.span, message);
                if matches!(node.value, Value::Text(_)) {
                    said.help(format!("write `[{written}]`"));
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

/// A string, or a number or boolean as it is written.
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

/// The name of a field, and whether it is kept for another engine and has no effect here.
pub(crate) type Field = (&'static str, bool);

/// The entries of a map that has these fields and no others; others are reported.
pub(crate) fn entries<'n>(
    node: &'n Node,
    what: &str,
    fields: &[Field],
    findings: &mut Findings,
) -> Option<&'n [(Key, Node)]> {
    let Value::Map(entries) = &node.value else {
        wrong_type(node, &format!("{what}, as a map"), findings);
        return None;
    };
    for (key, _) in entries {
        if !fields.iter().any(|(field, _)| **field == *key.text) {
            unknown(key, what, fields, findings);
        }
    }
    Some(entries)
}

fn unknown(key: &Key, what: &str, fields: &[Field], findings: &mut Findings) {
    let message = format!("{what} has no field `{}`", key.text);
    if findings.is_full() {
        findings.error(key.span, message);
        return;
    }
    let help = match nearest(&key.text, fields.iter().map(|(field, _)| *field)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            let used = fields.iter().filter(|(_, is_idle)| !is_idle).map(|(field, _)| *field);
            format!("{what} may have: {}", used.collect::<Vec<_>>().join(", "))
        }
    };
    findings.error(key.span, message).label("unknown field").help(help);
}

/// The value of one field.
pub(crate) fn field<T: Read>(
    node: &Node,
    entries: &[(Key, Node)],
    what: &str,
    name: &str,
    findings: &mut Findings,
) -> Option<T> {
    let given = entries.iter().find(|(key, _)| &*key.text == name);
    match given {
        Some((_, value)) if value.is_null() && T::absent().is_some() => T::absent(),
        // What does not fit has been reported; without it the rest can still be looked at.
        Some((_, value)) => T::read(value, findings).or_else(T::absent),
        None => T::absent().or_else(|| {
            let first_line = findings.source().slice(node.span).lines().next().unwrap_or_default();
            let start = node.span.start as usize;
            let span = Span::new(start, start + first_line.len());
            findings
                .error(span, format!("{what} must have `{name}`, {}", T::WANTED))
                .help(format!("add `{name}:`"));
            None
        }),
    }
}

/// A record's schema, from the schemas of its fields.
pub(crate) fn record_schema(
    definitions: &mut Map<String, Json>,
    name: &str,
    description: &str,
    fields: impl FnOnce(&mut Map<String, Json>) -> Vec<(&'static str, &'static str, bool, Json)>,
) -> Json {
    let reference = json!({ "$ref": format!("#/$defs/{name}") });
    if definitions.contains_key(name) {
        return reference;
    }
    // Holds the place, for records that hold each other.
    definitions.insert(name.to_owned(), Json::Null);
    let mut properties = BTreeMap::new();
    let mut required = Vec::new();
    for (field, description, needed, mut schema) in fields(definitions) {
        if let Json::Object(schema) = &mut schema {
            schema.insert("description".to_owned(), description.trim().into());
        }
        properties.insert(field, schema);
        if needed {
            required.push(field);
        }
    }
    let mut schema = json!({
        "type": "object",
        "description": description.trim(),
        "additionalProperties": false,
        "properties": properties,
    });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    definitions.insert(name.to_owned(), schema);
    reference
}

/// Declares a type of the file format once: its fields are read, checked and described from it.
///
/// A field whose type stands for a value that is not there (`Option`, `Vec`, `bool`) may be left
/// out; every other must be given. A field whose name in files is no identifier says so:
/// `field = "name": Type`.
macro_rules! record {
    ($(#[doc = $about:literal])+ $vis:vis struct $name:ident, $what:literal {
        $($(#[doc = $doc:literal])+ $field:ident $(= $name_in_file:literal)?: $kind:ty,)+
    }) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone)]
        $vis struct $name {
            $($(#[doc = $doc])+ $vis $field: $kind,)+
        }

        impl $name {
            /// The fields that are given and have no effect: their names, places, and owners.
            #[expect(clippy::allow_attributes, reason = "not every record is asked")]
            #[allow(dead_code)]
            pub(crate) fn idle_fields(
                &self,
            ) -> impl Iterator<Item = (&'static str, $crate::document::Span, &'static str)> {
                let fields = [$((
                    $crate::document::name_of!($field $(, $name_in_file)?),
                    $crate::document::Read::without_effect(&self.$field),
                )),+];
                fields.into_iter().filter_map(|(name, idle)| idle.map(|(at, of)| (name, at, of)))
            }
        }

        impl $crate::document::Read for $name {
            const WANTED: &'static str = $what;

            fn read(
                node: &$crate::document::Node,
                findings: &mut $crate::document::Findings,
            ) -> Option<Self> {
                const FIELDS: &[$crate::document::Field] =
                    &[$(($crate::document::name_of!($field $(, $name_in_file)?), <$kind as $crate::document::Read>::IDLE)),+];
                let entries = $crate::document::entries(node, $what, FIELDS, findings)?;
                $(let $field = $crate::document::field::<$kind>(
                    node, entries, $what, $crate::document::name_of!($field $(, $name_in_file)?), findings,
                );)+
                Some(Self { $($field: $field?),+ })
            }

            fn schema(
                definitions: &mut serde_json::Map<String, serde_json::Value>,
            ) -> serde_json::Value {
                let about = concat!($($about),+);
                $crate::document::record_schema(definitions, stringify!($name), about, |definitions| {
                    vec![$((
                        $crate::document::name_of!($field $(, $name_in_file)?),
                        concat!($($doc),+),
                        <$kind as $crate::document::Read>::absent().is_none(),
                        <$kind as $crate::document::Read>::schema(definitions),
                    )),+]
                })
            }
        }
    };
}

/// The name that a field has in files.
macro_rules! name_of {
    ($field:ident) => {
        stringify!($field)
    };
    ($field:ident, $name_in_file:literal) => {
        $name_in_file
    };
}

/// Declares an enum of the file format: its words are read, checked and described from it.
macro_rules! choice {
    ($(#[doc = $about:literal])+ $vis:vis enum $name:ident, $what:literal {
        $($(#[doc = $doc:literal])+ $variant:ident = $word:literal,)+
    }) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        $vis enum $name {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl $crate::document::Read for $name {
            const WANTED: &'static str = $what;

            fn read(
                node: &$crate::document::Node,
                findings: &mut $crate::document::Findings,
            ) -> Option<Self> {
                let words = [$(($word, Self::$variant)),+];
                $crate::document::word(node, $what, &words, findings)
            }

            fn schema(_: &mut serde_json::Map<String, serde_json::Value>) -> serde_json::Value {
                serde_json::json!({ "enum": [$($word),+] })
            }
        }
    };
}

/// One of some words.
pub(crate) fn word<T: Copy>(
    node: &Node,
    what: &str,
    words: &[(&str, T)],
    findings: &mut Findings,
) -> Option<T> {
    let Value::Text(text) = &node.value else {
        wrong_type(node, what, findings);
        return None;
    };
    let found = words.iter().find(|(word, _)| **word == **text);
    if found.is_none() {
        let names = || words.iter().map(|(word, _)| *word);
        let all = names().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
        let help = match nearest(text, names()) {
            Some(near) => format!("did you mean `{near}`? There are {all}"),
            None => format!("there are {all}"),
        };
        findings.error(node.span, format!("`{text}` is not {what}")).help(help);
    }
    found.map(|(_, value)| *value)
}

pub(crate) use {choice, name_of, record};

/// A value of any shape that is kept for another engine, `Slurm` or otherwise, and has no effect.
#[derive(Debug, Clone)]
pub(crate) struct Idle<const SLURM: bool>(Span);

impl<const SLURM: bool> Read for Idle<SLURM> {
    const WANTED: &'static str = "any value";
    const IDLE: bool = true;

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
