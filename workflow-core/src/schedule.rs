//! Runs registered workflows by the schedules in their metadata. Knows no stores and no files.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::pin::pin;
use std::time::{Duration, SystemTime};

use futures::future::{Either, select};
use jiff::Timestamp;
use workflow_cron::{Times, Watch};

use crate::engine::Engine;
use crate::job::JobError;
use crate::registry::{self, RegistryError};
use crate::store::Trigger;

/// The longest pause between two checks, because workflows may be added and the clock may be set.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Returns the idempotency key of a scheduled run of a registered workflow. With it, only one of
/// several programs on a store starts the run.
pub fn schedule_key(workflow: &str, at: SystemTime) -> String {
    format!("schedule:{}:{workflow}", timestamp(at))
}

impl Engine {
    /// Starts runs of registered workflows by their schedules, until `stop` ends or the engine is
    /// [shut down](Self::shutdown). Active runs go on after that.
    ///
    /// The schedule and its time zone, `timezone` (default: UTC), are in the workflow's metadata.
    /// Runs start without an input. Times that passed while no program was checking are not made up
    /// for, and if the clock jumps over several times, only the last one counts. A change of the
    /// clock and a new workflow are noticed within 10 s. Several programs on one store may call
    /// this: each scheduled run starts once. Runs that cannot start are logged.
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
        let mut schedules = Schedules::new(self.time_of_day());
        let _running = self.note_schedules();
        while !self.is_stopping() {
            let (all, now) = (registry::list()?, self.time_of_day());
            for (entry, at) in schedules.due(&all, now) {
                self.begin_scheduled(&entry, at).await;
            }
            let pause = pin!(self.sleep(schedules.pause(&all, now)));
            if let Either::Left(_) = select(stop.as_mut(), pause).await {
                break;
            }
        }
        Ok(())
    }

    async fn begin_scheduled(&self, entry: &registry::Entry, at: Timestamp) {
        let workflow = entry.name();
        let request = self.run(entry.workflow()).trigger(Trigger::Schedule);
        let begun = match request.idempotency_key(schedule_key(workflow, at.into())).start() {
            Ok(run) => run.persisted().await.map_err(JobError::from),
            Err(error) => Err(JobError::from(error)),
        };
        match begun {
            Ok(run) => tracing::info!(workflow, %run, %at, "scheduled run started"),
            Err(error) => {
                tracing::warn!(workflow, %at, error = error.chain(), "cannot start the scheduled run");
            }
        }
    }
}

/// The schedules of registered workflows, and the time up to which they were checked.
struct Schedules {
    watch: Watch,
    /// Parsed schedules, by their source. `None` for an invalid one.
    times: HashMap<Written, Option<Times>>,
}

/// A schedule as it is written in a workflow's metadata.
#[derive(PartialEq, Eq, Hash)]
struct Written {
    workflow: String,
    cron: String,
    zone: Option<String>,
}

impl Schedules {
    fn new(now: SystemTime) -> Self {
        Self { watch: Watch::new(timestamp(now)), times: HashMap::new() }
    }

    /// Returns the workflows that became due since the last check.
    fn due(
        &mut self,
        all: &registry::Listing,
        now: SystemTime,
    ) -> Vec<(registry::Entry, Timestamp)> {
        let Some(span) = self.watch.advance(timestamp(now)) else { return Vec::new() };
        let entries = all.iter().filter_map(|entry| {
            let at = self.times_of(entry)?.due(span)?;
            Some((entry.clone(), at))
        });
        entries.collect()
    }

    /// Returns the time until the next check.
    fn pause(&mut self, all: &registry::Listing, now: SystemTime) -> Duration {
        let now = timestamp(now);
        let next = all.iter().filter_map(|entry| self.times_of(entry)?.next(now)).min();
        let until = next.and_then(|next| Duration::try_from(next.duration_since(now)).ok());
        until.map_or(LONGEST_PAUSE, |until| until.min(LONGEST_PAUSE))
    }

    /// Returns the times of a workflow's schedule. An invalid schedule, which a program may add at
    /// run time, is logged once.
    fn times_of(&mut self, entry: &registry::Entry) -> Option<&Times> {
        let written = Written::of(entry)?;
        let read = |written: &Written| {
            let Written { workflow, cron, zone } = written;
            let times = Times::new(cron, zone.as_deref());
            let warn = |reason| tracing::warn!(workflow, %reason, "invalid schedule");
            times.map_err(warn).ok()
        };
        let times = match self.times.entry(written) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let times = read(new.key());
                new.insert(times)
            }
        };
        times.as_ref()
    }
}

impl Written {
    fn of(entry: &registry::Entry) -> Option<Self> {
        Some(Self {
            workflow: entry.name().to_owned(),
            cron: entry.schedule()?.to_owned(),
            zone: entry.metadata().timezone().map(str::to_owned),
        })
    }
}

/// Converts a time for schedules. Times outside of the calendar become the Unix epoch.
fn timestamp(time: SystemTime) -> Timestamp {
    Timestamp::try_from(time).unwrap_or(Timestamp::UNIX_EPOCH)
}
