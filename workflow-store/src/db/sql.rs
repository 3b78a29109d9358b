//! The interface of both databases: statements with parameters, and rows.
//!
//! Statements are written once for both. Their parameters `$1`, `$2`, ... appear in this order,
//! because SQLite numbers them by appearance.

use workflow_core::store::StoreError;

use crate::db::deadline::Deadline;
use crate::db::value::{Row, Value};

/// The kind of database, for the few statements that differ.
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

    /// Runs a statement and returns the number of changed rows.
    fn execute(&mut self, sql: &str, values: &[Value<'_>]) -> Result<u64, SqlError>;

    /// Runs a statement and returns its rows.
    fn query(&mut self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>, SqlError>;

    /// Runs statements in order, in one round trip to a server, and returns the number of rows that
    /// each changed. Stops at the first failure.
    fn pipeline(&mut self, statements: &[(&str, &[Value<'_>])]) -> Result<Vec<u64>, SqlError> {
        statements.iter().map(|(sql, values)| self.execute(sql, values)).collect()
    }

    /// Runs statements without parameters, without preparing them.
    fn batch(&mut self, sql: &str) -> Result<(), SqlError>;

    /// Fails when the connection is to another database than its address, so that writes would be
    /// lost and reads would differ from those of others.
    fn check_place(&mut self) -> Result<(), SqlError> {
        Ok(())
    }

    /// Sets the deadline of statements on this connection; `None` removes it.
    fn set_deadline(&mut self, deadline: Option<&Deadline>);

    /// Whether the connection is unusable.
    fn is_closed(&self) -> bool {
        false
    }

    fn first(&mut self, sql: &str, values: &[Value<'_>]) -> Result<Option<Row>, SqlError> {
        Ok(self.query(sql, values)?.into_iter().next())
    }
}

/// The kind of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SqlKind {
    /// A retry may help: the database is busy, full, or not reachable.
    Unavailable,
    /// A retry does not help.
    Unusable,
    /// The address is invalid.
    Address,
    /// A conflict of two transactions, or with the cache: an immediate retry helps.
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
            SqlKind::Address => Self::Address(error.text),
            SqlKind::Unavailable | SqlKind::Conflict => Self::Unavailable(Box::new(error)),
        }
    }
}
