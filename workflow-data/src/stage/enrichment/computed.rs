//! Columns that are computed from other columns of the record.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor, value::MapAccessDeserializer};
use serde_json::{Map, Value};
use workflow_config::ConfigError;
use workflow_files::Expression;

use super::super::{Options, StageError, column};
use crate::policy::Failures;
use crate::row::RowReason;
use crate::text::of_json;
use crate::value::{self, ColumnType, Guess};

/// An expression as it is written: alone, or with its type.
#[derive(Debug)]
pub(super) struct ComputedOptions {
    expression: String,
    kind: Option<ColumnType>,
}

/// A column that is computed.
pub(super) struct Computed {
    pub(super) name: String,
    expression: Expression,
    /// The columns that the expression reads.
    reads: Vec<String>,
    /// Given, or found from the first records.
    kind: Option<ColumnType>,
}

impl Computed {
    pub(super) fn all(
        written: BTreeMap<String, ComputedOptions>,
        options: &Options,
    ) -> Result<Vec<Self>, ConfigError> {
        let (mut columns, mut mistakes) = (Vec::new(), Vec::new());
        for (name, ComputedOptions { expression, kind }) in written {
            match Expression::parse(&expression) {
                Ok(expression) => {
                    let reads = expression.names().collect();
                    columns.push(Self { name, expression, reads, kind });
                }
                Err(error) => {
                    let option = format!("expressions.{name}");
                    mistakes.push(options.error(&option, &error.to_string()));
                }
            }
        }
        options.all_of(mistakes)?;
        Ok(columns)
    }

    /// Computes the column. Records without a value are added to the failures.
    pub(super) fn column(
        &mut self,
        records: &RecordBatch,
        failures: &mut Failures,
    ) -> Result<ArrayRef, StageError> {
        let values = self.values(records, failures)?;
        let kind = self.kind.unwrap_or_else(|| guess(&values));
        if !values.is_empty() {
            self.kind = Some(kind);
        }
        let texts: StringArray = values.into_iter().map(of_json).collect();
        let texts: ArrayRef = Arc::new(texts);
        Ok(failures.convert(&self.name, &texts, kind)?)
    }

    fn values(
        &self,
        records: &RecordBatch,
        failures: &mut Failures,
    ) -> Result<Vec<Value>, StageError> {
        // A source without records may know fewer columns.
        if records.num_rows() == 0 {
            return Ok(Vec::new());
        }
        let schema = records.schema();
        let is_whole = |name: &String| name == RECORD && schema.index_of(name).is_err();
        let reads_record = self.reads.iter().any(is_whole);
        let read = self.reads.iter().filter(|name| !is_whole(name)).map(|name| {
            let place = column(records, name).map_err(|error| {
                StageError::new(format!("the expression of `{}`: {error}", self.name))
            })?;
            Ok((name, records.column(place)))
        });
        let read = read.collect::<Result<Vec<_>, StageError>>()?;
        let expression = self.expression.compile().map_err(StageError::new)?;
        let values = (0..records.num_rows()).map(|row| {
            let mut known = Map::new();
            for (name, column) in &read {
                match value::json(column, row) {
                    Ok(value) => _ = known.insert((*name).clone(), value),
                    Err(error) => {
                        failures.add_textless(row, name, &error);
                        return Value::Null;
                    }
                }
            }
            if reads_record {
                // A value that an expression cannot read is missing.
                let fields = schema.fields().iter().zip(records.columns());
                let fields = fields.filter_map(|(field, column)| {
                    Some((field.name().clone(), value::json(column, row).ok()?))
                });
                known.insert(RECORD.to_owned(), Value::Object(fields.collect()));
            }
            let value = expression.evaluate(&Value::Object(known));
            value.map_err(|error| error.to_string()).and_then(fits).unwrap_or_else(|error| {
                let message = format!("column `{}`: {error}", self.name);
                failures.add(row, RowReason::of_record(message));
                Value::Null
            })
        });
        Ok(values.collect())
    }
}

/// The name of the whole record in expressions, for columns whose names are no words. A column of
/// this name takes precedence.
const RECORD: &str = "record";

/// Refuses an integer of more than 64 bits, which would become a floating-point number.
fn fits(value: Value) -> Result<Value, String> {
    match &value {
        Value::Number(number) if number.is_u64() && !number.is_i64() => {
            Err(format!("the result {number} is not an integer of 64 bits"))
        }
        _ => Ok(value),
    }
}

/// The type that all values have; text if they differ, or if there is none.
fn guess(values: &[Value]) -> ColumnType {
    let mut guess = Guess::default();
    for value in values {
        match value {
            Value::Null => {}
            Value::Bool(_) => guess.add(ColumnType::Boolean),
            Value::Number(number) => match number.as_i64() {
                Some(integer) => guess.add_integer(integer),
                None => guess.add(ColumnType::Number),
            },
            Value::String(_) | Value::Array(_) | Value::Object(_) => guess.add(ColumnType::Text),
        }
    }
    guess.kind()
}

impl<'de> Deserialize<'de> for ComputedOptions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ComputedVisitor)
    }
}

struct ComputedVisitor;

impl<'de> Visitor<'de> for ComputedVisitor {
    type Value = ComputedOptions;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an expression, or `expression` and `type`")
    }

    fn visit_str<E>(self, expression: &str) -> Result<ComputedOptions, E> {
        Ok(ComputedOptions { expression: expression.to_owned(), kind: None })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ComputedOptions, A::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Typed {
            expression: String,
            #[serde(rename = "type")]
            kind: Option<ColumnType>,
        }

        let Typed { expression, kind } = Typed::deserialize(MapAccessDeserializer::new(map))?;
        Ok(ComputedOptions { expression, kind })
    }
}
