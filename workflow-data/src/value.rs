//! Types of columns, and conversions between them that lose nothing.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_cast::{CastOptions, can_cast_types, cast_with_options};
use arrow_ord::cmp::neq;
use arrow_schema::{ArrowError, DataType, TimeUnit};
use serde::Deserialize;
use serde_json::Value;

use crate::text::listed;

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
    pub(crate) fn mismatch(self, value: Option<&str>) -> &'static str {
        let is_number = || value.is_some_and(|value| value.parse().is_ok_and(f64::is_finite));
        match self {
            Self::Text => "is not text",
            Self::Integer => "is not an integer of 64 bits",
            Self::Number if is_number() => {
                "has more digits than a number of 64 bits keeps; use the type `integer` or `text`"
            }
            Self::Number => "is not a number",
            Self::Boolean => "is not `true` or `false`",
            Self::Date => "is not a date; write it as 2026-01-31",
            Self::Timestamp if value.is_some_and(is_fine_time) => {
                "is finer than microseconds, which a time keeps; use the type `text`"
            }
            Self::Timestamp => "is not a time; write it as 2026-01-31T09:30:00Z",
        }
    }
}

/// UTC, as Arrow names it without a database of time zones.
pub(crate) const UTC: &str = "+00:00";

/// Finds the type of a column from its values.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Guess {
    kind: Option<ColumnType>,
    /// Whether an integer would change as a floating-point number.
    has_long_integer: bool,
}

impl Guess {
    /// Adds a value of this type. Integers and other numbers are numbers, as long as all integers
    /// keep their digits; else mixed types are text.
    pub(crate) fn add(&mut self, kind: ColumnType) {
        use ColumnType::{Integer, Number, Text};
        self.kind = Some(match (self.kind, kind) {
            (None, kind) => kind,
            (Some(known), kind) if known == kind => kind,
            (Some(Integer | Number), Integer | Number) => Number,
            _ => Text,
        });
    }

    /// Adds an integer.
    pub(crate) fn add_integer(&mut self, value: i64) {
        self.has_long_integer |= !is_exact(value.into());
        self.add(ColumnType::Integer);
    }

    /// The type; text if no value is known.
    pub(crate) fn kind(self) -> ColumnType {
        match self.kind {
            Some(ColumnType::Number) if self.has_long_integer => ColumnType::Text,
            kind => kind.unwrap_or(ColumnType::Text),
        }
    }
}

/// Whether a text is an integer that a floating-point number does not keep.
fn is_long_integer(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let is_integer = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.is_empty();
    is_integer && !text.parse().is_ok_and(is_exact)
}

/// Whether a text has a part of a second that microseconds do not keep.
fn is_fine_time(text: &str) -> bool {
    let fraction = text.split_once('.').map_or("", |(_, fraction)| fraction);
    let digits = fraction.bytes().take_while(u8::is_ascii_digit);
    digits.skip(6).any(|digit| digit != b'0')
}

/// Whether a floating-point number keeps an integer.
#[expect(clippy::cast_possible_truncation, reason = "to `i128`, which holds the largest one")]
#[expect(clippy::cast_precision_loss, reason = "this is what it asks")]
fn is_exact(integer: i128) -> bool {
    (integer as f64) as i128 == integer
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
    let mut converted = cast_with_options(column, &wanted, &options)?;
    if let (DataType::Utf8, ColumnType::Integer) = (column.data_type(), to)
        && converted.null_count() > column.null_count()
    {
        converted = integers(column.as_string(), converted.as_primitive());
    }
    let changed = changed(column, &converted, &options)?;
    let misfits = (0..column.len()).filter(|&row| {
        let is_lost = column.is_valid(row) && converted.is_null(row);
        is_lost || changed.as_ref().is_some_and(|changed| changed(row))
    });
    let misfits = misfits.collect();
    Ok(Converted { column: converted, misfits })
}

/// Adds the integers that are written as fractions, such as `2.0`.
fn integers(texts: &StringArray, found: &Int64Array) -> ArrayRef {
    let whole = |text: &str| {
        let (integer, fraction) = text.split_once('.')?;
        if fraction.bytes().all(|byte| byte == b'0') { integer.parse().ok() } else { None }
    };
    let values = texts.iter().zip(found).map(|(text, found)| found.or_else(|| whole(text?)));
    Arc::new(values.collect::<Int64Array>())
}

/// Tells whether a row of a converted column has another value, for the types that can lose some.
type HasChanged = Box<dyn Fn(usize) -> bool>;

