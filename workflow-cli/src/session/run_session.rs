//! A run is begun, shown until its end, and reported.

use std::io;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value as Json;
use workflow_core::{
    Engine, Enqueued, Report, Run as _, RunError, RunHandle, RunId, RunRequest, StoredRun, Trigger,
    Workflow,
};
use workflow_store::Catalog;

use super::engine::{is_abandoned, stored_run};
use super::{detach, follow};
use crate::args::{Format, PersistenceArguments, ShowArguments, current_user};
use crate::failure::{Failure, Outcome};
use crate::output::{self, DIM, ignore_broken_pipe};
use crate::render::{JsonLines, Progress, Screen, watch};
use crate::{interrupt, runtime};

/// A run that is to begin.
pub(crate) struct RunSession<'a> {
    pub(crate) engine: Engine,
    pub(crate) workflow: Arc<dyn Workflow>,
    /// The number of the workflow in the store, where it was found there.
    pub(crate) workflow_id: Option<i64>,
    pub(crate) input: Option<Json>,
    pub(crate) trigger: Trigger,
    /// The run that this one repeats.
    pub(crate) repeats: Option<RunId>,
    pub(crate) persistence: &'a PersistenceArguments,
    /// Where the run is kept, if it is.
    pub(crate) store: Option<Arc<dyn Catalog>>,
    pub(crate) show: &'a ShowArguments,
}

impl RunSession<'_> {
    /// Begins the run, and shows it until its end; or leaves it to another process.
    ///
    /// # Errors
    ///
    /// Fails when it cannot begin, or is given up.
    pub(crate) fn run(self) -> Result<Outcome, Failure> {
        let Some(store) = self.store.clone().filter(|_| self.persistence.detach) else {
            return self.run_here();
        };
        let run = match pollster::block_on(self.request().enqueue_once())? {
            Enqueued::New(run) => return detach::start(run, self.show.format),
            Enqueued::Existing(run) => run,
        };
        let existing = stored_run(&*store, run)?;
        print_existing(&existing);
        if pollster::block_on(is_abandoned(&*store, run))? {
            return detach::start(run, self.show.format);
        }
        detach::print_started(run, None, self.show.format)?;
        Ok(if existing.status.is_final() { existing.status.into() } else { Outcome::Success })
    }

    /// The run as it is asked for, by the user of this terminal.
    fn request(&self) -> RunRequest {
        let mut request = self.engine.run(self.workflow.clone()).trigger(self.trigger);
        if let Some(run) = self.repeats {
            request = request.repeats(run);
        }
        if let Some(key) = &self.persistence.idempotency_key {
            request = request.idempotency_key(key);
        }
        if let Some(id) = self.workflow_id {
            request = request.workflow_id(id);
        }
        if let Some(user) = current_user() {
            request = request.user(user);
        }
        match &self.input {
            Some(input) => request.input(input),
            None => request,
        }
    }

    /// In this process.
    fn run_here(self) -> Result<Outcome, Failure> {
        let screen = self.show.screen();
        runtime::inside(|| {
            interrupt::listen();
            interrupt::clear_on_exit(&screen);
            let run = self.request().start()?;
            if let Some(store) = &self.store {
                let id = pollster::block_on(run.persisted())?;
                // The id alone may have become that of the earlier run at any moment.
                if run.existing().is_some() {
                    let existing = stored_run(&**store, id)?;
                    print_existing(&existing);
                    return follow::follow(store, &existing, self.show, Some(&self.engine));
                }
                if !self.show.quiet {
                    output::message(format_args!("{DIM}run: {id}{DIM:#}"));
                }
            }
            let cancelled = run.clone();
            let saved_by = self.store.is_some().then(|| self.engine.clone());
            interrupt::cancel_on_signal(saved_by, move || cancelled.cancel());
            let outcome = show(&run, self.show, &screen);
            interrupt::disarm();
            if let Some(log) = run.log().filter(|_| !self.show.quiet) {
                print_log_path(&log);
            }
            outcome
        })
    }
}

/// Says that the idempotency key has begun a run before.
pub(crate) fn print_existing(stored: &StoredRun) {
    let StoredRun { id, status, .. } = stored;
    output::message(format_args!("run {id} began under this idempotency key before: {status}"));
}

/// Says where what the jobs printed is kept.
fn print_log_path(log: &Path) {
    if log.exists() {
        let current = std::env::current_dir().ok();
        let near = current.as_deref().and_then(|current| log.strip_prefix(current).ok());
        output::message(format_args!("{DIM}log: {}{DIM:#}", near.unwrap_or(log).display()));
    }
}

/// Shows the run until its end, and then the report.
fn show(run: &RunHandle, show: &ShowArguments, screen: &Screen) -> Result<Outcome, Failure> {
    if show.format == Format::Jsonl {
        let mut lines = JsonLines::new(output::stdout(), show.quiet);
        let failed = pollster::block_on(watch(run, &mut lines));
        let report = report(run)?;
        let written = failed.map_or_else(|| lines.report(&report), Err);
        return conclude(&report, written.map_err(Failure::Output));
    }
    let mut display = screen.display(run.workflow(), Progress::new(run.graph().job_names()));
    // Where standard error is closed, nobody wants to be told.
    let _nobody_looks = pollster::block_on(watch(run, &mut *display));
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

/// Writes what the run gave back, if it gave anything that has a JSON form.
fn write_output(out: &mut dyn io::Write, report: &Report) -> io::Result<()> {
    let Ok(output) = report.output_json() else { return Ok(()) };
    if output.is_null() {
        return Ok(());
    }
    let compact = output.to_string();
    let text = if compact.len() > LINE { serde_json::to_string_pretty(&output)? } else { compact };
    writeln!(out, "output: {text}")
}

/// An output that is longer is written in several lines.
const LINE: usize = 72;

/// The report of a run, however it ended.
fn report(run: &RunHandle) -> Result<Report, Failure> {
    match run.wait() {
        Ok(report) | Err(RunError::Failed(report) | RunError::Cancelled(report)) => Ok(report),
        Err(error) => Err(error.into()),
    }
}

/// What the run came to. That nobody reads the report changes nothing about it.
fn conclude(report: &Report, written: Result<(), Failure>) -> Result<Outcome, Failure> {
    ignore_broken_pipe(written)?;
    Ok(report.status().into())
}
