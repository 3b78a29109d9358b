//! Who makes connections, and what is said of databases that are too new.

use super::sql::{Sql, SqlError, SqlKind};

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

/// What is said of a database that a newer version has written.
pub(crate) fn too_new(name: &str, found: i64, known: i64) -> SqlError {
    let text = format!(
        "database `{name}` has version {found} of the schema, and this program knows versions up \
         to {known}; run a newer version of the program, or use another database"
    );
    SqlError::new(SqlKind::Unusable, text)
}
