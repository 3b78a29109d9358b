//! The records of assets.

use std::time::{Duration, SystemTime};

use workflow_core::id::RunId;
use workflow_core::store::{
    AssetStore, CheckResult, InputVersion, Materialization, MaterializationDetails, PartitionRange,
    SchemaField, ValueFile,
};

use super::fixtures::*;

fn made(asset: &str, partition: &str, run: u128) -> Materialization {
    let micros = 1_800_000_000_123_456 + u64::try_from(run).expect("a small number");
    Materialization {
        asset: asset.to_owned(),
        partition: partition.to_owned(),
        run: RunId::from_u128(run),
        made_at: SystemTime::UNIX_EPOCH + Duration::from_micros(micros),
        is_refused: false,
        code_version: "c1".to_owned(),
        data_version: format!("d{run}"),
        details: MaterializationDetails::default(),
    }
}

fn refused(asset: &str, partition: &str, run: u128) -> Materialization {
    Materialization { is_refused: true, ..made(asset, partition, run) }
}

/// The two handles; `None` for a store without records of assets.
fn both(stores: &Stores) -> Option<(&dyn AssetStore, &dyn AssetStore)> {
    stores.one.asset_store().zip(stores.other.asset_store())
}

async fn record(store: &dyn AssetStore, all: &[Materialization]) {
    for made in all {
        store.record_materialization(made).await.expect("recorded");
    }
}

/// The current partitions of `orders`, with the versions of their values.
async fn current(store: &dyn AssetStore, range: &PartitionRange, limit: usize) -> Vec<String> {
    let found = store.current_materializations("orders", range, limit).await.expect("read");
    found.iter().map(|made| format!("{} {}", made.partition, made.data_version)).collect()
}

/// Whether the records of the partition `b` of `orders` by run 1 are refused, the newest first.
async fn refusals(store: &dyn AssetStore) -> Vec<bool> {
    let found = store.materializations("orders", Some("b"), None, 10).await.expect("read");
    let of_run = found.iter().filter(|stored| stored.made.run == RunId::from_u128(1));
    of_run.map(|stored| stored.made.is_refused).collect()
}

pub(crate) async fn a_record_comes_back_as_it_was(stores: Stores) {
    let Some((one, other)) = both(&stores) else { return };
    let field =
        |name: &str, kind: &str| SchemaField { name: name.to_owned(), kind: kind.to_owned() };
    let details = MaterializationDetails {
        file: Some("orders/2026-01-01/d1.json".to_owned()),
        bytes: 1 << 40,
        rows: Some(u64::MAX >> 12),
        schema: vec![field("id", "integer"), field("name \u{1f980} \"quoted\"", "string")],
        files: vec![ValueFile { path: "data/orders.parquet".to_owned(), bytes: Some(7) }],
        inputs: vec![InputVersion {
            asset: "raw".to_owned(),
            partition: String::new(),
            data_version: "d0".to_owned(),
        }],
        checks: vec![CheckResult {
            name: "has_rows".to_owned(),
            is_blocking: false,
            problem: Some("0 rows\nin all".to_owned()),
        }],
        reasons: vec!["never made".to_owned()],
        milliseconds: 12,
    };
    let full = Materialization { details, ..made("orders", "2026-01-01", 1) };
    record(one, std::slice::from_ref(&full)).await;
    let range = PartitionRange::only("2026-01-01");
    let found = other.current_materializations("orders", &range, 10).await.expect("read");
    assert_eq!(found, std::slice::from_ref(&full));
    let history = other.materializations("orders", None, None, 10).await.expect("read");
    assert_eq!(history.iter().map(|stored| &stored.made).collect::<Vec<_>>(), [&full]);
    assert!(one.materializations("other", None, None, 10).await.expect("read").is_empty());
}

pub(crate) async fn the_last_record_that_was_not_refused_is_current(stores: Stores) {
    let Some((one, other)) = both(&stores) else { return };
    let all = PartitionRange::default();
    record(one, &[made("orders", "b", 1), refused("orders", "a", 1), made("total", "", 1)]).await;
    assert_eq!(current(other, &all, 10).await, ["b d1"]);
    record(other, &[made("orders", "a", 2), made("orders", "b", 2), refused("orders", "b", 3)])
        .await;
    assert_eq!(current(one, &all, 10).await, ["a d2", "b d2"]);
    // An attempt that is made again is one record, and the newest.
    record(one, &[Materialization { data_version: "again".to_owned(), ..made("orders", "b", 1) }])
        .await;
    assert_eq!(current(other, &all, 10).await, ["a d2", "b again"]);
    // A refusal leaves what an earlier attempt of the run has made; what is made replaces both.
    record(one, &[refused("orders", "b", 1), refused("orders", "b", 1)]).await;
    assert_eq!(current(other, &all, 10).await, ["a d2", "b again"]);
    assert_eq!(refusals(other).await, [true, false]);
    record(other, &[made("orders", "b", 1)]).await;
    assert_eq!(current(one, &all, 10).await, ["a d2", "b d1"]);
    assert_eq!(refusals(one).await, [false]);
    let whole = other.current_materializations("total", &PartitionRange::only(""), 1).await;
    assert_eq!(whole.expect("read").len(), 1);
}

