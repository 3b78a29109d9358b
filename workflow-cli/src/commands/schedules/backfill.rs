//! `schedules backfill`: starts the runs of times that have passed.

use std::time::SystemTime;

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;
use workflow_core::engine::Enqueued;
use workflow_core::id::RunId;
use workflow_core::schedule::{backfill_limit, run_key};
use workflow_core::store::Trigger;
use workflow_cron::{PastRange, RangeError, Times};
use workflow_store::StoredWorkflow;

use super::act::{Runnable, scheduled};
use crate::args::{ListFormat, StoreArguments, integer};
use crate::failure::{Failure, Outcome};
use crate::output::{self, count};

/// Queue the runs of past times of a schedule
///
/// Skips times that already have a run, so a backfill can be repeated. Unless the schedule allows
/// overlap, the runs start one after another, oldest first. One of them may still overlap a
/// scheduled run. A process that serves their task queue runs them: `worker` or `serve`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct BackfillArguments {
    /// ID, name or slug of the workflow
    #[arg(value_name = "WORKFLOW")]
    workflow: String,
    /// First time, in the time zone of the schedule: 2026-01-02, 2026-01-02T03:00, or with an offset
    #[arg(long, value_name = "TIME")]
    from: String,
    /// Last time; a date without a time is its end [default: now]
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// Maximum number of runs
    #[arg(long, value_name = "N", default_value_t = 100,
          value_parser = integer::<u32>(1..=100_000))]
    limit: u32,
    /// List the times, and start nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    pub(super) store: StoreArguments,
    /// Output format
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    format: ListFormat,
}

const EXAMPLES: &str = "\
Examples:
  workflow schedules backfill nightly --from 2026-01-01 --to 2026-01-07 --dry-run
  workflow schedules backfill nightly --from 2026-01-01T00:00:00Z --limit 1000";

/// A time of the backfill.
#[derive(Serialize)]
struct Row {
    at: String,
    /// `None` in a dry run.
    run: Option<RunId>,
    /// Whether the time had a run.
    existing: bool,
}

pub(super) fn backfill(args: &BackfillArguments) -> Result<Outcome, Failure> {
    let store = args.store.open_or_create()?;
    let workflow = scheduled(&*store, &args.workflow)?;
    let times = args.times(&workflow)?;
    let mut rows = Vec::new();
    if args.dry_run {
        rows.extend(times.iter().map(|at| Row { at: at.to_string(), run: None, existing: false }));
    } else {
        let runnable = Runnable::find(&*store, &workflow)?;
        for at in times {
            rows.push(start(&runnable, &workflow, at)?);
        }
    }
    args.print(&rows)
}

fn start(runnable: &Runnable, workflow: &StoredWorkflow, at: Timestamp) -> Result<Row, Failure> {
    let time = SystemTime::from(at);
    let key = run_key(&workflow.as_scheduled(), time);
    let mut request = runnable.request().trigger(Trigger::Schedule).scheduled_for(time);
    if let Some(limit) = backfill_limit(workflow.metadata.schedule_policy().overlap) {
        request = request.concurrency(limit);
    }
    let queued = pollster::block_on(request.idempotency_key(key).enqueue_once())?;
    let existing = matches!(queued, Enqueued::Existing(..));
    Ok(Row { at: at.to_string(), run: Some(queued.run()), existing })
}

impl BackfillArguments {
    /// The times of the schedule in the range, oldest first.
    fn times(&self, workflow: &StoredWorkflow) -> Result<Vec<Timestamp>, Failure> {
        let metadata = &workflow.metadata;
        let times = Times::new(metadata.schedule().unwrap_or_default(), metadata.timezone());
        let times = times.map_err(|error| Failure::Usage(error.to_string()))?;
        let (from, to) = (self.from.as_str(), self.to.as_deref());
        let range = PastRange { from, to, limit: self.limit as usize };
        times.past(range, Timestamp::now()).map_err(|error| {
            Failure::Usage(match &error {
                RangeError::From(_) => format!("--from: {error}"),
                RangeError::To(_) => format!("--to: {error}"),
                RangeError::TooMany { .. } => format!("{error} with --limit"),
                _ => error.to_string(),
            })
        })
    }

    fn print(&self, rows: &[Row]) -> Result<Outcome, Failure> {
        if self.format == ListFormat::Json {
            output::print_json(&rows)?;
            return Ok(Outcome::Success);
        }
        if rows.is_empty() {
            output::message("the schedule has no times in this range");
            return Ok(Outcome::Success);
        }
        let mut table = output::table();
        table.set_header(["TIME", "RUN", "STATE"]);
        for row in rows {
            let state = match (row.run, row.existing) {
                (None, _) => "dry run",
                (_, true) => "has a run",
                (_, false) => "queued",
            };
            let run = row.run.map_or_else(|| "-".to_owned(), |run| run.to_string());
            table.add_row([row.at.clone(), run, state.to_owned()]);
        }
        output::print(|out| output::write_table(out, table))?;
        let new = rows.iter().filter(|row| row.run.is_some() && !row.existing).count();
        let (new, times) = (count(new, "run"), count(rows.len(), "scheduled time"));
        output::message(format_args!("queued {new} for {times}"));
        Ok(Outcome::Success)
    }
}
