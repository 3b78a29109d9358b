//! Tables of SQLite databases, written in one transaction.

use std::path::PathBuf;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::DataType;
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::{Sink, SinkError};
use crate::batch::Batch;
use crate::config::{OutputConfig, WriteMode};
use crate::text::{io_reason, suggestion};
use crate::value;

pub(super) struct SqliteSink {
    path: PathBuf,
    table: String,
    mode: WriteMode,
    key: Vec<String>,
    /// From the first batch to the commit.
    open: Option<OpenTable>,
}

/// A connection in a transaction, which ends without a trace if the connection is dropped.
struct OpenTable {
    connection: Connection,
    insert: String,
    /// The places of the key's columns.
    key: Vec<usize>,
}

impl SqliteSink {
    pub(super) fn new(options: &OutputConfig) -> Self {
        Self {
            path: options.path.clone(),
            table: options.table.clone().unwrap_or_default(),
            mode: options.mode,
            key: options.key.clone(),
            open: None,
        }
    }

    fn failure(&self, reason: impl ToString) -> SinkError {
        let target = format!("{}, table {}", self.path.display(), self.table);
        SinkError::new(target, reason.to_string())
    }

    fn open(&self, records: &RecordBatch) -> Result<OpenTable, SinkError> {
        let key = self.key_of(records)?;
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder).map_err(|error| self.failure(io_reason(&error)))?;
        }
        let sql = |error: rusqlite::Error| self.failure(error);
        let connection = Connection::open(&self.path).map_err(sql)?;
        connection.execute_batch("BEGIN IMMEDIATE").map_err(sql)?;
        if self.mode == WriteMode::Replace {
            let drop = format!("DROP TABLE IF EXISTS {}", quoted(&self.table));
            connection.execute_batch(&drop).map_err(sql)?;
        }
        connection.execute_batch(&self.create(records)).map_err(sql)?;
        self.check_columns(&connection, records)?;
        if self.mode == WriteMode::Merge {
            connection.execute_batch(&self.index()).map_err(|_| {
                let key = self.key.join("`, `");
                self.failure(format!(
                    "its key `{key}` is not unique in the records that are there; \
                     choose another `key`"
                ))
            })?;
        }
        Ok(OpenTable { connection, insert: self.insert(records), key })
    }

    fn key_of(&self, records: &RecordBatch) -> Result<Vec<usize>, SinkError> {
        let schema = records.schema();
        let place = |name: &String| {
            schema.index_of(name).map_err(|_| {
                let near =
                    suggestion(name, schema.fields().iter().map(|field| field.name().as_str()));
                let columns = value::columns(records);
                self.failure(format!(
                    "no column `{name}` for the key{near}; its columns are {columns}"
                ))
            })
        };
        self.key.iter().map(place).collect()
    }

    fn create(&self, records: &RecordBatch) -> String {
        let schema = records.schema();
        let columns = schema.fields().iter().map(|field| {
            let kind = match field.data_type() {
                DataType::Int64 | DataType::Boolean => "INTEGER",
                DataType::Float64 => "REAL",
                _ => "TEXT",
            };
            format!("{} {kind}", quoted(field.name()))
        });
        let columns = columns.collect::<Vec<_>>().join(", ");
        format!("CREATE TABLE IF NOT EXISTS {} ({columns})", quoted(&self.table))
    }

    /// Checks that a table that is there has all columns.
    fn check_columns(
        &self,
        connection: &Connection,
        records: &RecordBatch,
    ) -> Result<(), SinkError> {
        let names = || -> rusqlite::Result<Vec<String>> {
            let mut statement = connection.prepare("SELECT name FROM pragma_table_info(?1)")?;
            statement.query_map([&self.table], |row| row.get(0))?.collect()
        };
        let names = names().map_err(|error| self.failure(error))?;
        // SQLite compares names without regard to the case of ASCII letters.
        let is_missing = |name: &str| !names.iter().any(|known| known.eq_ignore_ascii_case(name));
        match records.schema().fields().iter().find(|field| is_missing(field.name())) {
            Some(field) => Err(self.failure(format!(
                "the table has no column `{}`; add it, or use `mode: replace`",
                field.name()
            ))),
            None => Ok(()),
        }
    }

    fn index(&self) -> String {
        let name = quoted(&format!("{} by {}", self.table, self.key.join(", ")));
        let (table, key) = (quoted(&self.table), quoted_list(&self.key));
        format!("CREATE UNIQUE INDEX IF NOT EXISTS {name} ON {table} ({key})")
    }

    fn insert(&self, records: &RecordBatch) -> String {
        let schema = records.schema();
        let names: Vec<_> = schema.fields().iter().map(|field| field.name().clone()).collect();
        let (table, columns) = (quoted(&self.table), quoted_list(&names));
        let places = vec!["?"; names.len()].join(", ");
        let insert = format!("INSERT INTO {table} ({columns}) VALUES ({places})");
        if self.mode != WriteMode::Merge {
            return insert;
        }
        let others = names.iter().filter(|name| !self.key.contains(name));
        let updates = others.map(|name| format!("{0} = excluded.{0}", quoted(name)));
        let updates = updates.collect::<Vec<_>>().join(", ");
        let action =
            if updates.is_empty() { "NOTHING".to_owned() } else { format!("UPDATE SET {updates}") };
        format!("{insert} ON CONFLICT ({}) DO {action}", quoted_list(&self.key))
    }

    fn write_rows(&self, open: &OpenTable, batch: &Batch) -> Result<(), SinkError> {
        let records = batch.records();
        let statement = open.connection.prepare_cached(&open.insert);
        let mut statement = statement.map_err(|error| self.failure(error))?;
        for row in 0..records.num_rows() {
            if let Some(place) = open.key.iter().find(|place| records.column(**place).is_null(row))
            {
                let (position, column) =
                    (batch.position(row), &records.schema().fields()[*place].name().clone());
                return Err(self.failure(format!(
                    "{position} has no value in `{column}` of the key; \
                     drop such records with the stage `cleaning`"
                )));
            }
            let values = records.columns().iter().map(|column| sql_value(column, row));
            let written = statement.execute(params_from_iter(values));
            written.map_err(|error| self.failure(format!("{}: {error}", batch.position(row))))?;
        }
        Ok(())
    }
}

impl Sink for SqliteSink {
    fn write(&mut self, batch: &Batch) -> Result<(), SinkError> {
        let open = match self.open.take() {
            Some(open) => open,
            None => self.open(batch.records())?,
        };
        let written = self.write_rows(&open, batch);
        self.open = Some(open);
        written
    }

    fn commit(&mut self) -> Result<(), SinkError> {
        let Some(open) = self.open.take() else {
            return Err(self.failure("the source has no columns, so there is no table to write"));
        };
        open.connection.execute_batch("COMMIT").map_err(|error| self.failure(error))
    }
}

fn sql_value(column: &ArrayRef, row: usize) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    match column.data_type() {
        DataType::Boolean => Value::Integer(column.as_boolean().value(row).into()),
        DataType::Int64 => Value::Integer(column.as_primitive::<Int64Type>().value(row)),
        DataType::Float64 => Value::Real(column.as_primitive::<Float64Type>().value(row)),
        _ => value::text(column, row).map_or(Value::Null, Value::Text),
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn quoted_list(names: &[String]) -> String {
    names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ")
}
