//! Who makes connections.

use super::sql::{Sql, SqlError};

/// Makes connections to one database.
pub(crate) trait Connect: Clone + Send + 'static {
    /// Makes a connection. Called on the thread that will use it.
    fn connect(&self, purpose: Purpose) -> Result<Box<dyn Sql>, SqlError>;

    /// How a transaction that writes begins.
    fn begin(&self) -> &'static str;
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Write,
    Read,
}
