//! Errors of deserialization, in words for authors of files, with places.

use std::fmt;

use serde::de::{Error, Expected, Unexpected};

use super::super::path::Path;
use super::super::place::{Layer, Place};
use super::super::redact::Redaction;
use super::super::secret::MASK;
use super::super::setting::{Key, Setting};
use workflow_core::id::nearest;
use workflow_files::document::{Diagnostics, Findings};

/// Why a value cannot be read as a type.
#[derive(Debug)]
pub(crate) struct Failure(Box<Inner>);

#[derive(Debug)]
struct Inner {
    reason: Reason,
    at: Option<At>,
    is_secret: bool,
}

#[derive(Debug)]
struct At {
    place: Place,
    path: String,
    /// The variables that gave the value.
    variables: Option<Box<str>>,
}

#[derive(Debug)]
enum Reason {
    WrongType {
        wanted: String,
        found: String,
    },
    WrongValue {
        wanted: String,
        found: String,
    },
    NotOneOf {
        what: &'static str,
        found: String,
        known: &'static [&'static str],
    },
    Missing(&'static str),
    /// The message of the host's own code.
    Custom(String),
}

/// What is not one of the fields of a map.
const FIELD: &str = "field";

impl Failure {
    pub(super) fn wrong_type(wanted: &str, found: &str) -> Self {
        Self::new(Reason::WrongType { wanted: wanted.to_owned(), found: found.to_owned() })
    }

    pub(super) fn wrong_value(found: &str, wanted: &str) -> Self {
        Self::new(Reason::WrongValue { wanted: wanted.to_owned(), found: found.to_owned() })
    }

    fn new(reason: Reason) -> Self {
        Self(Box::new(Inner { reason, at: None, is_secret: false }))
    }

    /// Adds the place, unless a place further inside is known.
    pub(super) fn at(mut self, setting: &Setting, path: &Path<'_>) -> Self {
        if self.0.at.is_none() {
            let (place, variables) = (setting.place.clone(), setting.variables.clone());
            self.0.at = Some(At { place, path: path.to_string(), variables });
            self.0.is_secret = setting.secret.is_set();
        }
        self
    }

    pub(super) fn at_key(mut self, key: &Key, path: &Path<'_>) -> Self {
        if self.0.at.is_none() {
            let path = Path::Key(path, &key.text).to_string();
            self.0.at = Some(At { place: key.place.clone(), path, variables: None });
        }
        self
    }

    /// Hides the value in the message.
    pub(super) fn conceal(mut self) -> Self {
        self.0.is_secret = true;
        self
    }

    /// The path of the value, if it is known.
    pub(crate) fn path(&self) -> Option<&str> {
        self.0.at.as_ref().map(|at| at.path.as_str())
    }

    /// The field that is missing, if that is the reason.
    pub(super) fn missing(&self) -> Option<&'static str> {
        match self.0.reason {
            Reason::Missing(field) => Some(field),
            _ => None,
        }
    }

    /// The field that is unknown, if that is the reason.
    pub(super) fn unknown(&self) -> Option<&str> {
        match &self.0.reason {
            Reason::NotOneOf { what: FIELD, found, .. } => Some(found.trim_matches('`')),
            _ => None,
        }
    }

    /// Converts the error to diagnostics with its place.
    pub(crate) fn diagnose(self, redaction: &Redaction<'_>) -> Diagnostics {
        let is_secret = self.0.is_secret;
        let message = redaction.apply(&self.message());
        let help = self.help();
        let Inner { reason, at, .. } = *self.0;
        let Some(at) = at else {
            return Place::defaults().error(
                &Path::Root,
                message,
                help.as_deref().unwrap_or_default(),
            );
        };
        let is_missing = matches!(reason, Reason::Missing(_));
        let place = if is_missing { at.place.first_line() } else { at.place };
        let mut findings = Findings::new(&place.source);
        let mut diagnostic = findings.error(place.span, message).path(at.path);
        if let Some(variables) = at.variables.filter(|_| place.layer == Layer::File) {
            diagnostic = diagnostic.label(format!("the value of `{variables}`"));
        }
        if let Some(help) = help {
            diagnostic = diagnostic.help(help);
        }
        if is_secret {
            diagnostic.conceal();
        }
        findings.finish()
    }

    fn message(&self) -> String {
        let hide = |text: &str| {
            if self.0.is_secret { format!("`{MASK}`") } else { text.to_owned() }
        };
        match &self.0.reason {
            Reason::WrongType { wanted, found } => format!("expected {wanted}, found {found}"),
            Reason::WrongValue { wanted, found } => {
                format!("expected {wanted}, found {}", hide(found))
            }
            Reason::NotOneOf { what, found, .. } => format!("unknown {what} {}", hide(found)),
            Reason::Missing(field) => format!("the field `{field}` is missing"),
            Reason::Custom(_) if self.0.is_secret => "the secret does not fit".to_owned(),
            Reason::Custom(message) => message.clone(),
        }
    }

    fn help(&self) -> Option<String> {
        match &self.0.reason {
            Reason::WrongType { wanted, found } => {
                let is_scalar = matches!(found.as_str(), "a boolean" | "a number" | "an integer");
                (wanted == "a string" && is_scalar).then(|| "put it in quotes".to_owned())
            }
            Reason::NotOneOf { found, known, .. } => {
                let near = nearest(found.trim_matches('`'), known.iter().copied());
                let near = near.filter(|_| !self.0.is_secret);
                Some(near.map_or_else(
                    || format!("available: {}", known.join(", ")),
                    |near| format!("did you mean `{near}`?"),
                ))
            }
            Reason::Missing(field) => Some(format!("add `{field}:`")),
            Reason::WrongValue { .. } | Reason::Custom(_) => None,
        }
    }
}

