//! Starts a run, shows its progress, and prints its report.

use std::io;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value as Json;
use workflow_core::engine::{Enqueued, RunHandle, RunRequest};
use workflow_core::id::RunId;
use workflow_core::store::{SharedBy, StoredRun, Trigger};
use workflow_core::{Engine, Report, Run as _, RunError, Workflow};
use workflow_store::Catalog;

use super::answer::print_existing;
use super::engine::{is_abandoned, stored_run};
use super::{detach, follow, unserved};
use crate::args::{Format, PersistenceArguments, ShowArguments, current_user};
use crate::failure::{Failure, Outcome};
use crate::output::{self, DIM, ignore_broken_pipe};
use crate::render::{JsonLines, Progress, Screen, watch};
use crate::{interrupt, runtime};

/// A run to start, with the options of its command.
pub(crate) struct RunSession<'a> {
    pub(crate) engine: Engine,
    pub(crate) workflow: Arc<dyn Workflow>,
    /// The ID of the workflow, if it comes from the store.
    pub(crate) workflow_id: Option<i64>,
    pub(crate) input: Option<Json>,
    pub(crate) trigger: Trigger,
    /// The run that this one retries.
    pub(crate) retry_of: Option<&'a StoredRun>,
    pub(crate) persistence: &'a PersistenceArguments,
    /// The store, if the run is saved.
    pub(crate) store: Option<Arc<dyn Catalog>>,
    pub(crate) show: &'a ShowArguments,
}

impl RunSession<'_> {
    /// Starts the run and shows it until its end, or starts a background process for it.
    ///
    /// # Errors
    ///
    /// Fails when the run cannot start or is aborted.
    pub(crate) fn run(self) -> Result<Outcome, Failure> {
        let Some(store) = self.store.clone().filter(|_| self.persistence.detach) else {
            return self.run_here();
        };
        let run = match pollster::block_on(self.request().enqueue_once())? {
            Enqueued::New(run) => return detach::start(run, self.show.format),
            Enqueued::Cancelled(run) => return detach::refused(&*store, run, self.show.format),
            Enqueued::Existing(run, by) => {
                print_existing(&*store, &stored_run(&*store, run)?, by)?;
                run
            }
        };
        let existing = stored_run(&*store, run)?;
        if pollster::block_on(is_abandoned(&*store, run))? {
            return detach::start(run, self.show.format);
        }
        detach::print_started(run, None, self.show.format)?;
        Ok(if existing.status.is_final() { existing.status.into() } else { Outcome::Success })
    }

    fn request(&self) -> RunRequest {
        let key = self.persistence.idempotency_key.as_deref();
        let (workflow, input) = (self.workflow.clone(), self.input.as_ref());
        let request = request(&self.engine, workflow, self.workflow_id, input, key);
        let request = request.trigger(self.trigger);
        match self.retry_of {
            Some(run) => request.retry_of(run),
            None => request,
        }
    }

    /// Runs in this process.
    fn run_here(self) -> Result<Outcome, Failure> {
        let screen = self.show.screen();
        runtime::inside(|| {
            interrupt::listen();
            interrupt::clear_on_exit(&screen);
            let run = self.request().start()?;
            let id = self.store.as_ref().map(|store| self.announce(store, &run)).transpose()?;
            self.stop_on_signal(&run);
            let outcome = match (&self.store, id) {
                (Some(store), Some(id)) if run.existing().is_some() || run.waits_for_limits() => {
                    self.follow(store, id)
                }
                _ => {
                    let outcome = show(&run, self.show, &screen);
                    if let Some(log) = run.log().filter(|_| !self.show.quiet) {
                        print_log_path(&log);
                    }
                    outcome
                }
            };
            interrupt::disarm();
            outcome
        })
    }

    /// Prints which run it is and, if it may not begin yet, why. Returns its ID.
    fn announce(&self, store: &Arc<dyn Catalog>, run: &RunHandle) -> Result<RunId, Failure> {
        let id = pollster::block_on(run.persisted())?;
        if let Some((_, by)) = run.existing() {
            print_existing(&**store, &stored_run(&**store, id)?, by)?;
        } else if !self.show.quiet {
            output::message(format_args!("{DIM}run: {id}{DIM:#}"));
            if let Some(wait) = pollster::block_on(store.waits_for(id))? {
                output::message(format_args!("it waits for its {wait}"));
            }
            unserved::warn_of_jobs(&**store, run.graph())?;
        }
        Ok(id)
    }

    /// Makes the next signal cancel the run. If the run was there before, and the request was only
    /// refused a slot, the run goes on without this process.
    fn stop_on_signal(&self, run: &RunHandle) {
        if let Some((_, SharedBy::Slot)) = run.existing() {
            return interrupt::leave_on_signal(self.engine.clone());
        }
        let cancelled = run.clone();
        let saved_by = self.store.is_some().then(|| self.engine.clone());
        interrupt::cancel_on_signal(saved_by, move || cancelled.cancel());
    }

    /// Shows a run that is not this process's alone: others may run it, or it waits for its limits.
    fn follow(&self, store: &Arc<dyn Catalog>, id: RunId) -> Result<Outcome, Failure> {
        let run = stored_run(&**store, id)?;
        match follow::follow(store, &run, self.show, Some(&self.engine)) {
            Err(Failure::Run(RunError::ShutDown { .. })) => {
                output::message(format_args!(
                    "run {id} is left to other processes; use `runs watch {id}` to watch it, \
                     `runs cancel {id}` to cancel it"
                ));
                Ok(Outcome::Cancelled)
            }
            outcome => outcome,
        }
    }
}