fn changed(
    from: &ArrayRef,
    to: &ArrayRef,
    options: &CastOptions<'_>,
) -> Result<Option<HasChanged>, ArrowError> {
    let (kind, wanted) = (from.data_type(), to.data_type());
    let are_times = matches!((kind, wanted), (DataType::Timestamp(..), DataType::Timestamp(..)));
    if kind.is_numeric() && wanted.is_numeric() || are_times {
        let back = cast_with_options(to, from.data_type(), options)?;
        let differs = neq(from, &back)?;
        // The largest integers do not come back at all.
        let is_null = from.logical_nulls();
        return Ok(Some(Box::new(move |row| {
            let was_null = is_null.as_ref().is_some_and(|nulls| nulls.is_null(row));
            !was_null && (differs.is_null(row) || differs.value(row))
        })));
    }
    let texts = from.as_string_opt::<i32>().cloned();
    if let (DataType::Timestamp(..), Some(texts)) = (wanted, &texts) {
        let texts = texts.clone();
        return Ok(Some(Box::new(move |row| {
            texts.is_valid(row) && is_fine_time(texts.value(row))
        })));
    }
    // `inf` and `nan` are words, not numbers of a table.
    if *wanted == DataType::Float64 {
        let numbers = to.as_primitive::<Float64Type>().clone();
        return Ok(Some(Box::new(move |row| {
            let is_long = || texts.as_ref().is_some_and(|texts| is_long_integer(texts.value(row)));
            numbers.is_valid(row)
                && (!numbers.value(row).is_finite()
                    || numbers.value(row).abs() > LARGEST_EXACT && is_long())
        })));
    }
    Ok(None)
}

/// Up to here, a floating-point number keeps every integer.
const LARGEST_EXACT: f64 = 9_007_199_254_740_991.0;

/// A value as text; `None` for null.
///
/// # Errors
///
/// Fails when its type has no text.
pub(crate) fn text(column: &dyn Array, row: usize) -> Result<Option<String>, ArrowError> {
    if column.is_null(row) {
        return Ok(None);
    }
    let options = FormatOptions::default();
    let formatter = ArrayFormatter::try_new(column, &options)?;
    formatter.value(row).try_to_string().map(Some)
}

/// A value as JSON.
///
/// # Errors
///
/// Fails when its type has no text.
pub(crate) fn json(column: &ArrayRef, row: usize) -> Result<Value, ArrowError> {
    if column.is_null(row) {
        return Ok(Value::Null);
    }
    Ok(match column.data_type() {
        DataType::Boolean => column.as_boolean().value(row).into(),
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).into(),
        DataType::Float64 => column.as_primitive::<Float64Type>().value(row).into(),
        kind if is_decimal(kind) => {
            let text = text(column, row)?.unwrap_or_default();
            short_decimal(&text).map_or_else(|| text.into(), Value::from)
        }
        _ => text(column, row)?.map_or(Value::Null, Value::String),
    })
}

pub(crate) fn is_decimal(kind: &DataType) -> bool {
    matches!(kind, DataType::Decimal128(..) | DataType::Decimal256(..))
}

/// A decimal as a floating-point number, if that keeps all digits.
fn short_decimal(text: &str) -> Option<f64> {
    let digits = text.bytes().filter(u8::is_ascii_digit).skip_while(|digit| *digit == b'0');
    if digits.count() <= 15 { text.parse().ok() } else { None }
}

/// The name of a type: that of configurations, or that of Arrow.
pub(crate) fn type_name(kind: &DataType) -> String {
    match kind {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text".to_owned(),
        kind if kind.is_integer() => "integer".to_owned(),
        kind if kind.is_floating() => "number".to_owned(),
        DataType::Boolean => "boolean".to_owned(),
        DataType::Date32 | DataType::Date64 => "date".to_owned(),
        DataType::Timestamp(..) => "timestamp".to_owned(),
        other => other.to_string().to_lowercase(),
    }
}

/// The type of a column that a table of SQLite declares like this, by the rules of SQLite.
#[cfg(feature = "sqlite")]
pub(crate) fn declared(kind: &str) -> Option<ColumnType> {
    let kind = kind.to_ascii_uppercase();
    let has = |words: &[&str]| words.iter().any(|word| kind.contains(word));
    if has(&["INT"]) {
        Some(ColumnType::Integer)
    } else if has(&["CHAR", "CLOB", "TEXT"]) {
        Some(ColumnType::Text)
    } else if has(&["REAL", "FLOA", "DOUB"]) {
        Some(ColumnType::Number)
    } else {
        None
    }
}

/// The list of a table's columns, for errors.
pub(crate) fn columns(records: &RecordBatch) -> String {
    let schema = records.schema();
    let names = listed(schema.fields().iter().map(|field| field.name().as_str()));
    if names.is_empty() { "none".to_owned() } else { names }
}
