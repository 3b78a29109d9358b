//! Workers: they serve task queues of a Temporal server with the registered workflows.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, select, try_join_all};
use temporalio_sdk::error::WorkerCreateError;
use temporalio_sdk::runtime::worker_tuner::{FixedSizeSlotSupplier, TunerHolder};
use temporalio_sdk::{Runtime, Worker, WorkerOptions};
use tokio::sync::oneshot;
use tokio::task::LocalSet;
use workflow_core::engine::Engine;
use workflow_core::error_text::io_reason;
use workflow_core::registry::{self, Entry, RegistryError};
use workflow_core::store::{QueueTier, queue_of};
use workflow_core::worker::{Preset, PresetError};

use crate::activity::{Activities, SharedActivities};
use crate::client::TemporalClient;
use crate::hosted::Hosted;
use crate::logs::Logs;
use crate::message::{Cause, chain, reason};
use crate::names::named;
use crate::request::{HISTORY_LIMIT, LEASE, Placement, Plan};

/// Serves task queues of a Temporal server with the registered workflows and jobs of this program.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use workflow_core::prelude::*;
/// use workflow_temporal::{TemporalClient, TemporalOptions, TemporalWorker};
///
/// #[register_workflow(name = "confirm", domain = "booking")]
/// fn confirm(number: u64) -> String { format!("booking {number} is confirmed") }
///
/// let engine = Engine::builder().queue_prefix("shop").build();
/// let client = TemporalClient::connect(&TemporalOptions::new()).await?;
/// let worker = TemporalWorker::new(client, engine).domains(["booking"]);
/// worker.run(async { drop(tokio::signal::ctrl_c().await) }).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "call `.run(..)`"]
pub struct TemporalWorker {
    client: TemporalClient,
    engine: Engine,
    queues: WorkerQueues,
    max_concurrent_activities: usize,
    max_concurrent_workflows: usize,
    max_cached_workflows: usize,
    placement: Placement,
    lease: Duration,
    sticky_timeout: Duration,
    shutdown_grace: Duration,
    history_limit: u32,
}

/// The default: with the lease, a dead worker is replaced within 12 s.
const STICKY_TIMEOUT: Duration = Duration::from_secs(1);
const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);
const SLOTS: usize = 100;
const CACHED: usize = 1000;
/// An execution must have room for some steps.
const LEAST_HISTORY_LIMIT: u32 = 10;

impl TemporalWorker {
    /// Creates a worker for the task queues of all registered workflows, `{prefix}-{domain}` for
    /// each domain and `{prefix}-workflows`, and those that `#[job(task_queue = ..)]` names. The
    /// engine provides the prefix, the application state, replacements of jobs, and the folder for
    /// what jobs print. Its store, limits and clock are not used.
    pub fn new(client: TemporalClient, engine: Engine) -> Self {
        Self {
            client,
            engine,
            queues: WorkerQueues::default(),
            max_concurrent_activities: SLOTS,
            max_concurrent_workflows: SLOTS,
            max_cached_workflows: CACHED,
            placement: Placement::default(),
            lease: LEASE,
            sticky_timeout: STICKY_TIMEOUT,
            shutdown_grace: SHUTDOWN_GRACE,
            history_limit: HISTORY_LIMIT,
        }
    }

    /// Creates a worker that is configured by a preset. Priorities of its queues have no effect:
    /// each queue has its own slots. A preset for all queues serves those of the registered
    /// workflows, and those that have a priority.
    ///
    /// # Errors
    ///
    /// Fails as [`Preset::check`].
    pub fn preset(
        client: TemporalClient,
        engine: Engine,
        preset: &Preset,
    ) -> Result<Self, PresetError> {
        let queues = WorkerQueues::of_preset(preset, engine.queue_prefix())?;
        let mut worker = Self { queues, ..Self::new(client, engine) };
        if let Some(activities) = preset.max_concurrent_activities {
            worker = worker.max_concurrent_activities(activities);
        }
        if let Some(workflows) = preset.max_concurrent_workflows {
            worker = worker.max_concurrent_workflows(workflows);
        }
        if let Some(workflows) = preset.max_cached_workflows {
            worker = worker.max_cached_workflows(workflows);
        }
        Ok(worker)
    }

    /// Adds the task queues of these domains.
    pub fn domains<D: AsRef<str>>(self, domains: impl IntoIterator<Item = D>) -> Self {
        let prefix = self.engine.queue_prefix().to_owned();
        self.task_queues(domains.into_iter().map(|domain| queue_of(&prefix, Some(domain.as_ref()))))
    }

