//! A schedule that a scheduler watches: the planner with its cursor, in memory and in the store.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use workflow_cron::{Check, Missed, Overlap, Planner, SchedulePolicy, Times, TimesError};

use super::timestamp;
use crate::definition::Metadata;
use crate::flow_control::{Concurrency, OnConflict};
use crate::store::{
    ScheduleChange, ScheduleId, ScheduleStore, ScheduledWorkflow, SkippedTime, StoreError,
};

/// A schedule that a scheduler checks periodically.
///
/// Schedulers of other crates use it as [`Engine::run_schedules`](crate::Engine::run_schedules)
/// does: [`due`](Self::due) at each check, a run for each time, then [`handled`](Self::handled).
pub struct WatchedSchedule {
    id: ScheduleId,
    planner: Planner,
    watched: Timestamp,
    /// `None` until the state has been read.
    cursor: Option<Timestamp>,
    /// When the next run begins after the cursor.
    next: Option<Timestamp>,
}

/// What is due at a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueTimes {
    /// The times whose runs start, oldest first.
    pub start: Vec<SystemTime>,
    handled: Timestamp,
    now: Timestamp,
    skipped: Option<SkippedTime>,
}

/// The key of the limit that scheduled runs share, if they may not overlap.
const OVERLAP_KEY: &str = "scheduled runs";

/// The key of the limit that runs of backfills share, if scheduled runs may not overlap.
const BACKFILL_KEY: &str = "backfilled runs";

/// Returns the limit of scheduled runs that a policy for overlaps stands for; `None` if they may
/// overlap.
pub fn overlap_limit(overlap: Overlap) -> Option<Concurrency> {
    let on_conflict = match overlap {
        Overlap::Allow => return None,
        Overlap::Skip => OnConflict::Skip,
        Overlap::Queue => OnConflict::Queue,
        Overlap::Cancel => OnConflict::CancelRunning,
    };
    Some(Concurrency::new(1).key(OVERLAP_KEY).on_conflict(on_conflict))
}

/// Returns the limit of the runs of backfills that a policy for overlaps stands for; `None` if they
/// may overlap. All of their times are wanted, so they wait for each other. They share no limit with
/// scheduled runs: one of those would cancel them, or be skipped because of them.
pub fn backfill_limit(overlap: Overlap) -> Option<Concurrency> {
    let limit = overlap_limit(overlap)?;
    Some(limit.key(BACKFILL_KEY).on_conflict(OnConflict::Queue))
}

impl WatchedSchedule {
    /// Watches the schedule in the metadata of a workflow, from now on. `None` if it has none.
    ///
    /// # Errors
    ///
    /// Fails when the cron expression or the time zone is invalid.
    pub fn new(
        workflow: ScheduledWorkflow,
        metadata: &Metadata,
        now: SystemTime,
    ) -> Option<Result<Self, TimesError>> {
        let cron = metadata.schedule()?.to_owned();
        let timezone = metadata.timezone().map(str::to_owned);
        let seed = match &workflow {
            ScheduledWorkflow::Registered(name) => name.clone(),
            ScheduledWorkflow::Number(number) => number.to_string(),
        };
        let times = match Times::new(&cron, timezone.as_deref()) {
            Ok(times) => times,
            Err(error) => return Some(Err(error)),
        };
        let planner = Planner::new(times, metadata.schedule_policy(), &seed);
        let id = ScheduleId { workflow, cron, timezone };
        Some(Ok(Self { id, planner, watched: timestamp(now), cursor: None, next: None }))
    }

    /// The policy.
    pub fn policy(&self) -> SchedulePolicy {
        self.planner.policy()
    }

    /// Whether this is the schedule in the metadata: other keys may differ.
    pub fn is_of(&self, metadata: &Metadata) -> bool {
        metadata.schedule() == Some(&self.id.cron)
            && metadata.timezone() == self.id.timezone.as_deref()
            && metadata.schedule_policy() == self.policy()
    }

    /// When the next run begins, once the schedule has been checked.
    pub fn next_begin(&self) -> Option<SystemTime> {
        self.next.map(SystemTime::from)
    }

