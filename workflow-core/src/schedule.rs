//! Runs registered workflows by the schedules in their metadata, and after runs of others. Knows no
//! files.

mod links;
mod overlap;
mod watched;

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use futures::future::{Either, select};
use jiff::Timestamp;
use workflow_cron::Admission;

use self::links::Links;
use self::overlap::OwnRuns;
use crate::definition::Metadata;
use crate::engine::{Engine, RunHandle};
use crate::id::RunId;
use crate::job::JobError;
use crate::registry::{self, RegistryError};
use crate::run::{Run as _, RunError};
use crate::store::{ScheduledWorkflow, Store, StoreError, Trigger};

pub use self::watched::{StartScheduled, WatchedSchedule, backfill_limit, overlap_limit};

/// The longest pause between two checks, because workflows may be added and the clock may be set.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// The pause between two checks while a time waits for a run to end, or is overdue: the store could
/// not be read, or one check has started as many runs as it may.
const SHORT_PAUSE: Duration = Duration::from_secs(1);

/// Returns the idempotency key of a scheduled run of a registered workflow. With it, only one of
/// several programs on a store starts the run.
pub fn schedule_key(workflow: &str, at: SystemTime) -> String {
    format!("schedule:{}:{workflow}", timestamp(at))
}

/// Returns the idempotency key of the run for a time: that of [`schedule_key`] for a registered
/// workflow.
pub fn run_key(workflow: &ScheduledWorkflow, at: SystemTime) -> String {
    match workflow {
        ScheduledWorkflow::Registered(name) => schedule_key(name, at),
        ScheduledWorkflow::Number(number) => format!("schedule:{number}:{}", timestamp(at)),
    }
}

impl Engine {
    /// Starts runs of registered workflows by their schedules, until `stop` ends or the engine is
    /// [shut down](Self::shutdown). Active runs continue after that.
    ///
    /// The [schedule](Metadata) with its policy is in the workflow's metadata. Runs start without an
    /// input; [`JobContext::scheduled_for`](crate::job::JobContext::scheduled_for) is their time.
    /// Times that passed while no program was checking are only made up for within `catch_up`, and
    /// need a store that remembers what was handled. Otherwise, if the clock jumps over several
    /// times, only the last one counts. A change of the clock and a new workflow are noticed within
    /// 10 s. Several programs on one store may call this: each scheduled run starts once. Runs that
    /// cannot start are logged.
    ///
    /// A store that [enforces limits](crate::store::Store::enforces_limits) decides about
    /// overlapping runs, whichever program has started them. Without one, the engine decides for its
    /// own runs.
    ///
    /// A workflow with an [`AfterTrigger`](crate::definition::AfterTrigger) in its metadata starts
    /// within a second after a run of the other one has ended, if the store
    /// [collects](crate::store::Store::downstream_store) such runs. Also one that ended while no
    /// program was checking starts it, once the workflow was checked for the first time. Workflows
    /// that would start each other forever are logged, and start none. So is a workflow after one that
    /// the program does not register.
    ///
    /// Schedules of workflow files in a store are run by `workflow serve` and by the scheduler of
    /// `workflow-server`, which also runs those of registered workflows.
    ///
    /// ```no_run
    /// use workflow_core::prelude::*;
    ///
    /// #[register_workflow(name = "hourly", schedule = "0 * * * *")]
    /// fn hourly() {
    ///     println!("an hour has passed");
    /// }
    ///
    /// # async fn host() -> Result<(), Box<dyn std::error::Error>> {
    /// let engine = Engine::default();
    /// engine.run_schedules(std::future::pending()).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Fails if the registry is invalid.
    pub async fn run_schedules(&self, stop: impl Future<Output = ()>) -> Result<(), RegistryError> {
        let mut stop = pin!(stop);
        let (mut schedules, mut links) = (Schedules::default(), Links::default());
        let _running = self.note_schedules();
        while !self.is_stopping() {
            let all = registry::list()?;
            schedules.update(&all, self.time_of_day());
            for entry in all.iter() {
                self.check_schedule(&mut schedules, entry).await;
            }
            self.check_links(&mut links, &all).await;
            let longest = if links.are_empty() { LONGEST_PAUSE } else { SHORT_PAUSE };
            let pause = schedules.pause(self.time_of_day()).min(longest);
            let pause = pin!(self.sleep(pause));
            if let Either::Left(_) = select(stop.as_mut(), pause).await {
                break;
            }
        }
        Ok(())
    }

