//! Stops an engine without losing what its runs have done.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Poll;
use std::time::Duration;

use futures::future::{Either, join_all, select};

use super::Engine;
use super::active::{ActiveRun, add_waker};
use super::runtime::Runtime;
use super::state::{RunState, wake_all};
use crate::id::RunId;
use crate::job::JobFlags;
use crate::run::RunError;
use crate::store::StoreError;

/// What became of the runs of an engine that was [shut down](Engine::shutdown).
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Shutdown {
    /// Runs that ended within the grace period.
    pub ended: Vec<RunId>,
    /// Runs that were given back to the store: an engine that recovers or serves goes on with them
    /// at once.
    pub given_back: Vec<RunId>,
    /// Runs that no store keeps, and that were cancelled.
    pub cancelled: Vec<RunId>,
    /// The leases of runs that could not be given back, because the store was out of reach: they
    /// expire by themselves.
    pub held: Vec<(RunId, StoreError)>,
}

/// How far a run is on its way to stop with its engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum ShutdownPhase {
    /// The engine is not being shut down, as far as the run knows.
    #[default]
    None,
    /// No further attempt begins.
    Draining,
    /// The run has been cancelled. Jobs that always run may begin.
    Stopping,
}

/// How far an engine is on its way to stop.
#[derive(Default)]
pub(super) struct Stopping {
    phase: AtomicU8,
    /// Runs that wait for something and that no store keeps; of the others, the lease renewer knows.
    waiting: Mutex<HashMap<RunId, Weak<ActiveRun>>>,
}

/// No further job begins.
const DRAINING: u8 = 1;
/// The grace period is over: runs are given back or cancelled.
const STOPPING: u8 = 2;

/// How long outcomes that the store does not have yet are waited for when the grace period is over.
const RECORD_PATIENCE: Duration = Duration::from_secs(5);

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

    /// A run that no store keeps waits for something for the first time.
    pub(super) fn enter(&self, run: &ActiveRun) {
        self.lock().insert(run.id, run.me.clone());
    }

    /// That run has ended.
    pub(super) fn leave(&self, run: RunId) {
        self.lock().remove(&run);
    }

    fn runs(&self) -> Vec<Arc<ActiveRun>> {
        self.lock().values().filter_map(Weak::upgrade).collect()
    }
}

impl Engine {
    /// Stops the engine gracefully: from now on no job begins, and jobs that are running have
    /// `grace` to end. Then a run that a store keeps is given back, so that the next process which
    /// [recovers](Engine::recover) or [serves](Engine::serve) goes on with it at once; what has
    /// ended is on record and is not done again. Any other run is cancelled.
    ///
    /// Jobs that merely wait, for a signal, for a durable sleep, or for jobs of their own, do not
    /// use up the grace period. Jobs that are still running after it are stopped like those of a
    /// cancelled run: dropped, or asked first if they have a [grace period](crate::Call::grace) of
    /// their own. An attempt that is stopped so begins again in the next process, under the same
    /// idempotency key.
    ///
    /// The engine takes no runs from now on: they end in [`RunError::ShutDown`]. The library
    /// installs no signal handlers; a host calls this when it is asked to stop.
    ///
    /// ```
    /// use std::time::Duration;
    /// use workflow_core::prelude::*;
    /// use workflow_core::MemoryStore;
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
    /// assert_eq!(shutdown.given_back, [id]);
    /// assert!(matches!(run.wait(), Err(RunError::ShutDown { .. })));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn shutdown(&self, grace: Duration) -> Shutdown {
        let stopping = &self.0.stopping;
        stopping.advance_to(DRAINING);
        let draining = self.active().into_iter().map(async |run| run.drained().await);
        let drained = Box::pin(join_all(draining));
        let grace = self.0.time.sleep(&Runtime::current(), grace);
        if let Either::Right(((), _)) = select(drained, grace).await {
            tracing::info!("the grace period is over; jobs that are running are stopped");
        }
        stopping.advance_to(STOPPING);
        let stopped = self.active().into_iter().map(async |run| (run.id, run.stop().await));
        let mut shutdown = Shutdown::default();
        for (run, end) in join_all(stopped).await {
            match end {
                Stopped::Ended => shutdown.ended.push(run),
                Stopped::Cancelled => shutdown.cancelled.push(run),
                Stopped::GivenBack => shutdown.given_back.push(run),
                Stopped::Held(error) => shutdown.held.push((run, error)),
            }
        }
        shutdown
    }

    /// Whether the engine takes no more runs.
    pub(crate) fn is_stopping(&self) -> bool {
        self.0.stopping.has_begun()
    }

    /// The runs under way, as far as they wait for something.
    fn active(&self) -> Vec<Arc<ActiveRun>> {
        let mut runs = self.0.stopping.runs();
        runs.extend(self.0.lease_renewer.iter().flat_map(|lease_renewer| lease_renewer.runs()));
        runs
    }
}

