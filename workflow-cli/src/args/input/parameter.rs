//! `--param`: a value and its path through the objects of the input.

use std::str::FromStr;

use serde_json::{Map, Number, Value as Json};
use workflow_core::bounds::NESTING;
use workflow_core::json::{self, JsonError};

/// A value and its path: `source.retries=3`.
#[derive(Debug, Clone)]
pub(super) struct Parameter {
    /// The path as the user typed it.
    written: String,
    /// The option that sets the value: `--param day`, or `--day`.
    option: String,
    path: Vec<String>,
    value: Json,
    /// The value as a number, if `value` is a string because JSON would change the number, such as
    /// `3.10`; or why it is out of range. Used when the workflow expects a number.
    number: NumberOfText,
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
        let option = format!("--param {written}");
        Ok(Self { written: written.to_owned(), option, path, value, number })
    }
}

impl Parameter {
    /// A key of the input that has an option of its own, with its value as text or JSON.
    ///
    /// # Errors
    ///
    /// Fails when a number in the JSON would lose digits.
    pub(super) fn of_field(key: &str, value: &str) -> Result<Self, String> {
        let (value, number) = read(value)?;
        Ok(Self { value, number, ..Self::text_of_field(key, "") })
    }

    /// A key of the input that has an option of its own, whose value is a text.
    pub(super) fn text_of_field(key: &str, value: &str) -> Self {
        let (written, path) = (key.to_owned(), vec![key.to_owned()]);
        let option = format!("--{}", flag(key));
        Self { written, option, path, value: Json::from(value), number: None }
    }
}

/// The name of the option for a key of the input.
pub(super) fn flag(key: &str) -> String {
    key.replace('_', "-")
}

/// The number that a text stands for, if JSON would change it; or why it is out of range.
type NumberOfText = Option<Result<Json, &'static str>>;

/// Reads a value: as JSON, or else as a string.
fn read(value: &str) -> Result<(Json, NumberOfText), String> {
    Ok(match json::read(value) {
        Ok(Json::Number(number)) if number.to_string() != value => {
            (Json::from(value), number_in(value))
        }
        Ok(value) => (value, None),
        Err(JsonError::Number(lost)) if !lost.path.is_empty() => return Err(lost.to_string()),
        Err(JsonError::Shape(error)) => return Err(error.to_string()),
        Err(_) => (Json::from(value), number_in(value)),
    })
}

/// Reads a number, also in a form that JSON does not have: `007`, `+3`. A whole number is an
/// integer: `1e3`.
fn number_in(text: &str) -> NumberOfText {
    let is_part = |letter: char| letter.is_ascii_digit() || "+-.eE".contains(letter);
    if !text.chars().all(is_part) || !text.contains(|letter: char| letter.is_ascii_digit()) {
        return None;
    }
    match json::number(text) {
        Ok(number) => Some(Ok(integer(&number).unwrap_or(Json::Number(number)))),
        Err(_) if text.parse::<f64>().is_err() => None,
        Err(reason) => Some(Err(reason)),
    }
}

/// A whole number that a float holds exactly, as an integer.
fn integer(number: &Number) -> Option<Json> {
    let float = number.as_f64().filter(|float| number.is_f64() && float.fract() == 0.0)?;
    format!("{float:.0}").parse::<i64>().ok().map(Json::from)
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
/// The errors of [`set_all`]. Fails also when the workflow expects a number, and the value is one
/// that is out of range.
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
    let chosen = |combination: usize| {
        let is_chosen = move |bit: usize| combination >> bit.min(MAX_TRIED - 1) & 1 == 1;
        let chosen = ambiguous.iter().enumerate().filter(move |(bit, _)| is_chosen(*bit));
        chosen.map(|(_, at)| *at)
    };
    let with = |combination: usize, value: &dyn Fn(&Parameter) -> Json| {
        let mut tried = parameters.to_vec();
        chosen(combination).for_each(|at| tried[at].value = value(&parameters[at]));
        set(&tried)
    };
    for combination in first..all {
        let tried = with(combination, &Parameter::as_number)?;
        if fits(&tried) {
            return Ok(tried);
        }
    }
    // A number is expected where 0 fits.
    for combination in first..all {
        if !fits(&with(combination, &|_| Json::from(0))?) {
            continue;
        }
        let mut numbers = chosen(combination).map(|at| &parameters[at]);
        return match numbers.find_map(Parameter::out_of_range) {
            Some(error) => Err(error),
            None => with(combination, &Parameter::as_number),
        };
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
            Some(other) if other.option == parameter.option => {
                return Err(format!("--param sets `{written}` twice; remove one"));
            }
            Some(other) if other.path == parameter.path => {
                return Err(format!(
                    "{} and {} set the same key of the input; remove one",
                    other.option, parameter.option
                ));
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
    /// The value as a number, if it is in range.
    fn as_number(&self) -> Json {
        match &self.number {
            Some(Ok(number)) => number.clone(),
            _ => self.value.clone(),
        }
    }

    /// The error of a number that is out of range.
    fn out_of_range(&self) -> Option<String> {
        let Some(Err(reason)) = self.number else { return None };
        let number = self.value.as_str().unwrap_or_default();
        let start: String = number.chars().take(40).collect();
        Some(format!("{}: the number {start} is out of range: it {reason}", self.option))
    }

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
