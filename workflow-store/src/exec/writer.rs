//! The writer thread: runs all queued operations in one transaction, commits it once, and only then
//! acknowledges them.
//!
//! Operations have no savepoints. They check before they write, so rejected ones have written
//! nothing. If one has, or a statement fails, the transaction is rolled back and each operation
//! gets its own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::tx_totals::TxTotals;
use super::write_cache::WriteCache;
use crate::db::connect::{Connect, Purpose};
use crate::db::deadline::Deadline;
use crate::db::sql::{Dialect, Sql, SqlError, SqlKind};
use crate::db::value::{Row, Value};
use crate::exec::operation::{Attempted, Cx, Operation, TxMode};
use crate::exec::queue::Queue;

/// The most operations in a transaction.
const MOST: usize = 512;
/// The retries of an operation after a conflict with another transaction.
const TRIES: u32 = 5;

pub(crate) struct Writer<C> {
    connect: C,
    connection: Option<Box<dyn Sql>>,
    write_cache: WriteCache,
    /// Whether the store was unavailable for the last transaction.
    is_failing: Arc<AtomicBool>,
}

type Operations = Vec<Box<dyn Operation>>;

/// The stage at which a transaction failed.
enum Failed {
    /// Before the first operation: all operations fail.
    AtBegin(SqlError),
    /// In an operation. Everything is rolled back.
    OnTheWay(SqlError),
    /// In the commit, on a connection that was lost: the result is unknown.
    Unknown(SqlError),
}

impl<C: Connect> Writer<C> {
    pub(crate) fn new(connect: C, is_failing: Arc<AtomicBool>) -> Self {
        Self { connect, connection: None, write_cache: WriteCache::default(), is_failing }
    }

    /// Runs operations until the queue is closed.
    pub(crate) fn serve(mut self, queue: &Queue<Box<dyn Operation>>) {
        while let Some(operations) = queue.take(MOST) {
            // A panic is a fault of this crate, or of a dependency. Those who wait are told, and
            // others are served on another connection.
            let served = catch_unwind(AssertUnwindSafe(|| self.serve_all(operations)));
            if served.is_err() {
                self.connection = None;
                self.write_cache = WriteCache::default();
            }
        }
    }

    fn serve_all(&mut self, operations: Operations) {
        let mut shared = Vec::with_capacity(operations.len());
        for operation in operations {
            match operation.tx_mode() {
                TxMode::Batched => shared.push(operation),
                TxMode::Exclusive => {
                    self.together(std::mem::take(&mut shared));
                    self.alone(operation);
                }
            }
        }
        self.together(shared);
    }

    /// Runs all operations in one transaction, or each in its own if that fails.
    fn together(&mut self, mut operations: Operations) {
        if operations.is_empty() {
            return;
        }
        match self.transact(&mut operations) {
            Ok(()) => operations.into_iter().for_each(|operation| operation.finish()),
            Err(Failed::OnTheWay(_)) => {
                operations.into_iter().for_each(|operation| self.alone(operation));
            }
            Err(Failed::AtBegin(error) | Failed::Unknown(error)) => {
                for operation in operations {
                    operation.fail(SqlError::new(error.kind, error.text.clone()));
                }
            }
        }
    }

    fn alone(&mut self, operation: Box<dyn Operation>) {
        let mut operations = vec![operation];
        let mut tries = 0;
        let outcome = loop {
            tries += 1;
            match self.transact(&mut operations) {
                Err(Failed::OnTheWay(error))
                    if tries < TRIES
                        && (error.kind == SqlKind::Conflict || self.connection.is_none()) => {}
                other => break other,
            }
        };
        for operation in operations {
            match &outcome {
                Ok(()) => operation.finish(),
                Err(Failed::AtBegin(e) | Failed::OnTheWay(e) | Failed::Unknown(e)) => {
                    operation.fail(SqlError::new(e.kind, e.text.clone()));
                }
            }
        }
    }

    fn transact(&mut self, operations: &mut Operations) -> Result<(), Failed> {
        let outcome = self.try_transact(operations);
        let is_failing = match &outcome {
            Ok(()) => false,
            Err(Failed::AtBegin(e) | Failed::OnTheWay(e) | Failed::Unknown(e)) => {
                e.kind == SqlKind::Unavailable
            }
        };
        self.is_failing.store(is_failing, Ordering::Relaxed);
        outcome
    }

