//! What PostgreSQL says, as an error with its cure.

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use crate::db::deadline::ASK_FOR_LESS;
use crate::db::sql::{SqlError, SqlKind};

/// Turns an error into one that names the database and the cure.
pub(crate) fn explain(error: &Error, name: &str) -> SqlError {
    let (kind, cure) = match error.code() {
        None if is_of_handshake(error) => judge_handshake(error),
        None if error.is_closed() || is_io(error) => {
            (SqlKind::Unavailable, "the server cannot be reached; see that it runs")
        }
        None => (SqlKind::Unusable, "report this as a fault of workflow-store"),
        Some(code) => judge(code),
    };
    let said = match error.as_db_error() {
        Some(said) => said.message().to_owned(),
        None => whole(error),
    };
    SqlError::new(kind, format!("database `{name}`: {said}; {cure}"))
}

fn judge(code: &SqlState) -> (SqlKind, &'static str) {
    if *code == SqlState::T_R_SERIALIZATION_FAILURE || *code == SqlState::T_R_DEADLOCK_DETECTED {
        return (SqlKind::Conflict, "two transactions were in each other's way; try again");
    }
    if *code == SqlState::QUERY_CANCELED {
        return (SqlKind::Unavailable, ASK_FOR_LESS);
    }
    if *code == SqlState::NOT_NULL_VIOLATION || *code == SqlState::CHECK_VIOLATION {
        let cure = "another application wants more of its rows than this one knows; give the \
            column a default, or lift the constraint";
        return (SqlKind::Unusable, cure);
    }
    match code.code().get(..2).unwrap_or_default() {
        "23" => (SqlKind::Conflict, "it was changed by something else"),
        "08" | "57" => (SqlKind::Unavailable, "the server is not there; see that it runs"),
        "53" => (SqlKind::Unavailable, "the server has no room for more; give it some"),
        "28" => (SqlKind::Unusable, "give the name and the password of a user who may connect"),
        "3D" => (SqlKind::Unusable, "create it, or give the name of another"),
        "25" if *code == SqlState::READ_ONLY_SQL_TRANSACTION => {
            (SqlKind::Unusable, "it can only be read; give the address of the primary")
        }
        "25" | "55" => (SqlKind::Unavailable, "a transaction took too long; try again"),
        "42" if *code == SqlState::INSUFFICIENT_PRIVILEGE => {
            (SqlKind::Unusable, "grant this user the right to the tables, or to create them")
        }
        "XX" => (SqlKind::Unusable, "it is damaged; restore it from a copy"),
        _ => (SqlKind::Unusable, "report this as a fault of workflow-store"),
    }
}

/// Whether no encrypted connection came about.
fn is_of_handshake(error: &Error) -> bool {
    error.to_string().starts_with("error performing TLS handshake")
}

fn judge_handshake(error: &Error) -> (SqlKind, &'static str) {
    let whole = whole(error);
    if whole.contains("does not support TLS") {
        let cure = "set it up with `ssl = on`, or write sslmode=disable where the network can be \
            trusted";
        return (SqlKind::Unusable, cure);
    }
    if whole.contains("certificate") {
        let cure = "name the file with the certificate of who signed the server's with \
            sslrootcert=FILE, and the host as that certificate does";
        return (SqlKind::Unusable, cure);
    }
    (SqlKind::Unavailable, "no encrypted connection came about; see that it is a PostgreSQL server")
}

fn is_io(error: &Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if cause.is::<std::io::Error>() {
            return true;
        }
        source = cause.source();
    }
    // A connection that could not be made in time has no cause.
    error.to_string().contains("connecting to server")
}

/// An error with its causes.
fn whole(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
