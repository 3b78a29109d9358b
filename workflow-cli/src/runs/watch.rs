//! A run is watched.

use clap::Args;

use super::which::WhichRun;
use crate::failure::{Failure, Outcome};
use crate::keep::stored;
use crate::show::ShowArguments;
use crate::store::StoreArguments;
use crate::watch::follow_from;

/// Show a run from its beginning to its end, while it goes on or afterwards
///
/// What jobs print is no part of the record; `runs logs -F` shows it. Ctrl-C ends the watching,
/// not the run.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct WatchArguments {
    /// The run: its number, its id or the first 8 characters of it or more, or `latest`
    #[arg(value_name = "RUN")]
    run: WhichRun,
    /// Begin with the event of this number, such as the one after the last that was seen
    #[arg(long, value_name = "SEQUENCE", default_value_t = 0)]
    from: u64,
    #[command(flatten)]
    show: ShowArguments,
}

const EXAMPLES: &str = "\
Examples:
  workflow runs watch 01980000-0000-7000-8000-000000000000
  workflow runs watch 01980000-0000-7000-8000-000000000000 -f jsonl --from 17

With -f jsonl, the last line is `{\"run\": ...}`.

Exit codes:
  0 the run completed, 1 it failed, 2 wrong usage or input, 130 it was cancelled";

pub(super) fn watch(wanted: &WatchArguments, store: &StoreArguments) -> Result<Outcome, Failure> {
    let store = store.open()?;
    let run = stored(&*store, wanted.run.find(&*store)?)?;
    follow_from(&store, &run, &wanted.show, None, wanted.from)
}