    fn try_transact(&mut self, operations: &mut Operations) -> Result<(), Failed> {
        let is_fresh = self.connection.is_none();
        let mut connection = self.connection().map_err(Failed::AtBegin)?;
        let mut outcome = self.run(connection.as_mut(), operations);
        if matches!(outcome, Err(Failed::AtBegin(_))) && connection.is_closed() && !is_fresh {
            // The connection was lost while idle.
            connection = self.connection().map_err(Failed::AtBegin)?;
            outcome = self.run(connection.as_mut(), operations);
        }
        if let Err(failed) = &outcome {
            if matches!(failed, Failed::Unknown(_)) {
                self.write_cache.mark_uncertain();
            }
            self.write_cache.clear();
            // Fails if the transaction is already rolled back; the next `begin` reports other
            // errors.
            connection.batch("ROLLBACK").ok();
        }
        if !connection.is_closed() {
            self.connection = Some(connection);
        }
        outcome
    }

    fn run(&mut self, sql: &mut dyn Sql, operations: &mut Operations) -> Result<(), Failed> {
        let begun = sql.check_place().and_then(|()| sql.batch(self.connect.begin()));
        begun.map_err(Failed::AtBegin)?;
        self.write_cache.start();
        let is_single = operations.len() == 1;
        let mut totals = TxTotals::default();
        totals.waits = !is_single && sql.dialect().is_postgres();
        for operation in operations.iter_mut() {
            let mut watched = Watched { sql, has_written: false };
            let mut cx =
                Cx { sql: &mut watched, write_cache: &mut self.write_cache, totals: &mut totals };
            let attempted = operation.attempt(&mut cx).map_err(Failed::OnTheWay)?;
            if attempted == Attempted::Refused && watched.has_written {
                if is_single {
                    self.write_cache.clear();
                    return sql.batch("ROLLBACK").map_err(Failed::OnTheWay);
                }
                let text = "one of several operations was rejected after a write";
                return Err(Failed::OnTheWay(SqlError::new(SqlKind::Conflict, text)));
            }
        }
        totals.write(sql).map_err(Failed::OnTheWay)?;
        sql.batch("COMMIT").map_err(|error| match is_in_doubt(sql, &error) {
            true => Failed::Unknown(error),
            false => Failed::OnTheWay(error),
        })
    }

    fn connection(&mut self) -> Result<Box<dyn Sql>, SqlError> {
        if let Some(connection) = self.connection.take() {
            return Ok(connection);
        }
        let mut pause = Duration::from_millis(20);
        loop {
            match self.connect.connect(Purpose::Write) {
                Err(error) if error.kind == SqlKind::Unavailable && pause < LONGEST => {
                    std::thread::sleep(pause);
                    pause *= 2;
                }
                other => return other,
            }
        }
    }
}

/// Whether a failed commit may have succeeded. A server that shuts down reports it on a connection
/// that is not closed yet.
fn is_in_doubt(sql: &dyn Sql, error: &SqlError) -> bool {
    let may_go = sql.dialect().is_postgres() && error.kind == SqlKind::Unavailable;
    may_go || sql.is_closed()
}

/// The time between two attempts to connect, after which the callers get an error.
const LONGEST: Duration = Duration::from_millis(400);

/// Records whether anything was written.
struct Watched<'a> {
    sql: &'a mut dyn Sql,
    has_written: bool,
}

impl Sql for Watched<'_> {
    fn dialect(&self) -> Dialect {
        self.sql.dialect()
    }

    fn execute(&mut self, sql: &str, values: &[Value<'_>]) -> Result<u64, SqlError> {
        let changed = self.sql.execute(sql, values)?;
        self.has_written |= changed > 0;
        Ok(changed)
    }

    fn query(&mut self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>, SqlError> {
        let rows = self.sql.query(sql, values)?;
        self.has_written |= !rows.is_empty() && !sql.starts_with("SELECT");
        Ok(rows)
    }

    fn pipeline(&mut self, statements: &[(&str, &[Value<'_>])]) -> Result<Vec<u64>, SqlError> {
        let changed = self.sql.pipeline(statements)?;
        self.has_written |= changed.iter().any(|count| *count > 0);
        Ok(changed)
    }

    fn batch(&mut self, sql: &str) -> Result<(), SqlError> {
        self.has_written = true;
        self.sql.batch(sql)
    }

    fn check_place(&mut self) -> Result<(), SqlError> {
        self.sql.check_place()
    }

    fn set_deadline(&mut self, deadline: Option<&Deadline>) {
        self.sql.set_deadline(deadline);
    }

    fn is_closed(&self) -> bool {
        self.sql.is_closed()
    }
}
