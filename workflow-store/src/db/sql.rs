//! The little that both databases are asked for: statements with parameters, and rows.
//!
//! Statements are written once for both. They name parameters `$1`, `$2`, ... in the order in
//! which these first appear, because SQLite numbers them so.

use workflow_core::StoreError;

use crate::db::deadline::Deadline;
use crate::db::value::{Row, Value};

/// Which database it is, for the few statements that differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    #[cfg(feature = "sqlite")]
    Sqlite,
    #[cfg(feature = "postgres")]
    Postgres,
}

impl Dialect {
    pub(crate) fn is_postgres(self) -> bool {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => false,
            #[cfg(feature = "postgres")]
            Self::Postgres => true,
        }
    }
}

/// A connection on which statements run.
pub(crate) trait Sql {
    fn dialect(&self) -> Dialect;

    /// Runs a statement, and says how many rows it changed.
    fn execute(&mut self, sql: &str, values: &[Value<'_>]) -> Result<u64, SqlError>;

    /// Runs a statement, and returns its rows.
    fn query(&mut self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>, SqlError>;

    /// Runs statements one after another, in one round trip where there are any; says how many
    /// rows each changed. Stops at the first that fails.
    fn pipeline(&mut self, statements: &[(&str, &[Value<'_>])]) -> Result<Vec<u64>, SqlError> {
        statements.iter().map(|(sql, values)| self.execute(sql, values)).collect()
    }

    /// Runs statements without parameters that are not worth preparing.
    fn batch(&mut self, sql: &str) -> Result<(), SqlError>;

    /// Fails when what is written on this connection would be lost, or what is read is not what
    /// others see: when it leads to another database than its address does.
    fn check_place(&mut self) -> Result<(), SqlError> {
        Ok(())
    }

    /// Ends what runs on this connection when the deadline is over, from now on; `None` ends
    /// nothing.
    fn set_deadline(&mut self, deadline: Option<&Deadline>);

    /// Whether nothing more can be done on this connection.
    fn is_closed(&self) -> bool {
        false
    }

    fn first(&mut self, sql: &str, values: &[Value<'_>]) -> Result<Option<Row>, SqlError> {
        Ok(self.query(sql, values)?.into_iter().next())
    }
}

/// In which way a statement failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SqlKind {
    /// Trying again may help: it is busy, full, or not reached.
    Unavailable,
    /// Trying again does not help.
    Unusable,
    /// Two transactions were in each other's way, or something known is so no more: trying again
    /// at once helps.
    Conflict,
}

/// Why a statement failed.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub(crate) struct SqlError {
    pub(crate) kind: SqlKind,
    pub(crate) text: String,
}

impl SqlError {
    pub(crate) fn new(kind: SqlKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into() }
    }
}

impl From<SqlError> for StoreError {
    fn from(error: SqlError) -> Self {
        match error.kind {
            SqlKind::Unusable => Self::Unusable(Box::new(error)),
            SqlKind::Unavailable | SqlKind::Conflict => Self::Unavailable(Box::new(error)),
        }
    }
}
