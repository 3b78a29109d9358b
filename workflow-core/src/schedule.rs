//! Workflows that run by themselves, by the schedules in their metadata.

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

/// The longest time between two looks: workflows may be added meanwhile, and the clock be set.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// The idempotency key of the run that the schedule of a registered workflow begins at a time: of
/// several programs on one store, one begins it.
pub fn schedule_key(workflow: &str, at: SystemTime) -> String {
    format!("schedule:{}:{workflow}", timestamp(at))
}

impl Engine {
    /// Begins runs of the registered workflows that have a schedule, each when its time comes,
    /// until `stop` ends or the engine is [shut down](Self::shutdown). Runs under way when it stops
    /// go on.
    ///
    /// The schedule is in the workflow's metadata, and so is its time zone, `timezone` (default:
    /// UTC). A run begins without an input. Times that passed while nobody looked are not made up
    /// for, and of those that a clock jumped over only the last counts; a clock that is set, and a
    /// workflow that is added, are noticed within 10 s. Several programs on one store may do this: each time is begun once. What
    /// does not begin is told in the program's log.
    ///
    /// Workflows that a store keeps as files have schedules too; these are run by `workflow serve`,
    /// and by the scheduler of `workflow-server`, which runs those of registered workflows as well.
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
    /// Fails when the registry is not sound.
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
            Ok(run) => tracing::info!(workflow, %run, %at, "begun by schedule"),
            Err(error) => {
                tracing::warn!(workflow, %at, error = error.chain(), "not begun by schedule");
            }
        }
    }
}

/// The schedules of registered workflows, and up to when they were looked at.
struct Schedules {
    watch: Watch,
    /// As they were read, by what they were read from.
    times: HashMap<Written, Option<Times>>,
}

/// A schedule as the metadata of a workflow have it.
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

    /// The workflows whose time has come since the last look.
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

    /// How long until the next time, if that is near.
    fn pause(&mut self, all: &registry::Listing, now: SystemTime) -> Duration {
        let now = timestamp(now);
        let next = all.iter().filter_map(|entry| self.times_of(entry)?.next(now)).min();
        let until = next.and_then(|next| Duration::try_from(next.duration_since(now)).ok());
        until.map_or(LONGEST_PAUSE, |until| until.min(LONGEST_PAUSE))
    }

    /// The times of a workflow's schedule. One that is not sound, which a program may have added
    /// while it runs, is told of once.
    fn times_of(&mut self, entry: &registry::Entry) -> Option<&Times> {
        let written = Written::of(entry)?;
        let read = |written: &Written| {
            let Written { workflow, cron, zone } = written;
            let times = Times::new(cron, zone.as_deref());
            let told = |reason| tracing::warn!(workflow, %reason, "its schedule does not run");
            times.map_err(told).ok()
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

/// The time as schedules have it. What no calendar has is taken for its beginning.
fn timestamp(time: SystemTime) -> Timestamp {
    Timestamp::try_from(time).unwrap_or(Timestamp::UNIX_EPOCH)
}
