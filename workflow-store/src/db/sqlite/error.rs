//! What SQLite says, as an error with its cure.

use rusqlite::ErrorCode;

use crate::db::deadline::too_slow;
use crate::db::sql::{SqlError, SqlKind};

/// Turns an error of SQLite into one that names the file and the cure.
pub(crate) fn explain(error: &rusqlite::Error, path: &str) -> SqlError {
    let Some(code) = error.sqlite_error_code() else {
        return SqlError::new(SqlKind::Unusable, format!("database `{path}`: {error}"));
    };
    let (kind, cure) = match code {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => (
            SqlKind::Unavailable,
            "another process is writing to it; try again, or open it with a longer busy timeout",
        ),
        // Seen where a process was stopped between two steps of taking the lock that all need.
        ErrorCode::FileLockingProtocolFailed => (
            SqlKind::Unavailable,
            "another process holds a lock of it and stands still; let that go on, then try again",
        ),
        ErrorCode::OperationInterrupted => return too_slow(),
        ErrorCode::DiskFull => (
            SqlKind::Unavailable,
            "there is no room for more; free some, what was kept is unharmed",
        ),
        ErrorCode::SystemIoFailure | ErrorCode::OutOfMemory => {
            (SqlKind::Unavailable, "look at the disk and its file system")
        }
        ErrorCode::CannotOpen => {
            (SqlKind::Unusable, "see that its folder exists and that this user may write there")
        }
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied => (
            SqlKind::Unusable,
            "it can only be read; give this user the right to write to the file and its folder",
        ),
        ErrorCode::DatabaseCorrupt => (
            SqlKind::Unusable,
            "it is damaged; restore it from a copy, or save what can be read with `sqlite3 FILE \
             .recover`",
        ),
        ErrorCode::NotADatabase => {
            (SqlKind::Unusable, "it is no database of SQLite; give the path of another file")
        }
        ErrorCode::ConstraintViolation => (SqlKind::Conflict, "it was changed by something else"),
        _ => (SqlKind::Unusable, "report this as a fault of workflow-store"),
    };
    SqlError::new(kind, format!("database `{path}`: {error}; {cure}"))
}
