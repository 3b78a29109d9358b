//! Registered workflows that run on their schedules.
#![cfg(feature = "schedule")]

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::FutureExt as _;
use workflow_core::engine::{Clock as _, ManualClock};
use workflow_core::prelude::*;
use workflow_core::schedule::schedule_key;
use workflow_core::store::{MemoryStore, Store as _, Trigger};

#[register_workflow(name = "hourly", schedule = "0 * * * *")]
fn hourly() {}

#[register_workflow(
    name = "nightly",
    schedule = "30 2 * * *",
    metadata = { "timezone": "Europe/Berlin" },
)]
async fn nightly() -> u32 {
    7
}

#[register_workflow(name = "never")]
fn never() {}

const HOUR: Duration = Duration::from_secs(3600);

/// Advances the clock by three and a half hours from 1970-01-01T00:00Z.
async fn in_the_night(engines: &[Engine], clock: &ManualClock) {
    let scheduled = engines.iter().map(|engine| {
        let stop = clock.sleep(HOUR * 3 + HOUR / 2);
        async move { engine.run_schedules(stop).await.expect("a sound registry") }
    });
    clock.drive(futures::future::join_all(scheduled)).await;
}

fn engine(clock: &ManualClock, store: &Arc<MemoryStore>) -> Engine {
    Engine::builder().clock(clock.clone()).store(store.clone()).build()
}

#[tokio::test]
async fn each_scheduled_time_starts_one_run() {
    let (clock, store) = (ManualClock::new(), Arc::new(MemoryStore::new()));
    let engines = [engine(&clock, &store), engine(&clock, &store)];
    in_the_night(&engines, &clock).await;
    let runs = store.runs();
    let count = |name: &str| runs.iter().filter(|(_, of)| of == name).count();
    assert_eq!((count("hourly"), count("nightly"), count("never")), (3, 1, 0));
    for (run, name) in runs {
        let run = store.run(run).await.expect("readable").expect("there");
        assert_eq!((run.trigger, run.user), (Trigger::Schedule, None));
        let key = run.idempotency_key.expect("a key");
        assert!(key.starts_with("schedule:1970-01-0") && key.ends_with(&name), "{key}");
        if name == "nightly" {
            let half_past = SystemTime::UNIX_EPOCH + HOUR + HOUR / 2;
            assert_eq!(key, schedule_key("nightly", half_past));
        }
    }
}

#[tokio::test]
async fn an_engine_says_whether_it_runs_schedules() {
    let engine = Engine::default();
    assert!(!engine.runs_schedules());
    let mut running = Box::pin(engine.run_schedules(std::future::pending()));
    assert!(running.as_mut().now_or_never().is_none());
    assert!(engine.runs_schedules() && engine.clone().runs_schedules());
    drop(running);
    assert!(!engine.runs_schedules());
}
