//! `run`: runs a workflow, shows how it goes, and reports.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};
use workflow_core::{
    Engine, Report, Run as _, RunError, RunHandle, Status, Workflow, WorkflowFile, registry,
};

use crate::display::{JsonLines, Screen, watch};
use crate::failure::{Failure, Outcome};
use crate::input::{self, InputArguments};
use crate::output::FAINT;
use crate::target::Target;
use crate::{interrupt, output, runtime};

/// Run a workflow and report what came of it
///
/// Shows on standard error how the run goes: a line for each job under way on a terminal, a line
/// for each event elsewhere, or with NO_COLOR; and what the jobs print. Ends with the report on
/// standard output.
///
/// Ctrl-C cancels the run: jobs are asked to stop, and have some seconds to do so. A second Ctrl-C
/// ends them at once.
#[derive(Debug, Args)]
#[command(visible_aliases = ["execute", "trigger"], after_help = EXAMPLES)]
pub(crate) struct RunArguments {
    /// The name of a registered workflow, or a file; `-` reads standard input
    #[arg(value_name = "NAME|FILE")]
    workflow: String,
    #[command(flatten)]
    input: InputArguments,
    /// How many jobs may run at once [default: no limit but the workflow's]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_parallel: Option<u32>,
    /// Where a run of a file keeps what its commands print [default: .workflow/runs]
    #[arg(long, value_name = "FOLDER")]
    runs_dir: Option<PathBuf>,
    /// What to write to standard output
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    format: Format,
    /// Show nothing while the run goes on
    #[arg(short, long)]
    quiet: bool,
}

const EXAMPLES: &str = "\
Examples:
  workflow run etl
  workflow run etl.yaml --max-parallel 4
  workflow run etl --input '{\"day\": \"2026-01-02\", \"dry\": true}'
  workflow run etl --param day=2026-01-02 --param dry=true
  workflow run etl --input @day.json
  workflow run etl -f json | jq .output
  workflow run etl -f jsonl | jq -r 'select(.event == \"job_failed\") | .job'
  workflow run etl -f jsonl | jq -j 'select(.event == \"job_output\") | .text'

Exit codes:
  0 it completed, 1 it failed, 2 wrong usage or input, 130 it was cancelled";

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A report for people
    #[default]
    Text,
    /// The report as one JSON document
    Json,
    /// Each event, and what jobs print, as a line of JSON as it happens, and in the last line
    /// `{"report": ...}`
    Jsonl,
}

pub(crate) fn run(wanted: &RunArguments) -> Result<Outcome, Failure> {
    let target = Target::find(&wanted.workflow)?;
    let screen = match wanted.format {
        // The events are all that is to be shown.
        Format::Jsonl => Screen::Quiet,
        _ if wanted.quiet => Screen::Quiet,
        _ => Screen::of_standard_error(),
    };
    let ready = Ready::new(target, wanted);
    let input = wanted.input.json()?;
    input::check(&*ready.workflow, input.as_ref())?;
    runtime::inside(|| {
        interrupt::listen();
        interrupt::clears(&screen);
        let request = ready.engine.run(ready.workflow);
        let run = match input {
            Some(input) => request.input(input).start()?,
            None => request.start()?,
        };
        interrupt::cancels(&run);
        let outcome = follow(&run, wanted, &screen);
        interrupt::done();
        if let Some(file) = ready.file.filter(|_| !wanted.quiet) {
            tell_log(&file.log_of(run.id()));
        }
        outcome
    })
}

/// How much of what jobs print may wait to be shown, in bytes: this process has one run.
const OUTPUT_BACKLOG: usize = 64 << 20;

/// A workflow, and the engine that runs it as it is wanted.
struct Ready {
    workflow: Arc<dyn Workflow>,
    engine: Engine,
    file: Option<WorkflowFile>,
}

impl Ready {
    fn new(target: Target, wanted: &RunArguments) -> Self {
        let max_parallel = wanted.max_parallel.map(|jobs| jobs as usize);
        let mut engine = registry::engine().to_builder().output_backlog(OUTPUT_BACKLOG);
        match target {
            Target::Registered(entry) => {
                if let Some(jobs) = max_parallel {
                    engine = engine.max_parallel(jobs);
                }
                Self { workflow: entry.workflow(), engine: engine.build(), file: None }
            }
            Target::File(file) => {
                for (name, jobs) in file.limits() {
                    engine = engine.limit(name, jobs);
                }
                let mut file = *file;
                if let Some(jobs) = max_parallel {
                    file = file.max_parallel(jobs);
                }
                if let Some(folder) = &wanted.runs_dir {
                    file = file.runs_dir(folder);
                }
                let workflow = Arc::new(file.clone());
                Self { workflow, engine: engine.build(), file: Some(file) }
            }
        }
    }
}

/// Says where what the commands printed is kept.
fn tell_log(log: &Path) {
    if log.exists() {
        output::say(format_args!("{FAINT}log: {}{FAINT:#}", log.display()));
    }
}

/// Shows the run until its end, and then the report.
fn follow(run: &RunHandle, wanted: &RunArguments, screen: &Screen) -> Result<Outcome, Failure> {
    if wanted.format == Format::Jsonl {
        let mut lines = JsonLines::new(anstream::stdout(), wanted.quiet);
        let failed = pollster::block_on(watch(run, &mut lines));
        let report = report(run)?;
        let written = failed.map_or_else(|| lines.report(&report), Err);
        return conclude(&report, written.map_err(Failure::Output));
    }
    let mut display = screen.display(run);
    // Where standard error is closed, nobody wants to be told.
    let _nobody_looks = pollster::block_on(watch(run, &mut *display));
    let report = report(run)?;
    let written = match wanted.format {
        Format::Json => output::print_json(&report),
        _ => output::print(|out| write!(out, "{report}")),
    };
    conclude(&report, written)
}

/// The report of a run, however it ended.
fn report(run: &RunHandle) -> Result<Report, Failure> {
    match run.join() {
        Ok(report) | Err(RunError::Failed(report) | RunError::Cancelled(report)) => Ok(report),
        Err(error) => Err(error.into()),
    }
}

/// What the run came to. That nobody reads the report changes nothing about it.
fn conclude(report: &Report, written: Result<(), Failure>) -> Result<Outcome, Failure> {
    match written {
        Err(Failure::Output(error)) if gone(&error) => {}
        written => written?,
    }
    Ok(match report.status() {
        Status::Completed => Outcome::Good,
        Status::Cancelled => Outcome::Cancelled,
        _ => Outcome::Bad,
    })
}

fn gone(error: &io::Error) -> bool {
    error.kind() == ErrorKind::BrokenPipe
}
