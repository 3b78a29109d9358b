//! Starts the run of a workflow for an event.

use serde_json::Value as Json;
use workflow_core::store::Trigger;
use workflow_store::StoredWorkflow;

use crate::app::App;
use crate::launch::{LaunchRequest, Launchable, check_owner};
use crate::problem::Problem;

/// An event that starts a run.
pub(super) struct Event {
    /// What it is, for the log: `file inbox/a.csv`.
    pub(super) cause: String,
    /// The idempotency key of the run.
    pub(super) key: String,
    /// The input of the run, if its workflow takes one.
    pub(super) input: Json,
}

/// What became of an event.
pub(super) enum Outcome {
    /// Its run has begun, or is not wanted.
    Handled,
    /// Only another program on the store can start its run.
    Left,
}

/// Starts the run for an event, unless it exists.
pub(super) async fn start(
    app: &App,
    workflow: &StoredWorkflow,
    Event { cause, key, input }: Event,
) -> Result<Outcome, Problem> {
    // It may have been changed or deactivated since the triggers were loaded.
    let workflow = app.catalog.workflow(&workflow.id.to_string()).await?;
    check_owner(&workflow)?;
    let launchable = match Launchable::new(app, &workflow).await {
        Ok(launchable) => launchable,
        Err(problem) if problem.is_temporary() => return Err(problem),
        Err(problem) => {
            let (workflow, problem) = (&workflow.name, problem.detail());
            tracing::debug!(%workflow, cause, problem, "left the run for an event to other programs");
            return Ok(Outcome::Left);
        }
    };
    let request = LaunchRequest {
        user: workflow.user.clone(),
        trigger: Trigger::Event,
        idempotency_key: Some(key),
        input: launchable.takes_input().then_some(input),
        ..LaunchRequest::default()
    };
    let launched = launchable.launch(request).await?;
    let (workflow, run) = (&workflow.name, launched.run);
    tracing::info!(%run, %workflow, cause, existing = launched.existing, "started a run for an event");
    Ok(Outcome::Handled)
}
