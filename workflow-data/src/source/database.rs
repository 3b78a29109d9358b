//! The records of a query.
//!
//! A statement borrows its connection, and a driver of PostgreSQL needs a runtime. So a thread owns
//! the connection, and hands over one batch after the other. It reads at most one batch ahead.

#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::Duration;

use arrow_array::RecordBatch;

use super::table::{Columns, TextTable};
use super::{Reading, Source, SourceError};
use crate::batch::{Batch, BatchMetadata};
use crate::config::{DatabaseSource, System};
use crate::cursor::Cursor;
use crate::policy::Rejects;
use crate::row::RowReason;
use crate::value::ColumnType;

pub(super) struct Database {
    query: Query,
    reading: Reading,
    place: Arc<str>,
    state: State,
    /// The number of the next record.
    next: u64,
}

enum State {
    Waiting,
    /// The columns are known.
    Running {
        columns: Columns,
        rows: Receiver<Result<Message, String>>,
        has_returned: bool,
    },
    Done,
}

/// A query, and where to send it.
#[derive(Clone)]
struct Query {
    options: DatabaseSource,
    system: System,
    batch_size: usize,
    #[cfg_attr(not(feature = "postgres"), expect(dead_code, reason = "only a server has it"))]
    statement_timeout: Option<Duration>,
}

/// What the thread of a connection says. The columns come first.
enum Message {
    Columns(Vec<(String, ColumnType)>),
    Rows(Vec<Row>),
    /// These were all records. A thread that ends without this has panicked.
    End,
}

/// A record.
#[derive(Default)]
struct Row {
    /// The cells as texts. Those that cannot be read are empty.
    cells: Vec<Option<String>>,
    /// Why some of them cannot be read.
    reasons: Vec<RowReason>,
}

/// Takes a message. False if nobody wants another one.
type Hand<'a> = &'a mut dyn FnMut(Message) -> bool;

impl Database {
    /// Makes a source. Nothing is connected yet.
    ///
    /// # Errors
    ///
    /// Fails with an option and what is wrong with it.
    pub(super) fn new(
        mut options: DatabaseSource,
        reading: Reading,
    ) -> Result<Self, (&'static str, String)> {
        let initial = options.incremental.as_ref().and_then(|option| option.initial.clone());
        options.parameters.extend(initial);
        let Some(system) = System::of(options.url.expose()) else {
            return Err((
                "url",
                "has an unknown scheme; use `sqlite:` or `postgres://`".to_owned(),
            ));
        };
        let Reading { batch_size, statement_timeout, .. } = reading;
        let query = Query { options, system, batch_size, statement_timeout };
        query.check()?;
        let place = reading.label.as_str().into();
        Ok(Self { query, reading, place, state: State::Waiting, next: 1 })
    }

    fn fail(&self, reason: String) -> SourceError {
        SourceError::Read { place: self.place.to_string(), reason }
    }

    /// Sends the query. Returns when the columns are known.
    fn start(&mut self) -> Result<(), SourceError> {
        let (sender, rows) = sync_channel(0);
        let query = self.query.clone();
        let run = move || {
            let mut hand = |message| sender.send(Ok(message)).is_ok();
            let end = query.run(&mut hand).map(|()| Message::End);
            // If nobody listens, the run has ended for another reason.
            let _ = sender.send(end);
        };
        let started = thread::Builder::new().name("query".to_owned()).spawn(run);
        started.map_err(|error| self.fail(crate::text::io_reason(&error)))?;
        let found = match rows.recv() {
            Ok(Ok(Message::Columns(found))) => found,
            Ok(Err(reason)) => return Err(self.fail(reason)),
            _ => return Err(self.fail(ENDED.to_owned())),
        };
        let columns = Columns::of_file(found, &self.query.options.columns);
        let columns = columns.map_err(|reason| self.fail(reason))?;
        self.state = State::Running { columns, rows, has_returned: false };
        Ok(())
    }

    fn metadata(&self) -> BatchMetadata {
        BatchMetadata::new(&self.reading.label, 0, self.reading.clock.timestamp())
    }
}

/// The error of a query that is no `SELECT`.
const NO_COLUMNS: &str = "the query returns no columns; write a `SELECT`";

/// The error of a thread that panicked.
const ENDED: &str = "the connection ended without a reason";

impl Source for Database {
    /// A number is bound as a number: SQLite compares values of different types by their types.
    fn resume(&mut self, cursor: &Cursor) {
        let value = cursor.value.as_str();
        let number = serde_json::from_str::<serde_json::Number>(value);
        let value = number.map_or_else(|_| value.into(), serde_json::Value::Number);
        self.query.options.parameters.pop();
        self.query.options.parameters.push(value);
    }

