//! Records as text, which become a typed batch. Values that do not fit their types are found here.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{ArrowError, Field, Schema, SchemaRef};

use super::SourceError;
use crate::batch::{Batch, BatchMetadata};
use crate::policy::{Failures, Rejects};
use crate::row::{Position, RowReason};
use crate::text::{listed, suggestion};
use crate::value::{self, ColumnType};

/// How many records types are found from.
pub(super) const SAMPLE: usize = 1_000;

/// The names and types of a table's columns.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Columns {
    pub(super) names: Vec<String>,
    types: Vec<ColumnType>,
    /// What is wrong with a value of another column, after the value.
    pub(super) unknown: &'static str,
}

impl Columns {
    /// Joins the columns that were found with the types that the configuration gives.
    ///
    /// # Errors
    ///
    /// Fails with the reason when a given column is not there.
    pub(super) fn of_file(
        found: Vec<(String, ColumnType)>,
        given: &BTreeMap<String, ColumnType>,
    ) -> Result<Self, String> {
        let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
        check_names(&names, given)?;
        let unknown = "is in none of the first 1000 records, so its column is unknown; \
            add the column to one of them, or remove it";
        Ok(Self::join(found, given, unknown))
    }

    /// Joins the columns of the first objects with the types that the configuration gives. Given
    /// columns may appear in later objects. `unknown` is what is wrong with a value of another column.
    pub(super) fn of_objects(
        mut found: Vec<(String, ColumnType)>,
        given: &BTreeMap<String, ColumnType>,
        unknown: &'static str,
    ) -> Self {
        for (name, kind) in given {
            if !found.iter().any(|(known, _)| known == name) {
                found.push((name.clone(), *kind));
            }
        }
        Self::join(found, given, unknown)
    }

    fn join(
        found: Vec<(String, ColumnType)>,
        given: &BTreeMap<String, ColumnType>,
        unknown: &'static str,
    ) -> Self {
        let typed = |(name, kind): (String, ColumnType)| {
            let kind = given.get(&name).copied().unwrap_or(kind);
            (name, kind)
        };
        let (names, types) = found.into_iter().map(typed).unzip();
        Self { names, types, unknown }
    }

    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    pub(super) fn schema(&self) -> SchemaRef {
        schema(self.names.iter().zip(self.types.iter().copied()))
    }

    /// A batch as a table. `None` if it has neither columns nor records.
    fn table(&self, batch: Batch) -> Result<Option<Batch>, SourceError> {
        if self.len() > 0 {
            return Ok(Some(batch));
        }
        if batch.is_empty() {
            return Ok(None);
        }
        let Position { place, record } = batch.position(0);
        let reason = format!(
            "record {record} has no fields, as all records before it, so there is no table; \
             add the names and types of its columns to `columns` of the source"
        );
        Err(SourceError::Read { place: place.to_string(), reason })
    }

    /// The columns before their conversion.
    fn text_schema(&self) -> SchemaRef {
        schema(self.names.iter().map(|name| (name, ColumnType::Text)))
    }
}

