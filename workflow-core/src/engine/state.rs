//! The state of an active run. Everything in this module happens under the run's lock, and nothing
//! calls code of the host: such calls are collected in [`Deferred`] and run after the lock is
//! released.

mod alarms;
mod apply;
mod deferred;
mod places;
mod rest;
mod signals;
mod step;
mod stop;

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use serde_json::Value as Json;

use futures::channel::oneshot;

use super::active::ActiveRun;
use super::durable::replay::Replay;
use super::durable::writer::Recorder;
use super::events::Backlog;
use super::permits::LimitId;
use super::shutdown::ShutdownPhase;
use super::worker::task::{Task, Work};
use crate::event::{EventKind, Failure, Frequent, Log};
use crate::id::RunId;
use crate::job::{
    AttemptIo, ChildFrame, Delivery, Grace, JobError, JobErrorKind, JobFlags, RawCall, TimeoutKind,
    Token,
};
use crate::run::{Annotations, ChildName, JobNames, RunJobLookup};
use crate::scheduler::{Cause, Effect, End, Outcome, Scheduler};
use crate::sparse_map::{SparseList, SparseMap};

use alarms::{Alarms, Alert};
pub(super) use deferred::{Deferred, HostOwned, wake_all};
use places::Place;
pub(super) use rest::Rest;
pub(super) use signals::Signals;
pub(super) use stop::{THREAD_RUNS_ON, stop_error};

pub(super) struct RunState {
    pub(super) scheduler: Scheduler,
    pub(super) log: Log,
    pub(super) names: JobNames,
    /// Attempts that wait, by job.
    pub(super) tasks: SparseMap<u32, Arc<Task>>,
    /// Tasks that were woken and must be polled.
    pub(super) woken: VecDeque<Arc<Task>>,
    /// Attempts that wait for a thread.
    pub(super) blocking: VecDeque<(u32, u32)>,
    pub(super) children: SparseMap<u32, Child>,
    /// The error of a job's latest attempt, until the scheduler has decided what follows.
    errors: SparseMap<u32, JobError>,
    /// Annotations of jobs for the report, from their latest attempts.
    pub(super) annotations: Annotations,
    /// Cancellation tokens of jobs that use one.
    pub(super) tokens: SparseMap<u32, Arc<Token>>,
    /// Grace periods that attempts have reserved beyond that of their job.
    pub(super) graces: SparseMap<u32, Duration>,
    /// The places of limits that jobs hold or wait for, until the job or its attempt ends.
    places: SparseMap<u32, Place>,
    /// Limits with freed places for which others wait. The places are granted once the jobs that
    /// have become ready wait for them too.
    freed: SparseList<LimitId>,
    /// Spans of jobs that have started, until the end of the run. Empty without a subscriber.
    pub(super) spans: SparseMap<u32, tracing::Span>,
    /// Present once a deadline was set.
    alarms: Option<Box<Alarms>>,
    /// Present from the first signal, sleep or value on.
    pub(super) signals: Option<Box<Signals>>,
    /// Present if the engine has a store.
    pub(super) recorder: Option<Box<Recorder>>,
    /// Present if the run was resumed.
    pub(super) replay: Option<Box<Replay>>,
    /// The waker of the driver, while there is nothing to do.
    pub(super) driver: Option<Waker>,
    /// Output of jobs, from the first piece on.
    pub(super) backlog: Option<Box<Backlog>>,
    /// Wakers of subscribers to events, and how many events they were woken for.
    pub(super) listeners: Vec<Waker>,
    notified: usize,
    /// Wakers that wait for the end.
    pub(super) waiters: Vec<Waker>,
    pub(super) threads: Threads,
    /// The number of attempts that ended, for the monitor.
    pub(super) steps: u64,
    pub(super) seen_steps: u64,
    pub(super) watched: bool,
    pub(super) shutdown: ShutdownPhase,
    /// Wakers that wait until the run is drained.
    pub(super) drain_waiters: SparseList<Waker>,
    /// The run is registered with the engine, because it has waited for something.
    pub(super) entered: bool,
    /// Child runs that jobs wait for.
    pub(super) awaited_runs: SparseMap<u32, RunId>,
    /// Nothing happens in the run while the store decides whether it is evicted.
    pub(super) suspended: bool,
    /// The engine was shut down, and the run's lease was released.
    pub(super) lease_released: bool,
    /// The report exists.
    pub(super) published: bool,
    /// Alternates between woken tasks and ready jobs.
    turn: bool,
    /// On a manual clock, how often in a row the driver has found nothing to do.
    pub(super) idle_turns: u8,
    /// The latest reading of the clock, in nanoseconds since the start of the run.
    pub(super) read_at: i64,
}

