//! What is to be done once the run's lock is released: wake, tell, drop, grant.

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use futures::channel::oneshot;
use serde_json::Value as Json;

use super::{ActiveRun, Child, Task, Token};
use crate::engine::active::LOG_TARGET;
use crate::engine::durable::replay::restore;
use crate::engine::permits::{self, Grant};
use crate::guard::{self, discard};
use crate::job::JobError;

type ChildEnd = Result<(), JobError>;

/// What is the host's, so that nothing is done with it under the lock.
pub(in crate::engine) enum HostOwned {
    /// A job that was started by another, and of which nothing is wanted any more.
    Child(Child),
    /// An error that has been told, or that nobody asks for.
    Error(JobError),
    /// A job that is asked for again, and what is on record of its output.
    Recorded(Child, Option<Arc<Json>>),
    /// What the host's subscriber is to be told of an attempt.
    Notice(Box<Notice>),
}

#[derive(Default)]
pub(in crate::engine) struct Deferred {
    pub(in crate::engine) wake: Vec<Waker>,
    /// Requests to stop.
    pub(in crate::engine) stop: Vec<Arc<Token>>,
    /// Tasks whose futures are to be dropped.
    pub(in crate::engine) drop: Vec<Arc<Task>>,
    /// What holds values or errors of the host, to be dropped or read.
    pub(in crate::engine) hosts: Vec<HostOwned>,
    /// Who waits for a child, and how it ended.
    pub(in crate::engine) tell: Vec<(oneshot::Sender<ChildEnd>, ChildEnd)>,
    /// Who waits for a signal, and what came with it.
    pub(in crate::engine) signal: Vec<(oneshot::Sender<Json>, Json)>,
    /// Who waits for a signal in vain.
    pub(in crate::engine) hang_up: Vec<oneshot::Sender<Json>>,
    /// Places that jobs of other runs, or of this one, now have.
    pub(in crate::engine) grants: Vec<Grant>,
    /// How many threads to start for the run.
    pub(in crate::engine) threads: usize,
    /// Whether to wake a thread of the run.
    pub(in crate::engine) ring: bool,
    /// The run has ended.
    pub(in crate::engine) finished: bool,
}

/// How an attempt failed, for the log of this program. The subscriber is the host's, and so is not
/// called under the lock.
pub(in crate::engine) struct Notice {
    pub(in crate::engine) job: String,
    pub(in crate::engine) attempt: u32,
    pub(in crate::engine) error: String,
    pub(in crate::engine) then: Then,
}

/// What becomes of a job whose attempt failed.
pub(in crate::engine) enum Then {
    RetryIn(Duration),
    Failed,
    Cancelled,
}

impl Notice {
    fn log(self, run: &ActiveRun) {
        let Self { job, attempt, error, then } = self;
        let (workflow, run) = (run.workflow.name(), run.id);
        match then {
            Then::RetryIn(delay) => tracing::warn!(
                target: LOG_TARGET, parent: None, %workflow, %run, job, attempt, ?delay, error,
                "attempt failed, retrying"
            ),
            Then::Failed => tracing::warn!(
                target: LOG_TARGET, parent: None, %workflow, %run, job, attempt, error, "job failed"
            ),
            Then::Cancelled => tracing::info!(
                target: LOG_TARGET, parent: None, %workflow, %run, job, attempt, error, "job cancelled"
            ),
        }
    }
}

impl Deferred {
    #[inline]
    pub(in crate::engine) fn is_empty(&self) -> bool {
        self.wake.is_empty()
            && self.stop.is_empty()
            && self.drop.is_empty()
            && self.hosts.is_empty()
            && self.tell.is_empty()
            && self.signal.is_empty()
            && self.hang_up.is_empty()
            && self.grants.is_empty()
            && self.threads == 0
            && !self.ring
            && !self.finished
    }

    /// Tells whoever asked for a job what became of it, which has been decided already.
    pub(in crate::engine) fn answer(&mut self, mut child: Child, result: ChildEnd) {
        self.tell.extend(child.end.take().map(|end| (end, result)));
        self.hosts.push(HostOwned::Child(child));
    }

    /// Runs them. The run must not be locked.
    ///
    /// Wakers and destructors are the host's: one that panics keeps nothing else from being done.
    #[cold]
    pub(in crate::engine) fn run(&mut self, run: &Arc<ActiveRun>) {
        drain(&mut self.drop, |task| {
            let work = task.lock().take();
            discard(work);
        });
        drain(&mut self.hosts, |own| match own {
            HostOwned::Child(child) => discard(child),
            HostOwned::Error(error) => discard(error),
            HostOwned::Notice(notice) => discard_after(|| notice.log(run)),
            HostOwned::Recorded(mut child, output) => {
                let result = restore(&child, output);
                self.tell.extend(child.end.take().map(|end| (end, result)));
                discard(child);
            }
        });
        // Before anyone hears that the run has ended: threads of it may run on.
        drain(&mut self.stop, |token| token.set());
        if std::mem::take(&mut self.finished) {
            run.publish();
        }
        // Whoever does not wait any more has dropped the other end.
        drain(&mut self.tell, |(waiter, result)| discard_after(|| waiter.send(result)));
        // As above; the signal is on record as received by that attempt.
        drain(&mut self.signal, |(receiver, payload)| discard_after(|| receiver.send(payload)));
        drain(&mut self.hang_up, discard);
        if std::mem::take(&mut self.ring) {
            run.condvar.notify_one();
        }
        for _ in 0..std::mem::take(&mut self.threads) {
            run.start_thread();
        }
        drain(&mut self.wake, wake);
        if !self.grants.is_empty() {
            permits::deliver(std::mem::take(&mut self.grants));
        }
    }
}

/// Empties a list, which keeps its room. Most are empty, and those cost a comparison.
#[inline]
fn drain<T>(list: &mut Vec<T>, act: impl FnMut(T)) {
    if !list.is_empty() {
        list.drain(..).for_each(act);
    }
}

/// Wakes everyone, whatever an executor does that panics.
pub(in crate::engine) fn wake_all(wakers: impl IntoIterator<Item = Waker>) {
    wakers.into_iter().for_each(wake);
}

fn wake(waker: Waker) {
    discard_after(|| waker.wake());
}

/// Does something that calls wakers, and drops what comes of it.
fn discard_after<T>(act: impl FnOnce() -> T) {
    if let Ok(left) = guard::call(act) {
        discard(left);
    }
}