    /// Checks the schedule. `None` if nothing is to be done. Reads the store at the first check, and
    /// when something is due.
    ///
    /// # Errors
    ///
    /// Fails when the state of the schedule cannot be read. The next check then covers this time.
    pub async fn due(
        &mut self,
        store: Option<&dyn ScheduleStore>,
        now: SystemTime,
    ) -> Result<Option<DueTimes>, StoreError> {
        let now = timestamp(now);
        let cursor = match self.cursor {
            Some(cursor) => cursor,
            None => self.first_cursor(store, now).await?,
        };
        // The clock may have been set back.
        let cursor = cursor.min(now);
        if self.cursor != Some(cursor) {
            self.set_cursor(cursor);
        }
        if self.next.is_none_or(|next| now < next) {
            self.watched = now;
            return Ok(None);
        }
        let state = match store {
            Some(store) => store.schedule_state(&self.id).await?,
            None => Default::default(),
        };
        // Another scheduler may have handled it. A stored time in the future is that of a wrong clock.
        let stored = state.handled.map(timestamp).filter(|stored| *stored <= now);
        let handled = stored.map_or(cursor, |stored| stored.max(cursor));
        let plan = self.planner.plan(Check { handled, watched: self.watched, now });
        self.watched = now;
        self.set_cursor(plan.handled);
        if plan.start.is_empty() && plan.missed.is_none() {
            return Ok(None);
        }
        let start = match state.is_paused {
            true => Vec::new(),
            false => plan.start.into_iter().map(SystemTime::from).collect(),
        };
        let skipped = match (state.is_paused, plan.missed) {
            (true, _) => Some(skipped(plan.handled, "the schedule is paused".to_owned())),
            (false, missed) => missed.map(|missed| self.missed(missed)),
        };
        if let Some(SkippedTime { reason, .. }) = &skipped {
            tracing::info!(workflow = ?self.id.workflow, last = %plan.handled, %reason, "skipped times of a schedule");
        }
        Ok(Some(DueTimes { start, handled: plan.handled, now, skipped }))
    }

    /// Records that the times are handled. `skipped` is the last of them at which no run started.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be changed. Then other schedulers, or this one after a restart,
    /// handle the times again, and find the runs by their idempotency keys.
    pub async fn handled(
        &self,
        store: Option<&dyn ScheduleStore>,
        due: DueTimes,
        skipped: Option<SkippedTime>,
    ) -> Result<(), StoreError> {
        let Some(store) = store else { return Ok(()) };
        let skipped = skipped.or(due.skipped);
        let (until, now) = (due.handled.into(), due.now.into());
        let change = ScheduleChange::Handled { until, now, skipped };
        store.change_schedule(&self.id, change).await.map(drop)
    }

    /// The cursor from the store, if times before this process can still start a run: missed ones
    /// within the catch-up window, and one whose delay goes on. Such a schedule is recorded when it
    /// is seen first, so that an outage before its first time counts. A store without the workflow
    /// records nothing.
    async fn first_cursor(
        &self,
        store: Option<&dyn ScheduleStore>,
        now: Timestamp,
    ) -> Result<Timestamp, StoreError> {
        let watched = self.watched.min(now);
        let SchedulePolicy { catch_up, jitter, .. } = self.policy();
        let Some(store) = store else { return Ok(self.planner.cursor_at(watched)) };
        if catch_up.max(jitter) == Duration::ZERO {
            return Ok(watched);
        }
        let handled = store.schedule_state(&self.id).await?.handled;
        if let Some(handled) = handled.map(timestamp).filter(|handled| *handled <= now) {
            return Ok(handled);
        }
        let (until, at) = (watched.into(), now.into());
        let change = ScheduleChange::Handled { until, now: at, skipped: None };
        if !store.change_schedule(&self.id, change).await? {
            let workflow = &self.id.workflow;
            tracing::debug!(?workflow, "the store does not have the workflow of the schedule yet");
        }
        Ok(watched)
    }

    fn set_cursor(&mut self, cursor: Timestamp) {
        self.cursor = Some(cursor);
        self.next = self.planner.next_begin(cursor);
    }

    fn missed(&self, missed: Missed) -> SkippedTime {
        let why = match self.policy().catch_up {
            Duration::ZERO => "no scheduler was running".to_owned(),
            window => {
                let window = jiff::SignedDuration::try_from(window);
                let window = window.unwrap_or(jiff::SignedDuration::MAX);
                format!("no scheduler was running within `catch_up`, {window:#}")
            }
        };
        skipped(missed.last, why)
    }
}

fn skipped(at: Timestamp, reason: String) -> SkippedTime {
    SkippedTime { at: at.into(), reason }
}
