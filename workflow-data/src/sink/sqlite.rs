//! Tables of SQLite databases, written in one transaction.

use std::collections::BTreeMap;
use std::path::PathBuf;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{ArrowError, DataType};
use rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params_from_iter};

use super::cursor::{self, Saved};
use super::demands::Decimals;
use super::table::{Table, names, quoted, quoted_list};
use super::{CursorName, Demands, Sink, SinkError};
use crate::batch::Batch;
use crate::config::{OutputConfig, WriteMode};
use crate::text::io_reason;
use crate::value::{self, ColumnType};

pub(super) struct SqliteSink {
    path: PathBuf,
    table: Table,
    /// From the first batch to the commit.
    open: Option<OpenTable>,
    /// A batch without records, if there are no others.
    empty: Option<RecordBatch>,
    /// To keep at the commit.
    cursor: Option<Saved>,
}

/// A connection in a transaction, which ends without a trace if the connection is dropped.
struct OpenTable {
    connection: Connection,
    insert: String,
}

impl SqliteSink {
    pub(super) fn new(options: &OutputConfig) -> Self {
        let table = Table::new(options, &options.path.display().to_string());
        Self { path: options.path.clone(), table, open: None, empty: None, cursor: None }
    }

    fn open(&self, records: &RecordBatch) -> Result<OpenTable, SinkError> {
        let table = &self.table;
        table.check_key(records)?;
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder).map_err(|error| table.failure(io_reason(&error)))?;
        }
        let sql = |error: rusqlite::Error| table.failure(error);
        let connection = Connection::open(&self.path).map_err(sql)?;
        connection.execute_batch("BEGIN IMMEDIATE").map_err(sql)?;
        if table.mode == WriteMode::Replace {
            connection.execute_batch(&table.drop_sql()).map_err(sql)?;
        }
        connection
            .execute_batch(&table.create_sql(&table.name, records, column_type))
            .map_err(sql)?;
        let known = known_columns(&connection, &table.name).map_err(sql)?;
        // SQLite compares names without regard to the case of ASCII letters.
        let is_known = |name: &String| known.iter().any(|known| known.eq_ignore_ascii_case(name));
        if let Some(missing) = names(records).iter().find(|name| !is_known(name)) {
            return Err(table.missing_column(missing));
        }
        if table.mode == WriteMode::Merge {
            let name = format!("{} by {}", table.name, table.key().join(", "));
            drop_other_keys(&connection, &table.name, &name).map_err(sql)?;
            let made = connection.execute_batch(&table.index_sql(&name));
            made.map_err(|error| match is_repeated(&error) {
                true => table.not_unique(),
                false => table.failure(error),
            })?;
        }
        Ok(OpenTable { connection, insert: self.insert(records) })
    }

    /// Begins a load without records. `None` if there is nothing to do.
    fn open_empty(&self) -> Result<Option<OpenTable>, SinkError> {
        let table = &self.table;
        if table.mode == WriteMode::Replace && self.path.exists() {
            let sql = |error: rusqlite::Error| table.failure(error);
            let connection = Connection::open(&self.path).map_err(sql)?;
            connection.execute_batch("BEGIN IMMEDIATE").map_err(sql)?;
            let known = known_columns(&connection, &table.name).map_err(sql)?;
            if table.stays(&known, self.empty.as_ref()) {
                connection.execute_batch(&table.clear_sql()).map_err(sql)?;
                return Ok(Some(OpenTable { connection, insert: String::new() }));
            }
        }
        self.empty.as_ref().map(|records| self.open(records)).transpose()
    }

    fn insert(&self, records: &RecordBatch) -> String {
        let names = names(records);
        let (table, columns) = (self.table.quoted(), quoted_list(&names));
        let places = vec!["?"; names.len()].join(", ");
        let insert = format!("INSERT INTO {table} ({columns}) VALUES ({places})");
        match self.table.mode {
            WriteMode::Merge => format!("{insert} {}", self.table.conflict_sql(records)),
            WriteMode::Replace | WriteMode::Append => insert,
        }
    }
}

impl OpenTable {
    fn write(&self, table: &Table, batch: &Batch) -> Result<(), SinkError> {
        let records = batch.records();
        let statement = self.connection.prepare_cached(&self.insert);
        let mut statement = statement.map_err(|error| table.failure(error))?;
        for row in 0..records.num_rows() {
            let values = (0..records.num_columns()).map(|column| {
                sql_value(records.column(column), row).map_err(|error| {
                    let (position, schema) = (batch.position(row), records.schema());
                    let name = schema.field(column).name();
                    table.failure(format!("{position}, column `{name}`: {error}"))
                })
            });
            let values = values.collect::<Result<Vec<_>, _>>()?;
            let written = statement.execute(params_from_iter(values));
            written.map_err(|error| {
                let reason = format!("{}: {error}", batch.position(row));
                match is_repeated(&error) {
                    true => table.repeats_key(&reason),
                    false => table.failure(reason),
                }
            })?;
        }
        Ok(())
    }
}

