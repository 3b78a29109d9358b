//! `runs`: the saved runs of a store.

mod export;
mod list;
mod logs;
mod retry;
mod send;

use clap::{Args, Subcommand};

use crate::args::{HostStore, StoreArguments};
use crate::failure::{Failure, Outcome};

use export::{ExportArguments, ImportArguments};
use list::{GetArguments, ListArguments, WatchArguments};
use logs::LogsArguments;
use retry::RetryArguments;
use send::{CancelArguments, SignalArguments, UnblockArguments};

/// List, watch, cancel and retry the runs of a store
///
/// Works for every run of the store, whichever process is running it.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct RunsArguments {
    #[command(subcommand)]
    command: RunsCommand,
}

const EXAMPLES: &str = "\
Examples:
  workflow runs list --status failed --since 2h
  workflow runs watch 472
  workflow runs logs 472 --job extract -F
  workflow runs signal 472 approved '{\"by\": \"ada\"}'
  workflow runs retry 01980000-0000-7000-8000-000000000000 --failed-only

Exit codes:
  0 success, 1 the run or the store failed, 2 invalid usage or input, 130 the run was cancelled";

#[derive(Debug, Subcommand)]
enum RunsCommand {
    List(With<ListArguments>),
    Get(With<GetArguments>),
    Watch(With<WatchArguments>),
    Logs(With<LogsArguments>),
    Cancel(With<CancelArguments>),
    Unblock(With<UnblockArguments>),
    Retry(RetryArguments),
    Signal(With<SignalArguments>),
    Export(With<ExportArguments>),
    Import(With<ImportArguments>),
}

// Not a doc comment: the help text is that of `A`, which is flattened last.
#[derive(Debug, Args)]
struct With<A: Args> {
    #[command(flatten)]
    store: StoreArguments,
    #[command(flatten)]
    wanted: A,
}

impl RunsArguments {
    /// Sets the store that is used without `--db`.
    pub(crate) fn set_store(&mut self, host: HostStore) {
        let store = match &mut self.command {
            RunsCommand::Retry(wanted) => {
                wanted.persistence.host = Some(host);
                return;
            }
            RunsCommand::List(with) => &mut with.store,
            RunsCommand::Get(with) => &mut with.store,
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

pub(crate) fn runs(wanted: &RunsArguments) -> Result<Outcome, Failure> {
    match &wanted.command {
        RunsCommand::List(With { wanted, store }) => list::list(wanted, store),
        RunsCommand::Get(With { wanted, store }) => list::get(wanted, store),
        RunsCommand::Watch(With { wanted, store }) => list::watch(wanted, store),
        RunsCommand::Logs(With { wanted, store }) => logs::logs(wanted, store),
        RunsCommand::Cancel(With { wanted, store }) => send::cancel(wanted, store),
        RunsCommand::Unblock(With { wanted, store }) => send::unblock(wanted, store),
        RunsCommand::Retry(wanted) => retry::retry(wanted),
        RunsCommand::Signal(With { wanted, store }) => send::signal(wanted, store),
        RunsCommand::Export(With { wanted, store }) => export::export(wanted, store),
        RunsCommand::Import(With { wanted, store }) => export::import(wanted, store),
    }
}
