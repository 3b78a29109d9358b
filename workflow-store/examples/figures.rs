//! Measures a store: `cargo run --release -p workflow-store --example figures -- [URL]`.
#![expect(clippy::print_stdout, reason = "it is what the program is for")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use workflow_core::definition::Metadata;
use workflow_core::event::Event;
use workflow_core::id::RunId;
use workflow_core::store::{BeginOutcome, Lease, NewRun, Owner, OwnerId, Store, WorkflowSnapshot};
#[cfg(feature = "postgres")]
use workflow_store::PostgresStore;
use workflow_store::{Durability, SqliteOptions};

type Failed = Box<dyn std::error::Error + Send + Sync>;

fn event(sequence: u64, mut kind: Json) -> Event {
    kind["sequence"] = sequence.into();
    kind["at"] = "2026-01-02T03:04:05.123456Z".into();
    serde_json::from_value(kind).expect("an event")
}

fn job(sequence: u64, name: &str) -> [Event; 2] {
    let started = json!({ "event": "job_started", "job": name, "attempt": 1 });
    let output = json!({ "rows": 12, "path": "out/part-1.csv" });
    let completed =
        json!({ "event": "job_completed", "job": name, "attempt": 1, "output": output });
    [event(sequence, started), event(sequence + 1, completed)]
}

struct Program {
    owner: Owner,
    workflow: WorkflowSnapshot,
}

impl Program {
    fn new() -> Self {
        let workflow = WorkflowSnapshot {
            name: "etl".to_owned(),
            metadata: Metadata::default(),
            fingerprint: "f1".into(),
            source: None,
            graph: Arc::new(json!({ "nodes": [], "edges": [] })),
        };
        let owner = Owner { id: OwnerId::random(), lifetime: Duration::from_secs(10) };
        Self { owner, workflow }
    }

    async fn begin(&self, store: &dyn Store) -> Result<Lease, Failed> {
        let run = NewRun { owner: Some(self.owner), ..NewRun::new(self.workflow.clone()) };
        match store.begin(run, vec![event(0, json!({ "event": "run_started" }))]).await? {
            BeginOutcome::New(Some(lease)) => Ok(lease),
            other => Err(format!("no lease: {other:?}").into()),
        }
    }

    /// Begins a run, and appends the ends of three jobs: four commits.
    async fn three_jobs(&self, store: &dyn Store) -> Result<(), Failed> {
        let lease = self.begin(store).await?;
        store.append(&lease, &job(1, "extract")).await?;
        store.append(&lease, &job(3, "transform")).await?;
        let mut last = job(5, "load").to_vec();
        last.push(event(7, json!({ "event": "run_completed", "output": 7 })));
        Ok(store.append(&lease, &last).await?)
    }
}

async fn measure(name: &str, store: Arc<dyn Store>) -> Result<(), Failed> {
    let program = Program::new();
    program.three_jobs(&*store).await?;
    let (from, count) = (Instant::now(), 300);
    for _ in 0..count {
        program.three_jobs(&*store).await?;
    }
    let alone = f64::from(count) / from.elapsed().as_secs_f64();

    let (from, rounds) = (Instant::now(), 60);
    let line = |_| async {
        for _ in 0..rounds {
            program.three_jobs(&*store).await?;
        }
        Ok::<_, Failed>(())
    };
    futures::future::try_join_all((0..64).map(line)).await?;
    let together = f64::from(64 * rounds) / from.elapsed().as_secs_f64();

    let lease = program.begin(&*store).await?;
    let mut batches: Vec<Vec<Event>> = Vec::new();
    for batch in 0..200u64 {
        let jobs = (0..50).map(|at| batch * 50 + at);
        let events = jobs.flat_map(|at| job(1 + at * 2, &format!("job {at}")));
        batches.push(events.collect());
    }
    let from = Instant::now();
    for batch in &batches {
        store.append(&lease, batch).await?;
    }
    let job = from.elapsed().as_secs_f64() * 1e6 / 10_000.0;
    println!(
        "{name:20} runs of 3 jobs: {alone:6.0}/s one at a time, {together:6.0}/s with 64; \
         {job:5.1} us for a job in a run of 10,000"
    );
    Ok(())
}

fn main() -> Result<(), Failed> {
    futures::executor::block_on(async {
        let folder = std::env::temp_dir().join(format!("figures-{}", RunId::random()));
        std::fs::create_dir(&folder)?;
        for (name, durability) in
            [("SQLite, full", Durability::Full), ("SQLite, normal", Durability::Normal)]
        {
            let options = SqliteOptions::new().durability(durability);
            measure(name, Arc::new(options.open(folder.join(name)).await?)).await?;
        }
        std::fs::remove_dir_all(&folder)?;
        #[cfg(feature = "postgres")]
        if let Some(url) = std::env::args().nth(1) {
            measure("PostgreSQL", Arc::new(PostgresStore::open(&url).await?)).await?;
        }
        Ok(())
    })
}
