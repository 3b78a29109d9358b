//! The names of queries and updates, and the texts of errors.

use std::error::Error;

/// The name of the query for the recorded events, from a sequence number on.
pub(crate) const EVENTS: &str = "events";
/// The name of the query for the state of the run and its jobs.
pub(crate) const PROGRESS: &str = "progress";
/// The name of the query for the signals for which jobs wait.
pub(crate) const AWAITING: &str = "awaiting";
/// The name of the update that delivers a signal, if a job waits for it.
pub(crate) const DELIVER: &str = "deliver";

/// The text of an error and its causes.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        if !text.ends_with(&message) {
            text = format!("{text}: {message}");
        }
        cause = error.source();
    }
    text
}
