//! A run is sent something, whoever drives it.

use std::sync::Arc;

use clap::Args;
use serde_json::Value as Json;
use workflow_core::json::{self, JsonError};
use workflow_core::{Cancellation, Engine, MessageKind, Run as _, RunError, Store, registry};
use workflow_store::Catalog;

use crate::args::{RunSelector, StoreArguments};
use crate::failure::{Failure, Outcome};
use crate::session::is_abandoned;
use crate::{output, runtime};

/// Cancel a run
///
/// If an engine is running it, that engine stops its jobs and ends it. If none is, it ends at once,
/// even when its workflow has changed or is gone.
#[derive(Debug, Args)]
#[command(after_help = CANCEL_EXAMPLES)]
pub(super) struct CancelArguments {
    /// The run: its number, its id or the first 8 characters of it or more, or `latest`
    #[arg(value_name = "RUN")]
    run: RunSelector,
}

const CANCEL_EXAMPLES: &str = "\
Examples:
  workflow runs cancel 01980000-0000-7000-8000-000000000000";

/// Let engines take up a blocked run again
///
/// A run is blocked when its workflow has changed or is gone, and when its process died five times
/// in a row with the same job in flight. The first two end by themselves once a program has the
/// workflow again; the last is unblocked by hand.
#[derive(Debug, Args)]
#[command(after_help = UNBLOCK_EXAMPLES)]
pub(super) struct UnblockArguments {
    /// The run: its number, its id or the first 8 characters of it or more, or `latest`
    #[arg(value_name = "RUN")]
    run: RunSelector,
}

const UNBLOCK_EXAMPLES: &str = "\
Examples:
  workflow runs unblock 01980000-0000-7000-8000-000000000000";

/// Send a run a signal that a job of it waits for, or will
#[derive(Debug, Args)]
#[command(after_help = SIGNAL_EXAMPLES)]
pub(super) struct SignalArguments {
    /// The run: its number, its id or the first 8 characters of it or more, or `latest`
    #[arg(value_name = "RUN")]
    run: RunSelector,
    /// The name of the signal
    #[arg(value_name = "NAME")]
    name: String,
    /// What comes with it
    #[arg(value_name = "JSON", value_parser = parse_payload)]
    payload: Option<Json>,
}

const SIGNAL_EXAMPLES: &str = "\
Examples:
  workflow runs signal 01980000-0000-7000-8000-000000000000 approved
  workflow runs signal 01980000-0000-7000-8000-000000000000 approved '{\"by\": \"ada\"}'";

pub(super) fn cancel(wanted: &CancelArguments, store: &StoreArguments) -> Result<Outcome, Failure> {
    let store = store.open_existing()?;
    let run = wanted.run.find(&*store)?;
    let engine = engine(store);
    runtime::inside(|| {
        match pollster::block_on(engine.cancel(run))? {
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

pub(super) fn unblock(
    wanted: &UnblockArguments,
    store: &StoreArguments,
) -> Result<Outcome, Failure> {
    let store = store.open_existing()?;
    let run = wanted.run.find(&*store)?;
    pollster::block_on(engine(store).unblock(run))?;
    output::message(format_args!("run {run} unblocked; `recover` takes it up"));
    Ok(Outcome::Success)
}

fn engine(store: Arc<dyn Catalog>) -> Engine {
    registry::engine().to_builder().store(store as Arc<dyn Store>).build()
}

pub(super) fn signal(wanted: &SignalArguments, store: &StoreArguments) -> Result<Outcome, Failure> {
    let SignalArguments { run, name, payload } = wanted;
    let payload = payload.clone().unwrap_or_default();
    let signal = MessageKind::Signal { name: name.clone(), payload };
    let store = store.open_existing()?;
    let run = run.find(&*store)?;
    pollster::block_on(store.send(run, signal))?;
    let waits = pollster::block_on(is_abandoned(&*store, run))?;
    let until = if waits { ", which nobody drives; `recover` takes it up" } else { "" };
    output::message(format_args!("`{name}` was sent to run {run}{until}"));
    Ok(Outcome::Success)
}

fn parse_payload(text: &str) -> Result<Json, String> {
    json::read(text).map_err(|error| match error {
        JsonError::Syntax(error) => format!(
            "it is no JSON: {error}; JSON text is written in quotes of its own, as '\"yes\"'"
        ),
        error => error.to_string(),
    })
}
