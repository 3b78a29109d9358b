//! Tables of PostgreSQL, loaded with `COPY` in one transaction.
//!
//! A thread owns the connection and its runtime, so a pipeline may run inside of another runtime.
//! If the thread ends before its commit, the server rolls back.

mod load;

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use arrow_array::{Array, RecordBatch};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::{ArrowError, DataType};
use twox_hash::XxHash3_128;

use self::load::{Failure, Plan};
use super::cursor::Saved;
use super::demands::Texts;
use super::table::{Table, names, quoted, quoted_list};
use super::{CursorName, Demands, Sink, SinkError};
use crate::batch::Batch;
use crate::config::{OutputConfig, WriteMode};
use crate::postgres::Server;
use crate::text::io_reason;
use crate::value::ColumnType;

pub(super) struct PostgresSink {
    server: Server,
    table: Table,
    /// From the first batch to the commit.
    open: Option<OpenTable>,
    /// A batch without records, if there are no others.
    empty: Option<RecordBatch>,
    /// To keep at the commit.
    cursor: Option<Saved>,
}

struct OpenTable {
    loader: Loader,
}

/// The thread of a connection. It answers each command.
struct Loader {
    commands: Sender<Command>,
    answers: Receiver<Result<(), Failure>>,
}

enum Command {
    /// Loads records in the text format of `COPY`.
    Rows(Vec<u8>),
    Commit(Option<Saved>),
}

impl PostgresSink {
    /// Makes a sink. Nothing is connected yet.
    ///
    /// # Errors
    ///
    /// Fails with what is wrong with the URL.
    pub(super) fn new(options: &OutputConfig) -> Result<Self, String> {
        let url = options.url.clone().unwrap_or_default();
        let server = Server::new(&url)?;
        let table = Table::new(options, &server.to_string());
        Ok(Self { server, table, open: None, empty: None, cursor: None })
    }

    fn open(&self, records: &RecordBatch) -> Result<OpenTable, SinkError> {
        self.table.check_key(records)?;
        let (server, plan) = (self.server.clone(), self.plan(records));
        let (commands, received) = channel();
        let (sender, answers) = channel();
        let run = move || load::run(&server, &plan, &received, &sender);
        let started = thread::Builder::new().name("load".to_owned()).spawn(run);
        started.map_err(|error| self.table.failure(io_reason(&error)))?;
        let loader = Loader { commands, answers };
        match loader.answer() {
            Ok(()) => {}
            Err(Failure::MissingColumn(name)) => return Err(self.table.missing_column(&name)),
            Err(Failure::NotUnique) => return Err(self.table.not_unique()),
            Err(other) => return Err(self.table.failure(other)),
        }
        Ok(OpenTable { loader })
    }

    /// Removes all records of a table that is replaced by none. False if it has to be created.
    fn clear(&self, empty: Option<&RecordBatch>) -> Result<bool, SinkError> {
        if self.table.mode != WriteMode::Replace {
            return Ok(false);
        }
        let (server, table) = (&self.server, &self.table);
        self.ask(|| load::clear(server, table, empty))
    }

    /// Talks to the server on a thread of its own, because the caller's may have a runtime.
    fn ask<T: Send>(
        &self,
        talk: impl FnOnce() -> Result<T, Failure> + Send,
    ) -> Result<T, SinkError> {
        let answer = thread::scope(|scope| scope.spawn(talk).join());
        let answer = answer.unwrap_or_else(|_| Err(Failure::other("the connection ended")));
        answer.map_err(|failure| self.table.failure(failure))
    }

    fn plan(&self, records: &RecordBatch) -> Plan {
        let table = &self.table;
        let columns = names(records);
        let list = quoted_list(&columns);
        // Names have at most 63 bytes, and the server cuts longer ones off.
        let key = table.key().join("\0");
        let hash = XxHash3_128::oneshot(format!("{}\0{key}", table.name).as_bytes());
        let index_name = format!("workflow_key_{hash:032x}");
        let index = table.index_sql(&index_name);
        let target = match table.mode {
            WriteMode::Merge => "workflow_stage".to_owned(),
            WriteMode::Replace => format!("workflow_load_{hash:032x}"),
            WriteMode::Append => table.name.clone(),
        };
        let replaces = table.mode == WriteMode::Replace;
        let created = if replaces { &target } else { &table.name };
        Plan {
            name: table.name.clone(),
            table: table.quoted(),
            columns,
            create: table.create_sql(created, records, column_type),
            replace: replaces.then(|| {
                let (drop, table) = (table.drop_sql(), table.quoted());
                format!("{drop}; ALTER TABLE {} RENAME TO {table}", quoted(&target))
            }),
            merge: (table.mode == WriteMode::Merge).then(|| load::Merge {
                key: table.key().to_vec(),
                index_name,
                index,
                stage: format!(
                    "CREATE TEMP TABLE workflow_stage ON COMMIT DROP AS \
                     SELECT {list} FROM {table} WITH NO DATA; \
                     ALTER TABLE workflow_stage \
                     ADD \"workflow ordinal\" bigint GENERATED ALWAYS AS IDENTITY",
                    table = table.quoted(),
                ),
                // Of records with one key, the last one counts.
                insert: format!(
                    "INSERT INTO {table} ({list}) SELECT DISTINCT ON ({key}) {list} \
                     FROM workflow_stage ORDER BY {key}, \"workflow ordinal\" DESC {conflict}",
                    table = table.quoted(),
                    key = quoted_list(table.key()),
                    conflict = table.conflict_sql(records),
                ),
            }),
            copy: format!("COPY {} ({list}) FROM STDIN", quoted(&target)),
            target,
        }
    }
}

