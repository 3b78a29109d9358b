//! `runs`: the saved runs of a store.

mod export;
mod list;
mod logs;
mod retry;
mod send;
mod why;

use clap::{Args, Subcommand};

use crate::args::{HostStore, StoreArguments};
use crate::failure::{Failure, Outcome};

use export::{ExportArguments, ImportArguments};
use list::{GetArguments, ListArguments, WatchArguments};
#[cfg(not(feature = "temporal"))]
use logs::LogsArguments;
use retry::RetryArguments;
use send::{CancelArguments, SignalArguments, UnblockArguments};
use why::WhyArguments;

#[cfg(feature = "temporal")]
pub(super) use {logs::LogsArguments, why::print_reasons};

/// List, watch, cancel and retry the runs of a store
///
/// Works for every run of the store, whichever process is running it.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct RunsArguments {
    #[cfg(feature = "temporal")]
    #[command(flatten)]
    backend: crate::args::BackendArguments,
    #[command(subcommand)]
    command: RunsCommand,
}

const EXAMPLES: &str = "\
Examples:
  workflow runs list --status failed --since 2h
  workflow runs watch 472
  workflow runs why 472
  workflow runs logs 472 --job extract -F
  workflow runs signal 472 approved '{\"by\": \"ada\"}'
  workflow runs retry 01980000-0000-7000-8000-000000000000 --failed-only

Exit codes:
  0 success, 1 the run or the store failed, 2 invalid usage or input, 130 the run was cancelled";

#[derive(Debug, Subcommand)]
enum RunsCommand {
    List(WithStore<ListArguments>),
    Get(WithStore<GetArguments>),
    Why(WithStore<WhyArguments>),
    Watch(WithStore<WatchArguments>),
    Logs(WithStore<LogsArguments>),
    Cancel(WithStore<CancelArguments>),
    Unblock(WithStore<UnblockArguments>),
    Retry(RetryArguments),
    Signal(WithStore<SignalArguments>),
    Export(WithStore<ExportArguments>),
    Import(WithStore<ImportArguments>),
}

// Not a doc comment: the help text is that of `A`, which is flattened last.
#[derive(Debug, Args)]
struct WithStore<A: Args> {
    #[command(flatten)]
    store: StoreArguments,
    #[command(flatten)]
    args: A,
}

impl RunsArguments {
    /// Sets the store that is used without `--db`.
    pub(crate) fn set_store(&mut self, host: HostStore) {
        let store = match &mut self.command {
            RunsCommand::Retry(args) => {
                args.persistence.host = Some(host);
                return;
            }
            RunsCommand::List(with) => &mut with.store,
            RunsCommand::Get(with) => &mut with.store,
            RunsCommand::Why(with) => &mut with.store,
            RunsCommand::Watch(with) => &mut with.store,
            RunsCommand::Logs(with) => &mut with.store,
            RunsCommand::Cancel(with) => &mut with.store,
            RunsCommand::Unblock(with) => &mut with.store,
            RunsCommand::Signal(with) => &mut with.store,
            RunsCommand::Export(with) => &mut with.store,
            RunsCommand::Import(with) => &mut with.store,
        };
        store.host = Some(host);
    }
}

pub(crate) fn runs(args: &RunsArguments) -> Result<Outcome, Failure> {
    #[cfg(feature = "temporal")]
    if let Some(options) = args.backend.temporal() {
        return on_temporal(options, &args.command);
    }
    match &args.command {
        RunsCommand::List(WithStore { args, store }) => list::list(args, store),
        RunsCommand::Get(WithStore { args, store }) => list::get(args, store),
        RunsCommand::Why(WithStore { args, store }) => why::why(args, store),
        RunsCommand::Watch(WithStore { args, store }) => list::watch(args, store),
        RunsCommand::Logs(WithStore { args, store }) => logs::logs(args, store),
        RunsCommand::Cancel(WithStore { args, store }) => send::cancel(args, store),
        RunsCommand::Unblock(WithStore { args, store }) => send::unblock(args, store),
        RunsCommand::Retry(args) => retry::retry(args),
        RunsCommand::Signal(WithStore { args, store }) => send::signal(args, store),
        RunsCommand::Export(WithStore { args, store }) => export::export(args, store),
        RunsCommand::Import(WithStore { args, store }) => export::import(args, store),
    }
}

/// Carries out a command on runs of a Temporal cluster.
#[cfg(feature = "temporal")]
fn on_temporal(
    options: &workflow_temporal::TemporalOptions,
    command: &RunsCommand,
) -> Result<Outcome, Failure> {
    use super::temporal;
    let only_store = |command: &str| {
        Err(Failure::Usage(format!("`runs {command}` works on a store; leave out --backend")))
    };
    match command {
        RunsCommand::List(with) => with.args.on_temporal(options),
        RunsCommand::Get(with) => {
            temporal::get(options, with.args.run().text(), with.args.format())
        }
        RunsCommand::Watch(with) => temporal::watch(options, with.args.run().text()),
        RunsCommand::Cancel(with) => temporal::cancel(options, with.args.run().text()),
        RunsCommand::Signal(with) => {
            let (run, name, payload) = with.args.parts();
            temporal::signal(options, run.text(), name, payload)
        }
        RunsCommand::Logs(with) => temporal::logs(options, &with.args),
        RunsCommand::Why(with) => {
            temporal::why(options, with.args.run().text(), with.args.format())
        }
        RunsCommand::Unblock(_) => only_store("unblock"),
        RunsCommand::Retry(_) => only_store("retry"),
        RunsCommand::Export(_) => only_store("export"),
        RunsCommand::Import(_) => only_store("import"),
    }
}
