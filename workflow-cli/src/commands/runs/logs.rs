//! `runs logs`: the output of the jobs of a run.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use workflow_core::Status;
use workflow_core::id::RunId;
use workflow_core::run_log::{LogPosition, LogRecord, RunLog};
use workflow_core::store::StoredRun;
use workflow_store::Catalog;

use crate::args::{RunSelector, StoreArguments, integer};
use crate::failure::{Failure, Outcome};
use crate::output;
use crate::render::job_output;
use crate::session::stored_run;

/// Show the output of the jobs of a run
///
/// The log is a file on the machine that ran the jobs. A terminal shows it with control codes
/// escaped and without colours. With --job, a file or a pipe receives every byte unchanged.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::commands) struct LogsArguments {
    /// Run: its number, its ID or the first 8 or more characters of it, or `latest`
    #[arg(value_name = "RUN")]
    run: RunSelector,
    /// Only the output of this job, without its name before each line
    #[arg(long, value_name = "JOB")]
    job: Option<String>,
    /// Only the output of this attempt
    #[arg(long, value_name = "N", requires = "job", value_parser = integer::<u32>(1..))]
    attempt: Option<u32>,
    /// Show new output until the run has ended
    #[arg(short = 'F', long)]
    follow: bool,
}

const EXAMPLES: &str = "\
Examples:
  workflow runs logs 01980000-0000-7000-8000-000000000000
  workflow runs logs 01980000-0000-7000-8000-000000000000 --job extract -F";

pub(super) fn logs(args: &LogsArguments, store: &StoreArguments) -> Result<Outcome, Failure> {
    let store = store.open_existing()?;
    let run = stored_run(&*store, args.run.find(&*store)?)?;
    check_job(args, &run)?;
    check_attempt(args, &*store, run.id)?;
    let mut log = args.log(log_of(&run)?);
    if !args.follow && !log.path.exists() {
        return Err(Failure::Usage(no_log(&run, &log.path)));
    }
    loop {
        // Checked before reading, so that output up to the end is not missed.
        let over = !args.follow || has_ended(&*store, run.id)?;
        log.print()?;
        if over {
            return Ok(Outcome::Success);
        }
        pollster::block_on(futures_timer::Delay::new(POLL_INTERVAL));
    }
}

/// The time between two reads of the log.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

fn check_job(args: &LogsArguments, run: &StoredRun) -> Result<(), Failure> {
    let Some(job) = &args.job else { return Ok(()) };
    let nodes = run.workflow.graph["nodes"].as_array();
    let names: Vec<_> =
        nodes.into_iter().flatten().filter_map(|node| node["id"].as_str()).collect();
    if names.contains(&job.as_str()) || has_printed(run, job)? {
        return Ok(());
    }
    Err(Failure::Usage(format!("run {} has no job `{job}`; it has {}", run.id, names.join(", "))))
}

fn check_attempt(args: &LogsArguments, store: &dyn Catalog, run: RunId) -> Result<(), Failure> {
    let (Some(job), Some(attempt)) = (&args.job, args.attempt) else { return Ok(()) };
    let details = pollster::block_on(store.run_details(run))?;
    let attempts = details.jobs.iter().find(|of| of.name == *job).map(|of| of.attempts);
    match attempts {
        // An attempt may follow.
        Some(attempts)
            if attempt > attempts && !(args.follow && details.run.completed_at.is_none()) =>
        {
            Err(Failure::Usage(format!("job `{job}` has no attempt {attempt}; it has {attempts}")))
        }
        _ => Ok(()),
    }
}

/// Whether the log has output of this job. Hooks of files and jobs called by functions are not in
/// the graph.
fn has_printed(run: &StoredRun, job: &str) -> Result<bool, Failure> {
    let Some(log) = run.log().filter(|log| log.exists()) else { return Ok(false) };
    Ok(RunLog::attempts(&log)?.iter().any(|attempt| attempt.job == job))
}

fn log_of(run: &StoredRun) -> Result<PathBuf, Failure> {
    run.log().ok_or_else(|| {
        let why = match run.workflow.is_external() {
            true => "another program runs it, and only reports its status",
            false => "its engine has no folder for logs (`runs_dir`)",
        };
        Failure::Usage(format!("run {} of `{}` has no log: {why}", run.id, run.workflow.name))
    })
}

fn no_log(run: &StoredRun, path: &Path) -> String {
    let why = match run.status {
        Status::Pending => "it has not started",
        _ => "no job has printed anything yet, it ran on another machine, or the log was removed",
    };
    format!("run {} has no log at `{}`: {why}", run.id, path.display())
}

fn has_ended(store: &dyn Catalog, run: RunId) -> Result<bool, Failure> {
    Ok(stored_run(store, run)?.status.is_final())
}

impl LogsArguments {
    /// The log at this path, of which nothing was printed yet.
    pub(in crate::commands) fn log(&self, path: PathBuf) -> Log<'_> {
        Log { path, end: LogPosition::default(), args: self }
    }
}

#[cfg(feature = "temporal")]
impl LogsArguments {
    pub(in crate::commands) fn run(&self) -> &RunSelector {
        &self.run
    }

    pub(in crate::commands) fn follows(&self) -> bool {
        self.follow
    }
}

/// A log, and the position up to which it was printed.
pub(in crate::commands) struct Log<'a> {
    path: PathBuf,
    end: LogPosition,
    args: &'a LogsArguments,
}

impl Log<'_> {
    /// Prints new output.
    pub(in crate::commands) fn print(&mut self) -> Result<(), Failure> {
        if !self.path.exists() {
            return Ok(());
        }
        let segment = self.segment()?;
        let mut out: Box<dyn Write> = match self.args.job {
            Some(_) => Box::new(BufWriter::new(output::raw_stdout())),
            None => Box::new(BufWriter::new(output::stdout())),
        };
        for record in RunLog::read_from(&self.path, self.end)? {
            let record = record?;
            self.end = record.place.end();
            if self.matches(&record) && segment.is_none_or(|of| of == record.place.segment) {
                self.write(&mut *out, &record)?;
            }
        }
        Ok(out.flush()?)
    }

    /// The segment of the requested attempt. Earlier segments may contain output of the same
    /// attempt from before it was interrupted.
    fn segment(&self) -> Result<Option<u32>, Failure> {
        match (&self.args.job, self.args.attempt) {
            (Some(job), Some(attempt)) => Ok(Some(RunLog::segment_of(&self.path, job, attempt)?)),
            _ => Ok(None),
        }
    }

    fn matches(&self, record: &LogRecord) -> bool {
        let LogsArguments { job, attempt, .. } = self.args;
        job.as_ref().is_none_or(|job| *job == record.job)
            && attempt.is_none_or(|attempt| attempt == record.attempt)
    }

    fn write(&self, out: &mut dyn Write, record: &LogRecord) -> Result<(), Failure> {
        if self.args.job.is_some() {
            return Ok(out.write_all(&record.chunk.bytes)?);
        }
        match job_output(&record.job, &String::from_utf8_lossy(&record.chunk.bytes)) {
            Some(lines) => Ok(writeln!(out, "{lines}")?),
            None => Ok(()),
        }
    }
}
