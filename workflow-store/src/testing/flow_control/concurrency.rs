//! Concurrency limits by key.

use std::time::Duration;

use futures::future::join_all;
use serde_json::json;
use workflow_core::Status;
use workflow_core::event::EventKind;
use workflow_core::flow_control::{Concurrency, OnConflict};
use workflow_core::id::RunId;
use workflow_core::store::{
    BeginOutcome, EvictedRun, Eviction, LimitWait, MessageKind, NewRun, Owner, Parent, SharedBy,
    Store, StoredRun, Trigger,
};

use super::fixtures::*;

const SHORT: Duration = Duration::from_millis(80);

async fn holders(store: &dyn Store, run: RunId) -> Vec<RunId> {
    match store.waits_for(run).await.expect("readable") {
        Some(LimitWait::Concurrency { holders, .. }) => holders,
        None => Vec::new(),
        other => panic!("{other:?}"),
    }
}

async fn read(store: &dyn Store, run: RunId) -> StoredRun {
    store.run(run).await.expect("readable").expect("there")
}

pub(crate) async fn runs_with_limits_begin_without_an_owner(stores: Stores) {
    assert!(stores.one.enforces_limits());
    let run = NewRun { owner: Some(owner()), ..limited(at_most(1, "a")) };
    let id = enqueue(&*stores.one, run).await;
    let found = read(&*stores.other, id).await;
    assert_eq!((found.owner, found.status), (None, Status::Pending));
    assert_eq!(found.flow_control, at_most(1, "a"));
    assert_eq!(stores.other.waits_for(id).await.expect("readable"), None);
    assert_eq!(ids(&claim(&*stores.other, 10).await), [id]);
}

pub(crate) async fn the_limit_holds_for_each_key(stores: Stores) {
    let a = enqueue_all(&*stores.one, 5, &at_most(2, "a")).await;
    let b = enqueue_all(&*stores.one, 2, &at_most(1, "b")).await;
    let free = enqueue(&*stores.one, new_run("etl", None)).await;
    let claimed = claim(&*stores.other, 10).await;
    assert_eq!(ids(&claimed), [a[0], a[1], b[0], free]);
    assert_eq!(claim(&*stores.one, 10).await, []);
    assert_eq!(holders(&*stores.one, a[2]).await, a[..2]);
    assert_eq!(holders(&*stores.one, b[1]).await, b[..1]);
    assert_eq!(stores.one.waits_for(a[0]).await.expect("readable"), None);
}

pub(crate) async fn a_freed_slot_goes_to_the_first_that_waits(stores: Stores) {
    let control = at_most(1, "a");
    let mut runs = enqueue_all(&*stores.one, 3, &control).await;
    let urgent = NewRun { priority: 5, ..limited(control.clone()) };
    let first = claim(&*stores.other, 10).await;
    assert_eq!(ids(&first), runs[..1]);
    assert_eq!(claim(&*stores.other, 10).await, []);
    let urgent = enqueue(&*stores.one, urgent).await;
    assert_eq!(claim(&*stores.other, 10).await, []);
    runs.insert(1, urgent);
    let mut held = first;
    for next in &runs[1..] {
        complete(&*stores.other, &held[0].lease).await;
        held = claim(&*stores.one, 10).await;
        assert_eq!(ids(&held), [*next]);
        assert_eq!(claim(&*stores.other, 10).await, []);
    }
    complete(&*stores.other, &held[0].lease).await;
    assert_eq!(claim(&*stores.one, 10).await, []);
}

