//! A run is sent something, whoever drives it.

use clap::Args;
use serde_json::Value as Json;
use workflow_core::{MessageKind, RunId};

use crate::failure::{Failure, Outcome};
use crate::store::StoreArguments;
use crate::{keep, output};

/// Ask a run to stop
///
/// Its jobs are asked to stop, and have some seconds to do so. A run that nobody drives stops
/// when `recover` takes it up.
#[derive(Debug, Args)]
#[command(after_help = CANCEL_EXAMPLES)]
pub(super) struct CancelArguments {
    /// The id of the run
    #[arg(value_name = "RUN")]
    run: RunId,
}

const CANCEL_EXAMPLES: &str = "\
Examples:
  workflow runs cancel 01980000-0000-7000-8000-000000000000";

/// Send a run a signal that a job of it waits for, or will
#[derive(Debug, Args)]
#[command(after_help = SIGNAL_EXAMPLES)]
pub(super) struct SignalArguments {
    /// The id of the run
    #[arg(value_name = "RUN")]
    run: RunId,
    /// The name of the signal
    #[arg(value_name = "NAME")]
    name: String,
    /// What comes with it
    #[arg(value_name = "JSON", value_parser = payload)]
    payload: Option<Json>,
}

const SIGNAL_EXAMPLES: &str = "\
Examples:
  workflow runs signal 01980000-0000-7000-8000-000000000000 approved
  workflow runs signal 01980000-0000-7000-8000-000000000000 approved '{\"by\": \"ada\"}'";

pub(super) fn cancel(wanted: &CancelArguments, store: &StoreArguments) -> Result<Outcome, Failure> {
    let CancelArguments { run } = wanted;
    send(store, *run, MessageKind::Cancel, &format!("run {run} is asked to stop"))
}

pub(super) fn signal(wanted: &SignalArguments, store: &StoreArguments) -> Result<Outcome, Failure> {
    let SignalArguments { run, name, payload } = wanted;
    let payload = payload.clone().unwrap_or_default();
    let signal = MessageKind::Signal { name: name.clone(), payload };
    send(store, *run, signal, &format!("`{name}` was sent to run {run}"))
}

fn send(
    store: &StoreArguments,
    run: RunId,
    message: MessageKind,
    done: &str,
) -> Result<Outcome, Failure> {
    let store = store.open()?;
    pollster::block_on(store.send(run, message))?;
    let waits = pollster::block_on(keep::is_orphan(&*store, run))?;
    let until = if waits { ", which nobody drives; `recover` takes it up" } else { "" };
    output::say(format_args!("{done}{until}"));
    Ok(Outcome::Good)
}

fn payload(text: &str) -> Result<Json, String> {
    serde_json::from_str(text).map_err(|error| {
        format!("it is no JSON: {error}; JSON text is written in quotes of its own, as '\"yes\"'")
    })
}