    async fn check_schedule(&self, schedules: &mut Schedules, entry: &registry::Entry) {
        let workflow = entry.name();
        let Schedules { watched, own } = schedules;
        let Some(Watched { schedule: Some(schedule), .. }) = watched.get_mut(workflow) else {
            return;
        };
        let checked = match own.ready(workflow) {
            Some(at) => self.start_waiting(own, entry, at).await,
            None => Ok(()),
        };
        let store = self.store().map(Arc::clone);
        let state = store.as_ref().and_then(|store| store.schedule_store());
        let mut runs = RunsOf { engine: self, own, entry };
        let now = self.time_of_day();
        if let Err(error) = checked.and(schedule.check(state, now, &mut runs).await) {
            let error = error.chain();
            tracing::warn!(workflow, error, "cannot check the schedule; will retry");
        }
    }

    /// Starts the run for a time that waited for the end of an earlier run.
    async fn start_waiting(
        &self,
        own: &mut OwnRuns,
        entry: &registry::Entry,
        at: SystemTime,
    ) -> Result<(), JobError> {
        let started = self.start_scheduled(own, entry, at).await;
        if started.is_err() {
            own.wait_again(entry.name(), at);
        }
        started.map(drop)
    }

    /// Starts the run for a time. Returns why the time has no run; fails if it may get one later.
    async fn start_scheduled(
        &self,
        own: &mut OwnRuns,
        entry: &registry::Entry,
        at: SystemTime,
    ) -> Result<Option<String>, JobError> {
        let (workflow, overlap) = (entry.name(), entry.metadata().schedule_policy().overlap);
        let request = self.run(entry.workflow()).trigger(Trigger::Schedule).scheduled_for(at);
        let mut request = request.idempotency_key(schedule_key(workflow, at));
        let by_store = self.store().filter(|store| store.enforces_limits());
        if let (Some(_), Some(limit)) = (by_store, overlap_limit(overlap)) {
            request = request.concurrency(limit);
        }
        let started = match request.start() {
            Ok(run) => persisted(self.store(), &run, at).await.map(|skipped| (run, skipped)),
            Err(error) => Err(error),
        };
        let text = timestamp(at);
        match started {
            Ok((_, Some(reason))) => Ok(Some(log_skipped(workflow, at, reason))),
            Ok((run, None)) => {
                tracing::info!(workflow, run = %run.id(), at = %text, "scheduled run started");
                if by_store.is_none() {
                    own.started(workflow, overlap, run);
                }
                Ok(None)
            }
            Err(error) if is_temporary(&error) => Err(error.into()),
            Err(error) => {
                let error = JobError::from(error).chain();
                tracing::warn!(workflow, at = %text, error, "cannot start the scheduled run");
                Ok(Some(format!("the run cannot start: {error}")))
            }
        }
    }
}

/// The scheduled runs of a registered workflow.
struct RunsOf<'a> {
    engine: &'a Engine,
    own: &'a mut OwnRuns,
    entry: &'a registry::Entry,
}

#[async_trait]
impl StartScheduled for RunsOf<'_> {
    type Error = JobError;

    /// A time that has to wait for the end of an earlier run starts later.
    async fn start(&mut self, at: SystemTime) -> Result<Option<String>, JobError> {
        let Self { engine, own, entry } = self;
        if !engine.store().is_some_and(|store| store.enforces_limits()) {
            let overlap = entry.metadata().schedule_policy().overlap;
            match own.admit(entry.name(), overlap, at) {
                Ok(Admission::Start) => {}
                Ok(_) => return Ok(None),
                Err(reason) => return Ok(Some(log_skipped(entry.name(), at, reason))),
            }
        }
        engine.start_scheduled(own, entry, at).await
    }
}

/// Waits until a scheduled run is persisted. Returns why there is none, if its store skipped it.
async fn persisted(
    store: Option<&Arc<dyn Store>>,
    run: &RunHandle,
    at: SystemTime,
) -> Result<Option<String>, RunError> {
    let found = run.persisted().await?;
    let (Some(store), Some(_)) = (store, run.existing()) else { return Ok(None) };
    let reason = skip_reason(&**store, found, at).await;
    reason.map_err(|error| RunError::of_store(run.workflow(), found, error.into()))
}

/// Whether the same request may succeed later.
fn is_temporary(error: &RunError) -> bool {
    match error {
        RunError::ShutDown { .. } | RunError::Abandoned { .. } => true,
        RunError::Store { error, .. } => {
            matches!(**error, StoreError::Unavailable(_) | StoreError::ShutDown { .. })
        }
        _ => false,
    }
}

