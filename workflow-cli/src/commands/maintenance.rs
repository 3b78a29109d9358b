//! `migrate` and `prune`: maintenance of a store.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use workflow_store::time::parse_duration;
use workflow_store::{Catalog, Pruner, Retention};

use crate::args::{StoreArguments, integer};
use crate::failure::{Failure, Outcome};
use crate::output::{self, count};

/// Migrate a database to the schema of this version, or create it
///
/// Commands that write to a database migrate it automatically. Use this command to choose the time
/// yourself.
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
/// Never deletes a run that has not ended. Statistics still count deleted runs. With both options,
/// only runs that satisfy both are kept.
#[derive(Debug, Args)]
#[command(after_help = PRUNE_EXAMPLES)]
pub(crate) struct PruneArguments {
    #[command(flatten)]
    pub(crate) store: StoreArguments,
    #[command(flatten)]
    bounds: Bounds,
    /// Only runs of this workflow: its ID, name or slug
    #[arg(long, value_name = "WORKFLOW")]
    workflow: Option<String>,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
struct Bounds {
    /// Keep runs that ended within this time, such as 30d
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    keep_for: Option<Duration>,
    /// Keep this many of the newest runs of each workflow
    #[arg(long, value_name = "N", value_parser = integer::<u64>(0..))]
    keep_last: Option<u64>,
}

const PRUNE_EXAMPLES: &str = "\
Examples:
  workflow prune --keep-for 30d
  workflow prune --workflow daily-etl --keep-last 100";

/// Options to delete old runs in the background of a worker.
#[derive(Debug, Args)]
pub(crate) struct BackgroundPruning {
    /// Delete runs once an hour that ended longer ago than this, such as 30d, or etl=90d for one
    /// workflow
    #[arg(long, value_name = "[WORKFLOW=]DURATION", value_parser = bound(parse_duration))]
    prune_keep_for: Vec<Bound<Duration>>,
    /// Keep only this many of the newest runs of each workflow, such as 100, or etl=100 for one
    /// workflow
    #[arg(long, value_name = "[WORKFLOW=]N", value_parser = bound(integer::<u64>(0..)))]
    prune_keep_last: Vec<Bound<u64>>,
}

/// A bound, and the workflow it applies to, or `None` for all.
type Bound<T> = (Option<String>, T);

fn bound<T, E>(
    read: impl Fn(&str) -> Result<T, E> + Clone,
) -> impl Fn(&str) -> Result<Bound<T>, E> + Clone {
    move |text| match text.rsplit_once('=') {
        Some((workflow, value)) => Ok((Some(workflow.to_owned()), read(value)?)),
        None => Ok((None, read(text)?)),
    }
}

impl BackgroundPruning {
    /// Whether nothing is deleted.
    #[cfg(feature = "temporal")]
    pub(crate) fn is_empty(&self) -> bool {
        self.prune_keep_for.is_empty() && self.prune_keep_last.is_empty()
    }

    /// Starts to delete old runs of the store, until the returned value is dropped.
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

pub(crate) fn migrate(args: &MigrateArguments) -> Result<Outcome, Failure> {
    args.store.open_or_create()?;
    output::message(format_args!("`{}` is up to date", args.store.display_name()));
    Ok(Outcome::Success)
}

pub(crate) fn prune(args: &PruneArguments) -> Result<Outcome, Failure> {
    let retention = Retention {
        workflow: args.workflow.clone(),
        keep_for: args.bounds.keep_for,
        keep_last: args.bounds.keep_last,
    };
    let deleted = pollster::block_on(args.store.open_existing()?.prune(retention))?;
    output::message(format_args!("deleted {}", count(deleted, "run")));
    Ok(Outcome::Success)
}