fn schema<'n>(columns: impl Iterator<Item = (&'n String, ColumnType)>) -> SchemaRef {
    let fields = columns.map(|(name, kind)| Field::new(name, kind.data_type(), true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Checks that the columns of the configuration are in a file that knows its types.
#[cfg(feature = "parquet")]
pub(super) fn check_given(
    schema: &Schema,
    given: &BTreeMap<String, ColumnType>,
) -> Result<(), String> {
    let names: Vec<_> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    check_names(&names, given)
}

/// The error of a file with a column that the first one does not have.
pub(super) fn new_column(name: &str) -> String {
    format!("the column `{name}` is not in the first file; all files need the same columns")
}

/// The error of a file without a column that the first one has.
pub(super) fn missing_column(name: &str) -> String {
    format!("the column `{name}` of the first file is missing; all files need the same columns")
}

/// The places of the first file's columns in another file that knows its types.
#[cfg(feature = "parquet")]
pub(super) fn order(first: &Schema, other: &Schema) -> Result<Vec<usize>, String> {
    if let Some(field) = other.fields().iter().find(|field| first.index_of(field.name()).is_err()) {
        return Err(new_column(field.name()));
    }
    let place = |field: &Arc<Field>| {
        let (name, expected) = (field.name(), field.data_type());
        let place = other.index_of(name).map_err(|_| missing_column(name))?;
        let found = other.field(place).data_type();
        if found == expected {
            return Ok(place);
        }
        let is_numeric = found.is_numeric() && expected.is_numeric();
        let common = if is_numeric { ColumnType::Number } else { ColumnType::Text };
        let [found, expected, common] =
            [found, expected, &common.data_type()].map(value::type_name);
        Err(format!(
            "the type of its column `{name}` is {found}, and in the first file {expected}; \
             add `{name}: {common}` to `columns` of the source"
        ))
    };
    first.fields().iter().map(place).collect()
}

fn check_names(names: &[&str], given: &BTreeMap<String, ColumnType>) -> Result<(), String> {
    let Some(wanted) = given.keys().find(|wanted| !names.contains(&wanted.as_str())) else {
        return Ok(());
    };
    let near = suggestion(wanted, names.iter().copied());
    let names = listed(names.iter().copied());
    Err(format!("no column `{wanted}`{near}; its columns are {names}"))
}

/// Records as text, column by column.
pub(super) struct TextTable<'c> {
    columns: &'c Columns,
    cells: Vec<StringBuilder>,
    rows: usize,
    failures: Failures,
}

impl<'c> TextTable<'c> {
    pub(super) fn new(columns: &'c Columns) -> Self {
        let cells = columns.names.iter().map(|_| StringBuilder::new()).collect();
        Self { columns, cells, rows: 0, failures: Failures::default() }
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Adds a record with the cells of all columns, in order.
    pub(super) fn push<'v>(&mut self, cells: impl Iterator<Item = Option<&'v str>>) {
        for (builder, cell) in self.cells.iter_mut().zip(cells) {
            builder.append_option(cell);
        }
        self.rows += 1;
    }

    /// Adds a record with some cells that cannot be read, which are empty here.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(super) fn push_failing<'v>(
        &mut self,
        cells: impl Iterator<Item = Option<&'v str>>,
        reasons: Vec<RowReason>,
    ) {
        for reason in reasons {
            self.failures.add(self.rows, reason);
        }
        self.push(cells);
    }

    /// Adds a record that cannot be read, as it is in the source.
    pub(super) fn push_unreadable(&mut self, reason: RowReason, raw: String) {
        self.failures.add_unreadable(self.rows, reason, raw);
        self.push(std::iter::repeat(None));
    }

    /// Converts the cells to their types, and rejects the records that do not fit. `None` if the
    /// table has no columns and all records are rejected.
    pub(super) fn into_batch(
        mut self,
        metadata: BatchMetadata,
        place: &Arc<str>,
        first: u64,
        rejects: &mut Rejects,
    ) -> Result<Option<Batch>, SourceError> {
        let texts: Vec<ArrayRef> =
            self.cells.iter_mut().map(|builder| Arc::new(builder.finish()) as ArrayRef).collect();
        let fail = |error: ArrowError| SourceError::Read {
            place: place.to_string(),
            reason: error.to_string(),
        };
        // Without columns, nothing else tells the number of rows.
        let rows = RecordBatchOptions::new().with_row_count(Some(self.rows));
        let batch = |schema, columns| RecordBatch::try_new_with_options(schema, columns, &rows);
        let texts = batch(self.columns.text_schema(), texts).map_err(fail)?;
        let typed = self.convert(&texts).map_err(fail)?;
        let records = batch(self.columns.schema(), typed).map_err(fail)?;
        let batch = Batch::new(records, metadata, Arc::clone(place), first);
        if self.failures.is_empty() {
            return self.columns.table(batch);
        }
        let stays = self.failures.reject(&batch, &texts, |row| rejects.reject(row))?;
        self.columns.table(batch.filter(&stays).map_err(fail)?)
    }

    fn convert(&mut self, texts: &RecordBatch) -> Result<Vec<ArrayRef>, ArrowError> {
        let columns = self.columns.names.iter().zip(&self.columns.types).zip(texts.columns());
        columns.map(|((name, kind), column)| self.failures.convert(name, column, *kind)).collect()
    }
}
