//! Jobs with a task queue of their own: the engine of the run hands them out, and a worker of the
//! queue executes them.

#[path = "../support/cut_off.rs"]
mod cut_off;
#[path = "../support/over_memory.rs"]
mod over_memory;

mod attempts;
mod deaths;
mod slots;

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use futures::channel::oneshot;
use futures::executor::block_on;
use workflow_core::engine::{EngineBuilder, RunHandle};
use workflow_core::event::{Event, EventKind, Failure};
use workflow_core::graph::GraphError;
use workflow_core::id::RunId;
use workflow_core::job::{JobErrorKind, TaskQueueError, TimeoutKind, closure};
use workflow_core::prelude::*;
use workflow_core::run_log::RunLog;
use workflow_core::store::{
    ClaimRequest, MemoryStore, Owner, OwnerId, Queues, Store as _, TaskStore as _, WorkflowSnapshot,
};
use workflow_core::worker::Worker;
use workflow_core::workflow::PlanError;

/// The name of an engine.
struct Place(&'static str);

/// How often jobs ran, by a name that the test chose.
static RAN: LazyLock<Mutex<HashMap<String, usize>>> = LazyLock::new(Mutex::default);

fn note(name: &str) -> usize {
    let mut ran = RAN.lock().expect("no panic");
    let count = ran.entry(name.to_owned()).or_default();
    *count += 1;
    *count
}

fn ran(name: &str) -> usize {
    RAN.lock().expect("no panic").get(name).copied().unwrap_or(0)
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "{what} did not come about");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn builder(store: &Arc<MemoryStore>, place: &'static str) -> EngineBuilder {
    Engine::builder().store(store.clone()).state(Place(place))
}

fn engine(store: &Arc<MemoryStore>, place: &'static str) -> Engine {
    builder(store, place).build()
}

/// A worker in the background.
struct Serving {
    engine: Engine,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Serving {
    fn start(worker: Worker) -> Self {
        let (stop, stopped) = oneshot::channel();
        let engine = worker.engine().clone();
        let thread = std::thread::spawn(move || {
            block_on(worker.run(async { stopped.await.unwrap_or_default() }))
                .expect("memory can be read");
        });
        Self { engine, stop: Some(stop), thread: Some(thread) }
    }

    /// A worker of the queue `gpu`.
    fn gpu(store: &Arc<MemoryStore>) -> Self {
        Self::start(Worker::new(engine(store, "gpu")).queues(Queues::named(["gpu"])))
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(std::thread::panicking() || matches!(ended, Some(Ok(()))));
    }
}

/// The failure of the first job that failed.
fn failure(report: &Report) -> Failure {
    let mut jobs = report.jobs().into_iter();
    jobs.find_map(|job| job.error).expect("a failure")
}

fn events(store: &MemoryStore, run: RunId) -> Vec<EventKind> {
    let events = block_on(store.events(run, 0, usize::MAX)).expect("memory can be read");
    events.into_iter().map(|event| event.kind).collect()
}

/// Waits until a task is open that nobody has claimed.
fn until_open(store: &MemoryStore, run: RunId) {
    until("an open task", || {
        let tasks = block_on(store.tasks(run)).expect("memory can be read");
        tasks.iter().any(|task| !task.is_owner_alive)
    });
}