pub(crate) async fn claims_by_id_keep_the_limit(stores: Stores) {
    let runs = enqueue_all(&*stores.one, 3, &at_most(1, "a")).await;
    let leases = stores.one.claim(owner(), &runs).await.expect("answered");
    let [held] = leases[..] else { panic!("{leases:?}") };
    assert_eq!(stores.other.claim(owner(), &runs).await.expect("answered"), []);
    let other = *runs.iter().find(|run| **run != held.run).expect("three");
    let lease = stores.other.claim_without_limits(owner(), &[other]).await.expect("answered")[0];
    // It has no slot, also after it was released.
    assert_eq!(holders(&*stores.one, other).await, [held.run]);
    stores.other.release(&[lease]).await.expect("released");
    assert_eq!(claim(&*stores.one, 10).await, []);
    complete(&*stores.one, &held).await;
    let mut left: Vec<RunId> = runs.iter().copied().filter(|run| *run != held.run).collect();
    let leases = stores.one.claim(owner(), &left).await.expect("answered");
    assert_eq!(leases.len(), 1);
    left.retain(|run| *run != leases[0].run);
    complete(&*stores.one, &leases[0]).await;
    assert_eq!(ids(&claim(&*stores.other, 10).await), left);
}

pub(crate) async fn slots_survive_releases_and_deaths(stores: Stores) {
    let runs = enqueue_all(&*stores.one, 2, &at_most(1, "a")).await;
    let dead = living(SHORT);
    let claimed = claim_as(&*stores.one, dead, 10).await;
    assert_eq!(ids(&claimed), runs[..1]);
    assert_eq!(holders(&*stores.other, runs[1]).await, runs[..1]);
    // The run of the dead is taken over with its slot, before any other of its key.
    let heir = owner();
    let claimed = until("the takeover", || async {
        let claimed = claim_as(&*stores.other, heir, 10).await;
        (!claimed.is_empty()).then_some(claimed)
    })
    .await;
    assert_eq!(ids(&claimed), runs[..1]);
    assert_eq!(holders(&*stores.one, runs[1]).await, runs[..1]);
    stores.other.release(&[claimed[0].lease]).await.expect("released");
    let claimed = claim_as(&*stores.other, heir, 10).await;
    assert_eq!(ids(&claimed), runs[..1]);
    complete(&*stores.other, &claimed[0].lease).await;
    assert_eq!(ids(&claim(&*stores.one, 10).await), runs[1..]);
}

pub(crate) async fn an_evicted_run_keeps_its_slot(stores: Stores) {
    if !stores.one.evicts() {
        return;
    }
    let runs = enqueue_all(&*stores.one, 2, &at_most(1, "a")).await;
    let claimed = claim(&*stores.one, 10).await;
    let run = EvictedRun { lease: claimed[0].lease, messages: 0 };
    let eviction = Eviction { run, children: Vec::new(), wakes_in: None };
    assert_eq!(stores.one.evict(&[eviction]).await.expect("answered"), runs[..1]);
    assert_eq!(claim(&*stores.other, 10).await, []);
    assert_eq!(holders(&*stores.other, runs[1]).await, runs[..1]);
    let signal = MessageKind::Signal { name: "go".to_owned(), payload: json!(null) };
    stores.other.send(runs[0], signal).await.expect("sent");
    let claimed = claim(&*stores.other, 10).await;
    assert_eq!(ids(&claimed), runs[..1]);
    complete(&*stores.other, &claimed[0].lease).await;
    assert_eq!(ids(&claim(&*stores.one, 10).await), runs[1..]);
}

pub(crate) async fn a_waiting_run_that_ends_frees_the_way(stores: Stores) {
    let runs = enqueue_all(&*stores.one, 3, &at_most(1, "a")).await;
    let first = claim(&*stores.one, 10).await;
    assert_eq!(claim(&*stores.one, 10).await, []);
    complete(&*stores.one, &first[0].lease).await;
    // The next one is cancelled before anybody claims it to run it.
    let lease = stores.one.claim_without_limits(owner(), &runs[1..2]).await.expect("answered")[0];
    let cancelled = event(0, json!({ "event": "run_cancelled" }));
    stores.one.append(&lease, &[cancelled]).await.expect("it ends");
    assert_eq!(ids(&claim(&*stores.other, 10).await), runs[2..]);
    assert_eq!(claim(&*stores.other, 10).await, []);
}

