//! Runs that lose their driver before their end: their runtime was shut down, or the driver
//! panicked.
//!
//! Without a driver nobody would wake their waiters, and their permits would stay taken. So each
//! run is brought to an end on threads of the library. Knows nothing of the reasons for which a
//! host shuts a runtime down.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::BoxFuture;

use super::driver::{Background, Helper};
use crate::engine::active::ActiveRun;
use crate::engine::runtime::Runtime;
use crate::engine::shutdown::{Released, Stopped};
use crate::engine::state::{Deferred, RunState};
use crate::guard;
use crate::run::RunError;
use crate::store::StoreError;

/// What is lost of the runtime that a run started on.
#[derive(Default)]
pub(in crate::engine) struct RuntimeLoss {
    /// The run no longer uses the runtime.
    runtime: AtomicBool,
    /// The runtime dropped the run's driver.
    driver: AtomicBool,
}

static OWN: Runtime = Runtime::Own;

/// The reason for cancelling a run without a store.
const SHUT_DOWN: &str = "the runtime that drove it was shut down";

impl ActiveRun {
    /// The runtime for tasks, blocking functions and timers of the run.
    pub(in crate::engine) fn runtime(&self) -> &Runtime {
        if self.runtime_loss.runtime.load(Ordering::Relaxed) { &OWN } else { &self.runtime }
    }

    /// Moves the run to threads and timers of the library.
    #[cold]
    pub(in crate::engine) fn leave_runtime(&self, why: &str) {
        if !self.runtime_loss.runtime.swap(true, Ordering::Relaxed) {
            tracing::warn!(parent: &self.span, "the run leaves its runtime: {why}");
        }
    }

    /// Runs a background task for the run. If the runtime drops the task before its end, it starts
    /// again on threads of the library.
    pub(in crate::engine) fn spawn_restartable(self: &Arc<Self>, work: Work) {
        let mut unfinished = Unfinished { run: Some(Arc::clone(self)), work };
        self.runtime().spawn(async move {
            if let Some(run) = unfinished.run.clone() {
                work(run).await;
            }
            drop(unfinished.run.take());
        });
    }

    /// Handles a driver that was dropped before the end of the run. Cancels the run and drives it
    /// on threads of the library, so that its permits become free and its waiters are woken.
    ///
    /// A persisted run is not cancelled. It stops like a lost one: nothing more is recorded, and
    /// its lease is released, so that another engine can resume it at once.
    #[cold]
    pub(in crate::engine) fn abandon(self: &Arc<Self>) {
        self.leave_runtime(SHUT_DOWN);
        if self.runtime_loss.driver.swap(true, Ordering::Relaxed) {
            return self.collapse("its driver was dropped twice");
        }
        let stopped =
            guard::call(|| self.change(|state, deferred| self.stop_abandoned(state, deferred)));
        if let Err(panic) = stopped {
            return self.collapse(&panic);
        }
        let released = Released(Arc::clone(self));
        self.runtime().spawn(async move {
            let run = &released.0;
            Background::new(Arc::clone(run)).await;
            if let Err(RunError::Abandoned { .. }) = run.until_published().await
                && let Stopped::Held(error) = run.release_lease().await
            {
                tracing::warn!(parent: &run.span, %error, "cannot release the run's lease");
            }
        });
    }

    fn stop_abandoned(self: &Arc<Self>, state: &mut RunState, deferred: &mut Deferred) {
        if state.recorder.is_some() {
            state.lost(StoreError::Abandoned { run: self.id });
            state.release(deferred);
        } else {
            state.stop_at_once(Some(SHUT_DOWN));
        }
        state.reset_alarm(self, deferred);
    }

    /// Replaces a helper thread that the runtime dropped before it started by a thread of the
    /// library.
    #[cold]
    pub(in crate::engine) fn start_own_thread(self: &Arc<Self>) {
        if self.report().is_some() {
            self.lock().threads.count -= 1;
            return;
        }
        self.leave_runtime("its threads are gone");
        let run = Arc::clone(self);
        let thread = std::thread::Builder::new().name("workflow-job".to_owned());
        if thread.spawn(move || Helper::new(run).work()).is_err() {
            tracing::warn!(parent: &self.span, "cannot start a thread; blocking jobs wait for one");
            self.lock().threads.count -= 1;
        }
    }

    /// Fails the run after a panic in trusted code: a clock, a subscriber of `tracing`, or the
    /// engine.
    #[cold]
    pub(in crate::engine) fn collapse(self: &Arc<Self>, panic: &str) {
        let mut deferred = Deferred::default();
        let mut state = self.lock();
        if !state.published {
            state.collapse(self, panic, &mut deferred);
        }
        drop(state);
        // Twice, because a subscriber of `tracing` may panic the first time.
        for _ in 0..2 {
            if guard::call(|| deferred.run(self)).is_ok() {
                break;
            }
        }
    }
}

type Work = fn(Arc<ActiveRun>) -> BoxFuture<'static, ()>;

/// A background task that starts again if it is dropped before its end.
struct Unfinished {
    run: Option<Arc<ActiveRun>>,
    work: Work,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(run) = self.run.take() {
            run.leave_runtime(SHUT_DOWN);
            OWN.spawn((self.work)(run));
        }
    }
}
