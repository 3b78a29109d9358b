//! The stage `enrichment`: adds columns.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow_schema::{Field, Schema};
use serde::Deserialize;
use serde_json::{Map, Value};
use workflow_config::ConfigError;

use super::{Options, Stage, StageError};
use crate::batch::Batch;
use crate::clock::Clock;
use crate::policy::Rejects;
use crate::value::UTC;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct EnrichmentOptions {
    add_timestamps: bool,
    constants: Map<String, Value>,
}

pub(super) struct Enrichment {
    add_timestamps: bool,
    constants: Vec<(String, Constant)>,
    clock: Clock,
}

/// The value of a column that is the same in all records.
enum Constant {
    Text(String),
    Integer(i64),
    Number(f64),
    Boolean(bool),
}

/// The column with the time at which a batch passes the stage.
const PROCESSED_AT: &str = "processed_at";

impl Enrichment {
    pub(super) fn new(options: &Options) -> Result<Self, ConfigError> {
        let read: EnrichmentOptions = options.read()?;
        if read.add_timestamps && read.constants.contains_key(PROCESSED_AT) {
            let message = "`add_timestamps` sets this column, too; remove one of them";
            return Err(options.error(&format!("constants.{PROCESSED_AT}"), message));
        }
        let constants = read.constants.into_iter().map(|(name, value)| {
            let constant = Constant::new(&value).ok_or_else(|| {
                let message = "a constant is a text, a number of 64 bits, `true` or `false`";
                options.error(&format!("constants.{name}"), message)
            })?;
            Ok((name, constant))
        });
        let constants = constants.collect::<Result<_, ConfigError>>()?;
        Ok(Self { add_timestamps: read.add_timestamps, constants, clock: options.clock() })
    }
}

impl Constant {
    fn new(value: &Value) -> Option<Self> {
        match value {
            Value::Bool(value) => Some(Self::Boolean(*value)),
            Value::String(text) => Some(Self::Text(text.clone())),
            Value::Number(number) => match number.as_i64() {
                Some(integer) => Some(Self::Integer(integer)),
                None if number.is_u64() => None,
                None => number.as_f64().map(Self::Number),
            },
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }

    fn column(&self, rows: usize) -> ArrayRef {
        match self {
            Self::Text(text) => {
                Arc::new(StringArray::from_iter_values(std::iter::repeat_n(text, rows)))
            }
            Self::Integer(value) => Arc::new(Int64Array::from_value(*value, rows)),
            Self::Number(value) => Arc::new(Float64Array::from_value(*value, rows)),
            Self::Boolean(value) => Arc::new(BooleanArray::from(vec![*value; rows])),
        }
    }
}

impl Stage for Enrichment {
    /// Columns that are there already get the new values.
    fn apply(&mut self, batch: Batch, _: &mut Rejects) -> Result<Batch, StageError> {
        let (records, rows) = (batch.records(), batch.len());
        let mut fields: Vec<_> = records.schema().fields().iter().cloned().collect();
        let mut columns = records.columns().to_vec();
        let mut set = |name: &str, column: ArrayRef| {
            let field = Arc::new(Field::new(name, column.data_type().clone(), true));
            match fields.iter().position(|field| field.name() == name) {
                Some(place) => (fields[place], columns[place]) = (field, column),
                None => {
                    fields.push(field);
                    columns.push(column);
                }
            }
        };
        for (name, constant) in &self.constants {
            set(name, constant.column(rows));
        }
        if self.add_timestamps {
            let times = TimestampMicrosecondArray::from_value(self.clock.microseconds(), rows);
            set(PROCESSED_AT, Arc::new(times.with_timezone(UTC)));
        }
        let enriched = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?;
        Ok(batch.with_records(enriched)?)
    }
}
