//! Whether the path of a database still leads to the file that is open.
//!
//! A file that is deleted under a process can be written to until the process ends, and is lost
//! then. Unix tells by the device and the number of the file; elsewhere nobody can delete an open
//! file.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use crate::db::sql::{SqlError, SqlKind};

/// The database of a store, which all of its connections must have open.
#[derive(Debug, Clone, Default)]
pub(crate) struct Place(Arc<OnceLock<OpenFile>>);

impl Place {
    /// Fails when a connection that is opened now would lead elsewhere than those before it.
    pub(crate) fn check(&self) -> Result<(), SqlError> {
        self.0.get().map_or(Ok(()), OpenFile::check)
    }

    /// Holds the file that a connection has just opened against that of the others; the first
    /// one sets it.
    pub(crate) fn opened(&self, path: &Path) -> Result<(), SqlError> {
        if let Some(file) = OpenFile::at(path, path) {
            self.0.get_or_init(|| file);
        }
        self.check()
    }
}

/// A file, and where it was when it was opened.
#[derive(Debug)]
pub(crate) struct OpenFile {
    path: PathBuf,
    identity: Identity,
    /// The path of the database that it is of.
    database: PathBuf,
}

impl OpenFile {
    /// The file at this path; `None` for what is no file, such as a database in memory.
    pub(crate) fn at(path: &Path, database: &Path) -> Option<Self> {
        let path = std::path::absolute(path).ok()?;
        let identity = identity(&path).ok()??;
        Some(Self { path, identity, database: database.to_owned() })
    }

    /// Fails when the path leads to no file, or to another one.
    pub(crate) fn check(&self) -> Result<(), SqlError> {
        let event = match identity(&self.path) {
            Ok(Some(found)) if found != self.identity => "another file has taken the place of",
            Err(error) if is_gone(&error) => "somebody has deleted or moved",
            // What is wrong with the disk shows in what SQLite does.
            _ => return Ok(()),
        };
        let text = format!(
            "database `{}`: {event} `{}` while this process had it open, so that nothing more is \
             kept; move the file back, or restart the process to go on with what is there now",
            self.database.display(),
            self.path.display(),
        );
        Err(SqlError::new(SqlKind::Unavailable, text))
    }
}

/// What a file is known by while it is open: its device and its number there.
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