/// A request for a run in the name of the current user.
pub(crate) fn request(
    engine: &Engine,
    workflow: Arc<dyn Workflow>,
    workflow_id: Option<i64>,
    input: Option<&Json>,
    idempotency_key: Option<&str>,
) -> RunRequest {
    let mut request = engine.run(workflow);
    if let Some(key) = idempotency_key {
        request = request.idempotency_key(key);
    }
    if let Some(id) = workflow_id {
        request = request.workflow_id(id);
    }
    if let Some(user) = current_user() {
        request = request.user(user);
    }
    match input {
        Some(input) => request.input(input),
        None => request,
    }
}

/// Prints the path of the log with the output of jobs.
fn print_log_path(log: &Path) {
    if log.exists() {
        let current = std::env::current_dir().ok();
        let near = current.as_deref().and_then(|current| log.strip_prefix(current).ok());
        output::message(format_args!("{DIM}log: {}{DIM:#}", near.unwrap_or(log).display()));
    }
}

/// Shows the run until its end, and then its report.
fn show(run: &RunHandle, show: &ShowArguments, screen: &Screen) -> Result<Outcome, Failure> {
    if show.format == Format::Jsonl {
        let mut lines = JsonLines::new(output::stdout(), show.quiet);
        let failed = pollster::block_on(watch(run, &mut lines));
        let report = report(run)?;
        let written = failed.map_or_else(|| lines.report(&report), Err);
        return conclude(&report, written.map_err(Failure::Output));
    }
    let mut display = screen.display(run.workflow(), Progress::new(run.graph().job_names()));
    // A closed standard error does not affect the run.
    let _ignored = pollster::block_on(watch(run, &mut *display));
    let report = report(run)?;
    let written = match show.format {
        Format::Json => output::print_json(&report),
        _ => output::print(|out| {
            write!(out, "{report}")?;
            write_output(out, &report)
        }),
    };
    conclude(&report, written)
}

/// Writes the output of the run, if it has one that can be JSON.
fn write_output(out: &mut dyn io::Write, report: &Report) -> io::Result<()> {
    let Ok(output) = report.output_json() else { return Ok(()) };
    if output.is_null() {
        return Ok(());
    }
    let compact = output.to_string();
    let text = if compact.len() > LINE { serde_json::to_string_pretty(&output)? } else { compact };
    writeln!(out, "output: {text}")
}

/// Longer outputs are written on several lines.
const LINE: usize = 72;

/// The report of a run that completed, failed or was cancelled.
fn report(run: &RunHandle) -> Result<Report, Failure> {
    match run.wait() {
        Ok(report) | Err(RunError::Failed(report) | RunError::Cancelled(report)) => Ok(report),
        Err(error) => Err(error.into()),
    }
}

/// The outcome of the run. A closed pipe does not change it.
fn conclude(report: &Report, written: Result<(), Failure>) -> Result<Outcome, Failure> {
    ignore_broken_pipe(written)?;
    Ok(report.status().into())
}
