//! Types of columns, and conversions between them that lose nothing.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_cast::{CastOptions, can_cast_types, cast_with_options};
use arrow_ord::cmp::neq;
use arrow_schema::{ArrowError, DataType, TimeUnit};
use serde::Deserialize;
use serde_json::{Map, Value};

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ColumnType {
    /// Text in UTF-8.
    Text,
    /// An integer of 64 bits.
    Integer,
    /// A floating-point number of 64 bits.
    Number,
    /// `true` or `false`.
    Boolean,
    /// A date, such as `2026-01-31`.
    Date,
    /// A time in UTC with microseconds, written as RFC 3339.
    Timestamp,
}

impl ColumnType {
    /// The type in Arrow.
    pub fn data_type(self) -> DataType {
        match self {
            Self::Text => DataType::Utf8,
            Self::Integer => DataType::Int64,
            Self::Number => DataType::Float64,
            Self::Boolean => DataType::Boolean,
            Self::Date => DataType::Date32,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::from(UTC))),
        }
    }

    /// What is wrong with a value that does not fit, after the value.
    pub(crate) fn mismatch(self) -> &'static str {
        match self {
            Self::Text => "is not text",
            Self::Integer => "is not an integer of 64 bits",
            Self::Number => "is not a number",
            Self::Boolean => "is not `true` or `false`",
            Self::Date => "is not a date; write it as 2026-01-31",
            Self::Timestamp => "is not a time; write it as 2026-01-31T09:30:00Z",
        }
    }
}

/// UTC, as Arrow names it without a database of time zones.
pub(crate) const UTC: &str = "+00:00";

/// Finds the type of a column from its values.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Guess(Option<ColumnType>);

impl Guess {
    /// Adds a value of this type. Integers and other numbers are numbers; else mixed types are
    /// text.
    pub(crate) fn add(&mut self, kind: ColumnType) {
        use ColumnType::{Integer, Number, Text};
        self.0 = Some(match (self.0, kind) {
            (None, kind) => kind,
            (Some(known), kind) if known == kind => kind,
            (Some(Integer | Number), Integer | Number) => Number,
            _ => Text,
        });
    }

    /// The type; text if no value is known.
    pub(crate) fn kind(self) -> ColumnType {
        self.0.unwrap_or(ColumnType::Text)
    }
}

/// A column of another type, with the rows that do not fit it.
pub(crate) struct Converted {
    pub(crate) column: ArrayRef,
    /// In order. Their values in `column` are null or meaningless.
    pub(crate) misfits: Vec<usize>,
}

/// Converts a column. A value that would change is a misfit, such as 1.5 as an integer.
pub(crate) fn convert(column: &ArrayRef, to: ColumnType) -> Result<Converted, ArrowError> {
    let wanted = to.data_type();
    if *column.data_type() == wanted {
        return Ok(Converted { column: Arc::clone(column), misfits: Vec::new() });
    }
    if !can_cast_types(column.data_type(), &wanted) {
        let misfits = (0..column.len()).filter(|row| column.is_valid(*row)).collect();
        let column = arrow_array::new_null_array(&wanted, column.len());
        return Ok(Converted { column, misfits });
    }
    let options = CastOptions { safe: true, ..CastOptions::default() };
    let converted = cast_with_options(column, &wanted, &options)?;
    let changed = changed(column, &converted, &options)?;
    let misfits = (0..column.len()).filter(|&row| {
        let is_lost = column.is_valid(row) && converted.is_null(row);
        is_lost || changed.as_ref().is_some_and(|changed| changed(row))
    });
    let misfits = misfits.collect();
    Ok(Converted { column: converted, misfits })
}

/// Tells whether a row of a converted column has another value, for the types that can lose some.
type HasChanged = Box<dyn Fn(usize) -> bool>;

fn changed(
    from: &ArrayRef,
    to: &ArrayRef,
    options: &CastOptions<'_>,
) -> Result<Option<HasChanged>, ArrowError> {
    if from.data_type().is_numeric() && to.data_type().is_numeric() {
        let back = cast_with_options(to, from.data_type(), options)?;
        let differs = neq(from, &back)?;
        return Ok(Some(Box::new(move |row| differs.is_valid(row) && differs.value(row))));
    }
    // `inf` and `nan` are words, not numbers of a table.
    if *to.data_type() == DataType::Float64 {
        let numbers = to.as_primitive::<Float64Type>().clone();
        return Ok(Some(Box::new(move |row| {
            numbers.is_valid(row) && !numbers.value(row).is_finite()
        })));
    }
    Ok(None)
}

/// A value as text; `None` for null.
pub(crate) fn text(column: &dyn Array, row: usize) -> Option<String> {
    if column.is_null(row) {
        return None;
    }
    let options = FormatOptions::default();
    let formatter = ArrayFormatter::try_new(column, &options).ok()?;
    formatter.value(row).try_to_string().ok()
}

/// The values of a row by column, as JSON.
pub(crate) fn row(records: &RecordBatch, row: usize) -> Map<String, Value> {
    let schema = records.schema();
    let names = schema.fields().iter().map(|field| field.name().clone());
    names.zip(records.columns().iter().map(|column| json(column, row))).collect()
}

/// A value as JSON.
pub(crate) fn json(column: &ArrayRef, row: usize) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    match column.data_type() {
        DataType::Boolean => column.as_boolean().value(row).into(),
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).into(),
        DataType::Float64 => column.as_primitive::<Float64Type>().value(row).into(),
        _ => text(column, row).map_or(Value::Null, Value::String),
    }
}

/// The list of a table's columns, for errors.
pub(crate) fn columns(records: &RecordBatch) -> String {
    let schema = records.schema();
    let names: Vec<_> = schema.fields().iter().map(|field| format!("`{}`", field.name())).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
