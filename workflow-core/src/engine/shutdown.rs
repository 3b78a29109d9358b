//! Graceful shutdown of an engine: drains its runs, and then releases or cancels them. Signals of
//! the operating system are left to the host.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Poll;
use std::time::Duration;

use futures::future::{Either, join, join_all, select};

use super::Engine;
use super::active::{ActiveRun, add_waker};
use super::runtime::Runtime;
use super::state::{RunState, wake_all};
use crate::id::RunId;
use crate::job::JobFlags;
use crate::run::RunError;
use crate::store::StoreError;

/// The result of [`Engine::shutdown`]: what became of the engine's runs.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Shutdown {
    /// Runs that ended within the grace period.
    pub ended: Vec<RunId>,
    /// Runs whose leases were released: an engine that recovers or serves can resume them at once.
    pub released: Vec<RunId>,
    /// Runs without a store, which were cancelled.
    pub cancelled: Vec<RunId>,
    /// Runs whose leases could not be released, because the store was unreachable. These leases
    /// expire by themselves.
    pub held: Vec<(RunId, StoreError)>,
}

/// The phase of a run in the shutdown of its engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum ShutdownPhase {
    /// The engine is not shutting down, as far as the run knows.
    #[default]
    None,
    /// No further attempt starts.
    Draining,
    /// The run was cancelled. Jobs that always run may start.
    Stopping,
}

/// The shutdown of an engine.
#[derive(Default)]
pub(super) struct Stopping {
    phase: AtomicU8,
    /// Runs without a store that have waited for something. The lease renewer knows the persisted
    /// ones.
    waiting: Mutex<HashMap<RunId, Weak<ActiveRun>>>,
}

/// No further job starts.
const DRAINING: u8 = 1;
/// The grace period is over: runs are released or cancelled.
const STOPPING: u8 = 2;

/// How long to wait for the store to record the last outcomes once the grace period is over.
const RECORD_TIMEOUT: Duration = Duration::from_secs(5);

impl Stopping {
    #[inline]
    pub(super) fn has_begun(&self) -> bool {
        self.phase.load(Ordering::Relaxed) >= DRAINING
    }

    fn is_over(&self) -> bool {
        self.phase.load(Ordering::SeqCst) >= STOPPING
    }

    fn advance_to(&self, phase: u8) {
        self.phase.fetch_max(phase, Ordering::SeqCst);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RunId, Weak<ActiveRun>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers a run without a store that waits for something for the first time.
    pub(super) fn enter(&self, run: &ActiveRun) {
        self.lock().insert(run.id, run.me.clone());
    }

    /// Removes a run that has ended.
    pub(super) fn leave(&self, run: RunId) {
        self.lock().remove(&run);
    }

    fn runs(&self) -> Vec<Arc<ActiveRun>> {
        self.lock().values().filter_map(Weak::upgrade).collect()
    }
}

impl Engine {
    /// Stops the engine gracefully: no further job starts, and running jobs have `grace` to end.
    /// Then persisted runs are released, so that the next process that [recovers](Engine::recover)
    /// or [serves](Engine::serve) resumes them at once. Jobs that have ended are on record and do
    /// not run again. Runs without a store are cancelled.
    ///
    /// The shutdown does not wait for jobs that only wait for a signal, for a durable sleep, or for
    /// jobs that they called. Jobs that are still running after `grace` are stopped like those of a
    /// cancelled run: dropped, or cancelled first if they have a [grace period](crate::Call::grace)
    /// of their own. Such an attempt starts again in the next process, with the same idempotency
    /// key. The same holds for jobs that this engine executes for the runs of others, because it
    /// serves their [task queue](crate::Call::task_queue).
    ///
    /// The engine accepts no further runs: they end in [`RunError::ShutDown`]. The library installs
    /// no signal handlers. A host calls this when it must stop.
    ///
    /// ```
    /// use std::time::Duration;
    /// use workflow_core::prelude::*;
    /// use workflow_core::store::MemoryStore;
    ///
    /// #[register_workflow(name = "approval")]
    /// async fn approval(ctx: WorkflowContext) -> Result<String, JobError> {
    ///     ctx.wait_signal("approved").await
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let engine = Engine::builder().store(MemoryStore::new()).build();
    /// let run = engine.run("approval").start()?;
    /// let id = futures::executor::block_on(run.persisted())?;
    /// let shutdown = futures::executor::block_on(engine.shutdown(Duration::from_secs(10)));
    /// assert_eq!(shutdown.released, [id]);
    /// assert!(matches!(run.wait(), Err(RunError::ShutDown { .. })));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn shutdown(&self, grace: Duration) -> Shutdown {
        let stopping = &self.0.stopping;
        stopping.advance_to(DRAINING);
        let draining = self.active().into_iter().map(async |run| run.drained().await);
        let drained = Box::pin(join(join_all(draining), self.tasks_ended()));
        let grace = self.0.time.sleep(&Runtime::current(), grace);
        if let Either::Right(((), _)) = select(drained, grace).await {
            tracing::info!("the grace period is over; stopping the running jobs");
        }
        stopping.advance_to(STOPPING);
        self.stop_tasks().await;
        let stopped = self.active().into_iter().map(async |run| (run.id, run.stop().await));
        let mut shutdown = Shutdown::default();
        for (run, end) in join_all(stopped).await {
            match end {
                Stopped::Ended => shutdown.ended.push(run),
                Stopped::Cancelled => shutdown.cancelled.push(run),
                Stopped::Released => shutdown.released.push(run),
                Stopped::Held(error) => shutdown.held.push((run, error)),
            }
        }
        shutdown
    }

