//! Retention, export, import.

use std::time::{Duration, SystemTime};

use crate::{Pruner, Retention};

use super::fixtures::*;

async fn count(place: &Catalogs, which: &str) -> u64 {
    place.store.count_runs(which).await.expect("counted")
}

/// A run that was asked for so many hours ago, and has ended.
async fn add(place: &Catalogs, workflow: &str, hours: u32) {
    let mut run = new_run(workflow);
    run.created_at = SystemTime::now() - HOUR * hours;
    place.store.begin(run, whole_run(5, true)).await.expect("begun");
}

const HOUR: Duration = Duration::from_secs(3600);

pub(crate) async fn a_pruner_goes_on_until_it_is_dropped(place: Catalogs) {
    let policy = [Retention { keep_for: Some(HOUR), ..Default::default() }];
    let every = Duration::from_millis(20);
    let pruner = Pruner::start(place.store.clone(), policy, every).expect("a thread");
    for _ in 0..2 {
        add(&place, "etl", 2).await;
        until("pruning", async || (count(&place, "etl").await == 0).then_some(())).await;
    }
    drop(pruner);
    add(&place, "etl", 2).await;
    assert_eq!(count(&place, "etl").await, 1);
}
