//! Workers and runs on a Temporal cluster, for commands with `--backend temporal://..`.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value as Json, json};
use workflow_core::engine::Engine;
use workflow_core::event::RunView;
use workflow_core::worker::Preset;
use workflow_core::{Status, Workflow, registry};
use workflow_temporal::{
    CallError, RunSummary, TemporalClient, TemporalOptions, TemporalRun, TemporalWorker,
};

use crate::args::{BackendArguments, ListFormat};
use crate::failure::{Failure, Outcome};
use crate::{interrupt, output, runtime};

/// Keep the schedules of a Temporal cluster in step with the registered workflows
///
/// Only workers on Temporal need this. `serve` runs the schedules of a store itself.
#[derive(Debug, Args)]
#[command(after_help = SCHEDULES_EXAMPLES)]
pub(crate) struct SchedulesArguments {
    #[command(flatten)]
    backend: BackendArguments,
    #[command(subcommand)]
    command: SchedulesCommand,
}

const SCHEDULES_EXAMPLES: &str = "\
Examples:
  workflow schedules sync --backend temporal://localhost:7233/default

Exit codes:
  0 success, 2 invalid usage";

#[derive(Debug, Subcommand)]
enum SchedulesCommand {
    /// Create, change and remove schedules
    ///
    /// Their IDs are PREFIX/WORKFLOW. Other schedules stay unchanged, and a paused schedule stays
    /// paused.
    Sync,
}

/// The time between two looks at a run.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

pub(crate) fn schedules(args: &SchedulesArguments) -> Result<Outcome, Failure> {
    let SchedulesCommand::Sync = args.command;
    let Some(options) = args.backend.temporal() else {
        return Err(Failure::Usage(
            "`schedules` needs a Temporal server; add --backend temporal://host:port/namespace"
                .to_owned(),
        ));
    };
    with_client(options, async |client| {
        let sync = client.sync_schedules().await.map_err(|error| usage(&error))?;
        let parts =
            [("created", sync.created), ("changed", sync.changed), ("removed", sync.removed)];
        let mut is_same = true;
        for (what, workflow) in
            parts.iter().flat_map(|(what, names)| names.iter().map(move |name| (what, name)))
        {
            is_same = false;
            output::print(|out| writeln!(out, "{what} {workflow}"))?;
        }
        if is_same {
            output::message("no schedule has changed");
        }
        Ok(Outcome::Success)
    })
}

/// Serves task queues until a signal arrives.
pub(super) fn worker(
    options: &TemporalOptions,
    engine: Engine,
    preset: &Preset,
    grace: Duration,
) -> Result<Outcome, Failure> {
    interrupt::listen();
    with_client(options, async |client| {
        let worker = TemporalWorker::preset(client, engine, preset).shutdown_grace(grace);
        let served = worker.run(interrupt::signal()).await;
        interrupt::disarm();
        served.map_err(|error| usage(&error))?;
        Ok(Outcome::Success)
    })
}

/// A run to start.
pub(super) struct Trigger<'a> {
    pub(super) workflow: Arc<dyn Workflow>,
    pub(super) input: Option<Json>,
    pub(super) task_queue: Option<&'a str>,
    pub(super) workflow_id: Option<&'a str>,
    pub(super) wait: bool,
    pub(super) timeout: Option<Duration>,
    pub(super) is_quiet: bool,
}

pub(super) fn trigger(options: &TemporalOptions, trigger: Trigger<'_>) -> Result<Outcome, Failure> {
    with_client(options, async |client| {
        let mut request = client.run(Arc::clone(&trigger.workflow));
        if let Some(input) = &trigger.input {
            request = request.input(input);
        }
        if let Some(queue) = trigger.task_queue {
            request = request.task_queue(queue);
        }
        if let Some(id) = trigger.workflow_id {
            request = request.workflow_id(id);
        }
        let run = request.start().await.map_err(|error| usage(&error))?;
        if !trigger.wait {
            output::print(|out| writeln!(out, "{}", run.workflow_id()))?;
            return Ok(Outcome::Success);
        }
        if !trigger.is_quiet {
            output::message(format_args!("started {}", run.workflow_id()));
        }
        let Some(timeout) = trigger.timeout else { return result(&run).await };
        match tokio::time::timeout(timeout, result(&run)).await {
            Ok(outcome) => outcome,
            Err(_) => {
                output::message(format_args!(
                    "{} has not ended within {timeout:?}; it goes on",
                    run.workflow_id()
                ));
                Ok(Outcome::Failed)
            }
        }
    })
}

/// Waits for the end of a run, and prints its output.
async fn result(run: &TemporalRun) -> Result<Outcome, Failure> {
    match run.output().await {
        Ok(result) => {
            output::print_json(&result)?;
            Ok(Outcome::Success)
        }
        Err(error @ CallError::Failed { .. }) => {
            output::error(&error);
            Ok(Outcome::Failed)
        }
        Err(error @ CallError::Cancelled { .. }) => {
            output::error(&error);
            Ok(Outcome::Cancelled)
        }
        Err(error) => Err(usage(&error)),
    }
}

