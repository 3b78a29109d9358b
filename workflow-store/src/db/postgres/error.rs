//! Errors of PostgreSQL with their cures.

use std::fmt::Display;
use std::io;

use tokio_postgres::config::Host;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Config, Error};
use workflow_core::error_text::io_reason;
use workflow_postgres::HandshakeFailure;

use crate::db::deadline::ASK_FOR_LESS;
use crate::db::sql::{SqlError, SqlKind};

/// An address that is not that of a database.
pub(super) fn invalid_address(error: impl Display) -> SqlError {
    SqlError::new(SqlKind::Address, error.to_string())
}

/// Converts an error of connecting to one with the address and a cure.
pub(super) fn unreachable(error: &Error, config: &Config, name: &str) -> SqlError {
    if error.code().is_some() || HandshakeFailure::of(error).is_some() || !is_io(error) {
        return explain(error, name);
    }
    let cause = io_cause(error);
    let text = match cause {
        Some(cause) if cause.to_string().contains("lookup address") => {
            let hosts = hosts(config).join("`, `");
            format!(
                "cannot connect to database `{name}`: unknown host `{hosts}`; check the host in the URL"
            )
        }
        cause => {
            let reason = cause.map_or_else(|| "it does not answer".to_owned(), io_reason);
            let places = places(config).join(" or ");
            format!(
                "cannot connect to database `{name}` at {places}: {reason}; check that PostgreSQL is \
                 running"
            )
        }
    };
    SqlError::new(SqlKind::Unavailable, text)
}

/// The hosts of an address, or the folders of sockets.
fn hosts(config: &Config) -> Vec<String> {
    let hosts = config.get_hosts().iter().map(|host| match host {
        Host::Tcp(name) => name.clone(),
        Host::Unix(path) => path.display().to_string(),
    });
    hosts.collect()
}

/// The hosts of an address, with their ports.
fn places(config: &Config) -> Vec<String> {
    let ports = config.get_ports();
    let port = |number: usize| ports.get(number).or(ports.first()).copied().unwrap_or(5432);
    let hosts = hosts(config).into_iter().enumerate();
    hosts.map(|(number, host)| format!("{host}:{}", port(number))).collect()
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
    // A connection timeout has no source.
    io_cause(error).is_some() || error.to_string().contains("connecting to server")
}

fn io_cause(error: &Error) -> Option<&io::Error> {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if let Some(found) = cause.downcast_ref() {
            return Some(found);
        }
        source = cause.source();
    }
    None
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
