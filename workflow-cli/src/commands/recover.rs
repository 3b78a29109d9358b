//! `recover`: resumes runs after a crash.

use std::collections::HashSet;
use std::pin::pin;
use std::time::{Duration, Instant};

use clap::Args;
use futures::future::{Either, join_all, select};
use futures_timer::Delay;
use workflow_core::engine::{Recovery, RunHandle};
use workflow_core::id::RunId;
use workflow_core::{Engine, Run as _, RunError, Status};
use workflow_store::time::parse_duration;

use crate::args::{StoreArguments, integer};
use crate::failure::{Failure, Outcome};
use crate::output::{self, ERROR, SUCCESS, WARNING, count, short_duration, styled};
use crate::{interrupt, runtime, session};

/// Resume runs after a crash
///
/// Resumes all runs that have not ended and that no engine is running, including queued runs that
/// have not started. Completed jobs do not run again. Interrupted attempts restart. Returns when all
/// resumed runs have ended.
///
/// Waits for runs whose engine may still be alive until their lease expires, by default 10 s at
/// most.
///
/// On Ctrl-C and SIGTERM, running jobs get the grace period to end. Then the runs are released, and
/// the next `worker`, `serve` or `recover` resumes them at once. To resume runs whenever an engine
/// dies, start a `worker`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct RecoverArguments {
    #[command(flatten)]
    pub(crate) store: StoreArguments,
    /// Maximum number of jobs that run at once [default: the limits of the workflows]
    #[arg(long, value_name = "N", value_parser = integer::<u32>(1..))]
    max_parallel: Option<u32>,
    /// Grace period of running jobs on Ctrl-C and SIGTERM [default: 10s]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, default_value = "10s", hide_default_value = true)]
    grace: Duration,
}

const EXAMPLES: &str = "\
Examples:
  workflow recover
  workflow recover --db postgres://localhost/runs

Exit codes:
  0 all resumed runs completed, 1 a run failed, was cancelled, or could not be resumed,
  2 invalid usage or input";

pub(crate) fn recover(args: &RecoverArguments) -> Result<Outcome, Failure> {
    let store = args.store.open_existing()?;
    let engine = session::engine(&store, args.max_parallel.map(|jobs| jobs as usize));
    let stopped = engine.clone();
    let recoverer = Recoverer { engine, refused: HashSet::new(), resumed: 0, unsuccessful: 0 };
    interrupt::listen();
    runtime::inside(|| {
        pollster::block_on(async {
            let recovered = pin!(recoverer.recover());
            match select(recovered, pin!(interrupt::signal())).await {
                Either::Left((outcome, _)) => outcome,
                Either::Right(((), _)) => {
                    interrupt::shut_down(&stopped, args.grace).await;
                    Ok(Outcome::Cancelled)
                }
            }
        })
    })
}

struct Recoverer {
    engine: Engine,
    refused: HashSet<RunId>,
    resumed: usize,
    unsuccessful: usize,
}

impl Recoverer {
    async fn recover(mut self) -> Result<Outcome, Failure> {
        let mut leases_expired_at = None;
        loop {
            let polled_at = Instant::now();
            let Recovery { runs, held, .. } = self.resume_runs().await?;
            let ends =
                join_all(runs.iter().map(async |run| print_end(run, run.outcome().await))).await;
            self.unsuccessful +=
                ends.into_iter().filter(|status| *status != Status::Completed).count();
            // A lease that is renewed by then belongs to an engine that is alive.
            let leases_expired_at = *leases_expired_at.get_or_insert_with(|| {
                if held.runs > 0 {
                    output::message(format_args!(
                        "waiting up to {} for {} whose engine may still be alive",
                        short_duration(held.expires_in),
                        count(held.runs, "run")
                    ));
                }
                polled_at + held.expires_in + POLL_INTERVAL
            });
            if held.runs == 0 || polled_at >= leases_expired_at {
                break;
            }
            Delay::new(POLL_INTERVAL).await;
        }
        if self.resumed == 0 && self.refused.is_empty() {
            output::message("no runs to resume");
        }
        Ok(if self.unsuccessful == 0 && self.refused.is_empty() {
            Outcome::Success
        } else {
            Outcome::Failed
        })
    }

    /// Resumes all runs that can be resumed, and prints them.
    async fn resume_runs(&mut self) -> Result<Recovery, Failure> {
        let mut recovery = self.engine.recover().await?;
        for run in &recovery.runs {
            output::message(format_args!("run {} of {} resumed", run.id(), run.workflow()));
        }
        for (run, error) in recovery.refused.drain(..) {
            if self.refused.insert(run) {
                output::message(format_args!(
                    "run {run} {}: {error}",
                    styled(ERROR, "cannot be resumed")
                ));
            }
        }
        self.resumed += recovery.runs.len();
        Ok(recovery)
    }
}

/// Prints how a run ended.
fn print_end(run: &RunHandle, ended: Result<workflow_core::Report, RunError>) -> Status {
    let (name, id) = (run.workflow(), run.id());
    match ended {
        Ok(report) | Err(RunError::Failed(report) | RunError::Cancelled(report)) => {
            let style = match report.status() {
                Status::Completed => SUCCESS,
                Status::Cancelled => WARNING,
                _ => ERROR,
            };
            let reason = report.reason().map(|reason| format!(": {reason}")).unwrap_or_default();
            output::message(format_args!(
                "run {id} of {name} {} in {}{reason}",
                styled(style, report.status()),
                short_duration(report.duration())
            ));
            report.status()
        }
        Err(error) => {
            output::error(&error);
            Status::Failed
        }
    }
}

/// The time between two reads of the store.
const POLL_INTERVAL: Duration = Duration::from_millis(250);
