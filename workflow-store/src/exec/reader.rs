//! The reader threads.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::tx_totals::TxTotals;
use super::write_cache::WriteCache;
use crate::db::connect::{Connect, Purpose};
use crate::db::sql::{Sql, SqlError};
use crate::exec::operation::{Cx, Operation};
use crate::exec::queue::Queue;

pub(crate) struct Reader<C> {
    connect: C,
    connection: Option<Box<dyn Sql>>,
}

impl<C: Connect> Reader<C> {
    pub(crate) fn new(connect: C) -> Self {
        Self { connect, connection: None }
    }

    /// Runs reads until the queue is closed.
    pub(crate) fn serve(mut self, queue: &Queue<Box<dyn Operation>>) {
        while let Some(operations) = queue.take(1) {
            for operation in operations {
                // A panic is a bug in this crate: the caller gets an error, others are served.
                if catch_unwind(AssertUnwindSafe(|| self.answer(operation))).is_err() {
                    self.connection = None;
                }
            }
        }
    }

    fn answer(&mut self, mut operation: Box<dyn Operation>) {
        // Retried on a new connection if the current one turns out to be lost.
        let fresh = self.connection.is_none();
        let mut outcome = self.attempt(operation.as_mut());
        if outcome.is_err() && !fresh && self.connection.is_none() {
            outcome = self.attempt(operation.as_mut());
        }
        match outcome {
            Ok(()) => operation.finish(),
            Err(error) => operation.fail(error),
        }
    }

    fn attempt(&mut self, operation: &mut dyn Operation) -> Result<(), SqlError> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect.connect(Purpose::Read)?,
        };
        let (mut write_cache, mut totals) = (WriteCache::default(), TxTotals::default());
        let mut cx =
            Cx { sql: connection.as_mut(), write_cache: &mut write_cache, totals: &mut totals };
        let outcome = cx.sql.check_place().and_then(|()| operation.attempt(&mut cx).map(|_| ()));
        if !connection.is_closed() {
            self.connection = Some(connection);
        }
        outcome
    }
}
