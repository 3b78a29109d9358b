//! Few types for stages and sinks: those of Arrow that hold the same values become one.
//!
//! Texts are `Utf8`, integers `Int64`, other numbers `Float64` or decimals, days `Date32`, times of
//! day are texts, and times with a zone are in UTC. Nested types stay as they are.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_cast::{CastOptions, cast_with_options};
#[cfg(feature = "parquet")]
use arrow_schema::SchemaRef;
use arrow_schema::{ArrowError, DataType, Field, Schema};

use crate::batch::Batch;
use crate::policy::{Failures, RejectError, Rejects};
use crate::value::{ColumnType, UTC};

/// Why a batch cannot have these types.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NormalizeError {
    /// A record fails.
    #[error(transparent)]
    Rejected(#[from] RejectError),
    /// A column cannot be converted.
    #[error("{0}")]
    Column(String),
}

impl From<ArrowError> for NormalizeError {
    fn from(error: ArrowError) -> Self {
        Self::Column(error.to_string())
    }
}

/// The columns that a table has after [`batch`].
#[cfg(feature = "parquet")]
pub(crate) fn schema(of: &SchemaRef, given: &BTreeMap<String, ColumnType>) -> SchemaRef {
    let fields = of.fields().iter().map(|field| match wanted(field, given) {
        Some(kind) => with_type(field, kind),
        None => Arc::clone(field),
    });
    Arc::new(Schema::new_with_metadata(fields.collect::<Vec<_>>(), of.metadata().clone()))
}

/// Converts columns to their given types, and the others to normal ones. Rejects records that do
/// not fit. Columns that have their type already are not copied.
pub(crate) fn batch(
    batch: Batch,
    given: &BTreeMap<String, ColumnType>,
    rejects: &mut Rejects,
) -> Result<Batch, NormalizeError> {
    let schema = batch.records().schema();
    if schema.fields().iter().all(|field| wanted(field, given).is_none()) {
        return Ok(batch);
    }
    let mut failures = Failures::default();
    let (mut fields, mut columns) = (Vec::new(), Vec::new());
    for (field, column) in schema.fields().iter().zip(batch.records().columns()) {
        let (field, column) = match wanted(field, given) {
            Some(kind) => {
                let column = convert(field, column, given, &mut failures)?;
                (with_type(field, kind), column)
            }
            None => (Arc::clone(field), Arc::clone(column)),
        };
        fields.push(field);
        columns.push(column);
    }
    let schema = Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()));
    let records = RecordBatch::try_new(schema, columns)?;
    if failures.is_empty() {
        return Ok(batch.with_records(records)?);
    }
    let read = batch.records().clone();
    let batch = batch.with_records(records)?;
    let stays = failures.reject(&batch, &read, |row| rejects.reject(row))?;
    Ok(batch.filter(&stays)?)
}

fn convert(
    field: &Field,
    column: &ArrayRef,
    given: &BTreeMap<String, ColumnType>,
    failures: &mut Failures,
) -> Result<ArrayRef, NormalizeError> {
    let name = field.name();
    let mut column = Arc::clone(column);
    if let Some(normal) = normal(column.data_type()) {
        let strict = CastOptions { safe: false, ..CastOptions::default() };
        column = cast_with_options(&column, &normal, &strict)
            .map_err(|error| NormalizeError::Column(format!("column `{name}`: {error}")))?;
    }
    match checked(field, given) {
        Some(kind) => Ok(failures.convert(name, &column, kind)?),
        None => Ok(column),
    }
}

/// Another type that a column has to get.
fn wanted(field: &Field, given: &BTreeMap<String, ColumnType>) -> Option<DataType> {
    let kind = field.data_type();
    let wanted = checked(field, given).map(ColumnType::data_type).or_else(|| normal(kind));
    wanted.filter(|wanted| wanted != kind)
}

/// The type to which a column is converted value by value: half of the unsigned integers of 64 bits
/// do not fit.
fn checked(field: &Field, given: &BTreeMap<String, ColumnType>) -> Option<ColumnType> {
    let is_unsigned = *value_type(field.data_type()) == DataType::UInt64;
    given.get(field.name()).copied().or_else(|| is_unsigned.then_some(ColumnType::Integer))
}

