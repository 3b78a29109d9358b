//! The values of a parameter: lists, ranges, and lists in texts.

use std::ops::Range;

use super::range;
use super::{Argument, ArgumentKind, ParameterGrid, substitute};
use crate::document::{Findings, Format, SourceText, Span, Verbatim};

/// Why the values of a parameter are invalid.
#[derive(Debug, PartialEq)]
pub(super) struct Unfit {
    /// The end of the message about the parameter: "is an empty list".
    pub(super) reason: String,
    pub(super) help: String,
    /// The text and the wrong part of it, unless that is the whole value.
    part: Option<(String, Range<usize>)>,
}

impl Unfit {
    pub(super) fn new(reason: impl Into<String>, help: impl Into<String>) -> Self {
        Self { reason: reason.into(), help: help.into(), part: None }
    }

    /// Points at a part of a text.
    pub(super) fn at(self, text: &str, part: Range<usize>) -> Self {
        Self { part: Some((text.to_owned(), part)), ..self }
    }

    /// The span of the mistake, given that of the value.
    pub(super) fn place(&self, value: Span, source: &SourceText) -> Span {
        match &self.part {
            Some((text, part)) => source.find_range(value, text, part.clone()),
            None => value,
        }
    }
}

/// The values of a parameter.
pub(super) fn values(
    written: &Verbatim,
    constants: &ParameterGrid,
) -> Result<Vec<Argument>, Unfit> {
    let values = match written {
        Verbatim::List(items) => listed(items)?,
        Verbatim::Text(text) => from_text(substitute(text, constants, 0).trim())?,
        Verbatim::Null => return Err(other("has no values")),
        Verbatim::Map => return Err(other("is a map")),
        scalar => vec![argument(scalar).map_err(other)?],
    };
    if values.is_empty() {
        let help = "write at least one value: `[1]`, or remove the parameter";
        return Err(Unfit::new("is an empty list", help));
    }
    Ok(values)
}

/// The number of values, counted without making those of a range; 0 if they are invalid.
pub(super) fn count(written: &Verbatim, constants: &ParameterGrid) -> usize {
    match written {
        Verbatim::List(items) => items.len(),
        Verbatim::Text(text) => match substitute(text, constants, 0).trim() {
            // Each value but the first follows a comma.
            text if text.starts_with('[') => 1 + text.matches(',').count(),
            text if text.contains(':') => range::count(text),
            _ => 1,
        },
        _ => 1,
    }
}

fn other(reason: &str) -> Unfit {
    Unfit::new(reason, "write a list: `[1, 2]`, or a range: `0:9`")
}

fn listed(items: &[Verbatim]) -> Result<Vec<Argument>, Unfit> {
    let numbered = items.iter().enumerate();
    let values = numbered.map(|(index, item)| {
        argument(item).map_err(|kind| {
            let reason = format!("contains {kind} as value {}", index + 1);
            Unfit::new(reason, "a value must be a text, a number or a boolean")
        })
    });
    values.collect()
}

/// One value, or a description of what it is instead.
fn argument(written: &Verbatim) -> Result<Argument, &'static str> {
    let (kind, text) = match written {
        Verbatim::Integer(text) => (ArgumentKind::Integer, text),
        Verbatim::Number(text) => (ArgumentKind::Number, text),
        Verbatim::Text(text) | Verbatim::Bool(text) => (ArgumentKind::Text, text),
        Verbatim::Null => return Err("null"),
        Verbatim::List(_) => return Err("a list"),
        Verbatim::Map => return Err("a map"),
    };
    Ok(Argument::new(kind, text.clone()))
}

/// A range, a list in a text, or one value.
fn from_text(text: &str) -> Result<Vec<Argument>, Unfit> {
    match text {
        _ if text.starts_with('[') => list_in(text),
        _ if text.contains(':') => range::values(text),
        _ => Ok(vec![single(text)]),
    }
}

fn single(text: &str) -> Argument {
    let kind = match (text.parse::<i64>(), text.parse::<f64>()) {
        (Ok(_), _) => ArgumentKind::Integer,
        (Err(_), Ok(number)) if number.is_finite() => ArgumentKind::Number,
        _ => ArgumentKind::Text,
    };
    Argument::new(kind, text)
}

/// Parses a list in a text, as torc writes it: `[1,2]`, `['a','b']`.
fn list_in(text: &str) -> Result<Vec<Argument>, Unfit> {
    let source = SourceText::new("", text);
    let mut findings = Findings::new(&source);
    let node = source.parse(Format::Yaml, &mut findings).filter(|_| !findings.has_errors());
    match node.map(|node| Verbatim::of(&node, &source)) {
        Some(Verbatim::List(items)) => listed(&items),
        _ if text.ends_with(']') => {
            let help = "write it as YAML: `[1, 2]`, `['a', 'b']`";
            Err(Unfit::new(format!("is `{text}`, which is not a list"), help))
        }
        _ => Err(Unfit::new(
            format!("is `{text}`, a list that is not closed"),
            "close it with `]`, or put it into a list if it is meant as one value",
        )),
    }
}
