//! The cost of task queues: a claim where many runs wait, an idle worker, and the time until a worker
//! starts a run that another process has queued. With `--evicted`, as many runs wait outside of the
//! queues, too.
//!
//! `workflow_queues [--url sqlite://..|postgres://..] [--runs N] [--queues N] [--claims N] [--evicted N]`

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use serde_json::json;
use workflow_benches::{finish, print};
use workflow_core::definition::Metadata;
use workflow_core::prelude::*;
use workflow_core::store::{
    BeginOutcome, ClaimRequest, EvictedRun, Eviction, MessageKind, NewRun, Owner, OwnerId, Queues,
    Store, StoreError, WorkflowSnapshot,
};
use workflow_core::worker::Worker;
use workflow_store::Catalog;

type Failure = Box<dyn std::error::Error>;

struct Options {
    url: Option<String>,
    runs: usize,
    queues: usize,
    claims: usize,
    evicted: usize,
}

fn main() -> ExitCode {
    let done = options().and_then(|options| {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(report(&options))
    });
    finish(done)
}

fn options() -> Result<Options, Failure> {
    let mut options =
        Options { url: None, runs: 1_000_000, queues: 1_000, claims: 1_000, evicted: 0 };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{name} wants a value"))?;
        match name.as_str() {
            "--url" => options.url = Some(value),
            "--runs" => options.runs = value.parse()?,
            "--queues" => options.queues = value.parse::<usize>()?.max(1),
            "--claims" => options.claims = value.parse::<usize>()?.max(1),
            "--evicted" => options.evicted = value.parse()?,
            _ => return Err(format!("unknown option {name}; see the head of queues.rs").into()),
        }
    }
    Ok(options)
}

async fn report(options: &Options) -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let file = format!("sqlite://{}", folder.path().join("workflows.db").display());
    let url = options.url.clone().unwrap_or(file);
    let store = workflow_store::open(&url).await?;
    let other = workflow_store::open(&url).await?;
    print("| measure | figure | must be | holds |\n|---|--:|--:|---|");
    idle(&store).await?;
    wakes(&store, &other).await?;
    let begun = Instant::now();
    load(&store, options).await?;
    let rate = options.runs as f64 / begun.elapsed().as_secs_f64();
    let measure = format!("runs queued, {} in {} queues", options.runs, options.queues);
    print(&format!("| {measure} | {rate:.0}/s | | |"));
    if options.evicted > 0 {
        evict(&store, options).await?;
    }
    let three = Queues::named(["queue-1", "queue-2", "queue-3"]);
    claims(&store, "all", Queues::all(), options).await?;
    claims(&store, "one", Queues::named(["queue-0"]), options).await?;
    claims(&store, "three", three, options).await?;
    let some = Queues::all().add("queue-4", 10).add("queue-5", -10);
    claims(&store, "all, two of other priorities", some, options).await?;
    claims(&store, "one without runs", Queues::named(["none"]), options).await
}

/// The processor time of a worker that has nothing to do.
async fn idle(store: &Arc<dyn Catalog>) -> Result<(), Failure> {
    const TIME: Duration = Duration::from_secs(20);
    let worker = Worker::new(engine(store));
    let share = worker.run_until(async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let before = processor_time();
        tokio::time::sleep(TIME).await;
        (processor_time() - before).as_secs_f64() / TIME.as_secs_f64()
    });
    let share = share.await?;
    let figure = format!("{:.2} % of a core", share * 100.0);
    print(&with_bound("an idle worker", figure, "< 1 %", share < 0.01));
    Ok(())
}

/// The time from queueing a run in one process until another has completed it.
async fn wakes(store: &Arc<dyn Catalog>, other: &Arc<dyn Catalog>) -> Result<(), Failure> {
    let queue = engine(other);
    let worker = Worker::new(engine(store));
    let times = worker.run_until(async {
        let mut times = Vec::new();
        for _ in 0..100 {
            tokio::time::sleep(Duration::from_millis(130)).await;
            let begun = Instant::now();
            let run = queue.run("queues: nothing").enqueue().await?;
            loop {
                let stored = other.run(run).await?.ok_or(StoreError::NoRun { run })?;
                if stored.owner.is_some() || stored.status.is_final() {
                    break;
                }
                tokio::time::sleep(Duration::from_micros(500)).await;
            }
            times.push(begun.elapsed());
        }
        Ok::<_, Failure>(times)
    });
    let times = sorted(times.await??);
    let measure = "from queueing a run until another process claims it";
    let holds = times[98] <= Duration::from_millis(50);
    print(&with_bound(measure, percentiles(&times), "<= 50 ms", holds));
    Ok(())
}

fn waiting() -> WorkflowSnapshot {
    WorkflowSnapshot {
        name: "queues: waiting".to_owned(),
        metadata: Metadata::default(),
        fingerprint: "f1".into(),
        source: None,
        graph: Arc::new(json!({ "nodes": [{ "id": "load" }], "edges": [] })),
    }
}

