//! `recover`: takes up what a crash left behind.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use futures::future::join_all;
use futures_timer::Delay;
use workflow_core::{Engine, Run as _, RunError, RunHandle, RunId, Status};
use workflow_store::{Catalog, RunQuery};

use crate::failure::{Failure, Outcome};
use crate::keep;
use crate::output::{self, BAD, DUBIOUS, GOOD, brief, styled};
use crate::runtime;
use crate::store::StoreArguments;
use crate::upkeep::ServedPruning;

/// Take up the runs that a crash left behind
///
/// And those that were left to others to run. What is on record of a run stands; attempts that
/// were under way begin again. Ends when all that was taken up has ended. What is interrupted
/// here is there for the next `recover`.
///
/// A process that died is known to be dead 10 seconds later: so long does this wait for runs that
/// somebody seems to drive.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct RecoverArguments {
    #[command(flatten)]
    store: StoreArguments,
    /// Go on for ever: take up what is left behind from now on, too
    #[arg(long)]
    serve: bool,
    #[command(flatten)]
    pruning: ServedPruning,
    /// How many jobs may run at once [default: no limit but those of the workflows]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_parallel: Option<u32>,
}

const EXAMPLES: &str = "\
Examples:
  workflow recover
  workflow recover --db postgres://localhost/runs --serve
  workflow recover --serve --prune-older-than 30d --prune-older-than audit=365d

Exit codes:
  0 all that was taken up completed, 1 a run failed, was cancelled, or could not be taken up,
  2 wrong usage or input";

pub(crate) fn recover(wanted: &RecoverArguments) -> Result<Outcome, Failure> {
    let store = wanted.store.open()?;
    let orphans = pollster::block_on(store.orphans(None, MOST))?;
    let mut engine = keep::engine(&store, &orphans);
    if let Some(jobs) = wanted.max_parallel {
        engine = engine.to_builder().max_parallel(jobs as usize).build();
    }
    let _pruner = wanted.pruning.start(&store)?;
    let recovering = Recovering { store, engine, refused: HashSet::new(), taken: 0, bad: 0 };
    runtime::inside(|| pollster::block_on(recovering.recover(wanted.serve)))
}

/// Of so many runs that are left behind, the limits of their files are known.
const MOST: usize = 10_000;

struct Recovering {
    store: Arc<dyn Catalog>,
    engine: Engine,
    refused: HashSet<RunId>,
    taken: usize,
    bad: usize,
}

impl Recovering {
    async fn recover(mut self, serve: bool) -> Result<Outcome, Failure> {
        let known_dead = Instant::now() + LEASE;
        let mut told = false;
        loop {
            let runs = self.take_up().await?;
            if serve {
                for run in runs {
                    // Told by whoever waits for it; here nobody does.
                    drop(std::thread::spawn(move || tell_end(&run, run.join())));
                }
                Delay::new(LOOK_EVERY).await;
                continue;
            }
            let ends = join_all(runs.iter().map(async |run| tell_end(run, run.wait().await))).await;
            self.bad += ends.into_iter().filter(|status| *status != Status::Completed).count();
            if Instant::now() >= known_dead || !self.somebody_drives().await? {
                break;
            }
            if !std::mem::replace(&mut told, true) {
                output::say(
                    "waiting for up to 10 s, to see whether who drives the others is alive",
                );
            }
            Delay::new(LOOK_EVERY).await;
        }
        if self.taken == 0 && self.refused.is_empty() {
            output::say("nothing was left behind");
        }
        Ok(if self.bad == 0 && self.refused.is_empty() { Outcome::Good } else { Outcome::Bad })
    }

    /// Takes up what there is, and says so.
    async fn take_up(&mut self) -> Result<Vec<RunHandle>, Failure> {
        let recovery = self.engine.recover().await?;
        for run in &recovery.runs {
            output::say(format_args!("run {} of {} goes on", run.id(), run.workflow()));
        }
        for (run, error) in recovery.refused {
            if self.refused.insert(run) {
                output::say(format_args!("run {run} {}: {error}", styled(BAD, "is not taken up")));
            }
        }
        self.taken += recovery.runs.len();
        Ok(recovery.runs)
    }

    /// Whether a run is under way elsewhere.
    async fn somebody_drives(&self) -> Result<bool, Failure> {
        let mut query = RunQuery { status: Some(Status::Running), ..RunQuery::default() };
        loop {
            let page = self.store.runs(query.clone()).await?;
            if page.items.iter().any(|run| !self.refused.contains(&run.id)) {
                return Ok(true);
            }
            if page.next.is_none() {
                return Ok(false);
            }
            query.after = page.next;
        }
    }
}

/// Says how a run ended.
fn tell_end(run: &RunHandle, ended: Result<workflow_core::Report, RunError>) -> Status {
    let (name, id) = (run.workflow(), run.id());
    match ended {
        Ok(report) | Err(RunError::Failed(report) | RunError::Cancelled(report)) => {
            let style = match report.status() {
                Status::Completed => GOOD,
                Status::Cancelled => DUBIOUS,
                _ => BAD,
            };
            let reason = report.reason().map(|reason| format!(": {reason}")).unwrap_or_default();
            output::say(format_args!(
                "run {id} of {name} {} in {}{reason}",
                styled(style, report.status()),
                brief(report.duration())
            ));
            report.status()
        }
        Err(error) => {
            output::error(&error);
            Status::Failed
        }
    }
}

/// After this time a process that is not heard of counts as dead, with some to spare.
const LEASE: Duration = Duration::from_millis(11_000);

/// How often the store is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);
