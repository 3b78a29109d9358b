//! Ended runs that wait for downstream workflows.

use serde_json::json;
use workflow_core::id::RunId;
use workflow_core::store::{
    BeginOutcome, DownstreamStore, Materialization, MaterializationDetails, NewRun, Parent,
    ScheduledWorkflow, Store, StoredLink, Upstream, WorkflowLink,
};

use super::fixtures::*;

/// A run of code.
fn run_of(workflow: &str) -> NewRun {
    let mut run = new_run(workflow, Some(owner()));
    run.workflow.source = None;
    run
}

async fn begin_run(store: &dyn Store, run: NewRun) -> workflow_core::store::Lease {
    match store.begin(run, vec![started(0)]).await.expect("it begins") {
        BeginOutcome::New(Some(lease)) => lease,
        other => panic!("no lease: {other:?}"),
    }
}

/// Runs a workflow to its end.
async fn complete(store: &dyn Store, run: NewRun) -> RunId {
    let lease = begin_run(store, run).await;
    store.append(&lease, &[completed(1, json!({ "rows": 7 }))]).await.expect("appended");
    lease.run
}

fn link() -> WorkflowLink {
    let [upstream, downstream] =
        ["ingest", "report"].map(|name| ScheduledWorkflow::Registered(name.to_owned()));
    WorkflowLink { upstream: Upstream::Workflow(upstream), downstream }
}

fn link_from(asset: &str) -> WorkflowLink {
    WorkflowLink { upstream: Upstream::Asset(asset.to_owned()), ..link() }
}

/// Records a partition of `orders` that a run has made.
async fn make(store: &dyn Store, run: RunId, partition: &str, is_refused: bool) {
    let made = Materialization {
        asset: "orders".to_owned(),
        partition: partition.to_owned(),
        run,
        made_at: std::time::SystemTime::UNIX_EPOCH,
        is_refused,
        code_version: "c".to_owned(),
        data_version: "d".to_owned(),
        details: MaterializationDetails::default(),
    };
    let records = store.asset_store().expect("a store of links has records");
    records.record_materialization(&made).await.expect("recorded");
}

/// The two handles, with a run of each workflow; `None` for a store that links none.
async fn linked(stores: &Stores) -> Option<(&dyn DownstreamStore, &dyn DownstreamStore)> {
    let both = stores.one.downstream_store().zip(stores.other.downstream_store())?;
    for workflow in ["ingest", "report"] {
        complete(&*stores.one, run_of(workflow)).await;
    }
    Some(both)
}

pub(crate) async fn ended_runs_wait_until_they_are_handled(stores: Stores) {
    let Some((one, other)) = linked(&stores).await else { return };
    let link = link();
    assert!(one.link(&link).await.expect("linked"));
    let stored = |has_waiting| vec![StoredLink { link: link.clone(), has_waiting }];
    assert_eq!(other.links().await.expect("readable"), stored(false));
    let mut runs = Vec::new();
    for _ in 0..3 {
        runs.push(complete(&*stores.one, run_of("ingest")).await);
    }
    complete(&*stores.one, run_of("report")).await;
    assert_eq!(other.links().await.expect("readable"), stored(true));
    assert_eq!(other.waiting(&link, 10).await.expect("readable"), runs);
    assert_eq!(other.waiting(&link, 2).await.expect("readable"), runs[..2]);
    other.handled(&link, runs[1]).await.expect("recorded");
    other.handled(&link, runs[1]).await.expect("once more");
    assert_eq!(one.waiting(&link, 10).await.expect("readable"), [runs[0], runs[2]]);
    // Again, by another scheduler.
    assert!(other.link(&link).await.expect("linked"));
    assert_eq!(one.waiting(&link, 10).await.expect("readable"), [runs[0], runs[2]]);
    one.unlink(&link).await.expect("unlinked");
    assert_eq!(other.links().await.expect("readable"), []);
    assert_eq!(other.waiting(&link, 10).await.expect("readable"), []);
    // A link that is added again has none of what waited before.
    assert!(one.link(&link).await.expect("linked"));
    assert_eq!(other.links().await.expect("readable"), stored(false));
    assert_eq!(other.waiting(&link, 10).await.expect("readable"), []);
}

