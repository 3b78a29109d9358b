//! Replays recorded histories, to find changes of code that running workflows would not survive.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use temporalio_client::WorkflowHistory;
use temporalio_common::protos::temporal::api::enums::v1::EventType;
use temporalio_common::protos::temporal::api::history::v1::history_event::Attributes;
use temporalio_common::protos::temporal::api::history::v1::{History, HistoryEvent};
use temporalio_sdk::workflow_replayer::{WorkflowReplayer, WorkflowReplayerOptions};
use tokio::task::LocalSet;
use workflow_core::engine::Engine;
use workflow_core::event::{Event, EventKind};
use workflow_core::registry::{self, RegistryError};

use crate::activity::Activities;
use crate::continuation::Arguments;
use crate::history;
use crate::hosted::Hosted;
use crate::message::chain;
use crate::names::named;
use crate::request::{LEASE, Observed, Placement, Plan};

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

/// The events that the run with this history has recorded, as far as workers have decided about it.
/// Replays the history. Blocks the calling thread.
///
/// # Errors
///
/// As [`replay`].
pub(crate) fn events(engine: &Engine, history: &[HistoryEvent]) -> Result<Vec<Event>, ReplayError> {
    if !is_started(history) {
        // The replayer would wait for a task forever.
        return recorded_before(history);
    }
    let activities = Activities::new(engine.clone(), LEASE, None)?;
    let replay = |placement| {
        let observer = Arc::new(Mutex::new(None::<Observed>));
        let plan = Plan::new(engine.clone(), Arc::clone(&activities));
        let plan = Plan { placement, observer: Some(Arc::clone(&observer)), ..plan };
        run(&plan, History { events: history.to_vec() }.into())?;
        let observed = observer.lock().unwrap_or_else(PoisonError::into_inner).take();
        let unseen = || ReplayError::Diverged("no task has begun the workflow".to_owned());
        known(observed.ok_or_else(unseen)?, history)
    };
    // The history does not say where the worker makes attempts.
    replay(Placement::Activities)
        .or_else(|error| replay(Placement::LocalActivities).map_err(|_: ReplayError| error))
}

/// Whether a worker has begun the workflow.
pub(crate) fn is_started(history: &[HistoryEvent]) -> bool {
    history.iter().any(|event| event.event_type() == EventType::WorkflowTaskStarted)
}

/// The events that earlier executions of the run recorded.
fn recorded_before(history: &[HistoryEvent]) -> Result<Vec<Event>, ReplayError> {
    let first = history.first().and_then(|event| event.attributes.as_ref());
    let Some(Attributes::WorkflowExecutionStartedEventAttributes(started)) = first else {
        return Ok(Vec::new());
    };
    let payloads = started.input.as_ref().map(|input| input.payloads.as_slice());
    let arguments = Arguments::read(payloads.unwrap_or_default()).map_err(ReplayError::History)?;
    Ok(arguments.record.map(|record| record.events).unwrap_or_default())
}

/// The events of a replayed run, without those that it only would have: no worker has completed the
/// latest workflow task, or begun it. Of these events, the ends of attempts have happened.
fn known(observed: Observed, history: &[HistoryEvent]) -> Result<Vec<Event>, ReplayError> {
    let mut events = observed.control.events(0);
    let Some(decided) = observed.decided else { return Ok(events) };
    let translated = history::translate(history).map_err(ReplayError::History)?;
    let ends: HashSet<_> =
        translated.iter().filter_map(|event| ended_attempt(&event.kind)).collect();
    let has_happened = |event: &&Event| match &event.kind {
        EventKind::ValuePersisted { .. } | EventKind::CancelRequested { .. } => true,
        kind => ended_attempt(kind).is_some_and(|attempt| ends.contains(&attempt)),
    };
    let happened = events[decided..].iter().take_while(has_happened).count();
    events.truncate(decided + happened);
    Ok(events)
}

/// The attempt whose end this event is: its job and its number.
fn ended_attempt(kind: &EventKind) -> Option<(&str, u32)> {
    let is_end = kind.ends_job() || matches!(kind, EventKind::AttemptFailed { .. });
    is_end.then(|| kind.job().zip(kind.attempt())).flatten()
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
    /// The workflow made other decisions than those in the history.
    #[error("the workflow does not replay: {0}")]
    Diverged(String),
    /// No runtime could be started.
    #[error("cannot start a runtime")]
    Runtime(#[source] std::io::Error),
}
