//! The stage `cleaning`: renames columns, trims texts, converts types, drops nulls and duplicates, in
//! this order.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch, StringArray};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, Field, Schema};
use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor, value::SeqAccessDeserializer};
use workflow_config::ConfigError;

use super::seen::SeenKeys;
use super::{Options, Stage, StageError, column, reject_rows};
use crate::batch::Batch;
use crate::policy::{Failures, Rejects};
use crate::value::ColumnType;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct CleaningOptions {
    rename: BTreeMap<String, String>,
    remove_duplicates: Selection,
    drop_nulls: Selection,
    trim: bool,
    types: BTreeMap<String, ColumnType>,
}

/// No column, all, or those of a list.
#[derive(Debug, Default, PartialEq, Eq)]
enum Selection {
    #[default]
    None,
    All,
    Columns(Vec<String>),
}

pub(super) struct Cleaning {
    options: CleaningOptions,
    seen: SeenKeys,
}

impl Cleaning {
    pub(super) fn new(options: &Options) -> Result<Self, ConfigError> {
        let read: CleaningOptions = options.read()?;
        for (name, selection) in
            [("remove_duplicates", &read.remove_duplicates), ("drop_nulls", &read.drop_nulls)]
        {
            if matches!(selection, Selection::Columns(columns) if columns.is_empty()) {
                let message = "the list names no column; write `true` for all columns";
                return Err(options.error(name, message));
            }
        }
        let mut names: Vec<_> = read.rename.values().collect();
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            let message = format!("two columns would be named `{}`; choose another name", twice[0]);
            return Err(options.error("rename", &message));
        }
        Ok(Self { options: read, seen: SeenKeys::new() })
    }

    fn rename(&self, batch: Batch) -> Result<Batch, StageError> {
        let records = batch.records();
        for from in self.options.rename.keys() {
            match column(records, from) {
                // A source without records may know fewer columns.
                Err(error) if !batch.is_empty() => return Err(error),
                _ => {}
            }
        }
        let schema = records.schema();
        let renamed = |name: &String| self.options.rename.get(name).cloned();
        let stays = |name: &String| schema.index_of(name).is_ok() && renamed(name).is_none();
        if let Some((from, to)) = self.options.rename.iter().find(|(_, to)| stays(to)) {
            let message = format!(
                "the column `{from}` cannot be renamed to `{to}`: the table has that column, too"
            );
            return Err(StageError::new(message));
        }
        let fields = schema.fields().iter().map(|field| match renamed(field.name()) {
            Some(name) => Arc::new(field.as_ref().clone().with_name(name)),
            None => Arc::clone(field),
        });
        let schema = Schema::new(fields.collect::<Vec<_>>());
        let renamed = RecordBatch::try_new(Arc::new(schema), records.columns().to_vec())?;
        Ok(batch.with_records(renamed)?)
    }

    fn convert(&self, batch: Batch, rejects: &mut Rejects) -> Result<Batch, StageError> {
        let records = batch.records();
        let mut fields: Vec<_> = records.schema().fields().iter().cloned().collect();
        let mut columns = records.columns().to_vec();
        let mut failures = Failures::default();
        for (name, kind) in &self.options.types {
            let place = match column(records, name) {
                Ok(place) => place,
                // A source without records may know fewer columns.
                Err(_) if batch.is_empty() => continue,
                Err(error) => return Err(error),
            };
            columns[place] = failures.convert(name, &columns[place], *kind)?;
            fields[place] = Arc::new(Field::new(name, kind.data_type(), true));
        }
        if failures.is_empty() {
            let converted = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?;
            return Ok(batch.with_records(converted)?);
        }
        // Failing records are quarantined as they were before the conversion.
        let kept = reject_rows(batch, failures, |row| rejects.reject(row))?;
        self.convert(kept, rejects)
    }

    fn drop_nulls(&self, batch: Batch) -> Result<Batch, StageError> {
        let columns = selected(batch.records(), &self.options.drop_nulls)?;
        let nulls = columns.iter().fold(None, |nulls: Option<NullBuffer>, column| {
            NullBuffer::union(nulls.as_ref(), column.logical_nulls().as_ref())
        });
        match nulls {
            Some(nulls) => Ok(batch.filter(&BooleanArray::new(nulls.into_inner(), None))?),
            None => Ok(batch),
        }
    }

    fn remove_duplicates(&mut self, batch: Batch) -> Result<Batch, StageError> {
        let key = selected(batch.records(), &self.options.remove_duplicates)?;
        let is_new = self.seen.first_times(&key)?;
        Ok(batch.filter(&is_new)?)
    }
}

impl Stage for Cleaning {
    fn apply(&mut self, mut batch: Batch, rejects: &mut Rejects) -> Result<Batch, StageError> {
        if !self.options.rename.is_empty() {
            batch = self.rename(batch)?;
        }
        if self.options.trim {
            batch = trim(batch)?;
        }
        if !self.options.types.is_empty() {
            batch = self.convert(batch, rejects)?;
        }
        if batch.is_empty() {
            return Ok(batch);
        }
        if self.options.drop_nulls != Selection::None {
            batch = self.drop_nulls(batch)?;
        }
        if self.options.remove_duplicates != Selection::None {
            batch = self.remove_duplicates(batch)?;
        }
        Ok(batch)
    }
}

/// Removes blanks around texts. A text without anything else becomes null, as an empty cell is.
fn trim(batch: Batch) -> Result<Batch, StageError> {
    let records = batch.records();
    let columns = records.columns().iter().map(|column| match column.data_type() {
        DataType::Utf8 => {
            let texts = column.as_string::<i32>().iter();
            let texts = texts.map(|text| text.map(str::trim).filter(|text| !text.is_empty()));
            Arc::new(texts.collect::<StringArray>()) as ArrayRef
        }
        _ => Arc::clone(column),
    });
    let trimmed = RecordBatch::try_new(records.schema(), columns.collect())?;
    Ok(batch.with_records(trimmed)?)
}

fn selected(records: &RecordBatch, selection: &Selection) -> Result<Vec<ArrayRef>, StageError> {
    match selection {
        Selection::None => Ok(Vec::new()),
        Selection::All => Ok(records.columns().to_vec()),
        Selection::Columns(names) => names
            .iter()
            .map(|name| column(records, name).map(|place| Arc::clone(records.column(place))))
            .collect(),
    }
}

impl<'de> Deserialize<'de> for Selection {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SelectionVisitor)
    }
}

struct SelectionVisitor;

impl<'de> Visitor<'de> for SelectionVisitor {
    type Value = Selection;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`true`, `false` or a list of columns")
    }

    fn visit_bool<E>(self, all: bool) -> Result<Selection, E> {
        Ok(if all { Selection::All } else { Selection::None })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, columns: A) -> Result<Selection, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(columns)).map(Selection::Columns)
    }
}
