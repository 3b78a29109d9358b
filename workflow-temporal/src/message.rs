//! Queries and updates: their names and answers, and the texts of errors.

use std::error::Error;

use serde::{Deserialize, Serialize};
use temporalio_client::tonic;
use workflow_core::error_text;
use workflow_core::event::Event;

/// The name of the query for the recorded events, from a sequence number on.
pub(crate) const EVENTS: &str = "events";
/// The name of the query for the state of the run and its jobs.
pub(crate) const PROGRESS: &str = "progress";
/// The name of the query for the signals for which jobs wait.
pub(crate) const AWAITING: &str = "awaiting";
/// The name of the update that delivers a signal, if a job waits for it.
pub(crate) const DELIVER: &str = "deliver";

/// The answer to the query [`EVENTS`].
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct EventPage {
    pub(crate) events: Vec<Event>,
    /// The sequence number of the first event that did not fit; `None` after the latest event.
    pub(crate) next: Option<u64>,
}

/// The length of the JSON of a page. Temporal rejects 2 MiB.
const PAGE_LENGTH: usize = 1_000_000;

impl EventPage {
    /// As many of these events as fit, and at least one. The first one has the number `from`.
    pub(crate) fn of(from: u64, mut events: Vec<Event>) -> Self {
        let mut length = 0;
        let mut fits = |event: &Event| {
            length += serde_json::to_vec(event).map_or(0, |json| json.len());
            length <= PAGE_LENGTH
        };
        let count = events.iter().take_while(|event| fits(event)).count().max(1);
        let next = (count < events.len()).then_some(from + count as u64);
        events.truncate(count);
        Self { events, next }
    }
}

/// The reason of an error of the SDK, in plain text: that of the operating system or the server if
/// there is one, or else the innermost cause.
pub(crate) fn reason(error: &(dyn Error + 'static)) -> String {
    let causes = || std::iter::successors(Some(error), |error| (*error).source());
    let of_system = || causes().find_map(|error| error.downcast_ref::<std::io::Error>());
    let of_server = || causes().find_map(|error| error.downcast_ref::<tonic::Status>());
    if let Some(error) = of_system() {
        return error_text::io_reason(error);
    }
    match of_server() {
        Some(status) if !status.message().is_empty() => status.message().to_owned(),
        _ => causes().last().unwrap_or(error).to_string(),
    }
}

/// A cause of an error, of any type.
pub(crate) type Cause = Box<dyn Error + Send + Sync>;

/// The text of an error and its causes.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error_text::message(error);
        if !text.ends_with(&message) {
            text = format!("{text}: {message}");
        }
        cause = error.source();
    }
    text
}
