//! `run`: runs a workflow, shows how it goes, and reports.

use std::io::{self, ErrorKind};

use clap::{Args, ValueEnum};
use workflow_core::{Report, RunError, RunHandle, Status};

use crate::display::{Display, JsonLines, Nothing, on_standard_error, watch};
use crate::failure::{Failure, Outcome};
use crate::input::{self, InputArguments};
use crate::target::Target;
use crate::{interrupt, output, runtime};

/// Run a workflow and report what came of it
///
/// Shows on standard error how the run goes: a line for each job under way on a terminal, a line
/// for each event elsewhere, or with NO_COLOR. Ends with the report on standard output.
///
/// Ctrl-C cancels the run: jobs are asked to stop, and have some seconds to do so. A second Ctrl-C
/// ends them at once.
#[derive(Debug, Args)]
#[command(visible_aliases = ["execute", "trigger"], after_help = EXAMPLES)]
pub(crate) struct RunArguments {
    /// The name of a registered workflow
    #[arg(value_name = "NAME")]
    workflow: String,
    #[command(flatten)]
    input: InputArguments,
    /// How many jobs may run at once [default: no limit but the workflow's]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_parallel: Option<u32>,
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
  workflow run etl --input '{\"day\": \"2026-01-02\", \"dry\": true}'
  workflow run etl --param day=2026-01-02 --param dry=true
  workflow run etl --input @day.json --max-parallel 4
  workflow run etl -f json | jq .output
  workflow run etl -f jsonl | jq -r 'select(.event == \"job_failed\") | .job'

Exit codes:
  0 it completed, 1 it failed, 2 wrong usage or input, 130 it was cancelled";

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A report for people
    #[default]
    Text,
    /// The report as one JSON document
    Json,
    /// Each event as a line of JSON as it happens, and in the last line `{"report": ...}`
    Jsonl,
}

pub(crate) fn run(wanted: &RunArguments) -> Result<Outcome, Failure> {
    let target = Target::find(&wanted.workflow)?;
    let workflow = target.workflow();
    let input = wanted.input.json()?;
    input::check(&*workflow, input.as_ref())?;
    let engine = target.engine(wanted.max_parallel.map(|jobs| jobs as usize));
    runtime::inside(|| {
        interrupt::listen()?;
        let request = engine.run(workflow);
        let run = match input {
            Some(input) => request.input(input).start()?,
            None => request.start()?,
        };
        interrupt::cancels(&run);
        let outcome = follow(&run, wanted);
        interrupt::done();
        outcome
    })
}

/// Shows the run until its end, and then the report.
fn follow(run: &RunHandle, wanted: &RunArguments) -> Result<Outcome, Failure> {
    if wanted.format == Format::Jsonl {
        let mut lines = JsonLines::new(anstream::stdout(), wanted.quiet);
        let failed = pollster::block_on(watch(run, &mut lines));
        let report = report(run)?;
        let written = failed.map_or_else(|| lines.report(&report), Err);
        return conclude(&report, written.map_err(Failure::Output));
    }
    let mut display: Box<dyn Display> =
        if wanted.quiet { Box::new(Nothing) } else { on_standard_error(run) };
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