impl Sink for SqliteSink {
    /// SQLite stores a text in a column of integers without a word.
    fn demands(&mut self) -> Result<Demands, SinkError> {
        let mut types = BTreeMap::new();
        if self.table.mode != WriteMode::Replace && self.path.exists() {
            let sql = |error: rusqlite::Error| self.table.failure(error);
            let connection = Connection::open(&self.path).map_err(sql)?;
            let declared = declared_types(&connection, &self.table.name).map_err(sql)?;
            let checked = declared.into_iter().filter_map(|(name, kind)| {
                let kind = value::declared(&kind).filter(|kind| *kind != ColumnType::Text)?;
                Some((name, kind))
            });
            types.extend(checked);
        }
        let key = self.table.key().to_vec();
        Ok(Demands { key, types, decimals: Decimals::Numbers, ..Demands::default() })
    }

    fn write(&mut self, batch: &Batch) -> Result<(), SinkError> {
        if batch.is_empty() {
            self.empty.get_or_insert_with(|| batch.records().clone());
            return Ok(());
        }
        let open = match self.open.take() {
            Some(open) => open,
            None => self.open(batch.records())?,
        };
        self.open.insert(open).write(&self.table, batch)
    }

    fn commit(&mut self) -> Result<(), SinkError> {
        let open = match self.open.take() {
            Some(open) => open,
            None => match self.open_empty()? {
                Some(open) => open,
                None => return Ok(()),
            },
        };
        let sql = |error: rusqlite::Error| self.table.failure(error);
        if let Some(Saved { name, value }) = &self.cursor {
            open.connection.execute_batch(cursor::CREATE).map_err(sql)?;
            let values = [&name.pipeline, &name.source, &self.table.name, value];
            open.connection.execute(cursor::SAVE, values).map_err(sql)?;
        }
        open.connection.execute_batch("COMMIT").map_err(sql)
    }

    fn saved_cursor(&mut self, name: &CursorName) -> Result<Option<String>, SinkError> {
        let sql = |error: rusqlite::Error| self.table.failure(error);
        if !self.path.exists() {
            return Ok(None);
        }
        let connection = Connection::open(&self.path).map_err(sql)?;
        let has = |table: &str| known_columns(&connection, table).map(|names| !names.is_empty());
        // Somebody who removes the table wants all records again.
        if !has("workflow_cursors").map_err(sql)? || !has(&self.table.name).map_err(sql)? {
            return Ok(None);
        }
        let key = [&name.pipeline, &name.source, &self.table.name];
        connection.query_row(cursor::SELECT, key, |row| row.get(0)).optional().map_err(sql)
    }

    fn save_cursor(&mut self, name: &CursorName, value: &str) {
        self.cursor = Some(Saved::new(name, value));
    }
}

fn declared_types(connection: &Connection, table: &str) -> rusqlite::Result<Vec<(String, String)>> {
    let mut statement = connection.prepare("SELECT name, type FROM pragma_table_info(?1)")?;
    statement.query_map([table], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// Whether a record has the key of another one.
fn is_repeated(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|code| code.extended_code == SQLITE_CONSTRAINT_UNIQUE)
}

/// Drops the indexes that earlier loads made for other keys, and which would refuse records.
fn drop_other_keys(connection: &Connection, table: &str, own: &str) -> rusqlite::Result<()> {
    let others = "SELECT name FROM sqlite_schema WHERE type = 'index' AND tbl_name = ?1 \
        AND sql IS NOT NULL AND substr(name, 1, length(?1) + 4) = ?1 || ' by ' AND name <> ?2";
    let mut statement = connection.prepare(others)?;
    let names = statement.query_map([table, own], |row| row.get::<_, String>(0))?;
    for name in names.collect::<rusqlite::Result<Vec<_>>>()? {
        connection.execute_batch(&format!("DROP INDEX {}", quoted(&name)))?;
    }
    Ok(())
}

fn known_columns(connection: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare("SELECT name FROM pragma_table_info(?1)")?;
    statement.query_map([table], |row| row.get(0))?.collect()
}

fn column_type(kind: &DataType) -> &'static str {
    match kind {
        DataType::Int64 | DataType::Boolean => "INTEGER",
        DataType::Float64 => "REAL",
        kind if value::is_decimal(kind) => "REAL",
        _ => "TEXT",
    }
}

fn sql_value(column: &ArrayRef, row: usize) -> Result<Value, ArrowError> {
    if column.is_null(row) {
        return Ok(Value::Null);
    }
    Ok(match column.data_type() {
        DataType::Boolean => Value::Integer(column.as_boolean().value(row).into()),
        DataType::Int64 => Value::Integer(column.as_primitive::<Int64Type>().value(row)),
        DataType::Float64 => Value::Real(column.as_primitive::<Float64Type>().value(row)),
        kind if value::is_decimal(kind) => {
            let text = value::text(column, row)?.unwrap_or_default();
            text.parse().map_or(Value::Text(text), Value::Real)
        }
        _ => value::text(column, row)?.map_or(Value::Null, Value::Text),
    })
}
