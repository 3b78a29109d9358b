//! SQLite, compiled in.

mod connection;
mod error;
mod migrate;
mod options;
mod place;
mod watch;

use std::path::{Path, PathBuf};

use crate::db::connect::{Connect, Purpose, Watch};
use crate::db::sql::{Sql, SqlError};

use place::Place;

pub use options::{Durability, SqliteOptions};

/// Opens connections to one file.
#[derive(Debug, Clone)]
pub(crate) struct Opener {
    path: PathBuf,
    options: SqliteOptions,
    place: Place,
}

impl Opener {
    pub(crate) fn new(path: &Path, options: SqliteOptions) -> Self {
        let text = path.to_string_lossy();
        let path = match text.strip_prefix("sqlite://").or_else(|| text.strip_prefix("sqlite:")) {
            Some(rest) => PathBuf::from(rest),
            None => path.to_owned(),
        };
        Self { path, options, place: Place::default() }
    }

    pub(crate) fn is_memory(&self) -> bool {
        self.path.as_os_str() == ":memory:"
    }
}

impl Connect for Opener {
    fn connect(&self, purpose: Purpose) -> Result<Box<dyn Sql>, SqlError> {
        connection::open(&self.path, &self.options, purpose, &self.place)
    }

    fn begin(&self) -> &'static str {
        "BEGIN IMMEDIATE"
    }

    fn watch(&self) -> Result<Option<Box<dyn Watch>>, SqlError> {
        if self.is_memory() {
            return Ok(None);
        }
        let connection = self.connect(Purpose::Read)?;
        Ok(Some(Box::new(watch::SqliteWatch::new(connection)?)))
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn sqlite_is_new_enough() {
        // Before 3.51.3 a file in WAL mode could be damaged when the log was reset.
        assert!(rusqlite::version_number() >= 3_051_003, "{}", rusqlite::version());
    }
}