pub(crate) async fn a_higher_limit_lets_waiting_runs_begin(stores: Stores) {
    let runs = enqueue_all(&*stores.one, 4, &at_most(1, "a")).await;
    let first = claim(&*stores.one, 10).await;
    assert_eq!(claim(&*stores.one, 10).await, []);
    // The definition changes: each run has the limit with which it was requested.
    let more = enqueue_all(&*stores.one, 3, &at_most(3, "a")).await;
    assert_eq!(ids(&claim(&*stores.other, 10).await), more[..2]);
    complete(&*stores.one, &first[0].lease).await;
    assert_eq!(holders(&*stores.one, runs[1]).await, more[..2]);
}

pub(crate) async fn workflows_share_no_limit(stores: Stores) {
    let one = enqueue(&*stores.one, limited(at_most(1, "a"))).await;
    let other = NewRun { flow_control: at_most(1, "a"), ..new_run("other", None) };
    let other = enqueue(&*stores.one, other).await;
    assert_eq!(ids(&claim(&*stores.one, 10).await), [one, other]);
}

pub(crate) async fn skipped_requests_get_the_oldest_run(stores: Stores) {
    let control = concurrency(Concurrency::new(2).key("a").on_conflict(OnConflict::Skip));
    let runs = enqueue_all(&*stores.one, 2, &control).await;
    for _ in 0..2 {
        let skipped = limited(control.clone());
        let id = skipped.id;
        let begun = stores.other.begin(skipped, Vec::new()).await.expect("answered");
        let BeginOutcome::Existing(held, SharedBy::Slot) = begun else { panic!("{begun:?}") };
        assert_eq!(held.id, runs[0]);
        assert_eq!(stores.one.run(id).await.expect("readable"), None);
    }
    // What is retried is no other run.
    let retry = NewRun { trigger: Trigger::Retry, ..limited(control.clone()) };
    let retry = enqueue(&*stores.other, retry).await;
    let claimed = claim(&*stores.one, 10).await;
    assert_eq!(ids(&claimed), runs);
    complete(&*stores.one, &claimed[0].lease).await;
    assert_eq!(ids(&claim(&*stores.one, 10).await), [retry]);
    complete(&*stores.one, &claimed[1].lease).await;
    enqueue(&*stores.one, limited(control)).await;
}

pub(crate) async fn refused_runs_are_recorded_as_cancelled(stores: Stores) {
    let control = concurrency(Concurrency::new(1).key("a").on_conflict(OnConflict::CancelNew));
    let held = enqueue(&*stores.one, limited(control.clone())).await;
    let refused = limited(control.clone());
    let id = refused.id;
    let begun = stores.other.begin(refused, Vec::new()).await.expect("answered");
    assert_eq!(begun, BeginOutcome::Cancelled);
    assert_eq!(read(&*stores.one, id).await.status, Status::Cancelled);
    let events = stores.one.events(id, 0, 10).await.expect("readable");
    let EventKind::CancelRequested { reason: Some(reason) } = &events[0].kind else {
        panic!("{events:?}")
    };
    assert!(reason.contains(&held.to_string()) && reason.contains("of key `a`"), "{reason}");
    assert!(matches!(&events[1].kind, EventKind::JobSkipped { job, .. } if job == "load"));
    let claimed = claim(&*stores.one, 10).await;
    assert_eq!(ids(&claimed), [held]);
    complete(&*stores.one, &claimed[0].lease).await;
    let next = enqueue(&*stores.one, limited(control)).await;
    assert_eq!(ids(&claim(&*stores.other, 10).await), [next]);
}

pub(crate) async fn new_runs_cancel_the_oldest_ones(stores: Stores) {
    let control = concurrency(Concurrency::new(2).key("a").on_conflict(OnConflict::CancelRunning));
    let runs = enqueue_all(&*stores.one, 2, &control).await;
    let claimed = claim(&*stores.one, 10).await;
    assert_eq!(ids(&claimed), runs);
    let new = enqueue(&*stores.other, limited(control.clone())).await;
    let sent = async |run| {
        let messages = stores.one.messages(run).await.expect("readable");
        messages.into_iter().map(|message| message.kind).collect::<Vec<_>>()
    };
    assert_eq!(sent(runs[0]).await, [MessageKind::Cancel]);
    assert_eq!(sent(runs[1]).await, []);
    assert_eq!(claim(&*stores.one, 10).await, []);
    // The one that is being cancelled is not asked again.
    let last = enqueue(&*stores.other, limited(control)).await;
    assert_eq!(sent(runs[0]).await.len(), 1);
    assert_eq!(sent(runs[1]).await, [MessageKind::Cancel]);
    assert_eq!(sent(new).await, []);
    for claimed in &claimed {
        complete(&*stores.one, &claimed.lease).await;
    }
    assert_eq!(ids(&claim(&*stores.one, 10).await), [new, last]);
}

