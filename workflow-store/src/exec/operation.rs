//! Store operations, on their way to a thread with a connection.

use futures::channel::oneshot;
use workflow_core::store::StoreError;

use super::tx_totals::TxTotals;
use super::write_cache::WriteCache;
use crate::db::sql::{Sql, SqlError, SqlKind};

/// The context of an operation.
pub(crate) struct Cx<'a> {
    pub(crate) sql: &'a mut dyn Sql,
    /// The write cache. An operation changes it last, when nothing can fail any more.
    pub(crate) write_cache: &'a mut WriteCache,
    /// Totals written once for the whole transaction; also changed last.
    pub(crate) totals: &'a mut TxTotals,
}

/// Whether an operation shares its transaction with others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TxMode {
    Batched,
    /// For operations that lock many rows or take long.
    Exclusive,
}

/// An operation, which may be attempted several times: the writes of an attempt are rolled back
/// before the next one.
pub(crate) trait Operation: Send {
    fn tx_mode(&self) -> TxMode;

    /// Runs the operation and stores its result.
    fn attempt(&mut self, cx: &mut Cx<'_>) -> Result<Attempted, SqlError>;

    /// Sends the result of the last attempt to the caller.
    fn finish(self: Box<Self>);

    /// Sends an error to the caller.
    fn fail(self: Box<Self>, error: SqlError);
}

/// The result of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attempted {
    Done,
    /// The operation was rejected. Its writes must be rolled back.
    Refused,
}

/// Why an operation of the trait [`Store`](workflow_core::store::Store) failed.
#[derive(Debug)]
pub(crate) enum OperationError {
    /// A statement failed. The transaction is rolled back.
    Sql(SqlError),
    /// The operation was rejected, and it alone is rolled back.
    Store(StoreError),
}

pub(crate) type Answer<T> = Result<T, OperationError>;

/// The error of an operation of the store or of a layer above it.
pub(crate) trait OperationFailure: From<SqlError> + Send + 'static {
    /// Returns the error of a failed statement, which ends the transaction and may be retried; or
    /// the rejection, which is the result.
    fn into_sql(self) -> Result<SqlError, Self>;
}

impl OperationFailure for SqlError {
    fn into_sql(self) -> Result<SqlError, Self> {
        Ok(self)
    }
}

impl OperationFailure for OperationError {
    fn into_sql(self) -> Result<SqlError, Self> {
        match self {
            Self::Sql(error) => Ok(error),
            refusal => Err(refusal),
        }
    }
}

impl From<SqlError> for OperationError {
    fn from(error: SqlError) -> Self {
        Self::Sql(error)
    }
}

impl From<StoreError> for OperationError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<OperationError> for StoreError {
    fn from(error: OperationError) -> Self {
        match error {
            OperationError::Sql(error) => error.into(),
            OperationError::Store(error) => error,
        }
    }
}

struct Request<T, E, F> {
    work: F,
    tx_mode: TxMode,
    answer: Option<Result<T, E>>,
    sender: oneshot::Sender<Result<T, E>>,
}

/// Makes an operation from a function, with a receiver of its result.
pub(crate) fn operation<T, E, F>(
    tx_mode: TxMode,
    work: F,
) -> (Box<dyn Operation>, oneshot::Receiver<Result<T, E>>)
where
    T: Send + 'static,
    E: OperationFailure,
    F: FnMut(&mut Cx<'_>) -> Result<T, E> + Send + 'static,
{
    let (sender, receiver) = oneshot::channel();
    (Box::new(Request { work, tx_mode, answer: None, sender }), receiver)
}

impl<T, E, F> Operation for Request<T, E, F>
where
    T: Send + 'static,
    E: OperationFailure,
    F: FnMut(&mut Cx<'_>) -> Result<T, E> + Send + 'static,
{
    fn tx_mode(&self) -> TxMode {
        self.tx_mode
    }

    fn attempt(&mut self, cx: &mut Cx<'_>) -> Result<Attempted, SqlError> {
        let answer = match (self.work)(cx).map_err(E::into_sql) {
            Err(Ok(error)) => return Err(error),
            Err(Err(refusal)) => Err(refusal),
            Ok(done) => Ok(done),
        };
        let attempted = if answer.is_ok() { Attempted::Done } else { Attempted::Refused };
        self.answer = Some(answer);
        Ok(attempted)
    }

    fn finish(self: Box<Self>) {
        if let Some(answer) = self.answer {
            // The caller may have stopped waiting.
            self.sender.send(answer).ok();
        }
    }

    fn fail(self: Box<Self>, error: SqlError) {
        self.sender.send(Err(error.into())).ok();
    }
}

/// The error of a closed store.
pub(crate) fn shut() -> SqlError {
    SqlError::new(
        SqlKind::Unavailable,
        "the store is closed, or its thread has failed; open it again",
    )
}
