//! Errors of SQLite with their cures.

use std::path::Path;

use rusqlite::ErrorCode;

use crate::db::deadline::too_slow;
use crate::db::sql::{SqlError, SqlKind};

/// Converts an error of SQLite to one with the path of the file and a cure.
pub(crate) fn explain(error: &rusqlite::Error, path: &str) -> SqlError {
    let Some(code) = error.sqlite_error_code() else {
        return SqlError::new(SqlKind::Unusable, format!("database `{path}`: {error}"));
    };
    let (kind, cure) = match code {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => (
            SqlKind::Unavailable,
            "another process is writing to it; try again, or open it with a longer busy timeout",
        ),
        // Happens when a process was stopped between two steps of locking.
        ErrorCode::FileLockingProtocolFailed => (
            SqlKind::Unavailable,
            "another process was stopped while it held a lock; resume or end it, then try again",
        ),
        ErrorCode::OperationInterrupted => return too_slow(),
        ErrorCode::DiskFull => {
            (SqlKind::Unavailable, "the disk is full; free some space, existing data is intact")
        }
        ErrorCode::SystemIoFailure | ErrorCode::OutOfMemory => {
            (SqlKind::Unavailable, "check the disk and its file system")
        }
        ErrorCode::CannotOpen => {
            let reason = match Path::new(path).is_dir() {
                true => "it is a folder; name a file",
                false => "check that its folder exists and that this user may write there",
            };
            return SqlError::new(
                SqlKind::Unusable,
                format!("cannot open the database `{path}`: {reason}"),
            );
        }
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied => (
            SqlKind::Unusable,
            "it is read-only; give this user write access to the file and its folder",
        ),
        ErrorCode::DatabaseCorrupt => (
            SqlKind::Unusable,
            "it is corrupt; restore it from a backup, or extract readable data with `sqlite3 FILE .recover`",
        ),
        ErrorCode::NotADatabase => {
            let text = format!("`{path}` is not a SQLite database; use the path of another file");
            return SqlError::new(SqlKind::Unusable, text);
        }
        ErrorCode::ConstraintViolation => (SqlKind::Conflict, "another process changed it"),
        _ => (SqlKind::Unusable, "report this as a bug in workflow-store"),
    };
    SqlError::new(kind, format!("database `{path}`: {error}; {cure}"))
}