    /// Adds task queues.
    pub fn task_queues<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.queues.named.extend(names.into_iter().map(Into::into));
        self.queues.has_others = self.queues.named.is_empty();
        self
    }

    /// Sets how many attempts of jobs run at once, for each task queue. 0 counts as 1. Default:
    /// 100.
    pub fn max_concurrent_activities(mut self, activities: usize) -> Self {
        self.max_concurrent_activities = activities.max(1);
        self
    }

    /// Sets how many workflow tasks run at once, for each task queue: decisions of the engine, which
    /// take milliseconds. Waiting workflows do not count. Less than 2 counts as 2. Default: 100.
    pub fn max_concurrent_workflows(mut self, workflows: usize) -> Self {
        // With one slot and a cache, Temporal's SDK never polls its own queue.
        self.max_concurrent_workflows = workflows.max(2);
        self
    }

    /// Sets how many workflows stay in memory while they wait, for each task queue. Others are
    /// replayed when they continue. Default: 1000.
    pub fn max_cached_workflows(mut self, workflows: usize) -> Self {
        self.max_cached_workflows = workflows;
        self
    }

    /// Sets where attempts of jobs are made. Default: [`Placement::Activities`].
    pub fn placement(mut self, placement: Placement) -> Self {
        self.placement = placement;
        self
    }

    /// Sets the lease: if a worker dies, others start its attempts again after this time and about a
    /// second. A living worker sends heartbeats three times within it. At least 1 s. Default: 8 s.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease.max(Duration::from_secs(1));
        self
    }

    /// Sets how long a workflow task waits for the worker that has the workflow in memory. Default:
    /// 1 s.
    pub fn sticky_timeout(mut self, timeout: Duration) -> Self {
        self.sticky_timeout = timeout;
        self
    }

    /// Sets how long attempts may continue when the worker stops. Others start the rest again.
    /// Default: 5 s.
    pub fn shutdown_grace(mut self, grace: Duration) -> Self {
        self.shutdown_grace = grace;
        self
    }

    /// Sets the number of events from which on a workflow continues as new, if Temporal does not
    /// suggest it earlier. The next execution continues with the recorded events of the run, once
    /// no job and no child workflow is running. From a quarter more events on, no other job starts
    /// before that. Less than 10 counts as 10. Default: 5,000.
    pub fn history_limit(mut self, events: u32) -> Self {
        self.history_limit = events.max(LEAST_HISTORY_LIMIT);
        self
    }

    /// The task queues that it serves, in alphabetical order.
    ///
    /// # Errors
    ///
    /// Fails if the registry is invalid.
    pub fn served_queues(&self) -> Result<Vec<String>, RegistryError> {
        self.queues.list(self.engine.queue_prefix())
    }

    /// The task queues that a worker with this preset serves, in alphabetical order. Temporal has no
    /// worker for all queues: a preset for all of them serves those of [`new`](Self::new), and those
    /// that have a priority.
    ///
    /// # Errors
    ///
    /// Fails if the preset or the registry is invalid.
    pub fn queues_of_preset(
        preset: &Preset,
        queue_prefix: &str,
    ) -> Result<Vec<String>, WorkerError> {
        Ok(WorkerQueues::of_preset(preset, queue_prefix)?.list(queue_prefix)?)
    }

    /// Serves the task queues until `stop` ends, and then lets attempts continue for the grace
    /// period.
    ///
    /// Must be called in a tokio runtime with several threads. Workflow tasks run on a thread of
    /// their own, and attempts on the runtime.
    ///
    /// # Errors
    ///
    /// Fails if the registry is invalid, or if the server rejects the worker.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<(), WorkerError> {
        let logs = self.engine.runs_dir().map(|folder| Logs::new(folder.to_owned()));
        let activities = Activities::new(self.engine.clone(), self.lease, logs)?;
        let (started, start) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        let runtime = tokio::runtime::Handle::current();
        let (worker, served) = (self.clone(), Arc::clone(&activities));
        let serve = move || {
            let served = runtime.block_on(LocalSet::new().run_until(worker.serve(served, started)));
            // Nobody may be waiting any more.
            drop(end.send(served));
        };
        let thread = std::thread::Builder::new().name("workflow-temporal".to_owned());
        thread.spawn(serve).map_err(WorkerError::Thread)?;
        let mut ended = pin!(ended);
        let mut stop = pin!(stop);
        if let Ok(shut_down) = start.await {
            if let Either::Left((served, _)) = select(&mut ended, &mut stop).await {
                return served.unwrap_or(Err(WorkerError::Panicked));
            }
            activities.stop();
            shut_down();
        }
        ended.await.unwrap_or(Err(WorkerError::Panicked))
    }

    /// Serves the queues. Sends the function that shuts the workers down.
    async fn serve(
        self,
        activities: Arc<Activities>,
        started: oneshot::Sender<Box<dyn Fn() + Send>>,
    ) -> Result<(), WorkerError> {
        let runtime = Runtime::from_current_tokio(Default::default())
            .map_err(|error| WorkerError::Server(chain(&error).into()))?;
        let mut workers = Vec::new();
        for queue in self.served_queues()? {
            let options = self.options(&queue, &activities)?;
            let worker = Worker::new(&runtime, self.client.sdk().clone(), options);
            let cannot =
                |error: WorkerCreateError| WorkerError::Create { queue, error: error.into() };
            workers.push(worker.map_err(cannot)?);
        }
        let shut_down: Vec<_> = workers.iter().map(Worker::shutdown_handle).collect();
        let shut_down = move || shut_down.iter().for_each(|shut_down| shut_down());
        // Nobody listens when the caller has dropped the future; then the workers continue.
        drop(started.send(Box::new(shut_down)));
        let served = try_join_all(workers.iter_mut().map(Worker::run)).await;
        served.map(drop).map_err(|error| WorkerError::Server(chain(&error).into()))
    }

    fn options(
        &self,
        queue: &str,
        activities: &Arc<Activities>,
    ) -> Result<WorkerOptions, WorkerError> {
        let plan = Plan {
            placement: self.placement,
            lease: self.lease,
            history_limit: self.history_limit,
            ..Plan::new(self.engine.clone(), Arc::clone(activities))
        };
        let tuner = TunerHolder::builder()
            .workflow_task_slot_supplier(FixedSizeSlotSupplier::new(self.max_concurrent_workflows))
            .activity_task_slot_supplier(FixedSizeSlotSupplier::new(self.max_concurrent_activities))
            .local_activity_task_slot_supplier(FixedSizeSlotSupplier::new(
                self.max_concurrent_activities,
            ))
            .nexus_task_slot_supplier(FixedSizeSlotSupplier::new(1))
            .build();
        // Requests to cancel reach an attempt with the answer to a heartbeat.
        let throttle = Duration::from_secs(1);
        let mut options = WorkerOptions::new(queue)
            .tuner(tuner)
            .max_cached_workflows(self.max_cached_workflows)
            .sticky_queue_schedule_to_start_timeout(self.sticky_timeout)
            .max_heartbeat_throttle_interval(throttle)
            .default_heartbeat_throttle_interval(throttle)
            .graceful_shutdown_period(self.shutdown_grace);
        for entry in registry::list()? {
            let (entry, plan) = (entry.clone(), plan.clone());
            options = named(entry.name().to_owned().as_str(), || {
                options.register_workflow_with_factory::<Hosted, _>(move || {
                    Hosted::new(entry.workflow(), plan.clone())
                })
            })
            .map_err(|error| WorkerError::Registration(error.into()))?;
        }
        Ok(options.register_activities(SharedActivities(Arc::clone(activities))).build())
    }
}

