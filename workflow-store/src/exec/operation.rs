//! What is asked of a database, on its way to the thread that has a connection.

use futures::channel::oneshot;
use workflow_core::StoreError;

use super::tx_totals::TxTotals;
use super::write_cache::WriteCache;
use crate::db::sql::{Sql, SqlError, SqlKind};

/// What an operation works with.
pub(crate) struct Cx<'a> {
    pub(crate) sql: &'a mut dyn Sql,
    /// What is known without asking. An operation changes it last, when nothing can fail any more.
    pub(crate) write_cache: &'a mut WriteCache,
    /// What is added up and written once for the whole transaction; changed last as well.
    pub(crate) totals: &'a mut TxTotals,
}

/// Whether an operation shares its transaction with others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TxMode {
    Batched,
    /// For what locks much or takes long.
    Exclusive,
}

/// An operation. It may be attempted several times: what an attempt wrote is rolled back before
/// the next.
pub(crate) trait Operation: Send {
    fn tx_mode(&self) -> TxMode;

    /// Does the work and keeps what came of it.
    fn attempt(&mut self, cx: &mut Cx<'_>) -> Result<Attempted, SqlError>;

    /// Tells the one who waits what came of the last attempt.
    fn finish(self: Box<Self>);

    /// Tells the one who waits that it was not done.
    fn fail(self: Box<Self>, error: SqlError);
}

/// What an attempt came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attempted {
    Done,
    /// The request was refused. What it has written must not stay.
    Refused,
}

/// Why an operation of the trait [`Store`](workflow_core::Store) was not done.
#[derive(Debug)]
pub(crate) enum OperationError {
    /// A statement failed. Nothing of the transaction is kept.
    Sql(SqlError),
    /// The request was refused; this operation alone is rolled back.
    Store(StoreError),
}

pub(crate) type Answer<T> = Result<T, OperationError>;

/// The error of an operation: of the store, or of a layer above it that wraps the store's.
pub(crate) trait OperationFailure: From<SqlError> + Send + 'static {
    /// The error of the statement that failed, which ends the transaction and may be retried; or
    /// the refusal, which is the answer.
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

/// Makes an operation of a function, and a receiver of what comes of it.
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
            // Who asked may have gone.
            self.sender.send(answer).ok();
        }
    }

    fn fail(self: Box<Self>, error: SqlError) {
        self.sender.send(Err(error.into())).ok();
    }
}

/// What is said to those who ask a store that is shut.
pub(crate) fn shut() -> SqlError {
    SqlError::new(
        SqlKind::Unavailable,
        "the store has not answered: it was closed, or has a fault; open it again",
    )
}
