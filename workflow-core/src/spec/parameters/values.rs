//! The values of a parameter: lists, ranges, and lists in texts.

use std::ops::Range;

use serde_json::Value as Json;

use super::range;
use super::{Argument, Axes, fill};
use crate::document::{Findings, Format, Source, Span};

/// Why something cannot be the values of a parameter.
#[derive(Debug, PartialEq)]
pub(super) struct Unfit {
    /// What is said of the parameter: "is an empty list".
    pub(super) reason: String,
    pub(super) help: String,
    /// The text and the part of it that is wrong, where it is not the whole value.
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

    /// The place, if the value stands in this one.
    pub(super) fn place(&self, value: Span, source: &Source) -> Span {
        match &self.part {
            Some((text, part)) => source.find_range(value, text, part.clone()),
            None => value,
        }
    }
}

/// The values of a parameter.
pub(super) fn values(json: &Json, constants: &Axes) -> Result<Vec<Argument>, Unfit> {
    let values = match json {
        Json::Array(items) => listed(items)?,
        Json::String(text) => from_text(fill(text, constants, 0).trim())?,
        Json::Number(_) | Json::Bool(_) => vec![argument(json).map_err(|kind| other(&kind))?],
        Json::Null => return Err(other("has no values")),
        Json::Object(_) => return Err(other("is a map")),
    };
    if values.is_empty() {
        let help = "write at least one value: `[1]`, or leave the parameter away";
        return Err(Unfit::new("is an empty list", help));
    }
    Ok(values)
}

/// How many values there are; of a range without making them, and 0 where something is wrong.
pub(super) fn count(json: &Json, constants: &Axes) -> usize {
    match json {
        Json::Array(items) => items.len(),
        Json::String(text) => match fill(text, constants, 0).trim() {
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

fn listed(items: &[Json]) -> Result<Vec<Argument>, Unfit> {
    let numbered = items.iter().enumerate();
    let values = numbered.map(|(index, item)| {
        argument(item).map_err(|kind| {
            let reason = format!("holds {kind} as value {}", index + 1);
            Unfit::new(reason, "a value is a text, a number or a boolean")
        })
    });
    values.collect()
}

/// One value, or in words what it is instead.
fn argument(json: &Json) -> Result<Argument, String> {
    Ok(match json {
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => Argument::Integer(integer),
            (None, Some(number)) => Argument::Number(number),
            (None, None) => return Err(format!("{number}, which is out of range,")),
        },
        Json::String(text) => Argument::Text(text.as_str().into()),
        Json::Bool(value) => Argument::Text(value.to_string().into()),
        Json::Null => return Err("null".to_owned()),
        Json::Array(_) => return Err("a list".to_owned()),
        Json::Object(_) => return Err("a map".to_owned()),
    })
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
    match (text.parse::<i64>(), text.parse::<f64>()) {
        (Ok(integer), _) => Argument::Integer(integer),
        (Err(_), Ok(number)) if number.is_finite() => Argument::Number(number),
        _ => Argument::Text(text.into()),
    }
}

/// A list as text, the way in which torc writes it: `[1,2]`, `['a','b']`.
fn list_in(text: &str) -> Result<Vec<Argument>, Unfit> {
    let source = Source::new("", text);
    let mut findings = Findings::new(&source);
    let node = source.parse(Format::Yaml, &mut findings).filter(|_| !findings.has_errors());
    match node.map(|node| node.to_json()) {
        Some(Json::Array(items)) => listed(&items),
        _ if text.ends_with(']') => {
            let help = "write it as YAML: `[1, 2]`, `['a', 'b']`";
            Err(Unfit::new(format!("is `{text}`, which is no list"), help))
        }
        _ => Err(Unfit::new(
            format!("is `{text}`, a list that has no end"),
            "close it with `]`, or put the text into a list if it is meant as one value",
        )),
    }
}
