//! Runs the engine inside a workflow task: its attempts become activities, its sleeps timers, its
//! child workflows those of Temporal.
//!
//! The engine pushes requests into a queue. The routine of the workflow polls the engine with its
//! own waker, turns the requests into futures of the SDK, polls these in order, and answers. So the
//! SDK sees only its own futures, and a replay of the history makes the same decisions.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::FutureExt as _;
use futures::channel::oneshot;
use futures::future::BoxFuture;
use serde_json::Value as Json;
use workflow_core::JobError;
use workflow_core::engine::Clock;
use workflow_core::executor::{AttemptOutcome, AttemptRequest, ChildRequest, Executor};

/// A request of the engine.
pub(crate) enum Request {
    Attempt(Box<AttemptRequest>, oneshot::Sender<AttemptOutcome>),
    Child(Box<ChildRequest>, oneshot::Sender<Result<Json, JobError>>),
    Sleep(Duration, oneshot::Sender<()>),
}

/// The engine's executor and clock, and the other end of both.
#[derive(Clone, Default)]
pub(crate) struct Bridge(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    requests: VecDeque<Request>,
    /// The time of the workflow task.
    now: Option<SystemTime>,
}

impl Bridge {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, request: Request) {
        self.lock().requests.push_back(request);
    }

    /// Sets the time.
    pub(crate) fn set_time(&self, now: Option<SystemTime>) {
        let mut state = self.lock();
        // It does not go back.
        state.now = state.now.max(now);
    }

    /// Takes the requests since the last call.
    pub(crate) fn take(&self) -> VecDeque<Request> {
        std::mem::take(&mut self.lock().requests)
    }
}

impl Executor for Bridge {
    fn execute(&self, attempt: AttemptRequest) -> BoxFuture<'static, AttemptOutcome> {
        let (answer, answered) = oneshot::channel();
        self.push(Request::Attempt(Box::new(attempt), answer));
        async move { answered.await.unwrap_or_else(|_| AttemptOutcome::cancelled()) }.boxed()
    }

    fn run_child(&self, child: ChildRequest) -> BoxFuture<'static, Result<Json, JobError>> {
        let (answer, answered) = oneshot::channel();
        self.push(Request::Child(Box::new(child), answer));
        async move {
            let gone = || Err(JobError::terminal("the workflow task has ended"));
            answered.await.unwrap_or_else(|_| gone())
        }
        .boxed()
    }
}

impl Clock for Bridge {
    fn now(&self) -> Duration {
        self.time_of_day().duration_since(UNIX_EPOCH).unwrap_or_default()
    }

    fn time_of_day(&self) -> SystemTime {
        self.lock().now.unwrap_or(UNIX_EPOCH)
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        if duration.is_zero() {
            return std::future::ready(()).boxed();
        }
        let (answer, answered) = oneshot::channel();
        self.push(Request::Sleep(duration, answer));
        answered.map(|_| ()).boxed()
    }
}

/// The engine's waker: notes that the engine must be polled again.
pub(crate) struct Woken(AtomicBool);

impl Woken {
    /// Creates a waker that is woken.
    pub(crate) fn new() -> (Arc<Self>, Waker) {
        let woken = Arc::new(Self(AtomicBool::new(true)));
        (Arc::clone(&woken), Waker::from(woken))
    }

    /// Whether it was woken since the last call.
    pub(crate) fn take(&self) -> bool {
        self.0.swap(false, Ordering::SeqCst)
    }

    /// Whether it is woken.
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}
