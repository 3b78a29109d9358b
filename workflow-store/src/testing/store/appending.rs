//! Events are added.

use futures::future::join_all;
use serde_json::{Value as Json, json};
use workflow_core::Status;
use workflow_core::id::RunId;
use workflow_core::store::{Lease, OwnerId, StoreError};

use super::fixtures::*;

pub(crate) async fn events_come_back_in_pages(stores: Stores) {
    let lease = begin(&*stores.one, owner()).await;
    let events: Vec<_> = (1..=20).map(|at| job_started(at, &format!("job {at}"))).collect();
    stores.one.append(&lease, &events[..1]).await.expect("kept");
    stores.one.append(&lease, &events[1..]).await.expect("kept");
    stores.one.append(&lease, &[]).await.expect("nothing to keep");
    let page = stores.other.events(lease.run, 5, 3).await.expect("readable");
    assert_eq!(page, events[4..7]);
    assert_eq!(stores.other.events(lease.run, 21, 3).await.expect("readable"), []);
    assert_eq!(stores.other.events(lease.run, 1, usize::MAX).await.expect("readable"), events);
    assert_eq!(stores.one.run(lease.run).await.expect("readable").expect("there").events, 21);
}

pub(crate) async fn persisted_values_come_back_in_pages(stores: Stores) {
    let lease = begin(&*stores.one, owner()).await;
    let persisted = |at: u64| {
        let value = json!({ "event": "value_persisted", "job": "load", "key": "k", "value": at });
        event(at, value)
    };
    let events: Vec<_> = (1..=2_400)
        .map(|at| if at % 800 == 0 { persisted(at) } else { job_started(at, "load") })
        .collect();
    stores.one.append(&lease, &events).await.expect("kept");
    let read =
        async |from, limit| stores.other.persisted(lease.run, from, limit).await.expect("readable");
    assert_eq!(read(0, 10).await, [persisted(800), persisted(1_600), persisted(2_400)]);
    assert_eq!(read(801, 1).await, [persisted(1_600)]);
    assert_eq!(read(2_401, 10).await, []);
    assert_eq!(stores.other.persisted(RunId::random(), 0, 10).await.expect("readable"), []);
}

pub(crate) async fn events_must_follow(stores: Stores) {
    let lease = begin(&*stores.one, owner()).await;
    for wrong in [vec![started(0)], vec![started(2)], vec![started(1), started(3)]] {
        let error = stores.one.append(&lease, &wrong).await;
        assert!(matches!(error, Err(StoreError::Gap { .. })), "{error:?}");
    }
    assert_eq!(stores.one.events(lease.run, 0, 10).await.expect("readable"), [started(0)]);
    stores.one.append(&lease, &[job_started(1, "load")]).await.expect("follows");
}

pub(crate) async fn a_status_changes_legally_or_not_at_all(stores: Stores) {
    let lease = begin(&*stores.one, owner()).await;
    stores.one.append(&lease, &[completed(1, json!(7))]).await.expect("legal");
    let error = stores.one.append(&lease, &[started(2)]).await.expect_err("illegal");
    let text = format!("run {}: a completed run cannot become running", lease.run);
    assert!(error.to_string().starts_with(&text), "{error}");
    let run = stores.other.run(lease.run).await.expect("readable").expect("there");
    assert_eq!((run.status, run.events), (Status::Completed, 2));
}

pub(crate) async fn refused_events_harm_no_neighbour(stores: Stores) {
    let owner = owner();
    let mut leases = Vec::new();
    for _ in 0..60 {
        leases.push(begin(&*stores.one, owner).await);
    }
    // They wait together, and share transactions where stores have some.
    let appends = leases.iter().enumerate().map(|(at, lease)| {
        let store = stores.one.clone();
        async move {
            let token = if at % 3 == 0 { 9 } else { lease.token };
            let sequence = if at % 3 == 1 { 5 } else { 1 };
            let lease = Lease { token, ..*lease };
            store.append(&lease, &[job_started(sequence, "load")]).await
        }
    });
    for (at, answer) in join_all(appends).await.into_iter().enumerate() {
        match at % 3 {
            0 => assert!(matches!(answer, Err(StoreError::LeaseLost { .. })), "{answer:?}"),
            1 => assert!(matches!(answer, Err(StoreError::Gap { .. })), "{answer:?}"),
            _ => answer.expect("kept"),
        }
    }
    for (at, lease) in leases.iter().enumerate() {
        let events = stores.other.events(lease.run, 0, 10).await.expect("readable");
        assert_eq!(events.len(), if at % 3 == 2 { 2 } else { 1 });
    }
}

pub(crate) async fn large_outputs_come_back(stores: Stores) {
    let lease = begin(&*stores.one, owner()).await;
    let large = Json::String("x\u{e9}".repeat(800_000));
    let kept = json!({ "event": "value_persisted", "job": "load", "key": "k", "value": large });
    let received = json!({ "event": "signal_received", "job": "load", "attempt": 1,
        "signal": "s", "payload": large });
    let events = [
        job_started(1, "load"),
        job_completed(2, "load", large.clone()),
        event(3, kept),
        event(4, received),
        completed(5, large),
    ];
    stores.one.append(&lease, &events).await.expect("kept");
    assert_eq!(stores.other.events(lease.run, 1, 10).await.expect("readable"), events);
}

pub(crate) async fn an_unknown_run_takes_no_events(stores: Stores) {
    let run = RunId::random();
    let lease = Lease { run, owner: OwnerId::random(), token: 1 };
    let error = stores.one.append(&lease, &[started(0)]).await;
    assert!(matches!(error, Err(StoreError::NoRun { run: id }) if id == run), "{error:?}");
}