pub(crate) async fn the_newest_record_of_a_partition_may_be_refused(stores: Stores) {
    let Some((one, other)) = both(&stores) else { return };
    record(one, &[made("orders", "a", 1), refused("orders", "b", 1), refused("total", "", 1)])
        .await;
    record(other, &[refused("orders", "a", 2), made("orders", "b", 2), refused("orders", "c", 2)])
        .await;
    let newest = async |range: PartitionRange, limit: usize| -> Vec<String> {
        let found = one.newest_materializations("orders", &range, limit).await.expect("read");
        let is = |made: &Materialization| if made.is_refused { "refused" } else { "made" };
        found.iter().map(|made| format!("{} {}", made.partition, is(made))).collect()
    };
    let all = PartitionRange::default();
    assert_eq!(newest(all.clone(), 10).await, ["a refused", "b made", "c refused"]);
    assert_eq!(newest(all.clone(), 1).await, ["a refused"]);
    assert_eq!(newest(PartitionRange::between("b", "c"), 10).await, ["b made", "c refused"]);
    assert_eq!(current(one, &all, 10).await, ["a d1", "b d2"]);
}

pub(crate) async fn partitions_come_in_pages_in_the_order_of_their_bytes(stores: Stores) {
    let Some((one, other)) = both(&stores) else { return };
    let keys = ["Z", "_", "a", "a-b", "ab", "\u{e9}"];
    let shuffled = [3, 0, 5, 1, 4, 2].map(|at: usize| made("orders", keys[at], 1));
    record(one, &shuffled).await;
    let (mut seen, mut range) = (Vec::new(), PartitionRange::default());
    loop {
        let page = other.current_materializations("orders", &range, 2).await.expect("read");
        let Some(last) = page.last() else { break };
        range.after = Some(last.partition.clone());
        seen.extend(page.into_iter().map(|made| made.partition));
    }
    assert_eq!(seen, keys);
    let some = PartitionRange { after: None, from: Some("_".into()), to: Some("a-b".into()) };
    assert_eq!(current(one, &some, 10).await, ["_ d1", "a d1", "a-b d1"]);
    let rest = PartitionRange { after: Some("a".into()), ..some };
    assert_eq!(current(one, &rest, 10).await, ["a-b d1"]);
}

pub(crate) async fn the_history_of_an_asset_comes_in_pages(stores: Stores) {
    let Some((one, other)) = both(&stores) else { return };
    for run in 1..=5 {
        record(one, &[made("orders", "a", run), refused("orders", "b", run)]).await;
    }
    let mut seen = Vec::new();
    let mut before = None;
    loop {
        let page = other.materializations("orders", Some("a"), before, 2).await.expect("read");
        let Some(last) = page.last() else { break };
        before = Some(last.number);
        seen.extend(page.into_iter().map(|stored| stored.made.data_version));
    }
    assert_eq!(seen, ["d5", "d4", "d3", "d2", "d1"]);
    let all = one.materializations("orders", None, None, 100).await.expect("read");
    assert_eq!(all.len(), 10);
    assert!(all.is_sorted_by(|newer, older| newer.number > older.number));
    assert!(all[0].made.is_refused);
}

pub(crate) async fn concurrent_runs_record_their_partitions(stores: Stores) {
    let Some((one, other)) = both(&stores) else { return };
    let all: Vec<Materialization> =
        (0..20).map(|number| made("orders", &format!("{:02}", number / 2), number + 1)).collect();
    let recorded = all.iter().enumerate().map(|(at, made)| {
        let store = if at % 2 == 0 { one } else { other };
        store.record_materialization(made)
    });
    futures::future::try_join_all(recorded).await.expect("recorded");
    assert_eq!(current(other, &PartitionRange::default(), 100).await.len(), 10);
    let history = one.materializations("orders", None, None, 100).await.expect("read");
    assert_eq!(history.len(), 20);
}