    fn next(&mut self, rejects: &mut Rejects) -> Result<Option<Batch>, SourceError> {
        if matches!(self.state, State::Waiting) {
            self.state = State::Done;
            self.start()?;
        }
        let metadata = self.metadata();
        let State::Running { columns, rows, has_returned } = &mut self.state else {
            return Ok(None);
        };
        let is_first = !std::mem::replace(has_returned, true);
        match rows.recv() {
            Ok(Ok(Message::Rows(rows))) => {
                let mut table = TextTable::new(columns);
                for Row { cells, reasons } in rows {
                    table.push_failing(cells.iter().map(Option::as_deref), reasons);
                }
                let first = self.next;
                self.next += table.rows() as u64;
                table.into_batch(metadata, &self.place, first, rejects)
            }
            Ok(Err(reason)) => Err(self.fail(reason)),
            Ok(Ok(Message::Columns(_))) | Err(_) => Err(self.fail(ENDED.to_owned())),
            Ok(Ok(Message::End)) => {
                let empty = RecordBatch::new_empty(columns.schema());
                self.state = State::Done;
                let empty = || Batch::new(empty, metadata, Arc::clone(&self.place), 1);
                Ok(is_first.then(empty))
            }
        }
    }
}

impl Query {
    fn check(&self) -> Result<(), (&'static str, String)> {
        match self.system {
            #[cfg(feature = "sqlite")]
            System::Sqlite => Ok(()),
            #[cfg(feature = "postgres")]
            System::Postgres => {
                let server = crate::postgres::Server::new(&self.options.url);
                server.map(|_| ()).map_err(|text| ("url", text))
            }
            #[cfg(not(feature = "sqlite"))]
            System::Sqlite => Err(("url", crate::text::missing_feature("sqlite"))),
            #[cfg(not(feature = "postgres"))]
            System::Postgres => Err(("url", crate::text::missing_feature("postgres"))),
        }
    }

    /// Runs the query, and hands over its columns and then its records.
    fn run(&self, hand: Hand<'_>) -> Result<(), String> {
        match self.system {
            #[cfg(feature = "sqlite")]
            System::Sqlite => sqlite::read(self, hand),
            #[cfg(feature = "postgres")]
            System::Postgres => postgres::read(self, hand),
            #[cfg(not(all(feature = "sqlite", feature = "postgres")))]
            system => Err(format!("this program is built without {system:?}")),
        }
    }
}

/// Checks the columns of a query before its records are read.
fn check_names(names: &[&str]) -> Result<(), String> {
    for (index, name) in names.iter().enumerate() {
        if ["", "?column?"].contains(name) {
            let number = index + 1;
            return Err(format!("column {number} of the query has no name; add `AS name`"));
        }
        if names[..index].contains(name) {
            return Err(format!("the query names `{name}` twice; rename one of them with `AS`"));
        }
    }
    if names.is_empty() {
        return Err(NO_COLUMNS.to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::clock::RecordClock;
    use crate::config::FailurePolicy;

    /// Without an end of the records, more of them may be missing.
    #[test]
    fn a_thread_that_panics_is_an_error() {
        let options = DatabaseSource {
            url: "sqlite:shop.db".to_owned().into(),
            query: "SELECT 1 AS a".to_owned(),
            parameters: Vec::new(),
            incremental: None,
            columns: BTreeMap::new(),
        };
        let reading = Reading {
            label: "shop".to_owned(),
            batch_size: 2,
            max_retries: 0,
            statement_timeout: None,
            clock: RecordClock::system(),
            repeated: crate::config::Repeated::Added,
        };
        let system = System::Sqlite;
        let query = Query { options, system, batch_size: 2, statement_timeout: None };
        let (sender, rows) = sync_channel(1);
        let columns = vec![("a".to_owned(), ColumnType::Integer)];
        let columns = Columns::of_file(columns, &query.options.columns).expect("columns");
        let state = State::Running { columns, rows, has_returned: false };
        let mut database = Database { query, reading, place: "shop".into(), state, next: 1 };
        let mut rejects = Rejects::new(FailurePolicy::Fail);
        let row = Row { cells: vec![Some("1".to_owned())], reasons: Vec::new() };
        let sent = sender.send(Ok(Message::Rows(vec![row])));
        assert!(sent.is_ok());
        drop(sender);
        assert!(database.next(&mut rejects).is_ok_and(|batch| batch.is_some()));
        let error = database.next(&mut rejects).expect_err("an end without a reason");
        assert_eq!(error.to_string(), "cannot read `shop`: the connection ended without a reason");
    }
}
