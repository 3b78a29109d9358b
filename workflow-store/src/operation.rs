//! What is asked of a database, on its way to the thread that has a connection.

use futures::channel::oneshot;

use crate::memory::{Memory, Tally};
use crate::sql::{Fault, Sql, SqlError, SqlKind};

/// What an operation works with.
pub(crate) struct Cx<'a> {
    pub(crate) sql: &'a mut dyn Sql,
    /// What is known without asking. An operation changes it last, when nothing can fail any more.
    pub(crate) memory: &'a mut Memory,
    /// What is added up and written once for the whole transaction; changed last as well.
    pub(crate) tally: &'a mut Tally,
}

/// Whether an operation shares its transaction with others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Company {
    Shared,
    /// For what locks much or takes long.
    Alone,
}

/// An operation. It may be attempted several times: what an attempt wrote is rolled back before
/// the next.
pub(crate) trait Operation: Send {
    fn company(&self) -> Company;

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

pub(crate) type Answer<T> = Result<T, Fault>;

struct Asked<T, F> {
    work: F,
    company: Company,
    answer: Option<Answer<T>>,
    sender: oneshot::Sender<Answer<T>>,
}

/// Makes an operation of a function, and a receiver of what comes of it.
pub(crate) fn operation<T, F>(
    company: Company,
    work: F,
) -> (Box<dyn Operation>, oneshot::Receiver<Answer<T>>)
where
    T: Send + 'static,
    F: FnMut(&mut Cx<'_>) -> Answer<T> + Send + 'static,
{
    let (sender, receiver) = oneshot::channel();
    (Box::new(Asked { work, company, answer: None, sender }), receiver)
}

impl<T, F> Operation for Asked<T, F>
where
    T: Send + 'static,
    F: FnMut(&mut Cx<'_>) -> Answer<T> + Send + 'static,
{
    fn company(&self) -> Company {
        self.company
    }

    fn attempt(&mut self, cx: &mut Cx<'_>) -> Result<Attempted, SqlError> {
        let answer = match (self.work)(cx) {
            Err(Fault::Sql(error)) => return Err(error),
            other => other,
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
