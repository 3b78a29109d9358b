//! `--param`: a value and its path through the objects of the input.

use std::str::FromStr;

use serde_json::{Map, Value as Json};
use workflow_core::bounds::NESTING;
use workflow_core::json::{self, JsonError};

/// A value and its path: `source.retries=3`.
#[derive(Debug, Clone)]
pub(super) struct Parameter {
    /// The path as the user typed it.
    written: String,
    path: Vec<String>,
    value: Json,
    /// The value as a number, if `value` is a string because JSON would normalize the number:
    /// `3.10`. Used when the workflow expects a number.
    number: Option<Json>,
}

impl FromStr for Parameter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (written, value) = match text.split_once('=') {
            Some(("", _)) | None => {
                return Err("expected KEY=VALUE, such as day=2026-01-02".to_owned());
            }
            Some(parts) => parts,
        };
        let path = keys(written);
        if path.iter().any(String::is_empty) {
            return Err(format!("`{written}` has an empty key; {ESCAPE}"));
        }
        if path.len() > NESTING {
            return Err(format!("a path has at most {NESTING} keys; {ESCAPE}"));
        }
        let (value, number) = read(value)?;
        Ok(Self { written: written.to_owned(), path, value, number })
    }
}

impl Parameter {
    /// A key of the input, with its value as text or JSON.
    ///
    /// # Errors
    ///
    /// Fails when a number in the JSON would lose digits.
    pub(super) fn of_key(key: &str, value: &str) -> Result<Self, String> {
        let (value, number) = read(value)?;
        Ok(Self { written: key.to_owned(), path: vec![key.to_owned()], value, number })
    }

    /// A key of the input, whose value is a text.
    pub(super) fn text(key: &str, value: &str) -> Self {
        let value = Json::from(value);
        Self { written: key.to_owned(), path: vec![key.to_owned()], value, number: None }
    }
}

/// Reads a value: as JSON, or else as a string. The second value is the number that JSON would
/// normalize.
fn read(value: &str) -> Result<(Json, Option<Json>), String> {
    Ok(match json::read(value) {
        Ok(Json::Number(number)) if number.to_string() != value => {
            (Json::from(value), Some(Json::Number(number)))
        }
        Ok(value) => (value, None),
        Err(JsonError::Number(lost)) if !lost.path.is_empty() => return Err(lost.to_string()),
        Err(_) => (Json::from(value), None),
    })
}

const ESCAPE: &str = "write a dot inside a key as `\\.`";

/// Splits a path at its dots, except at those after a backslash.
fn keys(written: &str) -> Vec<String> {
    let mut keys = vec![String::new()];
    let mut letters = written.chars().peekable();
    while let Some(letter) = letters.next() {
        let last = keys.len() - 1;
        match letter {
            '.' => keys.push(String::new()),
            '\\' => {
                keys[last].push(letters.next_if(|next| matches!(next, '.' | '\\')).unwrap_or('\\'))
            }
            letter => keys[last].push(letter),
        }
    }
    keys
}

/// Joins keys to a path, with dots inside keys escaped.
fn path_text(keys: &[String]) -> String {
    let written = keys.iter().map(|key| key.replace('\\', "\\\\").replace('.', "\\."));
    written.collect::<Vec<_>>().join(".")
}

/// Up to how many ambiguous values all combinations of string and number are tried.
const MAX_TRIED: usize = 6;

/// Sets the values so that the input fits the workflow if possible: values such as `3.10` are
/// strings, or numbers where only numbers fit.
///
/// # Errors
///
/// The errors of [`set_all`].
pub(super) fn set_to_fit(
    parameters: &[Parameter],
    object: &Map<String, Json>,
    fits: &dyn Fn(&Json) -> bool,
) -> Result<Json, String> {
    let set = |parameters: &[Parameter]| {
        let mut object = object.clone();
        set_all(parameters, &mut object).map(|()| Json::Object(object))
    };
    let as_text = set(parameters)?;
    let ambiguous: Vec<usize> =
        (0..parameters.len()).filter(|at| parameters[*at].number.is_some()).collect();
    if ambiguous.is_empty() || fits(&as_text) {
        return Ok(as_text);
    }
    // All combinations of a few values; with more, only all as numbers.
    let all = 1_usize << ambiguous.len().min(MAX_TRIED);
    let first = if ambiguous.len() > MAX_TRIED { all - 1 } else { 1 };
    for combination in first..all {
        let mut tried = parameters.to_vec();
        for (bit, at) in ambiguous.iter().enumerate() {
            if combination >> bit.min(MAX_TRIED - 1) & 1 == 1
                && let Some(number) = tried[*at].number.take()
            {
                tried[*at].value = number;
            }
        }
        let tried = set(&tried)?;
        if fits(&tried) {
            return Ok(tried);
        }
    }
    Ok(as_text)
}

/// Sets the values in order.
///
/// # Errors
///
/// Fails when a value would overwrite an earlier one, or a path passes through a value that is
/// not an object.
fn set_all(parameters: &[Parameter], object: &mut Map<String, Json>) -> Result<(), String> {
    for (at, parameter) in parameters.iter().enumerate() {
        let written = &parameter.written;
        let overwritten =
            parameters[..at].iter().find(|other| other.path.starts_with(&parameter.path));
        match overwritten {
            Some(other) if other.path == parameter.path => {
                return Err(format!("--param sets `{written}` twice; remove one"));
            }
            Some(other) => {
                return Err(format!(
                    "--param sets `{written}` after `{}`, which it overwrites; swap the two",
                    other.written
                ));
            }
            None => parameter.set(object)?,
        }
    }
    Ok(())
}

impl Parameter {
    fn set(&self, object: &mut Map<String, Json>) -> Result<(), String> {
        let Some((last, above)) = self.path.split_last() else { return Ok(()) };
        let mut object = object;
        for (depth, key) in above.iter().enumerate() {
            let inner = object.entry(key.clone()).or_insert_with(|| Json::Object(Map::new()));
            let kind = json::kind(inner);
            object = inner.as_object_mut().ok_or_else(|| {
                format!(
                    "--param sets `{}`, but `{}` is {kind}, not an object; {ESCAPE}",
                    self.written,
                    path_text(&self.path[..=depth])
                )
            })?;
        }
        object.insert(last.clone(), self.value.clone());
        Ok(())
    }
}
