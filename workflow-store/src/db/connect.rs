//! How connections are made, and the error for databases that are too new.

use futures::channel::oneshot::Receiver;

use super::sql::{Sql, SqlError, SqlKind};

/// Makes connections to a database.
pub(crate) trait Connect: Clone + Send + Sync + 'static {
    /// Makes a connection. Called on the thread that will use it.
    fn connect(&self, purpose: Purpose) -> Result<Box<dyn Sql>, SqlError>;

    /// The statement that begins a write transaction.
    fn begin(&self) -> &'static str;

    /// Makes a connection that notices changes by other processes; `None` if there are no others.
    /// Called on the thread that will use it.
    fn watch(&self) -> Result<Option<Box<dyn Watch>>, SqlError>;
}

/// A connection that notices changes.
pub(crate) trait Watch {
    /// Waits a while, and returns whether runs may have been added to task queues. Returns at once
    /// when the sender of `closed` was dropped and this thread was unparked.
    fn wait(&mut self, closed: &mut Receiver<()>) -> Result<bool, SqlError>;
}

/// The purpose of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Write,
    Read,
}

/// The error for a database that a newer version has written.
pub(crate) fn too_new(name: &str, found: i64, known: i64) -> SqlError {
    let text = format!(
        "database `{name}` has schema version {found}, but this program supports versions up to \
         {known}; use a newer version of the program, or another database"
    );
    SqlError::new(SqlKind::Unusable, text)
}
