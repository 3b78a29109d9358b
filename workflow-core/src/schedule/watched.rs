//! A schedule that a scheduler watches: the planner with its cursor, in memory and in the store.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use jiff::Timestamp;
use workflow_cron::{
    Overlap, Planner, ScheduleCheck, SchedulePlan, SchedulePolicy, Times, TimesError,
};

use super::timestamp;
use crate::definition::Metadata;
use crate::flow_control::{Concurrency, OnConflict};
use crate::store::{
    ScheduleChange, ScheduleId, ScheduleStore, ScheduledWorkflow, SkippedTime, StoreError,
};

/// A schedule that a scheduler checks periodically.
///
/// Schedulers of other crates use it as [`Engine::run_schedules`](crate::Engine::run_schedules)
/// does, with a [`check`](Self::check) every second or so.
pub struct WatchedSchedule {
    id: ScheduleId,
    planner: Planner,
    /// The last check that handled everything that was due.
    watched: Timestamp,
    /// The last handled time. `None` until the state has been read.
    cursor: Option<Timestamp>,
    /// When the next run begins after the cursor.
    next: Option<Timestamp>,
    /// What the store does not know yet.
    unrecorded: Unrecorded,
}

#[derive(Default)]
struct Unrecorded {
    /// Whether times up to the cursor were handled.
    handled: bool,
    skipped: Option<SkippedTime>,
}

/// What is due at a check.
struct Due {
    /// The times whose runs start, oldest first.
    start: Vec<Timestamp>,
    handled: Timestamp,
}

/// What starts the runs of a schedule.
#[async_trait]
pub trait StartScheduled: Send {
    /// Why a run cannot start at present.
    type Error: From<StoreError>;

    /// Starts the run for a time, unless it exists. Returns why the time has no run: one whose run
    /// can never start is skipped.
    ///
    /// # Errors
    ///
    /// Fails only for temporary reasons, such as an unavailable store. The time stays due.
    async fn start(&mut self, at: SystemTime) -> Result<Option<String>, Self::Error>;
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
        let (watched, unrecorded) = (timestamp(now), Unrecorded::default());
        Some(Ok(Self { id, planner, watched, cursor: None, next: None, unrecorded }))
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

    /// Starts the runs that are due, oldest first, and records their times as handled. Reads the
    /// store at the first check, and when something is due.
    ///
    /// # Errors
    ///
    /// Fails when a run cannot start at present, or the state of the schedule cannot be read or
    /// recorded. The next check continues with that time.
    pub async fn check<S: StartScheduled>(
        &mut self,
        store: Option<&dyn ScheduleStore>,
        now: SystemTime,
        runs: &mut S,
    ) -> Result<(), S::Error> {
        let now = timestamp(now);
        self.record(store, now).await?;
        let Some(due) = self.due(store, now).await? else { return Ok(()) };
        for at in due.start {
            let reason = runs.start(at.into()).await?;
            self.pass(at, reason);
        }
        self.watched = now;
        self.pass(due.handled, None);
        Ok(self.record(store, now).await?)
    }

    /// Returns what is due; `None` if nothing is to be done.
    async fn due(
        &mut self,
        store: Option<&dyn ScheduleStore>,
        now: Timestamp,
    ) -> Result<Option<Due>, StoreError> {
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
        let SchedulePlan { start, missed, handled } =
            self.planner.plan(ScheduleCheck { handled, watched: self.watched, now });
        if start.is_empty() && missed.is_none() {
            self.watched = now;
            self.set_cursor(handled);
            return Ok(None);
        }
        let (start, skipped) = match state.is_paused {
            true => (Vec::new(), Some((handled, "the schedule is paused".to_owned()))),
            false => (start, missed.map(|missed| (missed.last, self.why_missed()))),
        };
        if let Some((last, reason)) = skipped {
            tracing::info!(workflow = ?self.id.workflow, %last, reason, "skipped times of a schedule");
            self.pass(last, Some(reason));
        }
        Ok(Some(Due { start, handled }))
    }

    /// Moves on to a handled time: its run has started, or is skipped for a reason.
    fn pass(&mut self, at: Timestamp, skipped: Option<String>) {
        self.set_cursor(at);
        self.unrecorded.handled = true;
        if let Some(reason) = skipped {
            self.unrecorded.skipped = Some(SkippedTime { at: at.into(), reason });
        }
    }

    /// Records what was handled. Without that, other schedulers and later processes handle the times
    /// again, and find the runs by their idempotency keys.
    async fn record(
        &mut self,
        store: Option<&dyn ScheduleStore>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Some(cursor) = self.cursor.filter(|_| self.unrecorded.handled) else { return Ok(()) };
        if let Some(store) = store {
            let skipped = self.unrecorded.skipped.clone();
            let change = ScheduleChange::Handled { until: cursor.into(), now: now.into(), skipped };
            store.change_schedule(&self.id, change).await?;
        }
        self.unrecorded = Unrecorded::default();
        Ok(())
    }

    /// The cursor from the store, if times before this process can still start a run: missed ones
    /// within the catch-up window, and one whose delay continues. Such a schedule is recorded when
    /// it is seen first, so that an outage before its first time counts. A store without the
    /// workflow records nothing.
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

    fn why_missed(&self) -> String {
        match self.policy().catch_up {
            Duration::ZERO => "no scheduler was running".to_owned(),
            window => {
                let window = jiff::SignedDuration::try_from(window);
                let window = window.unwrap_or(jiff::SignedDuration::MAX);
                format!("no scheduler was running within `catch_up`, {window:#}")
            }
        }
    }
}
