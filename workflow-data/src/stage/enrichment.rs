//! The stage `enrichment`: adds columns.

mod computed;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow_schema::ArrowError;
use serde::Deserialize;
use serde_json::{Map, Value};
use workflow_config::ConfigError;

use self::computed::{Computed, ComputedOptions};
use super::{Options, Stage, StageError};
use crate::batch::{Batch, with_columns};
use crate::clock::RecordClock;
use crate::policy::{Failures, Rejects};
use crate::value::UTC;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct EnrichmentOptions {
    add_timestamps: bool,
    constants: Map<String, Value>,
    expressions: BTreeMap<String, ComputedOptions>,
}

pub(super) struct Enrichment {
    add_timestamps: bool,
    constants: Vec<(String, Constant)>,
    computed: Vec<Computed>,
    clock: RecordClock,
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
        let is_set = |name: &String| {
            read.constants.contains_key(name) || read.add_timestamps && name == PROCESSED_AT
        };
        if let Some(name) = read.expressions.keys().find(|name| is_set(name)) {
            let message = "another option of the stage sets this column, too; remove one of them";
            return Err(options.error(&format!("expressions.{name}"), message));
        }
        let constants = read.constants.into_iter().map(|(name, value)| {
            let constant = Constant::new(&value).ok_or_else(|| {
                let message = "a constant is a text, a number of 64 bits, `true` or `false`";
                options.error(&format!("constants.{name}"), message)
            })?;
            Ok((name, constant))
        });
        let constants = constants.collect::<Result<_, ConfigError>>()?;
        let computed = Computed::all(read.expressions, options)?;
        let (add_timestamps, clock) = (read.add_timestamps, options.clock());
        Ok(Self { add_timestamps, constants, computed, clock })
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
    /// Columns that are there already get the new values. Expressions read the constants, and the
    /// other columns as they were.
    fn apply(&mut self, batch: Batch, rejects: &mut Rejects) -> Result<Batch, StageError> {
        let enriched = self.with_constants(batch.records())?;
        if self.computed.is_empty() {
            return Ok(batch.with_records(enriched)?);
        }
        let mut failures = Failures::default();
        let columns = self.computed.iter_mut().map(|computed| {
            let column = computed.column(&enriched, &mut failures)?;
            Ok((computed.name.clone(), column))
        });
        let columns = columns.collect::<Result<Vec<_>, StageError>>()?;
        let enriched = with_columns(&enriched, columns)?;
        // Failing records are quarantined as they came.
        let stays = failures.reject(&batch, batch.records(), |row| rejects.reject(row))?;
        Ok(batch.with_records(enriched)?.filter(&stays)?)
    }
}

impl Enrichment {
    fn with_constants(&self, records: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let rows = records.num_rows();
        let constants = self.constants.iter();
        let constants = constants.map(|(name, constant)| (name.clone(), constant.column(rows)));
        let time = self.add_timestamps.then(|| {
            let times = TimestampMicrosecondArray::from_value(self.clock.microseconds(), rows);
            (PROCESSED_AT.to_owned(), Arc::new(times.with_timezone(UTC)) as ArrayRef)
        });
        with_columns(records, constants.chain(time))
    }
}
