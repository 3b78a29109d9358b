//! `stats`: shows run counts, success rates and durations.

use comfy_table::Table;
use workflow_store::{Durations, Statistics};

use clap::Args;

use crate::args::{ListFormat, StoreArguments};
use crate::failure::{Failure, Outcome};
use crate::output::{self, short_duration};

/// Show run counts, success rates and durations
///
/// With --workflow, includes the jobs of the workflow. Percentiles are upper bounds, accurate to
/// 9 %. The maximum and the mean are exact.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct StatsArguments {
    #[command(flatten)]
    pub(crate) store: StoreArguments,
    /// Only this workflow, with its jobs: its ID, name or slug
    #[arg(long, value_name = "WORKFLOW")]
    workflow: Option<String>,
    /// Output format
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    format: ListFormat,
}

const EXAMPLES: &str = "\
Examples:
  workflow stats
  workflow stats --workflow daily-etl
  workflow stats -f json | jq '.[] | select(.success_rate < 0.9) | .workflow'";

pub(crate) fn stats(args: &StatsArguments) -> Result<Outcome, Failure> {
    let found = args.store.open_existing()?;
    let found = pollster::block_on(found.statistics(args.workflow.as_deref()))?;
    if args.format == ListFormat::Json {
        output::print_json(&found)?;
        return Ok(Outcome::Success);
    }
    if found.is_empty() {
        output::message(format_args!("`{}` has no runs", args.store.display_name()));
        return Ok(Outcome::Success);
    }
    output::print(|out| {
        output::write_table(out, workflows(&found))?;
        match found.as_slice() {
            [one] if args.workflow.is_some() && !one.jobs.is_empty() => {
                writeln!(out)?;
                output::write_table(out, jobs(one))
            }
            _ => Ok(()),
        }
    })?;
    Ok(Outcome::Success)
}

fn workflows(found: &[Statistics]) -> Table {
    let mut table = titled("WORKFLOW", "REQUESTED");
    for of in found {
        table.add_row(
            [of.workflow.clone(), of.requested.to_string()].into_iter().chain(row(&of.runs)),
        );
    }
    table
}

fn jobs(of: &Statistics) -> Table {
    let mut table = titled("JOB", "FINISHED");
    for job in &of.jobs {
        let Durations { completed, failed, cancelled, .. } = job.durations;
        let ended = (completed + failed + cancelled).to_string();
        table.add_row([job.job.clone(), ended].into_iter().chain(row(&job.durations)));
    }
    table
}

fn titled(what: &str, count: &str) -> Table {
    let mut table = output::table();
    let figures = "COMPLETED FAILED CANCELLED SUCCESS P50 P95 MAX".split(' ');
    table.set_header([what, count].into_iter().chain(figures));
    table
}

fn row(of: &Durations) -> [String; 7] {
    let rate = of.success_rate.map(|rate| format!("{:.1}%", rate * 100.0));
    let some = of.completed + of.failed + of.cancelled > 0;
    let took = |span| if some { short_duration(span) } else { "-".to_owned() };
    [
        of.completed.to_string(),
        of.failed.to_string(),
        of.cancelled.to_string(),
        rate.unwrap_or_else(|| "-".to_owned()),
        took(of.p50),
        of.p95.map_or_else(|| "-".to_owned(), short_duration),
        took(of.max),
    ]
}