/// Lists runs of a workflow with a status, each if it is given.
pub(super) fn list(
    options: &TemporalOptions,
    (workflow, status): (Option<&str>, Option<Status>),
    limit: usize,
    format: ListFormat,
) -> Result<Outcome, Failure> {
    let status = status.map(|status| match status {
        Status::Completed => "ExecutionStatus = 'Completed'",
        Status::Failed => "ExecutionStatus IN ('Failed', 'TimedOut', 'Terminated')",
        Status::Cancelled => "ExecutionStatus = 'Canceled'",
        _ => "ExecutionStatus = 'Running'",
    });
    let workflow = workflow.map(|name| format!("WorkflowType = '{}'", name.replace('\'', "''")));
    let filters: Vec<String> = workflow.into_iter().chain(status.map(str::to_owned)).collect();
    with_client(options, async |client| {
        let runs = client.list(&filters.join(" AND "), limit).await;
        let runs = runs.map_err(|error| usage(&error))?;
        match format {
            ListFormat::Json => output::print_json(&json!({ "items": runs }))?,
            ListFormat::Table => print_runs(&runs)?,
        }
        Ok(Outcome::Success)
    })
}

fn print_runs(runs: &[RunSummary]) -> Result<(), Failure> {
    let mut table = output::table();
    table.set_header(["RUN", "WORKFLOW", "STATUS", "TASK QUEUE"]);
    for run in runs {
        let status = run.status.to_string();
        table.add_row([&run.workflow_id, &run.workflow, &status, &run.task_queue]);
    }
    output::print(|out| output::write_table(out, table))
}

pub(super) fn get(
    options: &TemporalOptions,
    run: &str,
    format: ListFormat,
) -> Result<Outcome, Failure> {
    with_run(options, run, async |run| {
        let status = run.status().await.map_err(|error| usage(&error))?;
        let view = run.progress().await.map_err(|error| usage(&error))?;
        match format {
            ListFormat::Json => output::print_json(&as_json(&run, status, &view))?,
            ListFormat::Table => print_run(&run, status, &view)?,
        }
        Ok(Outcome::Success)
    })
}

fn as_json(run: &TemporalRun, status: Status, view: &RunView) -> Json {
    let jobs = view.jobs().iter().map(|job| json!({ "name": job.name, "status": job.status }));
    json!({
        "run": run.workflow_id(),
        "run_id": run.id(),
        "workflow": run.workflow(),
        "status": status,
        "reason": view.reason(),
        "jobs": jobs.collect::<Vec<_>>(),
    })
}

fn print_run(run: &TemporalRun, status: Status, view: &RunView) -> Result<(), Failure> {
    let mut table = output::table();
    table.set_header(["JOB", "STATUS", "ATTEMPTS"]);
    for job in view.jobs() {
        table.add_row([&job.name, &job.status.to_string(), &job.attempt_count().to_string()]);
    }
    output::print(|out| {
        writeln!(out, "{} of `{}`: {status}", run.workflow_id(), run.workflow())?;
        if let Some(reason) = view.reason() {
            writeln!(out, "{reason}")?;
        }
        output::write_table(out, table)
    })
}

/// Prints the events of a run until it ends.
pub(super) fn watch(options: &TemporalOptions, run: &str) -> Result<Outcome, Failure> {
    with_run(options, run, async |run| {
        let mut next = 0;
        let mut view = RunView::default();
        loop {
            let events = run.events(next).await.map_err(|error| usage(&error))?;
            for event in &events {
                view.apply(event);
                output::print(|out| writeln!(out, "{}", event.kind))?;
            }
            next += events.len() as u64;
            if events.last().is_some_and(|last| last.kind.is_last()) {
                return Ok(view.status().into());
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    })
}

pub(super) fn cancel(options: &TemporalOptions, run: &str) -> Result<Outcome, Failure> {
    with_run(options, run, async |run| {
        run.cancel().await.map_err(|error| usage(&error))?;
        output::message(format_args!("cancellation of {} requested", run.workflow_id()));
        Ok(Outcome::Success)
    })
}

pub(super) fn signal(
    options: &TemporalOptions,
    run: &str,
    name: &str,
    payload: Json,
) -> Result<Outcome, Failure> {
    with_run(options, run, async |run| {
        run.signal(name, payload).await.map_err(|error| usage(&error))?;
        output::message(format_args!("signal `{name}` sent to {}", run.workflow_id()));
        Ok(Outcome::Success)
    })
}

fn with_run(
    options: &TemporalOptions,
    run: &str,
    act: impl AsyncFnOnce(TemporalRun) -> Result<Outcome, Failure>,
) -> Result<Outcome, Failure> {
    with_client(options, async |client| {
        let found = client.select(run).await;
        act(found.map_err(|error| usage(&error))?).await
    })
}

/// Connects, and acts inside a runtime.
fn with_client(
    options: &TemporalOptions,
    act: impl AsyncFnOnce(TemporalClient) -> Result<Outcome, Failure>,
) -> Result<Outcome, Failure> {
    runtime::inside(|| {
        pollster::block_on(async {
            let client = TemporalClient::connect(options).await.map_err(|error| usage(&error))?;
            act(client.queue_prefix(registry::engine().queue_prefix())).await
        })
    })
}

/// The failure of a request, with its causes.
fn usage(error: &dyn Error) -> Failure {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    Failure::Usage(text)
}
