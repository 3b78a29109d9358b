//! Migrations of SQLite.

use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension};

use super::error::explain;
use crate::db::connect::too_new;
use crate::db::sql::{SqlError, SqlKind};

mod embedded {
    refinery::embed_migrations!("migrations/sqlite");
}

/// Runs pending migrations.
///
/// Each runs in one transaction. If two processes start at once, the second one fails on existing
/// tables, checks again, and has nothing left to do.
pub(crate) fn migrate(
    connection: &mut Connection,
    path: &str,
    patience: Duration,
) -> Result<(), SqlError> {
    let deadline = Instant::now() + patience.max(Duration::from_secs(1));
    let runner = embedded::migrations::runner().set_grouped(true);
    let newest = runner.get_migrations().iter().map(|m| i64::from(m.version())).max().unwrap_or(0);
    loop {
        let found = version(connection).map_err(|error| explain(&error, path))?;
        if found > newest {
            return Err(too_new(path, found, newest));
        }
        if found == newest {
            return Ok(());
        }
        match runner.run(connection) {
            Ok(_) => return Ok(()),
            Err(_) if Instant::now() < deadline => {
                // Locked, or migrated by another process meanwhile.
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(error) => return Err(failed(path, &error)),
        }
    }
}

fn failed(path: &str, error: &refinery::Error) -> SqlError {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if let Some(error) = cause.downcast_ref::<rusqlite::Error>() {
            return explain(error, path);
        }
        source = cause.source();
    }
    let text = format!("database `{path}`: cannot migrate its schema: {error}");
    SqlError::new(SqlKind::Unusable, text)
}

fn version(connection: &Connection) -> Result<i64, rusqlite::Error> {
    let exists = "SELECT 1 FROM sqlite_schema WHERE name = 'refinery_schema_history'";
    if connection.query_row(exists, [], |_| Ok(())).optional()?.is_none() {
        return Ok(0);
    }
    let version = "SELECT coalesce(max(version), 0) FROM refinery_schema_history";
    connection.query_row(version, [], |row| row.get(0))
}
