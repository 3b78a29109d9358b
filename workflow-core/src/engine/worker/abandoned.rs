//! Runs whose driver is gone before their end: with the runtime that polled it, or by a panic.
//!
//! Nobody would wake their waiters, and their permits would be held for ever. So each is brought
//! to an end, in a way that does not need what is gone.

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

/// What became of the runtime that a run began on.
#[derive(Default)]
pub(in crate::engine) struct Left {
    /// The run does without it.
    runtime: AtomicBool,
    /// It has dropped the run's driver.
    driver: AtomicBool,
}

static OWN: Runtime = Runtime::Own;

/// Why a run is cancelled that no store keeps.
const SHUT_DOWN: &str = "the runtime that drove it was shut down";

impl ActiveRun {
    /// Where tasks, blocking functions and timers of the run go.
    pub(in crate::engine) fn runtime(&self) -> &Runtime {
        if self.left.runtime.load(Ordering::Relaxed) { &OWN } else { &self.runtime }
    }

    /// From now on the run uses threads and timers of the library.
    #[cold]
    pub(in crate::engine) fn leave_runtime(&self, why: &str) {
        if !self.left.runtime.swap(true, Ordering::Relaxed) {
            tracing::warn!(parent: &self.span, "the run leaves its runtime: {why}");
        }
    }

    /// Does work for the run in the background, which is begun again on threads of the library if
    /// the runtime drops it before its end.
    pub(in crate::engine) fn spawn_to_its_end(self: &Arc<Self>, work: Work) {
        let mut unfinished = Unfinished { run: Some(Arc::clone(self)), work };
        self.runtime().spawn(async move {
            if let Some(run) = unfinished.run.clone() {
                work(run).await;
            }
            drop(unfinished.run.take());
        });
    }

    /// The driver was dropped before the end of the run. On threads of the library, the run is
    /// driven on as one that was cancelled; its permits become free, and whoever waits for it is
    /// told.
    ///
    /// A run that a store keeps is not cancelled: it stops as one that is lost does, nothing more
    /// is recorded, and its lease is given back, so that an engine can go on with it at once.
    #[cold]
    pub(in crate::engine) fn abandon(self: &Arc<Self>) {
        self.leave_runtime(SHUT_DOWN);
        if self.left.driver.swap(true, Ordering::Relaxed) {
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
                && let Stopped::Held(error) = run.give_back().await
            {
                tracing::warn!(parent: &run.span, %error, "the run's lease was not given back");
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

    /// A thread that was asked for was dropped before it began; a thread of the library takes its
    /// place.
    #[cold]
    pub(in crate::engine) fn start_own_thread(self: &Arc<Self>) {
        self.leave_runtime("its threads are gone");
        if self.report().is_some() {
            self.lock().threads.count -= 1;
            return;
        }
        let run = Arc::clone(self);
        let thread = std::thread::Builder::new().name("workflow-job".to_owned());
        if thread.spawn(move || Helper::new(run).work()).is_err() {
            tracing::warn!(parent: &self.span, "no thread could be started; jobs wait for one");
            self.lock().threads.count -= 1;
        }
    }

    /// Something panicked that is trusted not to: a clock, a subscriber of `tracing`, the engine.
    /// The run fails, whatever state it is in.
    #[cold]
    pub(in crate::engine) fn collapse(self: &Arc<Self>, panic: &str) {
        let mut deferred = Deferred::default();
        let mut state = self.lock();
        if !state.published {
            state.collapse(self, panic, &mut deferred);
        }
        drop(state);
        // Once more for what is left, when a subscriber of `tracing` panics at the first.
        for _ in 0..2 {
            if guard::call(|| deferred.run(self)).is_ok() {
                break;
            }
        }
    }
}

type Work = fn(Arc<ActiveRun>) -> BoxFuture<'static, ()>;

/// Work for a run that has not come to its end.
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
