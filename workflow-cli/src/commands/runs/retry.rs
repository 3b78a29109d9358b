//! A run is repeated.

use std::sync::Arc;

use clap::Args;
use workflow_core::{Engine, Enqueued, StoredRun, Trigger, Workflow};
use workflow_store::{Catalog, RetryError, RetryRequest, RetrySource, retry_run};

use crate::args::{PersistenceArguments, RunSelector, ShowArguments, current_user};
use crate::failure::{Failure, Outcome};
use crate::session::{self, RunSession, detach, print_existing, resolve_workflow, stored_run};
use crate::{interrupt, output, runtime};

/// Repeat a run that has ended, as a new run with the same input
///
/// A run of a file runs what the file was then; of code, what the code is now. With --failed-only
/// or --from, jobs that completed are not run again: the new run begins with their outcomes on
/// its record. A job runs again in any case when one that it waits for does.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct RetryArguments {
    /// The run: its number, its id or the first 8 characters of it or more, or `latest`
    #[arg(value_name = "RUN")]
    run: RunSelector,
    /// Run again only the jobs that did not complete, and those that wait for them
    #[arg(long)]
    failed_only: bool,
    /// Run again this job and all that wait for it, and what did not complete
    #[arg(long, value_name = "JOB", conflicts_with = "failed_only")]
    from: Option<String>,
    #[command(flatten)]
    show: ShowArguments,
    #[command(flatten)]
    pub(super) persistence: PersistenceArguments,
}

const EXAMPLES: &str = "\
Examples:
  workflow runs retry 01980000-0000-7000-8000-000000000000
  workflow runs retry 01980000-0000-7000-8000-000000000000 --failed-only
  workflow runs retry 01980000-0000-7000-8000-000000000000 --from transform --detach

Exit codes:
  0 the new run completed, 1 it failed, 2 wrong usage or input, 130 it was cancelled";

pub(super) fn retry(wanted: &RetryArguments) -> Result<Outcome, Failure> {
    let RetryArguments { run, persistence, show, .. } = wanted;
    if let Some(run) = persistence.detached_run {
        return detach::run_detached(run, persistence, None);
    }
    let store = persistence.store()?;
    let run = run.find(&*store)?;
    let old = stored_run(&*store, run)?;
    if let Some(blocked) = &old.blocked {
        return Err(Failure::Usage(format!(
            "run {run} is blocked: {blocked}; cancel it with `runs cancel {run}`, then retry it \
             without --failed-only and --from"
        )));
    }
    if !old.status.is_final() {
        return Err(Failure::Usage(format!(
            "run {run} is {} and cannot be repeated yet; wait for its end with `runs watch {run}`, \
             or stop it with `runs cancel {run}`",
            old.status
        )));
    }
    let workflow = resolve_workflow(&old.workflow, None)
        .map_err(|error| Failure::Usage(format!("run {run} cannot be repeated: {error}")))?;
    let engine = session::engine(&store, None);
    let source = match (&wanted.from, wanted.failed_only) {
        (Some(job), _) => RetrySource::From(job),
        (None, true) => RetrySource::Failed,
        (None, false) => {
            let input = old.input;
            let workflow_id = pollster::block_on(store.run_summary(old.id))?.workflow_id;
            let (trigger, workflow_id, store) = (Trigger::Retry, Some(workflow_id), Some(store));
            let repeats = Some(old.id);
            return RunSession {
                engine,
                workflow,
                workflow_id,
                input,
                trigger,
                repeats,
                persistence,
                store,
                show,
            }
            .run();
        }
    };
    retry_with_outcomes(wanted, &store, &engine, &*workflow, &old, source)
}

/// A run that begins with outcomes of the old one.
fn retry_with_outcomes(
    wanted: &RetryArguments,
    store: &Arc<dyn Catalog>,
    engine: &Engine,
    workflow: &dyn Workflow,
    old: &StoredRun,
    source: RetrySource<'_>,
) -> Result<Outcome, Failure> {
    let RetryArguments { persistence, show, .. } = wanted;
    let request =
        RetryRequest { user: current_user(), idempotency_key: persistence.idempotency_key.clone() };
    let enqueued = pollster::block_on(retry_run(&**store, old, workflow, source, request));
    let new = match enqueued.map_err(retry_failure)? {
        Enqueued::New(run) => run,
        Enqueued::Existing(run) => {
            print_existing(&stored_run(&**store, run)?);
            run
        }
    };
    if persistence.detach {
        return detach::start(new, show.format);
    }
    if !show.quiet {
        output::message(format_args!("run: {new}"));
    }
    runtime::inside(|| {
        interrupt::listen();
        let cancelled_in = store.clone();
        interrupt::cancel_on_signal(Some(engine.clone()), move || {
            let sent =
                pollster::block_on(cancelled_in.send(new, workflow_core::MessageKind::Cancel));
            if let Err(error) = sent {
                output::error(&error);
            }
        });
        let outcome = session::follow(store, &stored_run(&**store, new)?, show, Some(engine));
        interrupt::disarm();
        outcome
    })
}

/// Why it cannot be repeated, in the words of the options.
fn retry_failure(error: RetryError) -> Failure {
    match error {
        RetryError::Catalog(error) => error.into(),
        RetryError::Changed { workflow, run } => Failure::Usage(format!(
            "the definition of `{workflow}` changed since run {run}, so that outcomes of it do not \
             fit; leave --failed-only and --from away to run everything again"
        )),
        RetryError::NoOutcome { run, job, before } => Failure::Usage(format!(
            "`{job}` cannot be begun with: `{before}`, which it waits for, left no outcome in run \
             {run}; say --from {before}, or --failed-only"
        )),
        other => Failure::Usage(other.to_string()),
    }
}
