//! The events of a run, from whichever source has them.

use workflow_core::event::Event;

/// The events of a run on Temporal, by their source. Translated events do not continue the others:
/// they have other sequence numbers.
#[derive(Debug, Clone, PartialEq)]
pub enum RunEvents {
    /// Events that a worker answered, from the requested sequence number on.
    Recorded(Vec<Event>),
    /// The same events from a replay of the history in this program, as far as workers have decided
    /// about the run. No worker answered.
    Replayed(Vec<Event>),
    /// All events that Temporal sees: attempts that are activities and child workflows, and the end
    /// of the run. Sleeps, received signals and skipped jobs are missing.
    Translated(Vec<Event>),
}

impl RunEvents {
    /// The events, for readers that do not continue them.
    pub fn into_vec(self) -> Vec<Event> {
        match self {
            Self::Recorded(events) | Self::Replayed(events) | Self::Translated(events) => events,
        }
    }
}
