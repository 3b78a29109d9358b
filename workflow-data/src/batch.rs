//! `Batch`: some records of a table, with their metadata and their places in the source.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray, Float64Array, RecordBatch};
use arrow_cast::cast;
use arrow_schema::{ArrowError, DataType, Field, Schema};
use arrow_select::filter::filter_record_batch;
use serde::{Deserialize, Serialize};

use crate::row::Position;

/// What is known of a batch, and of all records of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BatchMetadata {
    /// The name of the source; without a name, its type.
    pub source: String,
    /// The number of records.
    pub record_count: u64,
    /// When the records were read, as RFC 3339.
    pub timestamp: String,
    /// The stages that the records have passed, in order.
    pub transformation_stages: Vec<String>,
}

impl BatchMetadata {
    /// The metadata of records that have passed no stage.
    pub fn new(source: &str, record_count: u64, timestamp: String) -> Self {
        Self {
            source: source.to_owned(),
            record_count,
            timestamp,
            transformation_stages: Vec::new(),
        }
    }
}

/// Some records of a table, with their metadata and their places in the source.
#[derive(Debug, Clone)]
pub struct Batch {
    records: RecordBatch,
    metadata: BatchMetadata,
    place: Arc<str>,
    numbers: Numbers,
}

/// The numbers of the records in their source.
#[derive(Debug, Clone)]
enum Numbers {
    /// All records from this one.
    From(u64),
    /// Some of them.
    Listed(Vec<u64>),
}

impl Batch {
    /// Makes a batch of records that follow each other in their source.
    ///
    /// `place` is the file, or the name of another source. `first` is the number of the first
    /// record, from 1.
    pub fn new(
        records: RecordBatch,
        metadata: BatchMetadata,
        place: impl Into<Arc<str>>,
        first: u64,
    ) -> Self {
        let numbers = Numbers::From(first);
        Self { records, metadata, place: place.into(), numbers }.counted()
    }

    /// The records.
    pub fn records(&self) -> &RecordBatch {
        &self.records
    }

    /// The metadata.
    pub fn metadata(&self) -> &BatchMetadata {
        &self.metadata
    }

    /// The number of records.
    pub fn len(&self) -> usize {
        self.records.num_rows()
    }

    /// Whether there are no records.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The place of a record in its source, by its index in this batch.
    pub fn position(&self, index: usize) -> Position {
        Position::new(Arc::clone(&self.place), self.number(index))
    }

    /// A column as floating-point numbers. `None` if there is none of this name, or if its values
    /// are not numbers.
    ///
    /// Types are found from values, so a column of prices has integers on a day without cents. A
    /// column without values fits, too.
    ///
    /// ```
    /// use workflow_data::{Batch, StageError};
    ///
    /// fn total(batch: &Batch) -> Result<f64, StageError> {
    ///     let prices = batch.numbers("price");
    ///     let prices = prices.ok_or_else(|| StageError::new("the column `price` must be a number"))?;
    ///     Ok(prices.iter().flatten().sum())
    /// }
    /// ```
    pub fn numbers(&self, name: &str) -> Option<Float64Array> {
        let column = self.records.column_by_name(name)?;
        if column.logical_null_count() == column.len() {
            return Some(Float64Array::new_null(column.len()));
        }
        if !column.data_type().is_numeric() {
            return None;
        }
        let numbers = cast(column, &DataType::Float64).ok()?;
        numbers.as_primitive_opt().cloned()
    }

    /// Replaces the columns, and keeps the places of the records.
    ///
    /// # Errors
    ///
    /// Fails when the number of records changes. [`filter`](Batch::filter) removes records.
    pub fn with_records(self, records: RecordBatch) -> Result<Self, ArrowError> {
        if records.num_rows() != self.len() {
            let (from, to) = (self.len(), records.num_rows());
            let message = format!("the batch has {from} records, the replacement {to}");
            return Err(ArrowError::InvalidArgumentError(message));
        }
        Ok(Self { records, ..self })
    }

    /// Adds a column, or replaces the one of this name. It counts as nullable, so that all batches have
    /// the same columns.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use arrow_array::{ArrayRef, StringArray};
    /// use workflow_data::{Batch, StageError};
    ///
    /// fn label(batch: Batch) -> Result<Batch, StageError> {
    ///     let labels = StringArray::from_iter_values((0..batch.len()).map(|row| format!("row {row}")));
    ///     Ok(batch.with_column("label", Arc::new(labels))?)
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// Fails when the column has another number of items than the batch.
    pub fn with_column(self, name: &str, column: ArrayRef) -> Result<Self, ArrowError> {
        let records = with_columns(&self.records, [(name.to_owned(), column)])?;
        Ok(Self { records, ..self })
    }

    /// Keeps the records whose item is true.
    ///
    /// # Errors
    ///
    /// Fails when `keep` has another number of items than the batch.
    pub fn filter(self, keep: &BooleanArray) -> Result<Self, ArrowError> {
        if keep.len() != self.len() {
            let (records, items) = (self.len(), keep.len());
            let message = format!("the batch has {records} records, the filter {items} items");
            return Err(ArrowError::InvalidArgumentError(message));
        }
        if keep.true_count() == self.len() {
            return Ok(self);
        }
        let records = filter_record_batch(&self.records, keep)?;
        let kept = (0..self.len()).filter(|index| keep.is_valid(*index) && keep.value(*index));
        let numbers = Numbers::Listed(kept.map(|index| self.number(index)).collect());
        Ok(Self { records, numbers, ..self }.counted())
    }

    /// Notes that the records have passed a stage.
    pub(crate) fn passed(mut self, stage: &str) -> Self {
        self.metadata.transformation_stages.push(stage.to_owned());
        self
    }

    fn number(&self, index: usize) -> u64 {
        match &self.numbers {
            Numbers::From(first) => first.saturating_add(index as u64),
            Numbers::Listed(numbers) => numbers.get(index).copied().unwrap_or_default(),
        }
    }

    fn counted(mut self) -> Self {
        self.metadata.record_count = self.records.num_rows() as u64;
        self
    }
}

/// Sets columns: adds them, or replaces those of the same name.
pub(crate) fn with_columns(
    records: &RecordBatch,
    set: impl IntoIterator<Item = (String, ArrayRef)>,
) -> Result<RecordBatch, ArrowError> {
    let mut fields: Vec<_> = records.schema().fields().iter().cloned().collect();
    let mut columns = records.columns().to_vec();
    for (name, column) in set {
        let field = Arc::new(Field::new(name, column.data_type().clone(), true));
        match fields.iter().position(|known| known.name() == field.name()) {
            Some(place) => (fields[place], columns[place]) = (field, column),
            None => {
                fields.push(field);
                columns.push(column);
            }
        }
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}
