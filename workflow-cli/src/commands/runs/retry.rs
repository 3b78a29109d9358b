//! `runs retry`: retries a run as a new run.

use std::sync::Arc;

use clap::Args;
use workflow_core::engine::Enqueued;
use workflow_core::store::{StoredRun, Trigger};
use workflow_core::{Engine, Workflow};
use workflow_store::{Catalog, RetryError, RetryRequest, RetrySource, retry_run};

use crate::args::{PersistenceArguments, RunSelector, ShowArguments, current_user};
use crate::failure::{Failure, Outcome};
use crate::session::{self, RunSession, detach, print_existing, resolve_workflow, stored_run};
use crate::{interrupt, output, runtime};

/// Retry an ended run as a new run with the same input
///
/// A workflow file is used as it was at the time of the run, a registered workflow as it is now.
/// With --failed-only or --from, the new run reuses the results of completed jobs. A job always runs
/// again if one of its dependencies does.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[command(mut_arg("db", |db| db.help(DB)))]
pub(super) struct RetryArguments {
    /// Run: its number, its ID or the first 8 or more characters of it, or `latest`
    #[arg(value_name = "RUN")]
    run: RunSelector,
    /// Run only jobs that did not complete, and their dependents
    #[arg(long)]
    failed_only: bool,
    /// Run this job, its dependents, and jobs that did not complete
    #[arg(long, value_name = "JOB", conflicts_with = "failed_only")]
    from: Option<String>,
    #[command(flatten)]
    show: ShowArguments,
    #[command(flatten)]
    pub(super) persistence: PersistenceArguments,
}

const DB: &str = "Database of the run: a SQLite file or postgres://user@host/database [default: \
    WORKFLOW_DB, or sqlite://.workflow/workflows.db]";

const EXAMPLES: &str = "\
Examples:
  workflow runs retry 01980000-0000-7000-8000-000000000000
  workflow runs retry 01980000-0000-7000-8000-000000000000 --failed-only
  workflow runs retry 01980000-0000-7000-8000-000000000000 --from transform --detach

Exit codes:
  0 the new run completed, 1 it failed, 2 invalid usage or input, 130 it was cancelled";

pub(super) fn retry(args: &RetryArguments) -> Result<Outcome, Failure> {
    let RetryArguments { run, persistence, show, .. } = args;
    if let Some(run) = persistence.detached_run {
        return detach::run_detached(run, persistence, None);
    }
    let store = persistence.store()?;
    let run = run.find(&*store)?;
    let old = stored_run(&*store, run)?;
    check_ended(&old)?;
    let workflow = resolve_workflow(&old.workflow, None)
        .map_err(|error| Failure::Usage(format!("cannot retry run {run}: {error}")))?;
    let engine = session::engine(&store, None);
    let source = match (&args.from, args.failed_only) {
        (Some(job), _) => RetrySource::From(job),
        (None, true) => RetrySource::Failed,
        (None, false) => {
            let input = old.input.clone();
            let workflow_id = pollster::block_on(store.run_summary(old.id))?.workflow_id;
            let (trigger, workflow_id, store) = (Trigger::Retry, Some(workflow_id), Some(store));
            let retry_of = Some(&old);
            return RunSession {
                engine,
                workflow,
                workflow_id,
                input,
                trigger,
                retry_of,
                persistence,
                store,
                show,
            }
            .run();
        }
    };
    retry_with_outcomes(args, &store, &engine, &*workflow, &old, source)
}

/// Checks that a run has ended and is not blocked.
fn check_ended(old: &StoredRun) -> Result<(), Failure> {
    let run = old.id;
    if let Some(blocked) = &old.blocked {
        return Err(Failure::Usage(format!(
            "run {run} is blocked: {blocked}; cancel it with `runs cancel {run}`, then retry it \
             without --failed-only and --from"
        )));
    }
    if !old.status.is_final() {
        return Err(Failure::Usage(format!(
            "cannot retry run {run} while it is {}; wait for its end with `runs watch {run}`, or \
             cancel it with `runs cancel {run}`",
            old.status
        )));
    }
    Ok(())
}

/// Starts a run that reuses results of the old one.
fn retry_with_outcomes(
    args: &RetryArguments,
    store: &Arc<dyn Catalog>,
    engine: &Engine,
    workflow: &dyn Workflow,
    old: &StoredRun,
    source: RetrySource<'_>,
) -> Result<Outcome, Failure> {
    let RetryArguments { persistence, show, .. } = args;
    let request =
        RetryRequest { user: current_user(), idempotency_key: persistence.idempotency_key.clone() };
    let enqueued = pollster::block_on(retry_run(&**store, old, workflow, source, request));
    let enqueued = enqueued.map_err(retry_failure)?;
    let new = enqueued.run();
    if let Enqueued::Existing(_, by) = enqueued {
        print_existing(&**store, &stored_run(&**store, new)?, by)?;
    }
    if persistence.detach {
        if let Enqueued::Cancelled(run) = enqueued {
            return detach::refused(&**store, run, show.format);
        }
        return detach::start(new, show.format);
    }
    if !show.quiet {
        output::message(format_args!("run: {new}"));
    }
    runtime::inside(|| {
        interrupt::listen();
        let cancelled_in = store.clone();
        interrupt::cancel_on_signal(Some(engine.clone()), move || {
            let sent = pollster::block_on(
                cancelled_in.send(new, workflow_core::store::MessageKind::Cancel),
            );
            if let Err(error) = sent {
                output::error(&error);
            }
        });
        let outcome = session::follow(store, &stored_run(&**store, new)?, show, Some(engine));
        interrupt::disarm();
        outcome
    })
}

/// Why the run cannot be retried, in terms of the command line options.
fn retry_failure(error: RetryError) -> Failure {
    match error {
        RetryError::Catalog(error) => error.into(),
        RetryError::Changed { workflow, run } => Failure::Usage(format!(
            "the definition of `{workflow}` has changed since run {run}, so its results cannot be \
             reused; omit --failed-only and --from to run all jobs again"
        )),
        RetryError::NoOutcome { run, job, before } => Failure::Usage(format!(
            "cannot start from `{job}`: its dependency `{before}` has no result in run {run}; use \
             --from {before} or --failed-only"
        )),
        other => Failure::Usage(other.to_string()),
    }
}
