//! Checks that the path of a database still leads to the open file.
//!
//! A process can write to a deleted file until it ends, and then the data is lost. On Unix, the
//! device and the inode identify the file; on other systems, open files cannot be deleted.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use crate::db::sql::{SqlError, SqlKind};

/// The file of a store, which all of its connections must have open.
#[derive(Debug, Clone, Default)]
pub(crate) struct Place(Arc<OnceLock<OpenFile>>);

impl Place {
    /// Fails when a new connection would open another file than those before it.
    pub(crate) fn check(&self) -> Result<(), SqlError> {
        self.0.get().map_or(Ok(()), OpenFile::check)
    }

    /// Compares the file of a new connection to that of the others; the first one sets it.
    pub(crate) fn opened(&self, path: &Path) -> Result<(), SqlError> {
        if let Some(file) = OpenFile::at(path, path) {
            self.0.get_or_init(|| file);
        }
        self.check()
    }
}

/// An open file and its path.
#[derive(Debug)]
pub(crate) struct OpenFile {
    path: PathBuf,
    identity: Identity,
    /// The path of the database.
    database: PathBuf,
}

impl OpenFile {
    /// The file at this path; `None` for a database in memory.
    pub(crate) fn at(path: &Path, database: &Path) -> Option<Self> {
        let path = std::path::absolute(path).ok()?;
        let identity = identity(&path).ok()??;
        Some(Self { path, identity, database: database.to_owned() })
    }

    /// Fails when the path leads to no file or to another one.
    pub(crate) fn check(&self) -> Result<(), SqlError> {
        let event = match identity(&self.path) {
            Ok(Some(found)) if found != self.identity => "another file has replaced",
            Err(error) if is_gone(&error) => "somebody has deleted or moved",
            // SQLite reports other problems of the disk.
            _ => return Ok(()),
        };
        let text = format!(
            "database `{}`: {event} `{}` while this process had it open, so writes are rejected; move the \
             file back, or restart the process to use the current file",
            self.database.display(),
            self.path.display(),
        );
        Err(SqlError::new(SqlKind::Unavailable, text))
    }
}

/// The identity of an open file: its device and inode.
type Identity = (u64, u64);

#[cfg(unix)]
fn identity(path: &Path) -> std::io::Result<Option<Identity>> {
    use std::os::unix::fs::MetadataExt;

    let found = std::fs::metadata(path)?;
    Ok(Some((found.dev(), found.ino())))
}

#[cfg(not(unix))]
fn identity(_: &Path) -> std::io::Result<Option<Identity>> {
    Ok(None)
}

fn is_gone(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{NotADirectory, NotFound};

    matches!(error.kind(), NotFound | NotADirectory)
}
