//! `migrate` and `prune`: what a store needs now and then.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use workflow_store::{Catalog, Pruner, Retention};

use crate::args::{StoreArguments, parse_duration};
use crate::failure::{Failure, Outcome};
use crate::output::{self, count};

/// Make a database ready for this version, and make it where there is none
///
/// Every command that changes a database does so by itself; this is for those who want to choose
/// the moment.
#[derive(Debug, Args)]
#[command(after_help = MIGRATE_EXAMPLES)]
pub(crate) struct MigrateArguments {
    #[command(flatten)]
    pub(crate) store: StoreArguments,
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
    pub(crate) store: StoreArguments,
    #[command(flatten)]
    bounds: Bounds,
    /// Only runs of this workflow: its id, name or slug
    #[arg(long, value_name = "WORKFLOW")]
    workflow: Option<String>,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
struct Bounds {
    /// Keep runs that ended within this time, such as 30d
    #[arg(long, value_name = "SPAN", value_parser = parse_duration)]
    keep_for: Option<Duration>,
    /// Keep so many of the newest runs of each workflow
    #[arg(long, value_name = "N")]
    keep_last: Option<u64>,
}

const PRUNE_EXAMPLES: &str = "\
Examples:
  workflow prune --keep-for 30d
  workflow prune --workflow daily-etl --keep-last 100";

/// What is deleted while runs are served.
#[derive(Debug, Args)]
pub(crate) struct BackgroundPruning {
    /// With --serve, keep runs that ended within this time, such as 30d, or etl=90d for those of one
    /// workflow, and delete others; once an hour, by one of the processes that serve
    #[arg(long, value_name = "[WORKFLOW=]SPAN", requires = "serve", value_parser = bound(parse_duration))]
    prune_keep_for: Vec<Bound<Duration>>,
    /// With --serve, keep so many of the newest runs of each workflow, or, as etl=100, of one
    #[arg(long, value_name = "[WORKFLOW=]N", requires = "serve", value_parser = bound(number))]
    prune_keep_last: Vec<Bound<u64>>,
}

/// A bound, and the workflow that it is for.
type Bound<T> = (Option<String>, T);

fn bound<T>(
    read: impl Fn(&str) -> Result<T, String> + Clone,
) -> impl Fn(&str) -> Result<Bound<T>, String> + Clone {
    move |text| match text.rsplit_once('=') {
        Some((workflow, value)) => Ok((Some(workflow.to_owned()), read(value)?)),
        None => Ok((None, read(text)?)),
    }
}

fn number(text: &str) -> Result<u64, String> {
    u64::from_str(text).map_err(|_| format!("`{text}` is no number of runs"))
}

impl BackgroundPruning {
    /// Deletes old runs of the store for as long as what it returns is there.
    ///
    /// # Errors
    ///
    /// Fails when no thread can be started.
    pub(crate) fn start(&self, store: &Arc<dyn Catalog>) -> Result<Option<Pruner>, Failure> {
        let retentions = self.retentions();
        if retentions.is_empty() {
            return Ok(None);
        }
        Ok(Some(Pruner::start(Arc::clone(store), retentions, Pruner::EVERY)?))
    }

    fn retentions(&self) -> Vec<Retention> {
        let mut of: BTreeMap<Option<String>, Retention> = BTreeMap::new();
        for (workflow, span) in &self.prune_keep_for {
            of.entry(workflow.clone()).or_default().keep_for = Some(*span);
        }
        for (workflow, count) in &self.prune_keep_last {
            of.entry(workflow.clone()).or_default().keep_last = Some(*count);
        }
        of.into_iter().map(|(workflow, retention)| Retention { workflow, ..retention }).collect()
    }
}

pub(crate) fn migrate(wanted: &MigrateArguments) -> Result<Outcome, Failure> {
    wanted.store.open_or_create()?;
    output::message(format_args!("`{}` is ready", wanted.store.display_name()));
    Ok(Outcome::Success)
}

pub(crate) fn prune(wanted: &PruneArguments) -> Result<Outcome, Failure> {
    let retention = Retention {
        workflow: wanted.workflow.clone(),
        keep_for: wanted.bounds.keep_for,
        keep_last: wanted.bounds.keep_last,
    };
    let deleted = pollster::block_on(wanted.store.open_existing()?.prune(retention))?;
    let deleted = usize::try_from(deleted).unwrap_or(usize::MAX);
    output::message(format_args!("deleted {}", count(deleted, "run")));
    Ok(Outcome::Success)
}
