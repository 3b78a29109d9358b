//! What is to be done once the run's lock is released: wake, tell, drop, grant.

use std::sync::Arc;
use std::task::Waker;

use futures::channel::oneshot;
use serde_json::Value as Json;

use super::{ActiveRun, Child, Task, Token};
use crate::engine::driver::discard;
use crate::engine::permits::Grant;
use crate::job::JobError;

type ChildEnd = Result<(), JobError>;

#[derive(Default)]
pub(in crate::engine) struct Errands {
    pub(in crate::engine) wake: Vec<Waker>,
    /// Requests to stop.
    pub(super) stop: Vec<Arc<Token>>,
    /// Tasks whose futures are to be dropped.
    pub(in crate::engine) drop: Vec<Arc<Task>>,
    pub(super) forget: Vec<Child>,
    /// Who waits for a child, and how it ended.
    pub(super) tell: Vec<(oneshot::Sender<ChildEnd>, ChildEnd)>,
    /// Who waits for a signal, and what came with it.
    pub(super) signal: Vec<(oneshot::Sender<Json>, Json)>,
    /// Who waits for a signal in vain.
    pub(super) hang_up: Vec<oneshot::Sender<Json>>,
    /// Places that jobs of other runs, or of this one, now have.
    pub(in crate::engine) grants: Vec<Grant>,
    /// How many threads to start for the run.
    pub(in crate::engine) threads: usize,
    /// Whether to wake a thread of the run.
    pub(in crate::engine) ring: bool,
    /// The run has ended.
    pub(in crate::engine) finished: bool,
}

impl Errands {
    #[inline]
    pub(in crate::engine) fn is_empty(&self) -> bool {
        self.wake.is_empty()
            && self.stop.is_empty()
            && self.drop.is_empty()
            && self.forget.is_empty()
            && self.tell.is_empty()
            && self.signal.is_empty()
            && self.hang_up.is_empty()
            && self.grants.is_empty()
            && self.threads == 0
            && !self.ring
            && !self.finished
    }

    /// Runs them. The run must not be locked.
    #[cold]
    pub(in crate::engine) fn run(&mut self, run: &Arc<ActiveRun>) {
        for task in self.drop.drain(..) {
            let work = task.lock().take();
            discard(work);
        }
        self.forget.drain(..).for_each(discard);
        if std::mem::take(&mut self.finished) {
            run.publish();
        }
        self.stop.drain(..).for_each(|token| token.set());
        for (waiter, result) in self.tell.drain(..) {
            // Whoever does not wait any more has dropped the other end.
            let _ = waiter.send(result);
        }
        for (receiver, payload) in self.signal.drain(..) {
            // As above; the signal is on record as received by that attempt.
            let _ = receiver.send(payload);
        }
        self.hang_up.clear();
        if std::mem::take(&mut self.ring) {
            run.bell.notify_one();
        }
        for _ in 0..std::mem::take(&mut self.threads) {
            run.start_thread();
        }
        self.wake.drain(..).for_each(Waker::wake);
        for (other, job) in std::mem::take(&mut self.grants) {
            other.granted(job);
        }
    }
}
