//! `runs cancel`, `unblock` and `signal`: messages to runs.

use std::sync::Arc;

use clap::Args;
use serde_json::Value as Json;
use workflow_core::engine::Cancellation;
use workflow_core::json::{self, JsonError};
use workflow_core::store::{MessageKind, Store, StoreError};
use workflow_core::{Engine, Run as _, RunError, Status, registry};
use workflow_store::{Catalog, CatalogError};

use crate::args::input::quotes_cure;
use crate::args::{RunSelector, StoreArguments};
use crate::failure::{Failure, Outcome};
use crate::session::is_abandoned;
use crate::{output, runtime};

/// Cancel a run
///
/// If an engine is running it, that engine stops its jobs and ends it. Otherwise the run ends at
/// once, even if its workflow has changed or no longer exists.
#[derive(Debug, Args)]
#[command(after_help = CANCEL_EXAMPLES)]
pub(super) struct CancelArguments {
    /// Run: its number, its ID or the first 8 or more characters of it, or `latest`
    #[arg(value_name = "RUN")]
    run: RunSelector,
}

const CANCEL_EXAMPLES: &str = "\
Examples:
  workflow runs cancel 01980000-0000-7000-8000-000000000000";

/// Allow engines to resume a blocked run
///
/// A run is blocked if its workflow has changed or is not registered, or if its process died five
/// times in a row during the same job. The first two cases end as soon as a program registers the
/// original workflow. The last one requires this command.
#[derive(Debug, Args)]
#[command(after_help = UNBLOCK_EXAMPLES)]
pub(super) struct UnblockArguments {
    /// Run: its number, its ID or the first 8 or more characters of it, or `latest`
    #[arg(value_name = "RUN")]
    run: RunSelector,
}

const UNBLOCK_EXAMPLES: &str = "\
Examples:
  workflow runs unblock 01980000-0000-7000-8000-000000000000";

/// Send a signal to a run
///
/// The signal is stored until a job of the run waits for it.
#[derive(Debug, Args)]
#[command(after_help = SIGNAL_EXAMPLES)]
pub(super) struct SignalArguments {
    /// Run: its number, its ID or the first 8 or more characters of it, or `latest`
    #[arg(value_name = "RUN")]
    run: RunSelector,
    /// Name of the signal
    #[arg(value_name = "NAME")]
    name: String,
    /// Payload of the signal
    #[arg(value_name = "JSON", value_parser = parse_payload)]
    payload: Option<Json>,
}

const SIGNAL_EXAMPLES: &str = "\
Examples:
  workflow runs signal 01980000-0000-7000-8000-000000000000 approved
  workflow runs signal 01980000-0000-7000-8000-000000000000 approved '{\"by\": \"ada\"}'";

pub(super) fn cancel(args: &CancelArguments, store: &StoreArguments) -> Result<Outcome, Failure> {
    let store = store.open_existing()?;
    let run = args.run.find(&*store)?;
    let engine = engine(store);
    runtime::inside(|| {
        match pollster::block_on(engine.cancel(run)).map_err(|error| refused("cancel", error))? {
            Cancellation::Ended => output::message(format_args!("run {run} cancelled")),
            Cancellation::Ending(run) => match run.wait() {
                Ok(_) | Err(RunError::Failed(_) | RunError::Cancelled(_)) => {
                    output::message(format_args!("run {} {}", run.id(), run.status()));
                }
                Err(error) => return Err(error.into()),
            },
            _ => output::message(format_args!(
                "cancellation of run {run} requested; the engine that holds its lease will end \
                 it, or `recover` will if that engine has died"
            )),
        }
        Ok(Outcome::Success)
    })
}

pub(super) fn unblock(args: &UnblockArguments, store: &StoreArguments) -> Result<Outcome, Failure> {
    let store = store.open_existing()?;
    let run = args.run.find(&*store)?;
    pollster::block_on(engine(store).unblock(run)).map_err(|error| refused("unblock", error))?;
    output::message(format_args!("run {run} unblocked; `recover` will resume it"));
    Ok(Outcome::Success)
}

fn engine(store: Arc<dyn Catalog>) -> Engine {
    registry::engine().to_builder().store(store as Arc<dyn Store>).build()
}

pub(super) fn signal(args: &SignalArguments, store: &StoreArguments) -> Result<Outcome, Failure> {
    let SignalArguments { run, name, payload } = args;
    let payload = payload.clone().unwrap_or_default();
    let signal = MessageKind::Signal { name: name.clone(), payload };
    let store = store.open_existing()?;
    let run = run.find(&*store)?;
    pollster::block_on(store.send(run, signal))
        .map_err(|error| refused("send a signal to", error))?;
    let waits = pollster::block_on(is_abandoned(&*store, run))?;
    let until = if waits { "; no engine is running it now, `recover` will resume it" } else { "" };
    output::message(format_args!("signal `{name}` sent to run {run}{until}"));
    Ok(Outcome::Success)
}

/// The error of a message to a run, which may have ended.
fn refused<E: Into<Failure>>(action: &str, error: E) -> Failure {
    let failure = error.into();
    let error = match &failure {
        Failure::Catalog(CatalogError::Store(error)) => error,
        Failure::Run(RunError::Store { error, .. }) => &**error,
        _ => return failure,
    };
    match error {
        StoreError::Ended { run, status } => {
            let (ended, cure) = match status {
                Status::Cancelled => ("been cancelled", "; start it again with `runs retry`"),
                Status::Failed => ("failed", "; start it again with `runs retry`"),
                _ => ("completed", ""),
            };
            Failure::Usage(format!("cannot {action} run {run}: it has already {ended}{cure}"))
        }
        StoreError::NotBlocked { run } => {
            Failure::Usage(format!("run {run} is not blocked; see `runs why {run}`"))
        }
        _ => failure,
    }
}

fn parse_payload(text: &str) -> Result<Json, String> {
    json::read(text).map_err(|error| match error {
        JsonError::Syntax(error) => format!("invalid JSON: {error}{}", quotes_cure(text, "yes")),
        error => error.to_string(),
    })
}

#[cfg(feature = "temporal")]
impl CancelArguments {
    pub(super) fn run(&self) -> &RunSelector {
        &self.run
    }
}

#[cfg(feature = "temporal")]
impl SignalArguments {
    /// The run, the name and the payload.
    pub(super) fn parts(&self) -> (&RunSelector, &str, Json) {
        (&self.run, &self.name, self.payload.clone().unwrap_or_default())
    }
}