/// A job that was started by another job.
pub(super) struct Child {
    pub(super) call: Arc<RawCall>,
    pub(super) frame: Arc<ChildFrame>,
    /// Sends the result to the job that waits. `None` for a compensation, for which nobody waits.
    pub(super) end: Option<oneshot::Sender<Result<(), JobError>>>,
}

/// The next step of a worker.
pub(super) enum Step {
    Launch {
        job: u32,
        attempt: u32,
        flags: JobFlags,
    },
    Poll(Arc<Task>),
    /// Wait until something happens.
    Wait,
    Over,
}

/// The kind of worker that asks for a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Must not block.
    Driver,
    /// May block, and does everything.
    Thread,
    /// May block, and leaves futures to the runtime's only thread.
    BlockingThread,
}

/// How an attempt ended.
pub(super) struct Ended {
    pub(super) job: u32,
    pub(super) attempt: u32,
    pub(super) result: Result<(), JobError>,
    /// The output of a completed job, in a persisted run.
    pub(super) output: Option<Arc<Json>>,
}

impl RunState {
    pub(super) fn new(scheduler: Scheduler, log: Log, recorder: Option<Box<Recorder>>) -> Self {
        Self {
            scheduler,
            log,
            names: JobNames::default(),
            tasks: SparseMap::new(),
            woken: VecDeque::new(),
            blocking: VecDeque::new(),
            children: SparseMap::new(),
            errors: SparseMap::new(),
            annotations: Annotations::new(),
            tokens: SparseMap::new(),
            graces: SparseMap::new(),
            places: SparseMap::new(),
            freed: SparseList::new(),
            spans: SparseMap::new(),
            alarms: None,
            signals: None,
            recorder,
            replay: None,
            driver: None,
            backlog: None,
            listeners: Vec::new(),
            notified: 0,
            waiters: Vec::new(),
            threads: Threads::default(),
            turn: false,
            idle_turns: 0,
            steps: 0,
            seen_steps: 0,
            watched: false,
            shutdown: ShutdownPhase::default(),
            drain_waiters: SparseList::new(),
            entered: false,
            awaited_runs: SparseMap::new(),
            suspended: false,
            lease_released: false,
            published: false,
            read_at: 0,
        }
    }

    /// Resolves the job numbers in the log.
    pub(super) fn lookup(&self) -> RunJobLookup<'_> {
        let (names, annotations, persisted) =
            (&self.names, &self.annotations, self.recorder.is_some());
        RunJobLookup { graph: self.scheduler.graph(), names, annotations, persisted }
    }

    /// Records a frequent event.
    #[inline]
    pub(super) fn record_event(&mut self, event: Frequent) {
        self.log.push(self.read_at, event);
    }

    /// Records an event of the run.
    pub(super) fn record_run_event(&mut self, kind: EventKind) {
        self.log.push_event(self.read_at, None, kind);
    }

    /// Records an event of a job, which gets the job's name.
    pub(super) fn record_job_event(&mut self, job: u32, kind: impl FnOnce(String) -> EventKind) {
        let name = self.names.get(self.scheduler.graph(), job).into_owned();
        self.log.push_event(self.read_at, Some(job), kind(name));
    }
}

/// The threads that work for a run beside its driver.
#[derive(Default)]
pub(super) struct Threads {
    /// The number of threads.
    pub(super) count: usize,
    /// The threads that have nothing to do.
    pub(super) idle: usize,
    /// The threads inside of a function that may block.
    pub(super) blocked: usize,
    /// Whether jobs take so long that another thread pays off.
    pub(super) worthwhile: bool,
    /// Whether jobs were slow at the monitor's last check.
    pub(super) was_slow: bool,
}

/// The most threads of one run: as many as tokio allows a runtime by default.
pub(super) const MAX_THREADS: usize = 512;

impl Threads {
    /// Wakes or starts a thread for new work.
    pub(super) fn request_one(&mut self, deferred: &mut Deferred) {
        if self.idle > 0 {
            deferred.notify_thread = true;
        } else if self.count == 0 {
            self.start(1, deferred);
        }
        // Otherwise a thread is busy. The monitor adds another if it stays busy.
    }

    /// Starts up to this many threads, within the bound.
    pub(super) fn start(&mut self, wanted: usize, deferred: &mut Deferred) {
        let wanted = wanted.min(MAX_THREADS.saturating_sub(self.count));
        self.count += wanted;
        deferred.threads += wanted;
    }
}
