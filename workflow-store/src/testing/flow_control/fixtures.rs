//! Runs with limits.

use std::time::Duration;

use serde_json::json;
use workflow_core::flow_control::{Concurrency, Debounce, Fairness, FlowControl, RateLimit};
use workflow_core::id::RunId;
use workflow_core::store::{
    BeginOutcome, ClaimRequest, ClaimedRun, Lease, NewRun, Owner, Queues, Store,
};

pub(crate) use crate::testing::store::Stores;
pub(crate) use crate::testing::store::fixtures::{
    completed, event, living, new_run, started, until,
};

/// An engine that stays alive when the clock is set ahead by minutes.
pub(crate) fn owner() -> Owner {
    living(Duration::from_secs(24 * 3600))
}

pub(crate) fn limited(control: FlowControl) -> NewRun {
    NewRun { flow_control: control, ..new_run("etl", None) }
}

pub(crate) fn concurrency(limit: Concurrency) -> FlowControl {
    let mut control = FlowControl::default();
    control.concurrency = Some(limit);
    control
}

/// At most this many runs with this key.
pub(crate) fn at_most(limit: u32, key: &str) -> FlowControl {
    concurrency(Concurrency::new(limit).key(key))
}

pub(crate) fn rate(limit: u32, per: Duration) -> FlowControl {
    let mut control = FlowControl::default();
    control.rate_limit = Some(RateLimit::new(limit, per));
    control
}

pub(crate) fn debounce(debounce: Debounce) -> FlowControl {
    let mut control = FlowControl::default();
    control.debounce = Some(debounce);
    control
}

pub(crate) fn fair(key: &str, weight: u32) -> FlowControl {
    let mut control = FlowControl::default();
    control.fairness = Some(Fairness::new(key).weight(weight));
    control
}

/// Begins a run that is new.
pub(crate) async fn enqueue(store: &dyn Store, run: NewRun) -> RunId {
    let id = run.id;
    let begun = store.begin(run, Vec::new()).await.expect("it begins");
    assert_eq!(begun, BeginOutcome::New(None));
    id
}

pub(crate) async fn enqueue_all(
    store: &dyn Store,
    count: usize,
    control: &FlowControl,
) -> Vec<RunId> {
    let mut runs = Vec::new();
    for _ in 0..count {
        runs.push(enqueue(store, limited(control.clone())).await);
    }
    runs
}

pub(crate) async fn claim(store: &dyn Store, limit: usize) -> Vec<ClaimedRun> {
    claim_as(store, owner(), limit).await
}

pub(crate) async fn claim_as(store: &dyn Store, owner: Owner, limit: usize) -> Vec<ClaimedRun> {
    let request = ClaimRequest { queues: Queues::all(), except: Vec::new(), limit };
    store.claim_next(owner, &request).await.expect("answered")
}

pub(crate) fn ids(claimed: &[ClaimedRun]) -> Vec<RunId> {
    claimed.iter().map(|claimed| claimed.run.id).collect()
}

/// Completes a run without jobs that has not started.
pub(crate) async fn complete(store: &dyn Store, lease: &Lease) {
    let from = store.run(lease.run).await.expect("readable").expect("there").events;
    let events = [started(from), completed(from + 1, json!(null))];
    let events = if from == 0 { &events[..] } else { &events[1..] };
    let events: Vec<_> = events.to_vec();
    let mut events = events;
    for (sequence, event) in (from..).zip(&mut events) {
        event.sequence = sequence;
    }
    store.append(lease, &events).await.expect("it ends");
}