/// Returns why the store returned this run instead of a new one for a time of its schedule: `None`
/// if it is the run of this time, which another scheduler has started.
///
/// # Errors
///
/// Fails when the store cannot be read.
pub async fn skip_reason(
    store: &dyn Store,
    found: RunId,
    at: SystemTime,
) -> Result<Option<String>, StoreError> {
    let run = store.run(found).await?;
    let is_its_own = run.is_none_or(|run| match run.scheduled_for {
        Some(other) => other == at,
        // Begun before runs had a time.
        None => run.idempotency_key.is_some_and(|key| key.contains(&timestamp(at).to_string())),
    });
    Ok((!is_its_own).then(|| format!("run {found} of an earlier time is unfinished")))
}

fn log_skipped(workflow: &str, at: SystemTime, reason: String) -> String {
    tracing::info!(workflow, at = %timestamp(at), reason, "skipped a time of the schedule");
    reason
}

/// The schedules of registered workflows.
#[derive(Default)]
struct Schedules {
    /// By the name of the workflow.
    watched: HashMap<String, Watched>,
    own: OwnRuns,
}

/// The schedule of a workflow, with the metadata from which it was read.
struct Watched {
    metadata: Metadata,
    /// `None` if the workflow has no schedule, or an invalid one.
    schedule: Option<WatchedSchedule>,
}

impl Watched {
    fn is_of(&self, metadata: &Metadata) -> bool {
        match &self.schedule {
            Some(schedule) => schedule.is_of(metadata),
            None => self.metadata == *metadata,
        }
    }
}

impl Schedules {
    /// Reads schedules that are new or have changed. An invalid one, which a program may add at run
    /// time, is logged once.
    fn update(&mut self, all: &registry::Listing, now: SystemTime) {
        for entry in all.iter() {
            let (name, metadata) = (entry.name(), entry.metadata());
            if self.watched.get(name).is_some_and(|known| known.is_of(metadata)) {
                continue;
            }
            let workflow = ScheduledWorkflow::Registered(name.to_owned());
            let schedule = match WatchedSchedule::new(workflow, metadata, now) {
                Some(Ok(schedule)) => Some(schedule),
                Some(Err(reason)) => {
                    tracing::warn!(workflow = name, %reason, "invalid schedule");
                    None
                }
                None => None,
            };
            self.watched.insert(name.to_owned(), Watched { metadata: metadata.clone(), schedule });
        }
    }

    /// Returns the time until the next check.
    fn pause(&self, now: SystemTime) -> Duration {
        let longest = if self.own.is_waiting() { SHORT_PAUSE } else { LONGEST_PAUSE };
        let begins =
            |known: &Watched| known.schedule.as_ref().and_then(WatchedSchedule::next_begin);
        let next = self.watched.values().filter_map(begins).min();
        let until = next.map(|next| next.duration_since(now).unwrap_or(SHORT_PAUSE));
        until.map_or(longest, |until| until.min(longest))
    }
}

/// Converts a time for schedules. Times outside of the calendar become the Unix epoch.
fn timestamp(time: SystemTime) -> Timestamp {
    Timestamp::try_from(time).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Nothing is due.
    struct Nothing;

    #[async_trait]
    impl StartScheduled for Nothing {
        type Error = StoreError;

        async fn start(&mut self, at: SystemTime) -> Result<Option<String>, StoreError> {
            panic!("{at:?} is not due")
        }
    }

    #[test]
    fn a_time_that_stays_overdue_is_checked_again_after_a_moment() {
        let metadata = Metadata::new(json!({ "schedule": "0 * * * *" })).expect("valid");
        let workflow = ScheduledWorkflow::Registered("hourly".to_owned());
        let start = SystemTime::UNIX_EPOCH;
        let schedule = WatchedSchedule::new(workflow, &metadata, start);
        let mut schedule = schedule.expect("a schedule").expect("valid");
        futures::executor::block_on(schedule.check(None, start, &mut Nothing)).expect("no store");
        let next = schedule.next_begin().expect("a next time");
        let mut schedules = Schedules::default();
        let watched = Watched { metadata, schedule: Some(schedule) };
        schedules.watched.insert("hourly".to_owned(), watched);
        assert_eq!(schedules.pause(start), LONGEST_PAUSE);
        assert_eq!(schedules.pause(next - Duration::from_millis(5)), Duration::from_millis(5));
        // As if the store could not be read.
        assert_eq!(schedules.pause(next + Duration::from_secs(5)), SHORT_PAUSE);
    }
}