impl OpenTable {
    fn write(&self, table: &Table, batch: &Batch) -> Result<(), SinkError> {
        let text = copy_text(batch.records());
        let text = text.map_err(|error| table.failure(error))?;
        let placed = |reason: String, line: Option<usize>| match line {
            Some(line) => format!("{}: {reason}", batch.position(line)),
            None => reason,
        };
        self.loader.command(Command::Rows(text)).map_err(|failure| match failure {
            Failure::Other { reason, line } => table.failure(placed(reason, line)),
            Failure::Repeated { reason, line } => table.repeats_key(&placed(reason, line)),
            other => table.failure(other),
        })
    }
}

impl Loader {
    fn command(&self, command: Command) -> Result<(), Failure> {
        // If the thread has ended, its answer is missing, too.
        let _ = self.commands.send(command);
        self.answer()
    }

    fn answer(&self) -> Result<(), Failure> {
        self.answers.recv().unwrap_or_else(|_| Err(Failure::other("the connection ended")))
    }
}

impl Sink for PostgresSink {
    fn demands(&mut self) -> Result<Demands, SinkError> {
        let (server, table) = (&self.server, self.table.quoted());
        let known = match self.table.mode {
            WriteMode::Replace => Vec::new(),
            WriteMode::Append | WriteMode::Merge => {
                self.ask(move || load::column_types(server, &table))?
            }
        };
        let types = known.into_iter().filter_map(|(name, kind)| Some((name, declared(&kind)?)));
        let (key, types) = (self.table.key().to_vec(), types.collect());
        Ok(Demands { key, types, texts: Texts::WithoutNul, ..Demands::default() })
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
        let open = match (self.open.take(), self.empty.take()) {
            (Some(open), _) => open,
            (None, empty) if self.clear(empty.as_ref())? => return Ok(()),
            (None, Some(empty)) => self.open(&empty)?,
            (None, None) => return Ok(()),
        };
        let commit = Command::Commit(self.cursor.take());
        open.loader.command(commit).map_err(|failure| self.table.failure(failure))
    }

    fn saved_cursor(&mut self, name: &CursorName) -> Result<Option<String>, SinkError> {
        let (server, table) = (&self.server, &self.table.name);
        self.ask(|| load::saved_cursor(server, table, name))
    }

    fn save_cursor(&mut self, name: &CursorName, value: &str) {
        self.cursor = Some(Saved::new(name, value));
    }
}

/// The type of a column of numbers. The server converts texts to all other types.
fn declared(kind: &str) -> Option<ColumnType> {
    match kind {
        "smallint" | "integer" | "bigint" => Some(ColumnType::Integer),
        "real" | "double precision" => Some(ColumnType::Number),
        _ => None,
    }
}

fn column_type(kind: &DataType) -> &'static str {
    match kind {
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => "bigint",
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 => "bigint",
        DataType::Float32 | DataType::Float64 => "double precision",
        DataType::Boolean => "boolean",
        DataType::Date32 => "date",
        DataType::Timestamp(_, Some(_)) => "timestamptz",
        DataType::Timestamp(_, None) => "timestamp",
        DataType::UInt64 | DataType::Decimal128(..) | DataType::Decimal256(..) => "numeric",
        _ => "text",
    }
}

/// Records in the text format of `COPY`.
fn copy_text(records: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
    let options = FormatOptions::default();
    let columns = records.columns().iter();
    let columns = columns.map(|column| ArrayFormatter::try_new(column.as_ref(), &options));
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    let mut text = Vec::new();
    for row in 0..records.num_rows() {
        for (place, formatter) in columns.iter().enumerate() {
            if place > 0 {
                text.push(b'\t');
            }
            if records.column(place).is_null(row) {
                text.extend_from_slice(b"\\N");
            } else {
                escape(&formatter.value(row).try_to_string()?, &mut text);
            }
        }
        text.push(b'\n');
    }
    Ok(text)
}

fn escape(value: &str, text: &mut Vec<u8>) {
    for byte in value.bytes() {
        match byte {
            b'\\' => text.extend_from_slice(b"\\\\"),
            b'\n' => text.extend_from_slice(b"\\n"),
            b'\r' => text.extend_from_slice(b"\\r"),
            b'\t' => text.extend_from_slice(b"\\t"),
            byte => text.push(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_integers_of_the_database() {
        use DataType::{Int8, Int64, UInt8, UInt16, UInt32, UInt64};
        let types = [Int8, Int64, UInt8, UInt16, UInt32].map(|kind| column_type(&kind));
        assert_eq!(types, ["bigint"; 5]);
        // Half of its values are too large for `bigint`.
        assert_eq!(column_type(&UInt64), "numeric");
    }
}
