//! Limits of runs and turns among keys, with worker processes on one store.
//!
//! `workflow_limits [--url sqlite://..|postgres://..] [--runs N] [limits|free|fairness ..]`
//!
//! - `limits`: 10 tenants, at most one run of each at once, and 200 runs in a second, by 3 workers
//! - `free`: the same runs without limits
//! - `fairness`: how long a small tenant waits beside one with 100 times as many runs, and alone

use std::collections::HashMap;
use std::io::Read as _;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::StreamExt as _;
use workflow_benches::{finish, print};
use workflow_core::event::Event;
use workflow_core::id::RunId;
use workflow_core::prelude::*;
use workflow_core::store::{Queues, Store};
use workflow_core::worker::Worker;
use workflow_store::{PostgresStore, SqliteStore};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The variables that tell a process to work, for which store, and with how many slots.
const URL: &str = "WORKFLOW_LIMITS_URL";
const SLOTS: &str = "WORKFLOW_LIMITS_SLOTS";

const TENANTS: u64 = 10;
const RATE: usize = 200;

#[job]
fn count(number: &u64) -> u64 {
    number + 1
}

#[register_workflow(
    name = "limits: both",
    concurrency(key = "${{ input.tenant }}", limit = 1),
    rate_limit(limit = 200, per = "1s")
)]
fn both(flow: &mut Flow, input: &Input) -> Handle<u64> {
    let number = flow.value(input.tenant);
    flow.job(count(number))
}

#[register_workflow(name = "limits: free")]
fn free(flow: &mut Flow, input: &Input) -> Handle<u64> {
    let number = flow.value(input.tenant);
    flow.job(count(number))
}

#[register_workflow(name = "limits: fair", fairness(key = "${{ input.tenant }}"))]
fn fair(input: Input) -> u64 {
    std::thread::sleep(Duration::from_millis(20));
    input.tenant
}

#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
struct Input {
    tenant: u64,
}

fn main() -> ExitCode {
    let done = match (std::env::var(URL), std::env::var(SLOTS)) {
        (Ok(url), Ok(slots)) => work(&url, &slots),
        _ => measure(),
    };
    finish(done)
}

fn measure() -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let mut url = format!("sqlite://{}", folder.path().join("workflows.db").display());
    let (mut runs, mut sections) = (10_000, Vec::new());
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{name} wants a value"));
        match name.as_str() {
            "--url" => url = value()?,
            "--runs" => runs = value()?.parse()?,
            "limits" | "free" | "fairness" => sections.push(name),
            _ => return Err(format!("unknown argument {name}; see the head of limits.rs").into()),
        }
    }
    let wants = |section: &str| sections.is_empty() || sections.iter().any(|one| one == section);
    let bench = Bench { store: pollster::block_on(open(&url))?, url };
    if wants("free") {
        bench.free(runs)?;
    }
    if wants("limits") {
        bench.limits(runs)?;
    }
    if wants("fairness") {
        bench.fairness()?;
    }
    Ok(())
}

/// Works until the input ends.
fn work(url: &str, slots: &str) -> Result<(), Failure> {
    let store = pollster::block_on(open(url))?;
    let engine = Engine::builder().store(store).build();
    let worker = Worker::new(engine).queues(Queues::all()).max_concurrent_workflows(slots.parse()?);
    let (ended, end) = futures::channel::oneshot::channel::<()>();
    std::thread::spawn(move || {
        std::io::stdin().read_to_end(&mut Vec::new()).ok();
        drop(ended);
    });
    pollster::block_on(worker.run(async {
        end.await.ok();
    }))?;
    Ok(())
}

async fn open(url: &str) -> Result<Arc<dyn Store>, Failure> {
    Ok(match url.starts_with("postgres") {
        true => Arc::new(PostgresStore::open(url).await?),
        false => Arc::new(SqliteStore::open(url).await?),
    })
}

/// A process that works. It ends when this is dropped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

struct Bench {
    url: String,
    store: Arc<dyn Store>,
}

/// When a run was requested, began and ended.
struct Span {
    requested: SystemTime,
    begun: SystemTime,
    ended: SystemTime,
}

impl Bench {
    fn workers(&self, count: usize, slots: usize) -> Result<Vec<Process>, Failure> {
        let start = |_| {
            let mut command = Command::new(std::env::current_exe()?);
            command.env(URL, &self.url).env(SLOTS, slots.to_string()).stdin(Stdio::piped());
            Ok(Process(command.spawn()?))
        };
        (0..count).map(start).collect()
    }

    fn enqueue(
        &self,
        workflow: &str,
        tenants: impl Iterator<Item = u64>,
    ) -> Result<Vec<RunId>, Failure> {
        let engine = Engine::builder().store(Arc::clone(&self.store)).build();
        let requests = tenants.map(|tenant| engine.run(workflow).input(Input { tenant }).enqueue());
        let queued = futures::stream::iter(requests).buffered(200).collect::<Vec<_>>();
        Ok(pollster::block_on(queued).into_iter().collect::<Result<_, _>>()?)
    }