pub(crate) async fn only_runs_that_end_after_the_link_wait(stores: Stores) {
    let Some((one, _)) = linked(&stores).await else { return };
    let running = begin_run(&*stores.one, run_of("ingest")).await;
    one.link(&link()).await.expect("linked");
    assert_eq!(one.waiting(&link(), 10).await.expect("readable"), []);
    stores.one.append(&running, &[completed(1, json!(null))]).await.expect("appended");
    // One that begins and ends at once.
    let at_once = run_of("ingest");
    let (id, events) = (at_once.id, vec![started(0), completed(1, json!(null))]);
    stores.one.begin(at_once, events).await.expect("it begins");
    assert_eq!(one.waiting(&link(), 10).await.expect("readable"), [running.run, id]);
}

pub(crate) async fn child_runs_do_not_wait(stores: Stores) {
    let Some((one, _)) = linked(&stores).await else { return };
    one.link(&link()).await.expect("linked");
    let outer = begin_run(&*stores.one, run_of("outer")).await;
    let parent = Some(Parent { run: outer.run, job: "ingest".to_owned() });
    complete(&*stores.one, NewRun { parent, ..run_of("ingest") }).await;
    assert_eq!(one.waiting(&link(), 10).await.expect("readable"), []);
}

pub(crate) async fn runs_that_made_an_asset_wait_once(stores: Stores) {
    let Some((one, other)) = linked(&stores).await else { return };
    let store = &*stores.one;
    let [orders, others] = ["orders", "others"].map(link_from);
    for link in [&orders, &others, &link()] {
        assert!(one.link(link).await.expect("linked"));
        assert!(other.link(link).await.expect("linked again"));
    }
    assert_eq!(other.links().await.expect("readable").len(), 3);
    let made = begin_run(store, run_of("assets")).await;
    make(store, made.run, "b", false).await;
    make(store, made.run, "a", false).await;
    make(store, made.run, "c", true).await;
    assert_eq!(other.waiting(&orders, 10).await.expect("readable"), []);
    // Also a run that has failed, and one that begins and ends at once.
    let failed = event(1, json!({ "event": "run_failed", "reason": "job `orders` failed" }));
    store.append(&made, &[failed]).await.expect("appended");
    let at_once = run_of("assets");
    let (id, events) = (at_once.id, vec![started(0), completed(1, json!(null))]);
    make(store, id, "", false).await;
    store.begin(at_once, events).await.expect("it begins");
    let refused = begin_run(store, run_of("assets")).await;
    make(store, refused.run, "a", true).await;
    store.append(&refused, &[completed(1, json!(null))]).await.expect("appended");
    assert_eq!(other.waiting(&orders, 10).await.expect("readable"), [made.run, id]);
    assert_eq!(other.waiting(&others, 10).await.expect("readable"), []);
    assert_eq!(other.waiting(&link(), 10).await.expect("readable"), []);
    let records = stores.other.asset_store().expect("a store of links has records");
    assert_eq!(records.partitions_made(made.run, "orders").await.expect("readable"), ["a", "b"]);
    assert_eq!(records.partitions_made(id, "orders").await.expect("readable"), [""]);
    other.handled(&orders, made.run).await.expect("recorded");
    assert_eq!(one.waiting(&orders, 10).await.expect("readable"), [id]);
    other.unlink(&orders).await.expect("unlinked");
    assert_eq!(one.links().await.expect("readable").len(), 2);
}

pub(crate) async fn child_runs_that_made_an_asset_wait(stores: Stores) {
    let Some((one, _)) = linked(&stores).await else { return };
    let store = &*stores.one;
    one.link(&link_from("orders")).await.expect("linked");
    let outer = begin_run(store, run_of("outer")).await;
    let parent = Some(Parent { run: outer.run, job: "orders".to_owned() });
    let child = begin_run(store, NewRun { parent, ..run_of("assets") }).await;
    make(store, child.run, "a", false).await;
    store.append(&child, &[completed(1, json!(null))]).await.expect("appended");
    store.append(&outer, &[completed(1, json!(null))]).await.expect("appended");
    assert_eq!(one.waiting(&link_from("orders"), 10).await.expect("readable"), [child.run]);
}
