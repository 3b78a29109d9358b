//! Helpers that the scenarios share.

use std::panic::Location;
use std::path::Path;

use futures::StreamExt as _;
use workflow_core::engine::{IntoWorkflow, RunHandle, RunRequest};
use workflow_core::prelude::*;
use workflow_core::workflow::{FunctionWorkflow, OutputOf};

/// A workflow with a name that includes the calling file: scenarios run in parallel, and those of
/// different files must not share the limits of a workflow.
#[track_caller]
pub(crate) fn workflow<D: OutputOf>(
    draw: impl Fn(&mut Flow) -> D + Send + Sync + 'static,
) -> FunctionWorkflow {
    let file = Path::new(Location::caller().file()).file_stem().expect("a file");
    named(&file.to_string_lossy(), draw)
}

pub(crate) fn named<D: OutputOf>(
    name: &str,
    draw: impl Fn(&mut Flow) -> D + Send + Sync + 'static,
) -> FunctionWorkflow {
    FunctionWorkflow::new(name, draw).expect("a name")
}

/// Requests a run on a default engine. The scenarios of some files use nothing else, so that other
/// crates can run these files with a `run` of their own: `workflow-temporal` does.
pub(crate) fn run(workflow: impl IntoWorkflow) -> RunRequest {
    Engine::default().run(workflow)
}

/// A run that continues beside its scenario.
pub(crate) type Running = RunHandle;

/// Starts a run.
pub(crate) async fn start(request: RunRequest) -> Running {
    request.start().expect("it starts")
}

/// Requests that the run is cancelled.
pub(crate) async fn cancel(run: &Running) {
    run.cancel();
}

/// Calls a function that blocks, on another thread.
pub(crate) async fn unblock<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> T {
    smol::unblock(call).await
}

/// Waits until the job has started.
pub(crate) async fn until_started(run: &RunHandle, job: &str) {
    let started = format!("{job} started");
    let mut events = run.events();
    while let Some(event) = events.next().await {
        if event.kind.to_string() == started {
            return;
        }
    }
}

/// Yields this many times.
pub(crate) async fn turns(count: usize) {
    for _ in 0..count {
        let mut yielded = false;
        std::future::poll_fn(|cx| {
            cx.waker().wake_by_ref();
            match std::mem::replace(&mut yielded, true) {
                true => std::task::Poll::Ready(()),
                false => std::task::Poll::Pending,
            }
        })
        .await;
    }
}