    /// Waits until all runs have ended.
    fn spans(&self, runs: &[RunId]) -> Result<Vec<Span>, Failure> {
        let mut spans = Vec::new();
        for run in runs {
            let events = loop {
                let events = pollster::block_on(self.store.events(*run, 0, 1000))?;
                if events.last().is_some_and(|last: &Event| last.kind.is_last()) {
                    break events;
                }
                std::thread::sleep(Duration::from_millis(20));
            };
            let stored = pollster::block_on(self.store.run(*run))?.ok_or("a run is gone")?;
            let (begun, ended) = (events[0].at, events[events.len() - 1].at);
            spans.push(Span { requested: stored.created_at, begun, ended });
        }
        Ok(spans)
    }

    fn free(&self, runs: u64) -> Result<(), Failure> {
        let ids = self.enqueue("limits: free", (0..runs).map(|run| run % TENANTS))?;
        let _workers = self.workers(3, 100)?;
        let spans = self.spans(&ids)?;
        let took = took(&spans)?;
        print(&format!("free: {runs} runs in {took:.1} s, {:.0} in a second", runs as f64 / took));
        Ok(())
    }

    fn limits(&self, runs: u64) -> Result<(), Failure> {
        let ids = self.enqueue("limits: both", (0..runs).map(|run| run % TENANTS))?;
        let _workers = self.workers(3, 100)?;
        let spans = self.spans(&ids)?;
        let mut of_tenant: HashMap<u64, Vec<(SystemTime, bool)>> = HashMap::new();
        for (run, span) in (0_u64..).zip(&spans) {
            let changes = of_tenant.entry(run % TENANTS).or_default();
            changes.extend([(span.begun, true), (span.ended, false)]);
        }
        let most = of_tenant.values_mut().map(|changes| most_at_once(changes)).max().unwrap_or(0);
        let mut begins: Vec<SystemTime> = spans.iter().map(|span| span.begun).collect();
        begins.sort_unstable();
        let took = begins[begins.len() - 1].duration_since(begins[0])?.as_secs_f64();
        let rate = (runs - 1) as f64 / took;
        let second = Duration::from_secs(1);
        let in_a_second = (0..begins.len())
            .map(|from| begins[from..].partition_point(|at| *at < begins[from] + second))
            .max();
        print(&format!(
            "limits: {runs} runs in {took:.1} s, {rate:.1} in a second (limit {RATE}); at most {} in \
             any second, and {most} of a tenant at once (limit 1)",
            in_a_second.unwrap_or(0)
        ));
        Ok(())
    }

    /// Both with two slots for each tenant.
    fn fairness(&self) -> Result<(), Failure> {
        const SMALL: usize = 20;
        let alone = {
            let _workers = self.workers(1, 2)?;
            self.p95(&self.enqueue("limits: fair", std::iter::repeat_n(1, SMALL))?)?
        };
        let big = self.enqueue("limits: fair", std::iter::repeat_n(2, SMALL * 100))?;
        let _workers = self.workers(1, 4)?;
        while self.spans(&big[..8]).is_err() {}
        let small = self.enqueue("limits: fair", std::iter::repeat_n(1, SMALL))?;
        let beside = self.p95(&small)?;
        let big = self.p95(&big)?;
        print(&format!(
            "fairness: p95 of the wait of a small tenant {:.0} ms alone with 2 slots, {:.0} ms with 4 \
             slots beside one with {} runs, which waits {:.0} ms",
            alone * 1e3,
            beside * 1e3,
            SMALL * 100,
            big * 1e3
        ));
        Ok(())
    }

    /// The 95th percentile of the time between request and beginning, in seconds.
    fn p95(&self, runs: &[RunId]) -> Result<f64, Failure> {
        let mut waits = Vec::new();
        for span in self.spans(runs)? {
            waits.push(span.begun.duration_since(span.requested).unwrap_or_default().as_secs_f64());
        }
        waits.sort_by(f64::total_cmp);
        Ok(waits[(waits.len() * 95).div_ceil(100) - 1])
    }
}

/// The time from the first beginning to the last end, in seconds.
fn took(spans: &[Span]) -> Result<f64, Failure> {
    let first = spans.iter().map(|span| span.begun).min().ok_or("no runs")?;
    let last = spans.iter().map(|span| span.ended).max().ok_or("no runs")?;
    Ok(last.duration_since(first)?.as_secs_f64())
}

fn most_at_once(changes: &mut [(SystemTime, bool)]) -> usize {
    // At one moment, runs end before others begin.
    changes.sort_unstable();
    let (mut now, mut most) = (0_usize, 0);
    for (_, begins) in changes {
        now = if *begins { now + 1 } else { now.saturating_sub(1) };
        most = most.max(now);
    }
    most
}
