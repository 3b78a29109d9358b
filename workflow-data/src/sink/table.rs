//! What the sinks of databases share: the modes, the key, and the statements that both systems
//! understand.

use arrow_array::RecordBatch;
use arrow_schema::DataType;

use super::SinkError;
use crate::config::{OutputConfig, WriteMode};
use crate::text::suggestion;
use crate::value;

/// A table, and how it is written.
pub(super) struct Table {
    pub(super) name: String,
    pub(super) mode: WriteMode,
    key: Vec<String>,
    /// The table with its database, for errors.
    target: String,
}

impl Table {
    /// The table of these options. `database` is for errors.
    pub(super) fn new(options: &OutputConfig, database: &str) -> Self {
        let name = options.table.clone().unwrap_or_default();
        let target = format!("{database}, table {name}");
        Self { name, mode: options.mode, key: options.key.clone(), target }
    }

    pub(super) fn failure(&self, reason: impl ToString) -> SinkError {
        SinkError::new(&self.target, reason.to_string())
    }

    pub(super) fn quoted(&self) -> String {
        quoted(&self.name)
    }

    pub(super) fn key(&self) -> &[String] {
        &self.key
    }

    /// Checks that the records have the columns of the key.
    pub(super) fn check_key(&self, records: &RecordBatch) -> Result<(), SinkError> {
        let schema = records.schema();
        let Some(missing) = self.key.iter().find(|name| schema.index_of(name).is_err()) else {
            return Ok(());
        };
        let near = suggestion(missing, schema.fields().iter().map(|field| field.name().as_str()));
        let columns = value::columns(records);
        Err(self
            .failure(format!("no column `{missing}` for the key{near}; its columns are {columns}")))
    }

    /// The error of a table that is there, and lacks a column of the records.
    pub(super) fn missing_column(&self, name: &str) -> SinkError {
        self.failure(format!("the table has no column `{name}`; add it, or use `mode: replace`"))
    }

    pub(super) fn drop_sql(&self) -> String {
        format!("DROP TABLE IF EXISTS {}", self.quoted())
    }

    /// Creates a table of this name for the records.
    pub(super) fn create_sql(
        &self,
        name: &str,
        records: &RecordBatch,
        kind: fn(&DataType) -> &'static str,
    ) -> String {
        let schema = records.schema();
        let columns = schema.fields().iter();
        let columns =
            columns.map(|field| format!("{} {}", quoted(field.name()), kind(field.data_type())));
        let columns = columns.collect::<Vec<_>>().join(", ");
        format!("CREATE TABLE IF NOT EXISTS {} ({columns})", quoted(name))
    }

    /// The index that finds records by their key.
    pub(super) fn index_sql(&self, name: &str) -> String {
        let (name, table, key) = (quoted(name), self.quoted(), quoted_list(&self.key));
        format!("CREATE UNIQUE INDEX IF NOT EXISTS {name} ON {table} ({key})")
    }

    /// The error of an index that cannot be made.
    pub(super) fn not_unique(&self) -> SinkError {
        let key = self.key.join("`, `");
        self.failure(format!(
            "its key `{key}` is not unique in the records that are there; choose another `key`, or remove \
             the records that repeat it"
        ))
    }

    /// The error of a record that repeats a key of the table.
    pub(super) fn repeats_key(&self, reason: &str) -> SinkError {
        self.failure(format!(
            "{reason}; use `mode: merge` with this key, or drop the unique index, which earlier loads \
             with `mode: merge` may have left"
        ))
    }

    /// What `INSERT` does with a record whose key is there.
    pub(super) fn conflict_sql(&self, records: &RecordBatch) -> String {
        let names = names(records);
        let others = names.iter().filter(|name| !self.key.contains(name));
        let updates = others.map(|name| format!("{0} = excluded.{0}", quoted(name)));
        let updates = updates.collect::<Vec<_>>().join(", ");
        let action =
            if updates.is_empty() { "NOTHING".to_owned() } else { format!("UPDATE SET {updates}") };
        format!("ON CONFLICT ({}) DO {action}", quoted_list(&self.key))
    }

    /// Removes all records.
    pub(super) fn clear_sql(&self) -> String {
        format!("DELETE FROM {}", self.quoted())
    }

    /// Whether a table that is replaced stays, because there are no records and its columns are
    /// those of the source, as far as the source knows them.
    pub(super) fn stays(&self, known: &[String], empty: Option<&RecordBatch>) -> bool {
        let wanted = empty.map(names).unwrap_or_default();
        let same = || wanted.len() == known.len() && wanted.iter().all(|name| known.contains(name));
        !known.is_empty() && (empty.is_none() || same())
    }
}

pub(super) fn names(records: &RecordBatch) -> Vec<String> {
    records.schema().fields().iter().map(|field| field.name().clone()).collect()
}

pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

pub(super) fn quoted_list(names: &[String]) -> String {
    names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ")
}
