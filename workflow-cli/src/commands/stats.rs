//! `stats`: shows run counts, success rates and durations.

use comfy_table::Table;
use serde_json::{Map, Value as Json, json};
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
        output::print_json(&found.iter().map(document).collect::<Vec<_>>())?;
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
    let mut table = titled("WORKFLOW", "STARTED");
    for of in found {
        table.add_row([of.workflow.clone(), of.begun.to_string()].into_iter().chain(row(&of.runs)));
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

fn document(of: &Statistics) -> Json {
    let mut object = figures(&of.runs);
    object.insert("workflow_id".to_owned(), of.workflow_id.into());
    object.insert("workflow".to_owned(), of.workflow.clone().into());
    object.insert("begun".to_owned(), of.begun.into());
    let jobs = of.jobs.iter().map(|job| {
        let mut object = figures(&job.durations);
        object.insert("job".to_owned(), job.job.clone().into());
        Json::Object(object)
    });
    object.insert("jobs".to_owned(), jobs.collect());
    Json::Object(object)
}

fn figures(of: &Durations) -> Map<String, Json> {
    let figures = json!({
        "completed": of.completed,
        "failed": of.failed,
        "cancelled": of.cancelled,
        "success_rate": of.success_rate,
        "mean_seconds": of.mean.as_secs_f64(),
        "p50_seconds": of.p50.as_secs_f64(),
        "p95_seconds": of.p95.map(|span| span.as_secs_f64()),
        "max_seconds": of.max.as_secs_f64(),
    });
    match figures {
        Json::Object(figures) => figures,
        _ => Map::new(),
    }
}
