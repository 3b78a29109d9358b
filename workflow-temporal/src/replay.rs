//! Replays recorded histories, to find changes of code that running workflows would not survive.

use std::sync::{Arc, Mutex, PoisonError};

use temporalio_client::WorkflowHistory;
use temporalio_common::protos::temporal::api::enums::v1::EventType;
use temporalio_common::protos::temporal::api::history::v1::{History, HistoryEvent};
use temporalio_sdk::workflow_replayer::{WorkflowReplayer, WorkflowReplayerOptions};
use tokio::task::LocalSet;
use workflow_core::engine::Engine;
use workflow_core::event::Event;
use workflow_core::executor::RunControl;
use workflow_core::registry::{self, RegistryError};

use crate::activity::Activities;
use crate::hosted::Hosted;
use crate::message::chain;
use crate::names::named;
use crate::request::{LEASE, Placement, Plan};

/// Replays a history that [`TemporalRun::history`](crate::TemporalRun::history) returned with the
/// registered workflows of this program, without a server: the workflow must request the same
/// attempts, sleeps and child workflows in the same order.
///
/// Replay histories of important workflows in the tests of a program. When it fails, runs that are
/// in progress need a worker with the old code.
///
/// Blocks the calling thread. Must not be called in a task of a tokio runtime.
///
/// # Errors
///
/// Fails if the history is invalid, and if the workflow makes other decisions.
pub fn replay(engine: &Engine, history: &[u8], placement: Placement) -> Result<(), ReplayError> {
    let history = WorkflowHistory::from_json(history);
    let history = history.map_err(|error| ReplayError::History(chain(&error)))?;
    let plan = Plan::new(engine.clone(), Activities::new(engine.clone(), LEASE, None)?);
    run(&Plan { placement, ..plan }, history)
}

/// The events of the run with this history, which is replayed. Blocks the calling thread.
///
/// # Errors
///
/// As [`replay`].
pub(crate) fn events(engine: &Engine, history: &[HistoryEvent]) -> Result<Vec<Event>, ReplayError> {
    let activities = Activities::new(engine.clone(), LEASE, None)?;
    let is_task = |event: &HistoryEvent| event.event_type() == EventType::WorkflowTaskScheduled;
    if !history.iter().any(is_task) {
        // The replayer would wait for a task forever.
        return Err(ReplayError::Unstarted);
    }
    let replay = |placement| {
        let observer = Arc::new(Mutex::new(None::<RunControl>));
        let plan = Plan::new(engine.clone(), Arc::clone(&activities));
        let plan = Plan { placement, observer: Some(Arc::clone(&observer)), ..plan };
        run(&plan, History { events: history.to_vec() }.into())?;
        let control = observer.lock().unwrap_or_else(PoisonError::into_inner).take();
        Ok(control.ok_or(ReplayError::Unstarted)?.events(0))
    };
    // The history does not say where the worker makes attempts.
    replay(Placement::Activities)
        .or_else(|error| replay(Placement::LocalActivities).map_err(|_: ReplayError| error))
}

/// Replays a history with the registered workflows.
fn run(plan: &Plan, history: WorkflowHistory) -> Result<(), ReplayError> {
    let mut options = WorkflowReplayerOptions::new();
    for entry in registry::list()? {
        let (name, plan) = (entry.name().to_owned(), plan.clone());
        let entry = entry.clone();
        let registered = named(&name, || {
            options.register_workflow_with_factory::<Hosted, _>(move || {
                Hosted::new(entry.workflow(), plan.clone())
            })
        });
        options = registered.map_err(|error| ReplayError::History(chain(&error)))?;
    }
    let replayed = |error| ReplayError::Diverged(chain(&error));
    let replayer = WorkflowReplayer::new(options.build()).map_err(replayed)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(ReplayError::Runtime)?;
    LocalSet::new().block_on(&runtime, replayer.replay_workflow(history)).map_err(replayed)
}

/// Why a history does not replay.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The registry is invalid.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The history cannot be read.
    #[error("invalid history: {0}")]
    History(String),
    /// No worker has begun the workflow.
    #[error("no worker has begun the workflow")]
    Unstarted,
    /// The workflow made other decisions than those in the history.
    #[error("the workflow does not replay: {0}")]
    Diverged(String),
    /// No runtime could be started.
    #[error("cannot start a runtime")]
    Runtime(#[source] std::io::Error),
}
