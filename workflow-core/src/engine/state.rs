//! What changes while a run is under way. Everything here happens under the run's lock, and
//! nothing here calls code of users: what must is collected in [`Errands`] for after the lock.

mod alarms;
mod apply;
mod deferred;
mod places;
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
use crate::event::{Entry, EntryDetail, EntryKind, Failure, Log};
use crate::job::{
    AttemptIo, ChildFrame, Delivery, Grace, JobError, JobErrorKind, JobFlags, RawCall, TimeoutKind,
    Token,
};
use crate::run::{Annotations, ChildName, JobNames};
use crate::scheduler::{Cause, Effect, End, Outcome, Scheduler};
use crate::sparse_map::{SparseList, SparseMap};

use alarms::{Alarms, Alert};
pub(super) use deferred::{Deferred, HostOwned, wake_all};
use places::Place;
pub(super) use signals::Signals;

pub(super) struct RunState {
    pub(super) scheduler: Scheduler,
    pub(super) log: Log,
    pub(super) names: JobNames,
    /// Attempts that wait, by job.
    pub(super) tasks: SparseMap<u32, Arc<Task>>,
    /// Tasks that want to be polled.
    pub(super) woken: VecDeque<Arc<Task>>,
    /// Attempts that wait for a thread.
    pub(super) blocking: VecDeque<(u32, u32)>,
    pub(super) children: SparseMap<u32, Child>,
    /// What the latest attempt of a job failed with, until the scheduler has decided what follows.
    errors: SparseMap<u32, JobError>,
    /// What jobs noted for the report, of their latest attempts.
    pub(super) facts: Annotations,
    /// Requests to stop, of jobs that look at them.
    pub(super) tokens: SparseMap<u32, Arc<Token>>,
    /// How long attempts need to stop, where that is longer than what their jobs ask for.
    pub(super) graces: SparseMap<u32, Duration>,
    /// What jobs hold of limits, or wait for: from when they ask for it until they end, or their
    /// attempt does.
    places: SparseMap<u32, Place>,
    /// Places were given back for which others wait. They are given away once the jobs that have
    /// become ready stand in line.
    freed: SparseList<LimitId>,
    /// Of jobs that have begun, while someone traces; kept to the end of the run.
    pub(super) spans: SparseMap<u32, tracing::Span>,
    /// Present once a deadline was set.
    alarms: Option<Box<Alarms>>,
    /// Present once there is something in it.
    pub(super) signals: Option<Box<Signals>>,
    /// Present when the engine has a store.
    pub(super) recorder: Option<Box<Recorder>>,
    /// Present when the run was taken up again.
    pub(super) replay: Option<Box<Replay>>,
    /// Who drives the run, while there is nothing to do.
    pub(super) driver: Option<Waker>,
    /// What jobs printed, from the first piece on.
    pub(super) backlog: Option<Box<Backlog>>,
    /// Who waits for events, and how many they have been told of.
    pub(super) listeners: Vec<Waker>,
    heard: usize,
    /// Who waits for the end.
    pub(super) waiters: Vec<Waker>,
    pub(super) threads: Threads,
    /// How many attempts ended, for the monitor.
    pub(super) steps: u64,
    pub(super) seen_steps: u64,
    pub(super) watched: bool,
    pub(super) shutdown: ShutdownPhase,
    /// Who waits for the run to be drained.
    pub(super) drain_waiters: SparseList<Waker>,
    /// The engine knows of the run: it has waited for something.
    pub(super) entered: bool,
    /// The engine was shut down, and the store has the run back.
    pub(super) given_back: bool,
    /// The report is there.
    pub(super) published: bool,
    /// Woken and ready take turns.
    turn: bool,
    /// How often in turn the driver has found nothing to do, on a clock that waits for that.
    pub(super) turns_at_rest: u8,
    /// The latest reading of the clock, in nanoseconds since the run began.
    pub(super) read_at: i64,
}

/// A job that was started by another.
pub(super) struct Child {
    pub(super) call: Arc<RawCall>,
    pub(super) frame: Arc<ChildFrame>,
    /// Whom to tell how it ended; nobody waits for a compensation.
    pub(super) end: Option<oneshot::Sender<Result<(), JobError>>>,
}

/// What a worker does next.
pub(super) enum Step {
    Launch {
        job: u32,
        attempt: u32,
        flags: JobFlags,
    },
    Poll(Arc<Task>),
    /// Nothing, until something happens.
    Wait,
    Over,
}

/// Who asks for a step.
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
    /// What a completed job left, in a run that is kept.
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
            facts: Annotations::new(),
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
            heard: 0,
            waiters: Vec::new(),
            threads: Threads::default(),
            turn: false,
            turns_at_rest: 0,
            steps: 0,
            seen_steps: 0,
            watched: false,
            shutdown: ShutdownPhase::default(),
            drain_waiters: SparseList::new(),
            entered: false,
            given_back: false,
            published: false,
            read_at: 0,
        }
    }

    #[inline]
    pub(super) fn note(&mut self, what: EntryKind, job: u32, attempt: u32) {
        self.log.push(Entry::new(what, job, attempt, self.read_at));
    }

    pub(super) fn note_with(
        &mut self,
        what: EntryKind,
        job: u32,
        attempt: u32,
        detail: EntryDetail,
    ) {
        self.log.push_with(Entry::new(what, job, attempt, self.read_at), detail);
    }
}

/// The threads that work for a run beside its driver.
#[derive(Default)]
pub(super) struct Threads {
    /// All of them.
    pub(super) count: usize,
    /// Those that have nothing to do.
    pub(super) idle: usize,
    /// Those inside a function that may block.
    pub(super) blocked: usize,
    /// Jobs take so long that another thread is worth waking.
    pub(super) worthwhile: bool,
    /// They did when the monitor looked last.
    pub(super) was_slow: bool,
}

/// How many threads one run may have; what tokio allows a whole runtime by default.
pub(super) const MOST_THREADS: usize = 512;

impl Threads {
    /// Work has come up that needs a thread.
    pub(super) fn call_for_one(&mut self, deferred: &mut Deferred) {
        if self.idle > 0 {
            deferred.ring = true;
        } else if self.count == 0 {
            self.start(1, deferred);
        }
        // Else one is busy, and the monitor will see whether it stays so.
    }

    /// Starts this many threads, as far as there may be so many.
    pub(super) fn start(&mut self, wanted: usize, deferred: &mut Deferred) {
        let wanted = wanted.min(MOST_THREADS.saturating_sub(self.count));
        self.count += wanted;
        deferred.threads += wanted;
    }
}
