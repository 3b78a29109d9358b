//! Counts commits in the write-ahead log of SQLite.

use std::path::Path;

use rusqlite::Connection;

use crate::Failure;

/// The contents of a log.
#[derive(Clone, Copy)]
pub(crate) struct Written {
    pub(crate) commits: usize,
    pub(crate) pages: usize,
}

/// Empties the log of a database.
pub(crate) fn empty(file: &Path) -> Result<(), Failure> {
    let connection = Connection::open(file)?;
    Ok(connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?)
}

/// Counts the contents of the log of a database (<https://sqlite.org/fileformat2.html#walformat>).
pub(crate) fn count(file: &Path) -> Result<Written, Failure> {
    let log = std::fs::read(file.with_extension("db-wal"))?;
    let number = |at: usize| -> Result<u32, Failure> {
        let bytes = log.get(at..at + 4).ok_or("the log is cut off")?;
        Ok(u32::from_be_bytes(bytes.try_into()?))
    };
    let (frame, salts) = (24 + number(8)? as usize, [number(16)?, number(20)?]);
    let mut written = Written { commits: 0, pages: 0 };
    for at in (32..log.len()).step_by(frame) {
        if [number(at + 8)?, number(at + 12)?] != salts {
            break;
        }
        written.pages += 1;
        // The last page of a commit contains the new size of the database.
        written.commits += usize::from(number(at + 4)? != 0);
    }
    Ok(written)
}