impl Error for Failure {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(Reason::Custom(message.to_string()))
    }

    fn invalid_type(found: Unexpected<'_>, wanted: &dyn Expected) -> Self {
        Self::wrong_type(&wanted_words(wanted), kind_words(&found))
    }

    fn invalid_value(found: Unexpected<'_>, wanted: &dyn Expected) -> Self {
        Self::wrong_value(&value_words(&found), &wanted_words(wanted))
    }

    fn invalid_length(length: usize, wanted: &dyn Expected) -> Self {
        let items = if length == 1 { "item" } else { "items" };
        Self::wrong_type(&wanted_words(wanted), &format!("{length} {items}"))
    }

    fn unknown_variant(variant: &str, known: &'static [&'static str]) -> Self {
        let found = format!("`{variant}`");
        Self::new(Reason::NotOneOf { what: "choice", found, known })
    }

    fn unknown_field(field: &str, known: &'static [&'static str]) -> Self {
        let found = format!("`{field}`");
        Self::new(Reason::NotOneOf { what: FIELD, found, known })
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(Reason::Missing(field))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::custom(format_args!("the field `{field}` is given twice"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message())
    }
}

impl std::error::Error for Failure {}

/// Joins alternatives: "`a`, `b` or `c`".
pub(super) fn one_of(words: &[&str]) -> String {
    let words: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
    match words.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => "nothing".to_owned(),
    }
}

/// Translates serde's names of Rust types for authors of files.
fn wanted_words(wanted: &dyn Expected) -> String {
    let wanted = wanted.to_string();
    match wanted.as_str() {
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize" | "u8" | "u16" | "u32" | "u64" | "u128"
        | "usize" => super::INTEGER.to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        "a boolean" => "`true` or `false`".to_owned(),
        "a sequence" => "a list".to_owned(),
        "unit" => "null".to_owned(),
        other => match other.strip_prefix("a tuple of size ") {
            Some(length) => format!("a list of {length} items"),
            None if other.starts_with("struct ") => "a map".to_owned(),
            None => wanted,
        },
    }
}

fn kind_words(found: &Unexpected<'_>) -> &'static str {
    match found {
        Unexpected::Bool(_) => "a boolean",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) => super::INTEGER,
        Unexpected::Float(_) => "a number",
        Unexpected::Char(_) | Unexpected::Str(_) => "a string",
        Unexpected::Bytes(_) => "bytes",
        Unexpected::Unit | Unexpected::Option => "null",
        Unexpected::Seq => "a list",
        Unexpected::Map => "a map",
        _ => "something else",
    }
}

fn value_words(found: &Unexpected<'_>) -> String {
    match found {
        Unexpected::Bool(value) => value.to_string(),
        Unexpected::Unsigned(value) => value.to_string(),
        Unexpected::Signed(value) => value.to_string(),
        Unexpected::Float(value) => value.to_string(),
        Unexpected::Char(value) => format!("`{value}`"),
        Unexpected::Str(value) => format!("`{value}`"),
        other => kind_words(other).to_owned(),
    }
}
