//! `workers`: the workers of a store, and the queues in which runs wait.

use std::time::SystemTime;

use clap::{Args, Subcommand};
use comfy_table::Table;
use serde_json::{Value as Json, json};
use workflow_core::event::format_time;
use workflow_core::store::{Backlog, StoredWorker};

use crate::args::{HostStore, ListFormat, StoreArguments};
use crate::failure::{Failure, Outcome};
use crate::output::{self, short_duration};
use crate::render::short_time;

/// List workers and task queues
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct WorkersArguments {
    #[command(subcommand)]
    command: WorkersCommand,
}

#[derive(Debug, Subcommand)]
enum WorkersCommand {
    List(ListArguments),
}

/// List the workers of a store, and the task queues in which runs wait
///
/// Workers report every 2 s. A worker without a report for 8 s counts as dead, and is listed for
/// another hour. A queue without a live worker is marked.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
struct ListArguments {
    #[command(flatten)]
    store: StoreArguments,
    /// Output format
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    format: ListFormat,
}

const EXAMPLES: &str = "\
Examples:
  workflow workers list
  workflow workers list -f json | jq '.queues[] | select(.workers == 0) | .queue'";

impl WorkersArguments {
    /// Sets the store that is used without `--db`.
    pub(crate) fn set_store(&mut self, host: HostStore) {
        let WorkersCommand::List(args) = &mut self.command;
        args.store.host = Some(host);
    }
}

pub(crate) fn workers(args: &WorkersArguments) -> Result<Outcome, Failure> {
    let WorkersCommand::List(args) = &args.command;
    let store = args.store.open_existing()?;
    let (workers, backlogs) = pollster::block_on(async {
        Ok::<_, Failure>((store.workers().await?.unwrap_or_default(), store.backlogs().await?))
    })?;
    if args.format == ListFormat::Json {
        output::print_json(&as_json(&workers, &backlogs))?;
        return Ok(Outcome::Success);
    }
    if workers.is_empty() && backlogs.is_empty() {
        let store = args.store.display_name();
        output::message(format_args!("no workers and no queued runs in `{store}`"));
        return Ok(Outcome::Success);
    }
    output::print(|out| {
        if !workers.is_empty() {
            output::write_table(out, worker_table(&workers))?;
        }
        if !workers.is_empty() && !backlogs.is_empty() {
            writeln!(out)?;
        }
        if !backlogs.is_empty() {
            output::write_table(out, queue_table(&workers, &backlogs))?;
        }
        Ok(())
    })?;
    Ok(Outcome::Success)
}

fn worker_table(workers: &[StoredWorker]) -> Table {
    let mut table = output::table();
    table.set_header([
        "WORKER",
        "STATE",
        "QUEUES",
        "WORKFLOWS",
        "ACTIVITIES",
        "WAITING",
        "SINCE",
        "HEARTBEAT",
    ]);
    for worker in workers {
        let report = &worker.report;
        table.add_row([
            report.name.clone(),
            state(worker).to_owned(),
            report.queues.to_string(),
            used(report.workflows, report.max_concurrent_workflows),
            used(report.activities, report.max_concurrent_activities),
            used(report.waiting, report.max_cached_workflows),
            short_time(worker.since),
            ago(worker.last_heartbeat),
        ]);
    }
    table
}

fn queue_table(workers: &[StoredWorker], backlogs: &[Backlog]) -> Table {
    let mut table = output::table();
    table.set_header(["QUEUE", "RUNS", "JOBS", "OLDEST", "WORKERS"]);
    for backlog in backlogs {
        let serving = serving(workers, &backlog.queue);
        table.add_row([
            backlog.queue.clone(),
            backlog.waiting.to_string(),
            backlog.jobs.to_string(),
            ago(backlog.oldest),
            if serving == 0 { "none".to_owned() } else { serving.to_string() },
        ]);
    }
    table
}

/// The number of live workers that serve a queue.
fn serving(workers: &[StoredWorker], queue: &str) -> usize {
    workers.iter().filter(|worker| worker.serves(queue)).count()
}

fn state(worker: &StoredWorker) -> &'static str {
    if worker.is_alive { "alive" } else { "dead" }
}

/// Formats used slots, such as `3 of 50`.
fn used(used: usize, limit: Option<usize>) -> String {
    limit.map_or_else(|| used.to_string(), |limit| format!("{used} of {limit}"))
}

fn ago(at: SystemTime) -> String {
    let age = SystemTime::now().duration_since(at).unwrap_or_default();
    format!("{} ago", short_duration(age))
}

fn as_json(workers: &[StoredWorker], backlogs: &[Backlog]) -> Json {
    let worker = |worker: &StoredWorker| {
        let report = &worker.report;
        json!({
            "id": report.id.to_string(),
            "name": report.name,
            "state": state(worker),
            "queues": report.queues,
            "workflows": report.workflows,
            "max_concurrent_workflows": report.max_concurrent_workflows,
            "activities": report.activities,
            "max_concurrent_activities": report.max_concurrent_activities,
            "waiting": report.waiting,
            "max_cached_workflows": report.max_cached_workflows,
            "since": format_time(worker.since),
            "last_heartbeat": format_time(worker.last_heartbeat),
        })
    };
    let queue = |backlog: &Backlog| {
        json!({
            "queue": backlog.queue,
            "runs": backlog.waiting,
            "jobs": backlog.jobs,
            "oldest": format_time(backlog.oldest),
            "workers": serving(workers, &backlog.queue),
        })
    };
    json!({
        "workers": workers.iter().map(worker).collect::<Vec<_>>(),
        "queues": backlogs.iter().map(queue).collect::<Vec<_>>(),
    })
}