/// The task queues of a worker.
#[derive(Clone)]
struct WorkerQueues {
    named: BTreeSet<String>,
    /// Whether it serves the queues of the registered workflows and jobs, too.
    has_others: bool,
}

impl Default for WorkerQueues {
    fn default() -> Self {
        Self { named: BTreeSet::new(), has_others: true }
    }
}

impl WorkerQueues {
    fn of_preset(preset: &Preset, prefix: &str) -> Result<Self, PresetError> {
        preset.check(prefix)?;
        let queues = preset.queues(prefix)?;
        let named = queues.tiers().into_iter().flat_map(|tier| match tier {
            QueueTier::Named(names) | QueueTier::AllBut(names) => names,
        });
        Ok(Self { named: named.map(str::to_owned).collect(), has_others: queues.is_all() })
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, RegistryError> {
        let mut queues = self.named.clone();
        if self.has_others {
            let of = |entry: Entry| queue_of(prefix, entry.domain());
            queues.extend(registry::list()?.into_iter().map(of));
            queues.extend(registry::jobs().filter_map(|job| (job.options)().task_queue));
            queues.insert(queue_of(prefix, None));
        }
        Ok(queues.into_iter().collect())
    }
}

/// Why a worker cannot serve, or has stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkerError {
    /// The preset is invalid.
    #[error(transparent)]
    Preset(#[from] PresetError),
    /// The registry is invalid.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// A workflow cannot be registered.
    #[error("cannot register the workflows: {}; give each its own name", reason(&**.0))]
    Registration(Cause),
    /// The worker cannot be created.
    #[error(
        "cannot create the worker of task queue `{queue}`: {}; check its limits, and the namespace",
        reason(&**error)
    )]
    Create {
        /// The task queue.
        queue: String,
        /// The cause.
        error: Cause,
    },
    /// No thread could be started.
    #[error("cannot start a thread for workflow tasks: {}", io_reason(.0))]
    Thread(std::io::Error),
    /// The thread for workflow tasks panicked.
    #[error("the thread for workflow tasks panicked")]
    Panicked,
    /// The server rejected the worker, or was unreachable for too long.
    #[error("the Temporal server rejected the worker: {}; check the server", reason(&**.0))]
    Server(Cause),
}
