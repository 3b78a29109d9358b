//! Retention, export, import.

use std::time::{Duration, SystemTime};

use workflow_core::store::{Materialization, MaterializationDetails, NewRun, PartitionRange};

use crate::{Catalog, Pruner, Retention};

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

/// A run of the workflow `assets` so many hours ago, and its record of `orders`.
async fn make(store: &dyn Catalog, partition: &str, hours: u32, is_refused: bool) {
    let created_at = SystemTime::now() - HOUR * hours;
    let run = NewRun { created_at, ..new_run("assets") };
    let made = Materialization {
        asset: "orders".to_owned(),
        partition: partition.to_owned(),
        run: run.id,
        made_at: created_at,
        is_refused,
        code_version: "c".to_owned(),
        data_version: format!("{hours} hours"),
        details: MaterializationDetails::default(),
    };
    let records = store.asset_store().expect("a database has records");
    records.record_materialization(&made).await.expect("recorded");
    store.begin(run, whole_run(5, true)).await.expect("begun");
}

pub(crate) async fn records_of_assets_go_with_their_runs_except_for_the_newest(place: Catalogs) {
    let store = &*place.store;
    let Some(records) = store.asset_store() else { return };
    for hours in [9, 8, 7, 1] {
        make(store, "replaced", hours, false).await;
    }
    make(store, "kept", 8, false).await;
    for hours in [7, 6] {
        make(store, "kept", hours, true).await;
    }
    for hours in [9, 7] {
        make(store, "refused", hours, true).await;
    }
    let left = async |partition: &str| {
        let found = records.materializations("orders", Some(partition), None, 100).await;
        let versions = found.expect("read").into_iter().map(|stored| stored.made.data_version);
        versions.collect::<Vec<_>>()
    };
    let keep_for = |hours| Retention { keep_for: Some(HOUR * hours), ..Default::default() };
    // Of another workflow.
    add(&place, "etl", 9).await;
    let other = Retention { workflow: Some("etl".to_owned()), ..keep_for(1) };
    assert_eq!(store.prune(other).await.expect("pruned"), 1);
    assert_eq!(left("replaced").await, ["1 hours", "7 hours", "8 hours", "9 hours"]);
    assert_eq!(store.prune(keep_for(8)).await.expect("pruned"), 4);
    assert_eq!(left("replaced").await, ["1 hours", "7 hours"]);
    assert_eq!(left("kept").await, ["6 hours", "7 hours", "8 hours"]);
    assert_eq!(left("refused").await, ["7 hours"]);
    // Of a workflow of its own.
    let assets = Retention { workflow: Some("assets".to_owned()), ..keep_for(2) };
    store.prune(assets).await.expect("pruned");
    assert_eq!(left("replaced").await, ["1 hours"]);
    assert_eq!(left("kept").await, ["6 hours", "8 hours"]);
    assert_eq!(left("refused").await, ["7 hours"]);
    let current = records.current_materializations("orders", &PartitionRange::default(), 10).await;
    let current = current.expect("read").into_iter().map(|made| made.partition);
    assert_eq!(current.collect::<Vec<_>>(), ["kept", "replaced"]);
}
