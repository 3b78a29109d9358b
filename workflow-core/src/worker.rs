//! Workers: they take runs from task queues and drive them, within their slots.

mod identity;
mod preset;
mod tasks;

use std::collections::{HashMap, HashSet};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::future::{Either, FutureExt as _, select};
use futures::stream::{self, BoxStream, FuturesUnordered, StreamExt as _};

use crate::engine::{ClaimedBatch, Engine, EngineBuilder, ResumeError, RunHandle};
use crate::id::RunId;
use crate::run::Run as _;
use crate::store::{ClaimRequest, Queues, Store, StoreError, WorkerId, WorkerReport};

pub use preset::{Preset, PresetError};

/// Takes runs from task queues and drives them: those that were
/// [enqueued](crate::engine::RunRequest::enqueue), and those whose engine has died. It also makes
/// the attempts of jobs that name one of its [queues](crate::Call::task_queue), whatever drives
/// their runs.
///
/// ```
/// use workflow_core::prelude::*;
/// use workflow_core::store::{MemoryStore, Queues};
/// use workflow_core::worker::Worker;
///
/// #[register_workflow(name = "confirm", domain = "booking")]
/// fn confirm(number: u64) -> String { format!("booking {number} is confirmed") }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # futures::executor::block_on(async {
/// let engine = Engine::builder().store(MemoryStore::new()).queue_prefix("estuary").build();
/// let run = engine.run("confirm").input(7_u64).enqueue().await?;
/// let worker = Worker::new(engine.clone())
///     .queues(Queues::named(["estuary-booking"]))
///     .max_concurrent_workflows(50);
/// let report = async { engine.follow(run).await };
/// let report = worker.run_until(report).await??;
/// assert_eq!(report.output::<String>()?, "booking 7 is confirmed");
/// # Ok(())
/// # })
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "call `.run(..)` or `.run_until(..)`"]
pub struct Worker {
    engine: Engine,
    name: String,
    queues: Queues,
    max_concurrent_workflows: usize,
    max_cached_workflows: usize,
}

impl Worker {
    /// Creates a worker for all task queues of the engine's store, without a limit of runs. The
    /// [`max_parallel`](crate::engine::EngineBuilder::max_parallel) of the engine limits its jobs.
    pub fn new(engine: Engine) -> Self {
        Self {
            engine,
            name: identity::default_name(),
            queues: Queues::all(),
            max_concurrent_workflows: usize::MAX,
            max_cached_workflows: usize::MAX,
        }
    }

    /// Creates a worker with a new engine, both configured by a preset.
    ///
    /// # Errors
    ///
    /// Fails as [`Preset::check`].
    pub fn preset(engine: EngineBuilder, preset: &Preset) -> Result<Self, PresetError> {
        let engine = match preset.max_concurrent_activities {
            Some(jobs) => engine.max_parallel(jobs).build(),
            None => engine.build(),
        };
        preset.check(engine.queue_prefix())?;
        let queues = preset.queues(engine.queue_prefix())?;
        let worker = Self::new(engine).queues(queues);
        let worker = match preset.max_concurrent_workflows {
            Some(runs) => worker.max_concurrent_workflows(runs),
            None => worker,
        };
        Ok(match preset.max_cached_workflows {
            Some(runs) => worker.max_cached_workflows(runs),
            None => worker,
        })
    }

    /// The engine that drives the runs.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Sets the name under which lists of workers show it. Default: the ID of the process and the
    /// name of the machine, as `4711@build-3`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets the task queues that it serves. Default: all.
    pub fn queues(mut self, queues: Queues) -> Self {
        self.queues = queues;
        self
    }

    /// Sets how many runs it drives at once. Runs that wait do not count: for a signal, for a time,
    /// or for the next attempt of a job. 0 counts as 1. Default: no limit.
    pub fn max_concurrent_workflows(mut self, runs: usize) -> Self {
        self.max_concurrent_workflows = runs.max(1);
        self
    }

