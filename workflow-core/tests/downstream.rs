//! Registered workflows whose runs start when runs of others end.
#![cfg(feature = "schedule")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value as Json, json};
use workflow_core::engine::{Clock as _, ManualClock};
use workflow_core::prelude::*;
use workflow_core::store::{DownstreamStore as _, MemoryStore, Store as _, StoredLink, Trigger};

#[register_workflow(name = "ingest")]
fn ingest(rows: u32) -> Result<u32, JobError> {
    match rows {
        0 => Err(JobError::terminal("no rows")),
        rows => Ok(rows),
    }
}

static REPORTED: Mutex<Vec<Json>> = Mutex::new(Vec::new());

#[register_workflow(
    name = "report",
    metadata = { "triggers": [{ "after": { "workflow": "ingest" } }] },
)]
fn report(ended: Json) {
    REPORTED.lock().expect("sound").push(ended);
}

#[register_workflow(
    name = "alarm",
    metadata = { "triggers": [{ "after": { "workflow": "ingest", "on": "failed" } }] },
)]
fn alarm() {}

#[register_workflow(
    name = "chicken",
    metadata = { "triggers": [{ "after": { "workflow": "egg", "on": "finished" } }] },
)]
fn chicken() {}

#[register_workflow(
    name = "egg",
    metadata = { "triggers": [{ "after": { "workflow": "chicken", "on": "finished" } }] },
)]
fn egg() {}

#[register_workflow(
    name = "orphan",
    metadata = { "triggers": [{ "after": { "workflow": "nowhere" } }] },
)]
fn orphan() {}

fn engine(clock: &ManualClock, store: &Arc<MemoryStore>) -> Engine {
    Engine::builder().clock(clock.clone()).store(store.clone()).build()
}

/// Runs the schedulers of two engines for five seconds.
async fn schedulers(clock: &ManualClock, store: &Arc<MemoryStore>) {
    let engines = [engine(clock, store), engine(clock, store)];
    let running = engines.iter().map(|engine| {
        let stop = clock.sleep(Duration::from_secs(5));
        async move { engine.run_schedules(stop).await.expect("a sound registry") }
    });
    clock.drive(futures::future::join_all(running)).await;
}

/// Runs `ingest` to its end.
async fn run(host: &Engine, rows: u32) -> Result<Report, RunError> {
    host.run("ingest").input(rows).start()?.outcome().await
}

#[tokio::test]
async fn each_end_starts_one_run_also_after_a_restart() {
    let (clock, store) = (ManualClock::new(), Arc::new(MemoryStore::new()));
    let count = |name: &str| store.runs().iter().filter(|(_, of)| of == name).count();
    let host = engine(&clock, &store);
    // It ends before it is linked.
    run(&host, 1).await.expect("it completes");
    schedulers(&clock, &store).await;
    assert_eq!((count("report"), count("alarm")), (0, 0));
    // These end while no scheduler runs.
    let second = run(&host, 2).await.expect("it completes");
    run(&host, 3).await.expect("it completes");
    run(&host, 0).await.expect_err("it fails");
    host.run("chicken").start().expect("it starts").outcome().await.expect("it completes");
    schedulers(&clock, &store).await;
    schedulers(&clock, &store).await;
    assert_eq!((count("report"), count("alarm")), (2, 1));
    assert_eq!((count("chicken"), count("egg")), (1, 0));
    for (run, name) in store.runs().into_iter().filter(|(_, name)| name == "report") {
        let run = store.run(run).await.expect("readable").expect("there");
        assert_eq!(run.trigger, Trigger::Event);
        let key = run.idempotency_key.expect("a key");
        assert!(key.starts_with("after:") && key.ends_with(&name), "{key}");
    }
    let reported = REPORTED.lock().expect("sound").clone();
    let ended = json!({
        "run": second.id(), "workflow": "ingest", "status": "completed", "output": 2,
    });
    assert!(reported.len() == 2 && reported.contains(&ended), "{reported:?}");
}

#[tokio::test]
async fn a_link_that_another_program_removes_is_added_again() {
    let (clock, store) = (ManualClock::new(), Arc::new(MemoryStore::new()));
    let engine = engine(&clock, &store);
    let links = async || store.links().await.expect("readable");
    let other = async {
        clock.sleep(Duration::from_millis(1500)).await;
        let before = links().await;
        for StoredLink { link, .. } in &before {
            store.unlink(link).await.expect("unlinked");
        }
        before.len()
    };
    let running = engine.run_schedules(clock.sleep(Duration::from_secs(5)));
    let (running, before) = clock.drive(futures::future::join(running, other)).await;
    running.expect("a sound registry");
    // `report`, `alarm` and `publish`: the others are on a cycle, or their upstream workflow does not
    // exist.
    let linked = if cfg!(feature = "assets") { 3 } else { 2 };
    assert_eq!((before, links().await.len()), (linked, linked));
}

#[cfg(feature = "assets")]
mod assets {
    use std::time::SystemTime;

    use serde::{Deserialize, Serialize};
    use workflow_core::asset::{self, Assets, Partition, Request, asset};

    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Orders(usize);

    #[asset(partitions = ["eu", "us"])]
    fn orders(region: &Partition) -> Orders {
        Orders(region.key().len())
    }

    static PUBLISHED: Mutex<Vec<Json>> = Mutex::new(Vec::new());

    #[register_workflow(
        name = "publish",
        metadata = { "triggers": [{ "asset": { "name": "orders" } }] },
    )]
    fn publish(made: Json) {
        PUBLISHED.lock().expect("sound").push(made);
    }

    #[register_workflow(
        name = "lost",
        metadata = { "triggers": [{ "asset": { "name": "nowhere" } }] },
    )]
    fn lost() {}

    #[tokio::test]
    async fn a_run_that_made_an_asset_starts_one_run() {
        let (clock, store) = (ManualClock::new(), Arc::new(MemoryStore::new()));
        let folder = std::env::temp_dir().join(format!("downstream-{}", std::process::id()));
        let assets = Assets::new(store.clone(), &folder).expect("records");
        schedulers(&clock, &store).await;
        let graph = asset::graph().expect("assets that fit");
        let request = Request::everything(graph, SystemTime::now());
        let plan = assets.plan(&request).await.expect("a plan").to_input().expect("small");
        let host =
            Engine::builder().clock(clock.clone()).store(store.clone()).state(assets).build();
        let made = host.run(asset::WORKFLOW).input(plan).start().expect("it starts");
        let made = made.outcome().await.expect("it completes").id();
        std::fs::remove_dir_all(&folder).expect("removed");
        schedulers(&clock, &store).await;
        schedulers(&clock, &store).await;
        let published = PUBLISHED.lock().expect("sound").clone();
        let input = json!({ "run": made, "asset": "orders", "partitions": ["eu", "us"] });
        assert_eq!(published, [input]);
    }
}
