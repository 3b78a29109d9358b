//! Maps with known fields, declared once by `record!`.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::{Read, wrong_type};
use crate::document::{Findings, Key, Node, Span, Value};
use crate::words::did_you_mean;

/// The name of a field, and whether it is meant for another engine and has no effect here.
pub(crate) type Field = (&'static str, bool);

/// The entries of a map with these fields; unknown fields are reported.
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
    let help = did_you_mean(&key.text, fields.iter().map(|(field, _)| *field), || {
        let used = fields.iter().filter(|(_, is_idle)| !is_idle).map(|(field, _)| *field);
        format!("{what} may have: {}", used.collect::<Vec<_>>().join(", "))
    });
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
        // A wrong value has been reported; the other fields are read.
        Some((_, value)) => T::read(value, findings).or_else(T::absent),
        None => T::absent().or_else(|| {
            let first_line = findings.source().slice(node.span).lines().next().unwrap_or_default();
            let start = node.span.start as usize;
            let span = Span::new(start, start + first_line.len());
            findings
                .error(span, format!("{what} needs `{name}`, {}", T::WANTED))
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
    // Reserves the name, for records that contain each other.
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
/// A field whose type has a default (`Option`, `Vec`, `bool`) is optional; every other is required.
/// A field whose name in files is not an identifier is declared as `field = "name": Type`.
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
            /// The given fields without effect: their names, spans and engines.
            #[expect(clippy::allow_attributes, reason = "not every record is asked")]
            #[allow(dead_code)]
            pub(crate) fn ignored_fields(
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
                    &[$(($crate::document::name_of!($field $(, $name_in_file)?), <$kind as $crate::document::Read>::IGNORED)),+];
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

/// The name of a field in files.
macro_rules! name_of {
    ($field:ident) => {
        stringify!($field)
    };
    ($field:ident, $name_in_file:literal) => {
        $name_in_file
    };
}

pub(crate) use {name_of, record};