pub(crate) async fn child_runs_keep_the_limit(stores: Stores) {
    let held = enqueue(&*stores.one, limited(at_most(1, "a"))).await;
    let claimed = claim(&*stores.one, 10).await;
    let parent = Some(Parent { run: held, job: "calls".to_owned() });
    let child = NewRun { parent, ..limited(at_most(1, "a")) };
    let child = enqueue(&*stores.one, child).await;
    assert_eq!(stores.one.claim(owner(), &[child]).await.expect("answered"), []);
    assert_eq!(holders(&*stores.one, child).await, [held]);
    complete(&*stores.one, &claimed[0].lease).await;
    // It waits in no queue: the engine of the outer run claims it.
    assert_eq!(claim(&*stores.one, 10).await, []);
    assert_eq!(stores.one.claim(owner(), &[child]).await.expect("answered").len(), 1);
}

pub(crate) async fn concurrent_claims_never_exceed_the_limit(stores: Stores) {
    let mut runs = 0;
    for key in ["a", "b", "c"] {
        runs += enqueue_all(&*stores.one, 12, &at_most(2, key)).await.len();
    }
    // Claims may come before the ends of the same round, and find nothing.
    let (mut ended, mut idle) = (0, 0);
    let mut held: Vec<(String, workflow_core::store::Lease)> = Vec::new();
    while ended < runs {
        let claims = (0..6).map(|at| {
            let store = if at % 2 == 0 { stores.one.clone() } else { stores.other.clone() };
            async move { claim(&*store, 3).await }
        });
        // Some end while others are claimed.
        let ending: Vec<_> = held.drain(..held.len().min(4)).collect();
        let ends = ending.iter().map(|(_, lease)| complete(&*stores.other, lease));
        let (claimed, ends) = futures::future::join(join_all(claims), join_all(ends)).await;
        ended += ends.len();
        for claimed in claimed.concat() {
            let key = claimed.run.flow_control.concurrency.expect("limited").key;
            held.push((key, claimed.lease));
        }
        for key in ["a", "b", "c"] {
            let count = held.iter().filter(|(of, _)| of == key).count();
            assert!(count <= 2, "{count} runs of {key}");
        }
        idle = if held.is_empty() { idle + 1 } else { 0 };
        assert!(idle < 3, "{ended} of {runs} ended, and none continues");
    }
}

pub(crate) async fn concurrent_requests_begin_one_run(stores: Stores) {
    let control = concurrency(Concurrency::new(1).on_conflict(OnConflict::Skip));
    // The workflow exists before.
    enqueue(&*stores.one, new_run("etl", None)).await;
    let requests = (0..12).map(|at| {
        let store = if at % 2 == 0 { stores.one.clone() } else { stores.other.clone() };
        let run = limited(control.clone());
        async move { store.begin(run, Vec::new()).await.expect("answered") }
    });
    let answers = join_all(requests).await;
    let begun = answers.iter().filter(|answer| matches!(answer, BeginOutcome::New(_)));
    assert_eq!(begun.count(), 1, "{answers:?}");
}

pub(crate) async fn runs_beyond_the_limit_hide_nobody(stores: Stores) {
    let waiting = enqueue_all(&*stores.one, 60, &at_most(1, "a")).await;
    let other = enqueue(&*stores.one, limited(at_most(1, "b"))).await;
    let claimed = claim(&*stores.other, 2).await;
    assert_eq!(ids(&claimed), [waiting[0], other]);
    let free: Owner = owner();
    let free_run = enqueue(&*stores.one, new_run("etl", None)).await;
    assert_eq!(ids(&claim_as(&*stores.other, free, 1).await), [free_run]);
}
