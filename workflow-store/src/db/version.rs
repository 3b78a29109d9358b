//! Which versions of the schema there are.

use crate::db::sql::{SqlError, SqlKind};

/// What is said of a database that a newer version has written.
pub(crate) fn too_new(name: &str, found: i64, known: i64) -> SqlError {
    let text = format!(
        "database `{name}` has version {found} of the schema, and this program knows versions up \
         to {known}; run a newer version of the program, or use another database"
    );
    SqlError::new(SqlKind::Unusable, text)
}
