//! `migrate` and `prune`: what a store needs now and then.

use std::time::Duration;

use clap::Args;
use workflow_store::Retention;

use crate::failure::{Failure, Outcome};
use crate::output::{self, count};
use crate::store::{StoreArguments, span};

/// Make a database ready for this version, and make it where there is none
///
/// Every command that changes a database does so by itself; this is for those who want to choose
/// the moment.
#[derive(Debug, Args)]
#[command(after_help = MIGRATE_EXAMPLES)]
pub(crate) struct MigrateArguments {
    #[command(flatten)]
    store: StoreArguments,
}

const MIGRATE_EXAMPLES: &str = "\
Examples:
  workflow migrate
  workflow migrate --db postgres://localhost/runs";

/// Delete old runs
///
/// Runs that have not ended are kept, and figures keep counting those that are deleted. Where
/// both bounds are given, a run is deleted that is beyond one of them.
#[derive(Debug, Args)]
#[command(after_help = PRUNE_EXAMPLES)]
pub(crate) struct PruneArguments {
    #[command(flatten)]
    store: StoreArguments,
    #[command(flatten)]
    bounds: Bounds,
    /// Only runs of this workflow: its id, slug or name
    #[arg(long, value_name = "WORKFLOW")]
    workflow: Option<String>,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
struct Bounds {
    /// Delete runs that were asked for longer ago than this, such as 30d
    #[arg(long, value_name = "SPAN", value_parser = span)]
    older_than: Option<Duration>,
    /// Keep so many of the newest runs of each workflow
    #[arg(long, value_name = "N")]
    keep_last: Option<u64>,
}

const PRUNE_EXAMPLES: &str = "\
Examples:
  workflow prune --older-than 30d
  workflow prune --workflow daily-etl --keep-last 100";

pub(crate) fn migrate(wanted: &MigrateArguments) -> Result<Outcome, Failure> {
    wanted.store.make()?;
    output::say(format_args!("`{}` is ready", wanted.store.shown()));
    Ok(Outcome::Good)
}

pub(crate) fn prune(wanted: &PruneArguments) -> Result<Outcome, Failure> {
    let retention = Retention {
        workflow: wanted.workflow.clone(),
        keep_for: wanted.bounds.older_than,
        keep_last: wanted.bounds.keep_last,
    };
    let deleted = pollster::block_on(wanted.store.open()?.prune(retention))?;
    let deleted = usize::try_from(deleted).unwrap_or(usize::MAX);
    output::say(format_args!("deleted {}", count(deleted, "run")));
    Ok(Outcome::Good)
}
