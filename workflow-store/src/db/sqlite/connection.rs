//! A connection to a SQLite file.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use rusqlite::config::DbConfig;
use rusqlite::functions::FunctionFlags;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OpenFlags, Statement};
use uuid::Uuid;

use super::error::explain;
use super::migrate::migrate;
use super::options::SqliteOptions;
use super::place::{OpenFile, Place};
use crate::db::connect::Purpose;
use crate::db::deadline::Deadline;
use crate::db::sql::{Dialect, Sql, SqlError};
use crate::db::value::{Cell, Row, Value, time_text, to_micros};

/// The most prepared statements of a connection.
const STATEMENTS: usize = 128;

/// The number of instructions after which SQLite checks the deadline: about a millisecond.
const INSTRUCTIONS: i32 = 50_000;

pub(crate) struct SqliteConnection {
    connection: Connection,
    path: String,
    place: Place,
    /// The files beside the open database, for the writer.
    side_files: Vec<OpenFile>,
    /// The deadline of the current statement.
    deadline: Arc<Mutex<Option<Deadline>>>,
}

/// Opens a connection. That of the writer migrates the schema.
pub(crate) fn open(
    path: &Path,
    options: &SqliteOptions,
    purpose: Purpose,
    place: &Place,
) -> Result<Box<dyn Sql>, SqlError> {
    // A deleted file would be created again, empty.
    place.check()?;
    let name = path.display().to_string();
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | match purpose {
            Purpose::Write => OpenFlags::SQLITE_OPEN_CREATE,
            Purpose::Read => OpenFlags::empty(),
        };
    let explained = |error: rusqlite::Error| explain(&error, &name);
    let mut connection = Connection::open_with_flags(path, flags).map_err(explained)?;
    place.opened(path)?;
    prepare(&connection, options, purpose).map_err(explained)?;
    if purpose == Purpose::Write {
        migrate(&mut connection, &name, options.timeout())?;
    }
    let side_files = match purpose {
        Purpose::Write => side_files(&connection, path),
        Purpose::Read => Vec::new(),
    };
    let deadline = Arc::<Mutex<Option<Deadline>>>::default();
    let watched = deadline.clone();
    let is_over = move || {
        let deadline = watched.lock().unwrap_or_else(PoisonError::into_inner);
        deadline.as_ref().is_some_and(Deadline::is_over)
    };
    connection.progress_handler(INSTRUCTIONS, Some(is_over)).map_err(explained)?;
    let place = place.clone();
    Ok(Box::new(SqliteConnection { connection, path: name, place, side_files, deadline }))
}

/// The write-ahead log and its index, which exist from the first read until the last connection
/// closes.
fn side_files(connection: &Connection, path: &Path) -> Vec<OpenFile> {
    let database = connection.path().unwrap_or_default();
    let beside = |suffix| OpenFile::at(format!("{database}{suffix}").as_ref(), path);
    ["-wal", "-shm"].into_iter().filter_map(beside).collect()
}

fn prepare(
    connection: &Connection,
    options: &SqliteOptions,
    purpose: Purpose,
) -> Result<(), rusqlite::Error> {
    connection.busy_timeout(options.timeout())?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    let flags = FunctionFlags::SQLITE_UTF8;
    let offset = options.offset();
    connection.create_scalar_function("workflows_now", 0, flags, move |_| {
        Ok(to_micros(SystemTime::now()) + offset.load(Ordering::Relaxed))
    })?;
    connection
        .create_scalar_function("now", 0, flags, |_| Ok(time_text(to_micros(SystemTime::now()))))?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // A bound value must not choose the plan: a statement would be prepared anew for each value of
    // its LIMIT, which took a third of the time of a list.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    if purpose == Purpose::Read {
        return connection.pragma_update(None, "query_only", true);
    }
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // KiB; the pages that a large store writes repeatedly.
    connection.pragma_update(None, "cache_size", -16_000)?;
    connection.pragma_update(None, "synchronous", options.synchronous())?;
    match options.pages() {
        Some(pages) => connection.pragma_update(None, "max_page_count", pages),
        None => Ok(()),
    }
}

impl SqliteConnection {
    fn explain(&self, error: rusqlite::Error) -> SqlError {
        explain(&error, &self.path)
    }

    fn run<T>(
        &self,
        sql: &str,
        values: &[Value<'_>],
        finish: impl FnOnce(&mut Statement<'_>) -> Result<T, rusqlite::Error>,
    ) -> Result<T, SqlError> {
        let mut statement =
            self.connection.prepare_cached(sql).map_err(|error| self.explain(error))?;
        let bound = values.iter().enumerate().try_for_each(|(at, value)| {
            debug_assert_eq!(
                statement.parameter_name(at + 1),
                Some(format!("${}", at + 1).as_str())
            );
            statement.raw_bind_parameter(at + 1, bind(value))
        });
        bound.and_then(|()| finish(&mut statement)).map_err(|error| self.explain(error))
    }
}

impl Sql for SqliteConnection {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    fn execute(&mut self, sql: &str, values: &[Value<'_>]) -> Result<u64, SqlError> {
        self.run(sql, values, |statement| Ok(statement.raw_execute()? as u64))
    }

    fn query(&mut self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>, SqlError> {
        self.run(sql, values, |statement| {
            let columns = statement.column_count();
            let mut found = Vec::new();
            let mut rows = statement.raw_query();
            while let Some(row) = rows.next()? {
                // Collecting results would start small and reallocate.
                let mut cells = Vec::with_capacity(columns);
                for column in 0..columns {
                    cells.push(cell(row.get_ref(column)?));
                }
                found.push(Row(cells));
            }
            Ok(found)
        })
    }

    fn check_place(&mut self) -> Result<(), SqlError> {
        self.place.check()?;
        self.side_files.iter().try_for_each(OpenFile::check)
    }

    fn set_deadline(&mut self, deadline: Option<&Deadline>) {
        *self.deadline.lock().unwrap_or_else(PoisonError::into_inner) = deadline.cloned();
    }

    fn batch(&mut self, sql: &str) -> Result<(), SqlError> {
        if sql.contains(';') {
            return self.connection.execute_batch(sql).map_err(|error| self.explain(error));
        }
        self.execute(sql, &[]).map(|_| ())
    }
}

fn bind<'a>(value: &'a Value<'a>) -> ToSqlOutput<'a> {
    let borrowed = |value| ToSqlOutput::Borrowed(value);
    match value {
        Value::Int(value) => borrowed(ValueRef::Integer(*value)),
        Value::Bool(value) => borrowed(ValueRef::Integer((*value).into())),
        Value::Text(text) => borrowed(ValueRef::Text(text.as_bytes())),
        Value::Bytes(bytes) => borrowed(ValueRef::Blob(bytes)),
        Value::Time(micros) => ToSqlOutput::Owned(time_text(*micros).into()),
        Value::Uuid(bits) => ToSqlOutput::Owned(Uuid::from_u128(*bits).to_string().into()),
        // Only PostgreSQL has lists.
        _ => borrowed(ValueRef::Null),
    }
}

fn cell(value: ValueRef<'_>) -> Cell {
    match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(value) => Cell::Int(value),
        ValueRef::Real(value) => Cell::Text(value.to_string()),
        ValueRef::Text(text) => Cell::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => Cell::Bytes(bytes.to_vec()),
    }
}
