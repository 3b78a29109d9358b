//! A schedule with its state and its next times.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use workflow_core::store::{ScheduleState, SkippedTime};
use workflow_store::StoredWorkflow;

use super::time::text;
use crate::schedule::{Schedules, times_of};

/// A schedule with its state and its next times.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ScheduleDocument {
    /// ID of the workflow.
    workflow_id: i64,
    /// Name of the workflow.
    workflow: String,
    /// Cron expression.
    #[schema(examples("0 3 * * *"))]
    cron: String,
    /// Time zone; null for UTC.
    timezone: Option<String>,
    /// Meaning of the cron expression, in English; null if it is invalid.
    #[schema(examples("At 03:00"))]
    meaning: Option<String>,
    /// What happens at a time while an earlier scheduled run is unfinished: `allow`, `skip`, `queue`
    /// or `cancel`.
    #[schema(value_type = String, examples("allow"))]
    overlap: &'static str,
    /// How long a missed time can still start a run, in seconds.
    catch_up_seconds: f64,
    /// Longest delay after each time, in seconds.
    jitter_seconds: f64,
    /// Whether it is paused: its times are skipped.
    paused: bool,
    /// Last time that was started or skipped, or the moment since which the schedule is known.
    #[schema(format = DateTime)]
    last: Option<String>,
    /// Last time that was skipped.
    skipped: Option<Skipped>,
    /// Next times, with the offset of the time zone.
    next: Vec<String>,
    /// Why the schedule does not run here; null if it runs.
    blocked: Option<String>,
}

/// A time at which no run started.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Skipped {
    /// The time.
    #[schema(format = DateTime)]
    at: String,
    /// Why it was skipped.
    reason: String,
}

impl ScheduleDocument {
    /// Makes the document, with this many of the next times. `None` if the workflow has no schedule.
    pub(crate) fn new(
        of: &StoredWorkflow,
        state: ScheduleState,
        schedules: &Schedules,
        next: usize,
    ) -> Option<Self> {
        let times = times_of(&of.metadata)?.ok();
        let policy = of.metadata.schedule_policy();
        let ScheduleState { is_paused, handled, skipped } = state;
        Some(Self {
            workflow_id: of.id,
            workflow: of.name.clone(),
            cron: of.metadata.schedule()?.to_owned(),
            timezone: of.metadata.timezone().map(str::to_owned),
            meaning: times.as_ref().map(|times| times.meaning()),
            overlap: policy.overlap.as_str(),
            catch_up_seconds: policy.catch_up.as_secs_f64(),
            jitter_seconds: policy.jitter.as_secs_f64(),
            paused: is_paused,
            last: handled.map(text),
            skipped: skipped.map(|SkippedTime { at, reason }| Skipped { at: text(at), reason }),
            next: times
                .iter()
                .flat_map(|times| times.after(Timestamp::now()).take(next))
                .map(|at| at.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string())
                .collect(),
            blocked: schedules.blocked(of),
        })
    }
}
