//! The stage `validation`: checks values by rules. Each record is reported with all broken rules.

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef};
use arrow_schema::{ArrowError, DataType};
use regex::Regex;
use serde::Deserialize;
use serde_json::{Number, Value};
use workflow_config::ConfigError;

use super::{Options, Stage, StageError, column, reject_rows};
use crate::batch::Batch;
use crate::config::FailurePolicy;
use crate::policy::{Failures, Rejects};
use crate::value;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ValidationOptions {
    rules: Vec<RuleOptions>,
    on_failure: Option<FailurePolicy>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleOptions {
    column: String,
    #[serde(default)]
    not_null: bool,
    min: Option<Number>,
    max: Option<Number>,
    one_of: Option<Vec<Value>>,
    pattern: Option<String>,
}

pub(super) struct Validation {
    rules: Vec<Rule>,
    /// Without one, that of the pipeline.
    on_failure: Option<FailurePolicy>,
}

struct Rule {
    column: String,
    check: Check,
}

enum Check {
    NotNull,
    Min(Number),
    Max(Number),
    OneOf(Vec<Value>),
    Pattern(Pattern),
}

/// Tells of a row whether it passes. Fails when its value has no text.
type Passes<'a> = Box<dyn Fn(usize) -> Result<bool, ArrowError> + 'a>;

/// A pattern, which the whole value must match.
struct Pattern {
    written: String,
    whole: Regex,
}

impl Validation {
    pub(super) fn new(options: &Options) -> Result<Self, ConfigError> {
        let read: ValidationOptions = options.read()?;
        if read.rules.is_empty() {
            let message = "no rules; add `rules: [{column: id, not_null: true}]`";
            return Err(options.error("rules", message));
        }
        let (mut rules, mut mistakes) = (Vec::new(), Vec::new());
        for (index, rule) in read.rules.into_iter().enumerate() {
            let place = format!("rules[{index}]");
            let column = rule.column.clone();
            match checks(rule) {
                Ok(checks) if checks.is_empty() => {
                    let message = "the rule checks nothing; \
                        add `not_null`, `min`, `max`, `one_of` or `pattern`";
                    mistakes.push(options.error(&place, message));
                }
                Ok(checks) => rules
                    .extend(checks.into_iter().map(|check| Rule { column: column.clone(), check })),
                Err((option, message)) => {
                    mistakes.push(options.error(&format!("{place}.{option}"), &message));
                }
            }
        }
        options.all_of(mistakes)?;
        Ok(Self { rules, on_failure: read.on_failure })
    }
}

/// The checks of a rule, or an option with what is wrong with it.
fn checks(rule: RuleOptions) -> Result<Vec<Check>, (&'static str, String)> {
    let mut checks = Vec::new();
    if rule.not_null {
        checks.push(Check::NotNull);
    }
    if let (Some(min), Some(max)) = (&rule.min, &rule.max)
        && is_less(max, min)
    {
        return Err(("max", format!("is less than `min`, {min}, so no value passes")));
    }
    checks.extend(rule.min.map(Check::Min));
    checks.extend(rule.max.map(Check::Max));
    if let Some(values) = rule.one_of {
        if values.is_empty() {
            return Err(("one_of", "the list is empty, so no value passes".to_owned()));
        }
        if values.iter().any(|value| value.is_null() || value.is_array() || value.is_object()) {
            let message = "the values must be texts, numbers, `true` or `false`";
            return Err(("one_of", message.to_owned()));
        }
        checks.push(Check::OneOf(values));
    }
    if let Some(pattern) = rule.pattern {
        checks.push(Check::Pattern(Pattern::new(pattern).map_err(|text| ("pattern", text))?));
    }
    Ok(checks)
}

impl Pattern {
    fn new(written: String) -> Result<Self, String> {
        // By itself first: `a)|(b` would close the group that anchors it.
        Regex::new(&written).map_err(|_| "is not a valid regular expression".to_owned())?;
        let whole = Regex::new(&format!("^(?:{written})$"));
        let whole = whole.map_err(|_| "ends in a comment; add a line break after it".to_owned())?;
        Ok(Self { written, whole })
    }
}

impl Stage for Validation {
    fn apply(&mut self, batch: Batch, rejects: &mut Rejects) -> Result<Batch, StageError> {
        // A source without records may know fewer columns.
        if batch.is_empty() {
            return Ok(batch);
        }
        let mut failures = Failures::default();
        for rule in &self.rules {
            let place = column(batch.records(), &rule.column)?;
            rule.check(batch.records().column(place), &mut failures)?;
        }
        let policy = self.on_failure;
        reject_rows(batch, failures, |row| match policy {
            Some(policy) => rejects.reject_as(policy, row),
            None => rejects.reject(row),
        })
    }
}

impl Rule {
    fn check(&self, column: &ArrayRef, failures: &mut Failures) -> Result<(), StageError> {
        let passes = self.passes(column)?;
        for row in 0..column.len() {
            match passes(row) {
                Ok(true) => {}
                Ok(false) => {
                    failures.add_value(row, &self.column, column, |_| self.check.message());
                }
                Err(error) => failures.add_textless(row, &self.column, &error),
            }
        }
        Ok(())
    }

    /// Tells of each row whether it passes. Null passes all checks but `not_null`.
    fn passes<'a>(&'a self, column: &'a ArrayRef) -> Result<Passes<'a>, StageError> {
        // Without values there may be no type.
        if !matches!(self.check, Check::NotNull) && column.logical_null_count() == column.len() {
            return Ok(Box::new(|_| Ok(true)));
        }
        let compare = |passes: fn(&Number, &Number) -> bool, limit: &'a Number| {
            let number = self.numbers(column)?;
            let check = move |row| Ok(number(row).is_none_or(|number| passes(&number, limit)));
            Ok(Box::new(check) as Passes<'a>)
        };
        match &self.check {
            Check::NotNull => Ok(Box::new(|row| Ok(column.is_valid(row)))),
            Check::Min(min) => compare(|number, min| !is_less(number, min), min),
            Check::Max(max) => compare(|number, max| !is_less(max, number), max),
            Check::OneOf(values) => match column.data_type() {
                kind if kind.is_numeric() => {
                    let number = self.numbers(column)?;
                    let known = values.iter().map(|value| {
                        number_of(value).ok_or_else(|| {
                            let text = text_of(value);
                            self.unfit(&format!("the column has numbers, and `{text}` is none"))
                        })
                    });
                    let known = known.collect::<Result<Vec<_>, _>>()?;
                    let is_known = move |number| known.iter().any(|known| is_equal(&number, known));
                    Ok(Box::new(move |row| Ok(number(row).is_none_or(&is_known))))
                }
                _ => {
                    let known: Vec<_> = values.iter().map(text_of).collect();
                    Ok(Box::new(move |row| {
                        Ok(value::text(column, row)?.is_none_or(|text| known.contains(&text)))
                    }))
                }
            },
            Check::Pattern(pattern) => match column.data_type() {
                DataType::Utf8 => {
                    let texts = column.as_string::<i32>();
                    Ok(Box::new(|row| {
                        Ok(texts.is_null(row) || pattern.whole.is_match(texts.value(row)))
                    }))
                }
                _ => Err(self.unfit("`pattern` needs a column of texts")),
            },
        }
    }

    fn numbers<'a>(
        &self,
        column: &'a ArrayRef,
    ) -> Result<Box<dyn Fn(usize) -> Option<Number> + 'a>, StageError> {
        match column.data_type() {
            DataType::Int64 => {
                let column = column.as_primitive::<Int64Type>();
                Ok(Box::new(|row| column.is_valid(row).then(|| column.value(row).into())))
            }
            DataType::Float64 => {
                let column = column.as_primitive::<Float64Type>();
                Ok(Box::new(|row| {
                    column.is_valid(row).then(|| Number::from_f64(column.value(row))).flatten()
                }))
            }
            kind if value::is_decimal(kind) => Ok(Box::new(|row| {
                let text = value::text(column, row).ok().flatten()?;
                Number::from_f64(text.parse().ok()?)
            })),
            _ => Err(self.unfit("`min` and `max` need a column of numbers")),
        }
    }

    fn unfit(&self, need: &str) -> StageError {
        let column = &self.column;
        StageError::new(format!(
            "the column `{column}` does not fit its rule: {need}; \
             convert it with `types` of the stage `cleaning`"
        ))
    }
}

impl Check {
    /// What is wrong with a value that fails, after the value.
    fn message(&self) -> String {
        match self {
            Self::NotNull => "is not allowed".to_owned(),
            Self::Min(min) => format!("is less than {min}"),
            Self::Max(max) => format!("is more than {max}"),
            Self::OneOf(values) => {
                let values: Vec<_> =
                    values.iter().map(|value| format!("`{}`", text_of(value))).collect();
                format!("is not one of {}", values.join(", "))
            }
            Self::Pattern(pattern) => format!("does not match `{}`", pattern.written),
        }
    }
}

/// The number that a value is, or that its text has.
fn number_of(value: &Value) -> Option<Number> {
    match value {
        Value::Number(number) => Some(number.clone()),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Compares numbers. Integers are compared exactly.
fn is_less(one: &Number, other: &Number) -> bool {
    match (one.as_i64(), other.as_i64()) {
        (Some(one), Some(other)) => one < other,
        _ => float(one) < float(other),
    }
}

fn is_equal(one: &Number, other: &Number) -> bool {
    !is_less(one, other) && !is_less(other, one)
}

fn float(number: &Number) -> f64 {
    number.as_f64().unwrap_or(f64::NAN)
}
