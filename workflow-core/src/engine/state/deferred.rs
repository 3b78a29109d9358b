//! Effects that are deferred until the run's lock is released: wakes, messages, drops, grants.

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

/// Values of the host, which must not be used or dropped under the lock.
pub(in crate::engine) enum HostOwned {
    /// A job that was started by another job and is no longer needed.
    Child(Child),
    /// An error that was reported, or that nobody waits for.
    Error(JobError),
    /// A job that is called again after a resume, and its recorded output.
    Recorded(Child, Option<Arc<Json>>),
    /// A log message about an attempt.
    Notice(Box<Notice>),
}

#[derive(Default)]
pub(in crate::engine) struct Deferred {
    pub(in crate::engine) wake: Vec<Waker>,
    /// Cancellation tokens to set.
    pub(in crate::engine) stop: Vec<Arc<Token>>,
    /// Tasks whose futures must be dropped.
    pub(in crate::engine) drop: Vec<Arc<Task>>,
    /// Values of the host, to be dropped or read.
    pub(in crate::engine) host_owned: Vec<HostOwned>,
    /// Results of child jobs, and the jobs that wait for them.
    pub(in crate::engine) results: Vec<(oneshot::Sender<ChildEnd>, ChildEnd)>,
    /// Payloads of signals, and the jobs that wait for them.
    pub(in crate::engine) signal: Vec<(oneshot::Sender<Json>, Json)>,
    /// Jobs that wait for a signal that they will not get.
    pub(in crate::engine) unanswered: Vec<oneshot::Sender<Json>>,
    /// Places granted to jobs of this or other runs.
    pub(in crate::engine) grants: Vec<Grant>,
    /// The number of threads to start for the run.
    pub(in crate::engine) threads: usize,
    /// Whether to wake a thread of the run.
    pub(in crate::engine) notify_thread: bool,
    /// The run has ended.
    pub(in crate::engine) finished: bool,
}

/// A log message about a failed attempt. Deferred because the subscriber is code of the host.
pub(in crate::engine) struct Notice {
    pub(in crate::engine) job: String,
    pub(in crate::engine) attempt: u32,
    pub(in crate::engine) error: String,
    pub(in crate::engine) then: Then,
}

/// What follows for a job whose attempt failed.
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
            && self.host_owned.is_empty()
            && self.results.is_empty()
            && self.signal.is_empty()
            && self.unanswered.is_empty()
            && self.grants.is_empty()
            && self.threads == 0
            && !self.notify_thread
            && !self.finished
    }

    /// Sends a result that is known already to the job that waits for it.
    pub(in crate::engine) fn answer(&mut self, mut child: Child, result: ChildEnd) {
        self.results.extend(child.end.take().map(|end| (end, result)));
        self.host_owned.push(HostOwned::Child(child));
    }

    /// Performs the deferred effects. The run must not be locked.
    ///
    /// Wakers and destructors are code of the host. If one panics, the rest is still performed.
    #[cold]
    pub(in crate::engine) fn run(&mut self, run: &Arc<ActiveRun>) {
        drain(&mut self.drop, |task| {
            let work = task.lock().take();
            discard(work);
        });
        drain(&mut self.host_owned, |own| match own {
            HostOwned::Child(child) => discard(child),
            HostOwned::Error(error) => discard(error),
            HostOwned::Notice(notice) => discard_after(|| notice.log(run)),
            HostOwned::Recorded(mut child, output) => {
                let result = restore(&child, output);
                self.results.extend(child.end.take().map(|end| (end, result)));
                discard(child);
            }
        });
        // Before the end of the run is published, because its threads may run on.
        drain(&mut self.stop, |token| token.set());
        if std::mem::take(&mut self.finished) {
            run.publish();
        }
        // Sending fails if nobody waits any more.
        drain(&mut self.results, |(waiter, result)| discard_after(|| waiter.send(result)));
        // As above. The record already says that the attempt received the signal.
        drain(&mut self.signal, |(receiver, payload)| discard_after(|| receiver.send(payload)));
        drain(&mut self.unanswered, discard);
        if std::mem::take(&mut self.notify_thread) {
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

/// Empties a list and keeps its capacity. Most lists are empty and cost one comparison.
#[inline]
fn drain<T>(list: &mut Vec<T>, act: impl FnMut(T)) {
    if !list.is_empty() {
        list.drain(..).for_each(act);
    }
}

/// Wakes all of them, even if one panics.
pub(in crate::engine) fn wake_all(wakers: impl IntoIterator<Item = Waker>) {
    wakers.into_iter().for_each(wake);
}

fn wake(waker: Waker) {
    discard_after(|| waker.wake());
}

/// Calls code that may call wakers of the host, and drops its result.
fn discard_after<T>(act: impl FnOnce() -> T) {
    if let Ok(left) = guard::call(act) {
        discard(left);
    }
}