/// The normal type for the values of another one, if it holds all of them.
fn normal(kind: &DataType) -> Option<DataType> {
    use DataType::{
        Date32, Date64, Decimal32, Decimal64, Decimal128, Dictionary, Float16, Float32, Float64,
        Int8, Int16, Int32, Int64, LargeUtf8, Null, Time32, Time64, Timestamp, UInt8, UInt16,
        UInt32, Utf8, Utf8View,
    };
    match kind {
        Int8 | Int16 | Int32 | UInt8 | UInt16 | UInt32 => Some(Int64),
        // No more than 18 digits.
        Decimal32(_, 0) | Decimal64(_, 0) | Decimal128(..=18, 0) => Some(Int64),
        Decimal32(digits, scale) | Decimal64(digits, scale) => Some(Decimal128(*digits, *scale)),
        Float16 | Float32 => Some(Float64),
        LargeUtf8 | Utf8View | Time32(_) | Time64(_) | Null => Some(Utf8),
        Date64 => Some(Date32),
        Timestamp(unit, Some(zone)) if zone.as_ref() != UTC => {
            Some(Timestamp(*unit, Some(Arc::from(UTC))))
        }
        Dictionary(_, values) => Some(normal(values).unwrap_or_else(|| values.as_ref().clone())),
        _ => None,
    }
}

fn value_type(kind: &DataType) -> &DataType {
    match kind {
        DataType::Dictionary(_, values) => values,
        kind => kind,
    }
}

fn with_type(field: &Field, kind: DataType) -> Arc<Field> {
    // Values that do not fit are null until their records are rejected.
    Arc::new(field.clone().with_data_type(kind).with_nullable(true))
}

#[cfg(test)]
mod tests {
    use arrow_array::cast::AsArray;
    use arrow_array::types::Int8Type;
    use arrow_array::{DictionaryArray, Float32Array, Int32Array, UInt64Array};

    use super::*;
    use crate::batch::BatchMetadata;
    use crate::config::FailurePolicy;

    fn normalized(columns: Vec<(&str, ArrayRef)>, rejects: &mut Rejects) -> Result<Batch, String> {
        let records = RecordBatch::try_from_iter(columns).expect("records");
        let metadata = BatchMetadata::new("t", 0, String::new());
        let found = Batch::new(records, metadata, "t.parquet", 1);
        batch(found, &BTreeMap::new(), rejects).map_err(|error| error.to_string())
    }

    #[test]
    fn types_with_the_same_values_become_one() {
        let codes: DictionaryArray<Int8Type> = ["a", "b", "a"].into_iter().collect();
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("id", Arc::new(Int32Array::from(vec![1, 2, 3]))),
            ("code", Arc::new(codes)),
            ("price", Arc::new(Float32Array::from(vec![0.5, 1.5, f32::MAX]))),
        ];
        let batch = normalized(columns, &mut Rejects::new(FailurePolicy::Fail)).expect("a batch");
        let schema = batch.records().schema();
        let types: Vec<_> = schema.fields().iter().map(|field| field.data_type()).collect();
        assert_eq!(types, [&DataType::Int64, &DataType::Utf8, &DataType::Float64]);
        assert_eq!(batch.records().column(1).as_string::<i32>().value(2), "a");
    }

    #[test]
    fn an_unsigned_integer_that_is_too_large_fails_its_record() {
        let ids = || {
            let ids: ArrayRef = Arc::new(UInt64Array::from(vec![7, u64::MAX]));
            vec![("id", ids)]
        };
        let mut rejects = Rejects::new(FailurePolicy::Skip);
        let batch = normalized(ids(), &mut rejects).expect("a batch");
        assert_eq!((batch.len(), rejects.skipped()), (1, 1));
        let error =
            normalized(ids(), &mut Rejects::new(FailurePolicy::Fail)).expect_err("an error");
        assert_eq!(
            error,
            "t.parquet: record 2, column `id`: `18446744073709551615` is not an integer of 64 bits"
        );
    }
}
