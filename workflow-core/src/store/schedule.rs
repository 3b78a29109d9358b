//! The state of schedules, which several schedulers share.

use std::time::SystemTime;

use async_trait::async_trait;

use super::StoreError;

/// The part of a [`Store`](super::Store) that keeps the state of schedules: which times were
/// handled, and which schedules are paused.
#[async_trait]
pub trait ScheduleStore: Send + Sync {
    /// Returns the state of a schedule; the default state for one without a record. A record of
    /// another cron expression or time zone has no cursor.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read.
    async fn schedule_state(&self, of: &ScheduleId) -> Result<ScheduleState, StoreError>;

    /// Changes the state of a schedule. Returns whether the store has the workflow; if it does not,
    /// nothing is changed.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be changed.
    async fn change_schedule(
        &self,
        of: &ScheduleId,
        change: ScheduleChange,
    ) -> Result<bool, StoreError>;
}

/// A schedule: its workflow, and when it is due.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ScheduleId {
    /// The workflow.
    pub workflow: ScheduledWorkflow,
    /// The cron expression.
    pub cron: String,
    /// The time zone; `None` for UTC.
    pub timezone: Option<String>,
}

/// A workflow with a schedule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ScheduledWorkflow {
    /// The registered workflow with this name.
    Registered(String),
    /// The workflow with this number in the store.
    Number(i64),
}

/// The state of a schedule.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScheduleState {
    /// Whether it is paused: its times are skipped.
    pub is_paused: bool,
    /// The last time that was started or skipped, or the moment since which the schedule is known.
    pub handled: Option<SystemTime>,
    /// The last time that was skipped.
    pub skipped: Option<SkippedTime>,
}

/// A time of a schedule at which no run started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedTime {
    /// The time.
    pub at: SystemTime,
    /// Why it was skipped.
    pub reason: String,
}

/// A change of the state of a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScheduleChange {
    /// All times up to this one were started or skipped.
    Handled {
        /// The last of them.
        until: SystemTime,
        /// The present time. A cursor after it comes from a wrong clock, and is replaced.
        now: SystemTime,
        /// The last one that was skipped. `None` leaves an earlier one in place.
        skipped: Option<SkippedTime>,
    },
    /// The schedule pauses.
    Pause,
    /// The schedule continues. Times before this one count as handled.
    Resume(SystemTime),
}

impl ScheduleState {
    /// Makes a change.
    pub fn apply(&mut self, change: ScheduleChange) {
        match change {
            ScheduleChange::Handled { until, now, skipped } => {
                if self.handled.is_none_or(|handled| handled < until || handled > now) {
                    self.handled = Some(until);
                }
                self.skipped = skipped.or(self.skipped.take());
            }
            ScheduleChange::Pause => self.is_paused = true,
            ScheduleChange::Resume(now) => {
                if self.is_paused {
                    self.handled = Some(now);
                }
                self.is_paused = false;
            }
        }
    }
}
