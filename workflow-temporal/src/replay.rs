//! Replays recorded histories, to find changes of code that running workflows would not survive.

use temporalio_client::WorkflowHistory;
use temporalio_sdk::workflow_replayer::{WorkflowReplayer, WorkflowReplayerOptions};
use tokio::task::LocalSet;
use workflow_core::engine::Engine;
use workflow_core::registry::{self, RegistryError};

use crate::activity::Activities;
use crate::hosted::Hosted;
use crate::message::chain;
use crate::names::named;
use crate::request::{Placement, Plan};
use crate::worker::LEASE;

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
    let plan = Plan {
        engine: engine.clone(),
        activities: Activities::new(engine.clone(), LEASE)?,
        placement,
        lease: LEASE,
    };
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
    /// The workflow made other decisions than those in the history.
    #[error("the workflow does not replay: {0}")]
    Diverged(String),
    /// No runtime could be started.
    #[error("cannot start a runtime")]
    Runtime(#[source] std::io::Error),
}