    /// Sets how many waiting runs it keeps in memory; 0 for none. Default: no limit.
    ///
    /// The worker evicts others: those first that wake last. An evicted run waits in the store. When
    /// its wait ends, any worker of its task queue resumes it, as after a shutdown: calls of jobs are
    /// answered from the record, and an attempt that waited starts again, without costing one. Child
    /// runs are evicted and resumed with the run that started them.
    ///
    /// These runs stay in memory: those that wait for less than 100 ms, and those with an attempt
    /// that waits for something else at the same time, that has a timeout from its start, or that
    /// holds a named limit.
    ///
    /// The worker looks whenever it looks for runs, at least every 200 ms. Until then there may be
    /// more.
    pub fn max_cached_workflows(mut self, runs: usize) -> Self {
        self.max_cached_workflows = runs;
        self
    }

    /// Takes runs and jobs until `stop` ends, or until the engine is [shut down](Engine::shutdown).
    /// Those in progress continue in the background after that.
    ///
    /// # Errors
    ///
    /// Fails if the engine has no store, or if the store is unusable, or if it cannot
    /// [evict](Store::evicts) runs although the number of cached ones is limited. An unreachable
    /// store is retried.
    pub async fn run(&self, stop: impl Future<Output = ()>) -> Result<(), StoreError> {
        self.check_evicts()?;
        let mut taking = Taking::new(self);
        let ended = match select(pin!(stop), pin!(taking.take())).await {
            Either::Left(((), _)) => Ok(()),
            Either::Right((ended, _)) => ended,
        };
        if let Some((store, id)) = taking.seat()
            && let Err(error) = store.forget_worker(id).await
        {
            tracing::debug!(%error, "the worker is listed until its lifetime is over");
        }
        ended
    }

    /// Takes runs until a future ends, and returns its output. If the engine is shut down before,
    /// waits for the future.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub async fn run_until<T>(&self, future: impl Future<Output = T>) -> Result<T, StoreError> {
        let (mut future, mut output) = (pin!(future), None);
        self.run(async { output = Some(future.as_mut().await) }).await?;
        match output {
            Some(output) => Ok(output),
            None => Ok(future.await),
        }
    }

    /// Checks that the store can do without the waiting runs that the worker must not keep.
    fn check_evicts(&self) -> Result<(), StoreError> {
        let evicts = self.engine.store().is_none_or(|store| store.evicts());
        if evicts || self.max_cached_workflows == usize::MAX {
            return Ok(());
        }
        let text = "the store cannot evict waiting runs; leave out max_cached_workflows, or use the \
                    store of SQLite, PostgreSQL or in memory";
        Err(StoreError::Unusable(text.into()))
    }
}

impl Engine {
    /// Works for all task queues of the store until `stop` ends, as a [`Worker`] with default
    /// options: resumes runs whose engine has died, and starts runs that were
    /// [enqueued](crate::engine::RunRequest::enqueue).
    ///
    /// # Errors
    ///
    /// As [`Worker::run`].
    pub async fn serve(&self, stop: impl Future<Output = ()>) -> Result<(), StoreError> {
        Worker::new(self.clone()).run(stop).await
    }
}

/// The largest number of runs that are claimed at once.
const BATCH: usize = 100;

/// The time between two attempts to resume stranded runs, which fail until the program changes.
const STRANDED_INTERVAL: Duration = Duration::from_secs(5);

/// The time between two heartbeats of a worker, and the time for which it counts as alive after one.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(2);
const LIFETIME: Duration = Duration::from_secs(8);

/// The number of the next worker of this process.
static NEXT: AtomicU32 = AtomicU32::new(0);

/// The most pauses between two attempts to reach the store, each of which a stop ends.
const MOST_PAUSES: u32 = 10;

/// A worker that takes runs.
struct Taking<'a> {
    worker: &'a Worker,
    number: u32,
    /// The runs in progress.
    runs: HashMap<RunId, RunHandle>,
    /// Ends of these runs here.
    ends: FuturesUnordered<Pin<Box<dyn Future<Output = RunHandle> + Send>>>,
    /// Workflows whose runs were refused, and are left to others for a while.
    unknown: HashSet<String>,
    refused: RefusedRuns,
    /// When stranded runs are next looked for.
    stranded_at: Duration,
    /// When the next heartbeat is due.
    heartbeat_at: Duration,
}

