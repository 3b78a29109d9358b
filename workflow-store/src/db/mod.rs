//! Databases: connections, statements, values and rows, the same for SQLite and PostgreSQL.

pub(crate) mod connect;
pub(crate) mod deadline;
#[cfg(feature = "postgres")]
pub(crate) mod postgres;
pub(crate) mod sql;
#[cfg(feature = "sqlite")]
pub(crate) mod sqlite;
pub(crate) mod statement;
pub(crate) mod value;