    /// Whether the engine accepts no more runs.
    pub(crate) fn is_stopping(&self) -> bool {
        self.0.stopping.has_begun()
    }

    /// The active runs that have waited for something.
    fn active(&self) -> Vec<Arc<ActiveRun>> {
        let mut runs = self.0.stopping.runs();
        runs.extend(self.0.lease_renewer.iter().flat_map(|lease_renewer| lease_renewer.runs()));
        runs
    }
}

/// What became of a run in a shutdown.
pub(super) enum Stopped {
    Ended,
    Cancelled,
    Released,
    Held(StoreError),
}

impl ActiveRun {
    /// Waits until the run is drained: no job is running, except for jobs that wait.
    async fn drained(self: &Arc<Self>) {
        self.change(|state, _| state.drain());
        poll_fn(|cx| {
            let mut state = self.lock();
            if state.published || state.is_drained() {
                return Poll::Ready(());
            }
            add_waker(state.drain_waiters.filling(), cx.waker());
            Poll::Pending
        })
        .await;
    }

    /// Stops the run: releases its lease, or cancels it if it has no store.
    pub(super) async fn stop(self: &Arc<Self>) -> Stopped {
        let _released = Released(Arc::clone(self));
        if self.is_persisted() {
            self.change(|state, _| state.drain());
            let recorded = Box::pin(self.release_once_recorded());
            let timeout = self.engine.time.sleep(self.runtime(), RECORD_TIMEOUT);
            if let Either::Right(_) = select(recorded, timeout).await {
                self.lost(StoreError::ShutDown { run: self.id });
            }
        } else {
            self.change(|state, _| state.stop_at_once(None));
        }
        match self.until_published().await {
            Ok(_) | Err(RunError::Failed(_)) => Stopped::Ended,
            // Cancelled by a request meanwhile.
            Err(RunError::Cancelled(_)) if self.is_persisted() => Stopped::Ended,
            Err(RunError::Cancelled(_)) => Stopped::Cancelled,
            Err(_) => self.release_lease().await,
        }
    }

    /// Stops the running jobs once the store has all outcomes.
    async fn release_once_recorded(self: &Arc<Self>) {
        let run = self.id;
        poll_fn(|cx| {
            let mut is_ready = false;
            self.change(|state, deferred| {
                is_ready = state.published || state.is_recorded();
                if is_ready {
                    state.lost(StoreError::ShutDown { run });
                    state.release(deferred);
                } else {
                    add_waker(state.drain_waiters.filling(), cx.waker());
                }
            });
            if is_ready { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Waits until the run's lease was released, or nobody will release it.
    pub(super) async fn until_lease_released(&self) {
        poll_fn(|cx| {
            let mut state = self.lock();
            if state.lease_released {
                return Poll::Ready(());
            }
            add_waker(&mut state.waiters, cx.waker());
            Poll::Pending
        })
        .await;
    }

    /// Releases the lease of the run.
    pub(super) async fn release_lease(&self) -> Stopped {
        let lease = self.lock().recorder.as_ref().and_then(|recorder| recorder.lease());
        let (Some(lease), Some(lease_renewer)) = (lease, &self.engine.lease_renewer) else {
            return Stopped::Ended;
        };
        match lease_renewer.store().release(&[lease]).await {
            Ok(()) => Stopped::Released,
            Err(error) => Stopped::Held(error),
        }
    }
}

/// When dropped, reports to waiters that the run's lease was released, or that nobody will release
/// it.
pub(super) struct Released(pub(super) Arc<ActiveRun>);

impl Drop for Released {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.lease_released = true;
        let waiters = std::mem::take(&mut state.waiters);
        drop(state);
        wake_all(waiters);
    }
}

impl RunState {
    /// Registers a run that waits with its engine, which stops it in a shutdown.
    #[inline]
    pub(super) fn enter(&mut self, run: &ActiveRun) {
        if !self.entered && !run.is_persisted() {
            self.entered = true;
            run.engine.stopping.enter(run);
        }
    }

    /// Handles a shutdown that the run notices by itself. The engine may not know the run, if it
    /// started at that moment.
    #[cold]
    pub(super) fn note_shutdown(&mut self, run: &Arc<ActiveRun>) {
        self.drain();
        if run.engine.stopping.is_over() {
            let run = Arc::clone(run);
            run.runtime().clone().spawn(async move {
                run.stop().await;
            });
        }
    }

    /// Starts no further jobs.
    #[cold]
    pub(super) fn drain(&mut self) {
        self.shutdown = ShutdownPhase::Draining;
        self.scheduler.pause();
    }

    /// Cancels the run, for a reason that its report shows. Jobs that always run may start again.
    pub(super) fn stop_at_once(&mut self, reason: Option<&str>) {
        self.shutdown = ShutdownPhase::Stopping;
        self.scheduler.unpause();
        self.cancel(reason);
    }

    /// Wakes everyone who waits for the run to be drained or recorded.
    #[cold]
    pub(super) fn wake_drained(&mut self, deferred: &mut super::state::Deferred) {
        if self.is_drained() || self.is_recorded() {
            deferred.wake.append(&mut self.drain_waiters.take());
        }
    }

    /// Whether no job is running, except for jobs that wait. Containers, which only wait for other
    /// jobs, do not count as running.
    fn is_drained(&self) -> bool {
        let counts = |job: &u32| !self.scheduler.flags(*job).intersects(JobFlags::CONTAINER);
        let unstarted = self.unstarted().filter(counts).count();
        let waiting = self.tasks.keys().copied();
        let waiting = waiting.filter(|job| counts(job) && self.waits(*job)).count();
        self.scheduler.running() <= unstarted + waiting
    }
}