/// What became of a run.
pub(super) enum Stopped {
    Ended,
    Cancelled,
    GivenBack,
    Held(StoreError),
}

impl ActiveRun {
    /// Ends once no job of the run is running any more, but for those that wait.
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

    /// Stops the run: gives it back to its store, or cancels it.
    pub(super) async fn stop(self: &Arc<Self>) -> Stopped {
        let _released = Released(Arc::clone(self));
        if self.is_persisted() {
            self.change(|state, _| state.drain());
            let recorded = Box::pin(self.let_go_once_recorded());
            let patience = self.engine.time.sleep(self.runtime(), RECORD_PATIENCE);
            if let Either::Right(_) = select(recorded, patience).await {
                self.lost(StoreError::ShutDown { run: self.id });
            }
        } else {
            self.change(|state, _| state.stop_at_once(None));
        }
        match self.until_published().await {
            Ok(_) | Err(RunError::Failed(_)) => Stopped::Ended,
            // Somebody cancelled it meanwhile.
            Err(RunError::Cancelled(_)) if self.is_persisted() => Stopped::Ended,
            Err(RunError::Cancelled(_)) => Stopped::Cancelled,
            Err(_) => self.give_back().await,
        }
    }

    /// Stops what is running, once the store has all that has ended.
    async fn let_go_once_recorded(self: &Arc<Self>) {
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

    /// Waits until the run was given back, or nobody will do so.
    pub(super) async fn until_given_back(&self) {
        poll_fn(|cx| {
            let mut state = self.lock();
            if state.given_back {
                return Poll::Ready(());
            }
            add_waker(&mut state.waiters, cx.waker());
            Poll::Pending
        })
        .await;
    }

    /// Gives the lease back under which the run was driven.
    pub(super) async fn give_back(&self) -> Stopped {
        let lease = self.lock().recorder.as_ref().and_then(|recorder| recorder.lease());
        let (Some(lease), Some(lease_renewer)) = (lease, &self.engine.lease_renewer) else {
            return Stopped::Ended;
        };
        match lease_renewer.store().release(&[lease]).await {
            Ok(()) => Stopped::GivenBack,
            Err(error) => Stopped::Held(error),
        }
    }
}

/// Tells who waits for the end of the run that it was given back, or that nobody will do so.
pub(super) struct Released(pub(super) Arc<ActiveRun>);

impl Drop for Released {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.given_back = true;
        let waiters = std::mem::take(&mut state.waiters);
        drop(state);
        wake_all(waiters);
    }
}

impl RunState {
    /// The run waits: from now on its engine knows of it, and stops it when it is shut down.
    #[inline]
    pub(super) fn enter(&mut self, run: &ActiveRun) {
        if !self.entered && !run.is_persisted() {
            self.entered = true;
            run.engine.stopping.enter(run);
        }
    }

    /// The engine is being shut down. It may not know of the run, which began at that moment.
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

    /// Begins no job from now on.
    #[cold]
    pub(super) fn drain(&mut self) {
        self.shutdown = ShutdownPhase::Draining;
        self.scheduler.pause();
    }

    /// Cancels the run, for a reason that its report tells. Jobs that always run may begin again.
    pub(super) fn stop_at_once(&mut self, reason: Option<&str>) {
        self.shutdown = ShutdownPhase::Stopping;
        self.scheduler.unpause();
        self.cancel(reason);
    }

    /// Wakes who waits for the run to be drained, or recorded.
    #[cold]
    pub(super) fn tell_drained(&mut self, deferred: &mut super::state::Deferred) {
        if self.is_drained() || self.is_recorded() {
            deferred.wake.append(&mut self.drain_waiters.take());
        }
    }

    /// Whether no job is running, but for those that wait. Jobs that only wait for others do not
    /// count among the running.
    fn is_drained(&self) -> bool {
        let counts = |job: &u32| !self.scheduler.flags(*job).intersects(JobFlags::CONTAINER);
        let unbegun = self.unbegun().filter(counts).count();
        let waiting = self.tasks.keys().copied();
        let waiting = waiting.filter(|job| counts(job) && self.waits(*job)).count();
        self.scheduler.running() <= unbegun + waiting
    }

    /// Whether a job that is running waits: for others, a signal, or a time.
    fn waits(&self, job: u32) -> bool {
        self.awaits_mail(job) || self.scheduler.active_children(job) > 0
    }
}