impl<'a> Taking<'a> {
    fn new(worker: &'a Worker) -> Self {
        Self {
            worker,
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            runs: HashMap::new(),
            ends: FuturesUnordered::new(),
            unknown: HashSet::new(),
            refused: RefusedRuns::default(),
            stranded_at: Duration::ZERO,
            heartbeat_at: Duration::ZERO,
        }
    }

    async fn take(&mut self) -> Result<(), StoreError> {
        let engine = &self.worker.engine;
        let mut changes = match engine.store() {
            Some(store) => store.queue_changes(),
            None => Box::pin(stream::pending()),
        };
        let mut failures = 0;
        while !engine.is_stopping() {
            let taken = self.take_some().await;
            if taken.is_ok() {
                failures = 0;
            }
            match taken {
                // More may wait.
                Ok(Some(1..)) => {}
                Ok(Some(0)) => self.wait_for_runs(&mut changes).await,
                Ok(None) => self.end_or_pause(&mut changes).await,
                Err(StoreError::Unavailable(error)) => {
                    if failures == 0 {
                        tracing::warn!(%error, "the store is unreachable; retrying");
                    }
                    failures = MOST_PAUSES.min(failures + 1);
                    for _ in 0..failures {
                        engine.pause().await;
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Waits until a run ends, until tasks may have been added to queues, or until it is time to look
    /// whether a run waits for something.
    async fn end_or_pause(&mut self, changes: &mut BoxStream<'static, ()>) {
        let pause = pin!(self.worker.engine.pause());
        let woken = select(changes.next(), pause);
        if let Either::Left((Some(ended), _)) = select(self.ends.next(), woken).await {
            self.remove(&ended);
        }
    }

    /// Waits until runs may have been added to queues or may begin by their limits, or until it is
    /// time to look.
    async fn wait_for_runs(&mut self, changes: &mut BoxStream<'static, ()>) {
        let engine = &self.worker.engine;
        let due = match engine.store() {
            Some(store) => store.next_due().await.unwrap_or_default(),
            None => None,
        };
        let pause = pin!(engine.pause_at_most(due));
        let mut woken = select(changes.next(), pause);
        // When a run ends that has limits, another one may have its slot.
        while self.runs.values().any(RunHandle::may_free_slot) {
            match select(self.ends.next(), &mut woken).await {
                Either::Left((Some(ended), _)) => {
                    self.remove(&ended);
                    if ended.may_free_slot() {
                        return;
                    }
                }
                Either::Left((None, _)) | Either::Right(_) => return,
            }
        }
        woken.await;
    }

    /// Takes as many tasks and runs as there are free slots, and returns the number of claimed ones;
    /// `None` if no slot for runs is free and no task was claimed.
    async fn take_some(&mut self) -> Result<Option<usize>, StoreError> {
        let worker = self.worker;
        let (find, now) = (worker.engine.known_workflows(), worker.engine.now());
        self.remove_ended();
        self.evict().await?;
        if now >= self.heartbeat_at {
            self.heartbeat_at = now + HEARTBEAT_INTERVAL;
            if let Some((store, id)) = self.seat() {
                let report = self.report(id);
                store.report_worker(&report).await?;
            }
        }
        if now >= self.stranded_at {
            self.stranded_at = now + STRANDED_INTERVAL;
            self.unknown.clear();
            self.refused.begin_interval();
            let recovery = worker.engine.recover_stranded(&worker.queues, find).await?;
            for (run, error) in &recovery.refused {
                self.log_refused(*run, error);
            }
            recovery.runs.into_iter().for_each(|run| self.add(run));
        }
        let except = self.unknown.iter().cloned().collect();
        let request = ClaimRequest { queues: worker.queues.clone(), except, limit: BATCH };
        let tasks = self.take_tasks(&request, find).await?;
        let limit = self.free_slots().min(BATCH);
        if limit == 0 {
            return Ok(Some(tasks).filter(|claimed| *claimed > 0));
        }
        let request = ClaimRequest { limit, ..request };
        let ClaimedBatch { claimed, runs, blocked, left } =
            worker.engine.claim_next(&request, find).await?;
        for (run, error) in blocked {
            self.log_refused(run, &error);
        }
        for (stored, error) in left {
            self.log_refused(stored.id, &error);
            self.unknown.insert(stored.workflow.name);
        }
        runs.into_iter().for_each(|run| self.add(run));
        Ok(Some(tasks + claimed))
    }

    fn add(&mut self, run: RunHandle) {
        self.runs.insert(run.id(), run.clone());
        self.ends.push(Box::pin(async move {
            // How it ends is on record.
            drop(run.outcome().await);
            run
        }));
    }

    fn remove_ended(&mut self) {
        while let Some(Some(ended)) = self.ends.next().now_or_never() {
            self.remove(&ended);
        }
    }

    /// Removes a run that has ended here, unless it was evicted and resumed since.
    fn remove(&mut self, ended: &RunHandle) {
        if self.runs.get(&ended.id()).is_some_and(|run| run.is_same(ended)) {
            self.runs.remove(&ended.id());
        }
    }

    /// Evicts waiting runs beyond those that the worker may keep in memory.
    async fn evict(&mut self) -> Result<(), StoreError> {
        let most = self.worker.max_cached_workflows;
        if self.runs.len() <= most {
            return Ok(());
        }
        let waiting: Vec<&RunHandle> = self.runs.values().filter(|run| run.is_idle()).collect();
        let excess = waiting.len().saturating_sub(most);
        if excess > 0 {
            self.worker.engine.evict(waiting.into_iter(), excess).await?;
            self.remove_ended();
        }
        Ok(())
    }

    /// The number of runs that may begin now.
    fn free_slots(&self) -> usize {
        match self.worker.max_concurrent_workflows {
            usize::MAX => usize::MAX,
            limit => limit.saturating_sub(self.in_progress()),
        }
    }

    /// The number of runs with a job that does not wait.
    fn in_progress(&self) -> usize {
        self.runs.values().filter(|run| !run.is_idle()).count()
    }

    /// What this worker does.
    fn report(&self, id: WorkerId) -> WorkerReport {
        let Worker { engine, name, queues, max_concurrent_workflows, max_cached_workflows } =
            self.worker;
        let workflows = self.in_progress();
        WorkerReport {
            id,
            name: name.clone(),
            queues: queues.clone(),
            max_concurrent_workflows: Some(*max_concurrent_workflows)
                .filter(|limit| *limit < usize::MAX),
            max_concurrent_activities: engine.max_parallel(),
            max_cached_workflows: Some(*max_cached_workflows).filter(|limit| *limit < usize::MAX),
            workflows,
            activities: self.runs.values().map(RunHandle::running_jobs).sum::<usize>()
                + engine.performed_tasks(),
            waiting: self.runs.len() - workflows,
            lifetime: LIFETIME,
            program: engine.program_workflows(),
        }
    }

    /// The store, and what it knows this worker by.
    fn seat(&self) -> Option<(&'a Arc<dyn Store>, WorkerId)> {
        let engine = &self.worker.engine;
        Some((engine.store()?, WorkerId { owner: engine.owner_id()?, number: self.number }))
    }

    fn log_refused(&mut self, run: RunId, error: &ResumeError) {
        if self.refused.add(run) {
            tracing::warn!(%run, %error, "cannot resume the run");
        }
    }
}

/// The runs that were refused in this interval between searches, and in the one before. A run that
/// stays refused is logged once.
#[derive(Default)]
struct RefusedRuns {
    now: HashSet<RunId>,
    before: HashSet<RunId>,
}

impl RefusedRuns {
    fn begin_interval(&mut self) {
        self.before = std::mem::take(&mut self.now);
    }

    /// Adds a run. Returns whether its refusal is new.
    fn add(&mut self, run: RunId) -> bool {
        self.now.insert(run) && !self.before.contains(&run)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_is_refused_again_later_is_new() {
        let (mut refused, run) = (RefusedRuns::default(), RunId::random());
        assert!(refused.add(run));
        assert!(!refused.add(run));
        for _ in 0..3 {
            refused.begin_interval();
            assert!(!refused.add(run));
        }
        refused.begin_interval();
        refused.begin_interval();
        assert!(refused.add(run));
    }
}
