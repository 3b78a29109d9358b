//! Errors of PostgreSQL with their cures.

use std::fmt::Display;

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;
use workflow_postgres::HandshakeFailure;

use crate::db::deadline::ASK_FOR_LESS;
use crate::db::sql::{SqlError, SqlKind};

/// An address that cannot be connected to.
pub(super) fn unusable(error: impl Display) -> SqlError {
    SqlError::new(SqlKind::Unusable, error.to_string())
}

/// Converts an error to one with the name of the database and a cure.
pub(crate) fn explain(error: &Error, name: &str) -> SqlError {
    let handshake = HandshakeFailure::of(error);
    let (kind, cure) = match (error.code(), &handshake) {
        (None, Some(failure)) => (kind_of(failure), failure.cure()),
        (None, None) if error.is_closed() || is_io(error) => {
            (SqlKind::Unavailable, "the server cannot be reached; check that it is running")
        }
        (None, None) => (SqlKind::Unusable, "report this as a bug in workflow-store"),
        (Some(code), _) => judge(code),
    };
    let said = match (error.as_db_error(), &handshake) {
        (Some(said), _) => said.message().to_owned(),
        (None, Some(failure)) => failure.to_string(),
        (None, None) => whole(error),
    };
    SqlError::new(kind, format!("database `{name}`: {said}; {cure}"))
}

fn judge(code: &SqlState) -> (SqlKind, &'static str) {
    if *code == SqlState::T_R_SERIALIZATION_FAILURE || *code == SqlState::T_R_DEADLOCK_DETECTED {
        return (SqlKind::Conflict, "two transactions conflicted; try again");
    }
    if *code == SqlState::QUERY_CANCELED {
        return (SqlKind::Unavailable, ASK_FOR_LESS);
    }
    if *code == SqlState::NOT_NULL_VIOLATION || *code == SqlState::CHECK_VIOLATION {
        let cure = "another application has constraints on the row that this program \
            does not know; give the column a default, or drop the constraint";
        return (SqlKind::Unusable, cure);
    }
    match code.code().get(..2).unwrap_or_default() {
        "23" => (SqlKind::Conflict, "another process changed it"),
        "08" | "57" => {
            (SqlKind::Unavailable, "the server is not available; check that it is running")
        }
        "53" => (
            SqlKind::Unavailable,
            "the server is out of disk space, memory or connections; free some",
        ),
        "28" => (SqlKind::Unusable, "use the name and password of a user who may connect"),
        "3D" => (SqlKind::Unusable, "create it, or use another"),
        "25" if *code == SqlState::READ_ONLY_SQL_TRANSACTION => {
            (SqlKind::Unusable, "it is read-only; use the address of the primary")
        }
        "25" | "55" => (SqlKind::Unavailable, "a transaction took too long; try again"),
        "42" if *code == SqlState::INSUFFICIENT_PRIVILEGE => (
            SqlKind::Unusable,
            "grant this user access to the tables, or permission to create them",
        ),
        "XX" => (SqlKind::Unusable, "it is corrupt; restore it from a backup"),
        _ => (SqlKind::Unusable, "report this as a bug in workflow-store"),
    }
}

fn kind_of(failure: &HandshakeFailure) -> SqlKind {
    match failure {
        HandshakeFailure::Other(_) => SqlKind::Unavailable,
        _ => SqlKind::Unusable,
    }
}

fn is_io(error: &Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if cause.is::<std::io::Error>() {
            return true;
        }
        source = cause.source();
    }
    // A connection timeout has no source.
    error.to_string().contains("connecting to server")
}

/// An error with its sources.
fn whole(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