/// Evicts runs that would go on in a day or later, and wakes some of them.
async fn evict(store: &Arc<dyn Catalog>, options: &Options) -> Result<(), Failure> {
    const DAY: Duration = Duration::from_secs(24 * 3600);
    let workflow = waiting();
    let owner = Owner { id: OwnerId::random(), lifetime: DAY };
    let begin = |number: usize| {
        let task_queue = format!("queue-{}", number % options.queues);
        let run = NewRun { task_queue, owner: Some(owner), ..NewRun::new(workflow.clone()) };
        async move { store.begin(run, Vec::new()).await }
    };
    let begun: Vec<BeginOutcome> =
        stream::iter((0..options.evicted).map(begin)).buffer_unordered(512).try_collect().await?;
    let evictions: Vec<Eviction> = (0..)
        .zip(begun)
        .filter_map(|(number, begun)| match begun {
            BeginOutcome::New(Some(lease)) => Some(Eviction {
                run: EvictedRun { lease, messages: 0 },
                children: Vec::new(),
                wakes_in: Some(DAY + Duration::from_millis(number)),
            }),
            _ => None,
        })
        .collect();
    let started = Instant::now();
    for evictions in evictions.chunks(1000) {
        store.evict(evictions).await?;
    }
    let rate = evictions.len() as f64 / started.elapsed().as_secs_f64();
    print(&format!("| runs evicted, {} | {rate:.0}/s | | |", evictions.len()));
    let mut times = Vec::new();
    for eviction in evictions.iter().step_by((evictions.len() / options.claims).max(1)) {
        let signal = MessageKind::Signal { name: "go".to_owned(), payload: json!(null) };
        let started = Instant::now();
        store.send(eviction.run.lease.run, signal).await?;
        times.push(started.elapsed());
    }
    print(&format!("| a signal that wakes a run | {} | | |", percentiles(&sorted(times))));
    Ok(())
}

async fn load(store: &Arc<dyn Catalog>, options: &Options) -> Result<(), Failure> {
    let workflow = waiting();
    let begin = |number: usize| {
        let run = NewRun {
            task_queue: format!("queue-{}", number % options.queues),
            priority: i32::try_from(number % 3).unwrap_or_default(),
            ..NewRun::new(workflow.clone())
        };
        async move { store.begin(run, Vec::new()).await.map(drop) }
    };
    let runs = stream::iter((0..options.runs).map(begin)).buffer_unordered(512);
    Ok(runs.try_collect().await?)
}

/// The time of claims of one run each.
async fn claims(
    store: &Arc<dyn Catalog>,
    what: &str,
    queues: Queues,
    options: &Options,
) -> Result<(), Failure> {
    let owner = Owner { id: OwnerId::random(), lifetime: Duration::from_secs(3600) };
    let request = ClaimRequest { queues, except: Vec::new(), limit: 1 };
    let mut times = Vec::with_capacity(options.claims);
    // Half of a queue, because earlier claims took some of its runs.
    for _ in 0..options.claims.min(options.runs / options.queues / 2) {
        let begun = Instant::now();
        let claimed = store.claim_next(owner, &request).await?;
        times.push(begun.elapsed());
        if claimed.is_empty() && what != "one without runs" {
            return Err(format!("nothing to claim from {what}").into());
        }
    }
    let times = sorted(times);
    let holds =
        at(&times, 50) < Duration::from_millis(2) && at(&times, 99) < Duration::from_millis(10);
    let measure = format!("claim of a run, queues: {what}");
    print(&with_bound(&measure, percentiles(&times), "p50 < 2 ms, p99 < 10 ms", holds));
    Ok(())
}

fn engine(store: &Arc<dyn Catalog>) -> Engine {
    Engine::builder().store(Arc::clone(store) as Arc<dyn Store>).build()
}

#[register_workflow(name = "queues: nothing")]
fn nothing() -> u32 {
    1
}

fn sorted(mut times: Vec<Duration>) -> Vec<Duration> {
    times.sort_unstable();
    times
}

fn at(times: &[Duration], percent: usize) -> Duration {
    times[(times.len() - 1) * percent / 100]
}

fn percentiles(times: &[Duration]) -> String {
    let of = |percent| at(times, percent).as_secs_f64() * 1e3;
    format!("p50 {:.2} ms, p99 {:.2} ms, most {:.2} ms", of(50), of(99), of(100))
}

fn with_bound(measure: &str, figure: String, bound: &str, holds: bool) -> String {
    format!("| {measure} | {figure} | {bound} | {} |", if holds { "yes" } else { "no" })
}

/// The processor time of this process so far, in steps of 10 ms.
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    // The fields after the name begin with the state; user and system time are the 12th and 13th.
    let ticks: u64 = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}
