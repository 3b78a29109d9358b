//! Workers and runs on a Temporal cluster, for commands with `--backend temporal://..`.

mod copies;
mod failure;
mod follow;
#[cfg(feature = "serve")]
mod mirror;
mod runs;
#[cfg(feature = "serve")]
mod workers;

#[cfg(feature = "serve")]
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde_json::Value as Json;
use workflow_core::engine::Engine;
use workflow_core::worker::Preset;
use workflow_core::{Workflow, registry};
#[cfg(feature = "serve")]
use workflow_server::Server;
use workflow_store::Cause;
use workflow_temporal::{Started, TemporalClient, TemporalOptions, TemporalRun, TemporalWorker};

use crate::args::{BackendArguments, Format, ShowArguments, memory_store};
use crate::failure::{Failure, Outcome};
use crate::{interrupt, output, runtime, session};

pub(super) use runs::{cancel, get, list, logs, signal, watch, why};

/// Create, change and remove schedules of a Temporal cluster, to match the registered workflows
///
/// Their IDs are PREFIX/WORKFLOW. Other schedules stay unchanged, and a paused schedule stays paused.
/// Only workers on Temporal need this: `serve` runs the schedules of a store itself.
#[derive(Debug, Args)]
#[command(after_help = SYNC_EXAMPLES)]
pub(super) struct SyncArguments {
    #[command(flatten)]
    backend: BackendArguments,
}

const SYNC_EXAMPLES: &str = "\
Examples:
  workflow schedules sync --backend temporal://localhost:7233/default

Exit codes:
  0 success, 1 Temporal did not answer, 2 invalid usage";

pub(super) fn sync_schedules(args: &SyncArguments) -> Result<Outcome, Failure> {
    let Some(options) = args.backend.temporal() else {
        return Err(Failure::Usage(
            "`schedules sync` needs a Temporal server; add --backend temporal://host:port/namespace"
                .to_owned(),
        ));
    };
    with_client(options, async |client| {
        let sync = client.sync_schedules().await?;
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

/// The task queues that a worker with this preset polls.
pub(super) fn queues_of_preset(preset: &Preset, prefix: &str) -> Result<Vec<String>, Failure> {
    Ok(TemporalWorker::queues_of_preset(preset, prefix)?)
}

/// Serves task queues until a signal arrives.
pub(super) fn worker(
    options: &TemporalOptions,
    engine: Engine,
    (preset, history_limit): (&Preset, Option<u32>),
    grace: Duration,
    serving: &str,
) -> Result<Outcome, Failure> {
    interrupt::listen();
    with_client(options, async |client| {
        let mut worker = TemporalWorker::preset(client, engine, preset)?.shutdown_grace(grace);
        if let Some(events) = history_limit {
            worker = worker.history_limit(events);
        }
        output::message(serving);
        let served = worker.run(interrupt::signal()).await;
        interrupt::disarm();
        served?;
        Ok(Outcome::Success)
    })
}

/// Serves the API and the page, with the runs of the cluster.
#[cfg(feature = "serve")]
pub(super) fn serve(
    options: &TemporalOptions,
    server: Server,
    address: SocketAddr,
    ready: impl FnOnce(SocketAddr, bool),
) -> Result<Outcome, Failure> {
    interrupt::listen();
    with_client(options, async |client| {
        let mirror = mirror::Mirror::new(client, server.store());
        mirror.round().await?;
        let copying = tokio::spawn(Arc::clone(&mirror).run());
        let served = server.remote(mirror).serve(address, ready, interrupt::signal()).await;
        copying.abort();
        served?;
        interrupt::disarm();
        Ok(Outcome::Success)
    })
}

/// A run to start.
pub(super) struct Trigger<'a> {
    pub(super) workflow: Arc<dyn Workflow>,
    pub(super) input: Option<Json>,
    pub(super) task_queue: Option<&'a str>,
    pub(super) workflow_id: Option<&'a str>,
    pub(super) priority: i32,
    pub(super) wait: bool,
    pub(super) timeout: Option<Duration>,
    pub(super) show: &'a ShowArguments,
}

pub(super) fn trigger(options: &TemporalOptions, trigger: Trigger<'_>) -> Result<Outcome, Failure> {
    with_client(options, async |client| {
        let mut request = client.run(Arc::clone(&trigger.workflow)).priority(trigger.priority);
        if let Some(input) = &trigger.input {
            request = request.input(input);
        }
        if let Some(queue) = trigger.task_queue {
            request = request.task_queue(queue);
        }
        if let Some(id) = trigger.workflow_id {
            request = request.workflow_id(id);
        }
        let started = request.start_once().await?;
        let existing = matches!(started, Started::Existing(_));
        let run = started.into_run();
        if existing {
            let status = run.status().await?;
            session::print_existing_key(run.id(), status);
        }
        if !trigger.show.quiet {
            warn_if_unserved(&run).await?;
        }
        if !trigger.wait {
            match trigger.show.format {
                Format::Json | Format::Jsonl => {
                    let mut shown = runs::as_json(&run).await?;
                    shown["existing"] = existing.into();
                    output::print_json(&shown)?;
                }
                Format::Text => output::print(|out| writeln!(out, "{}", run.workflow_id()))?,
            }
            return Ok(Outcome::Success);
        }
        if !existing && !trigger.show.quiet {
            output::message(format_args!("started {}", run.workflow_id()));
        }
        follow(&run, trigger.show, trigger.timeout).await
    })
}

/// Shows a run until its end, as a run of a store.
async fn follow(
    run: &TemporalRun,
    show: &ShowArguments,
    timeout: Option<Duration>,
) -> Result<Outcome, Failure> {
    let store = memory_store()?;
    let copies = copies::Copies::new(Arc::clone(&store));
    copies.update(run).await.map_err(Failure::Temporal)?;
    let stored = session::stored_run(&*store, run.id())?;
    let copying = tokio::spawn(copies.keep_up(run.clone()));
    let shown = match timeout {
        Some(timeout) => session::follow_for(&store, &stored, show, timeout),
        None => session::follow(&store, &stored, show, None),
    };
    copying.abort();
    shown
}

/// Warns if no worker serves the task queue of a run.
async fn warn_if_unserved(run: &TemporalRun) -> Result<(), Failure> {
    let state = run.state().await?;
    if !state.has_worker && !state.status.is_final() {
        let queue = state.task_queue;
        let cure = Cause::NoWorker { queue: queue.clone() }.cure();
        output::warning(format_args!("no live worker serves {queue}; {cure}"));
    }
    Ok(())
}

fn with_run(
    options: &TemporalOptions,
    run: &str,
    act: impl AsyncFnOnce(TemporalRun) -> Result<Outcome, Failure>,
) -> Result<Outcome, Failure> {
    with_client(options, async |client| {
        let found = client.select(run).await;
        act(found?).await
    })
}

/// Connects, and acts inside a runtime.
fn with_client(
    options: &TemporalOptions,
    act: impl AsyncFnOnce(TemporalClient) -> Result<Outcome, Failure>,
) -> Result<Outcome, Failure> {
    runtime::inside(|| {
        pollster::block_on(async {
            let client = TemporalClient::connect(options).await?;
            act(client.engine(registry::engine().clone())).await
        })
    })
}
