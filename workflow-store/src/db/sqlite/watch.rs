//! Notices that other connections have written to a file.

use std::time::Duration;

use futures::channel::oneshot::Receiver;

use crate::db::connect::Watch;
use crate::db::sql::{Sql, SqlError};

/// The time between two looks.
const INTERVAL: Duration = Duration::from_millis(25);

/// A connection that compares the version of the file's data:
/// <https://www.sqlite.org/pragma.html#pragma_data_version>.
pub(super) struct SqliteWatch {
    connection: Box<dyn Sql>,
    version: i64,
}

impl SqliteWatch {
    pub(super) fn new(mut connection: Box<dyn Sql>) -> Result<Self, SqlError> {
        let version = version(connection.as_mut())?;
        Ok(Self { connection, version })
    }
}

impl Watch for SqliteWatch {
    fn wait(&mut self, _closed: &mut Receiver<()>) -> Result<bool, SqlError> {
        std::thread::park_timeout(INTERVAL);
        self.connection.check_place()?;
        let before = std::mem::replace(&mut self.version, version(self.connection.as_mut())?);
        Ok(before != self.version)
    }
}

fn version(connection: &mut dyn Sql) -> Result<i64, SqlError> {
    let row = connection.first("PRAGMA data_version", &[])?;
    row.map_or(Ok(0), |row| row.int(0))
}
