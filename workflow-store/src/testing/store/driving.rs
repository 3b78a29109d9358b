//! Who drives a run.

use std::time::{Duration, Instant};

use futures::future::join_all;
use serde_json::json;
use workflow_core::event::Blocked;
use workflow_core::id::RunId;
use workflow_core::store::{BeginOutcome, HeldLeases, OwnerId, Parent, StoreError};

use super::fixtures::*;

const SHORT: Duration = Duration::from_millis(80);

pub(crate) async fn a_run_without_owner_is_claimed(stores: Stores) {
    let run = new_run("etl", None);
    stores.one.begin(run.clone(), Vec::new()).await.expect("it begins");
    let found = stores.other.abandoned(None, 10).await.expect("readable");
    assert_eq!(found.iter().map(|run| run.id).collect::<Vec<_>>(), [run.id]);
    let owner = owner();
    let leases = stores.other.claim(owner, &[run.id, RunId::random()]).await.expect("claimed");
    assert_eq!(leases.len(), 1);
    assert_eq!((leases[0].run, leases[0].owner, leases[0].token), (run.id, owner.id, 1));
    assert_eq!(stores.one.abandoned(None, 10).await.expect("readable"), []);
    stores.other.append(&leases[0], &[started(0)]).await.expect("driven");
    let found = stores.one.run(run.id).await.expect("readable").expect("there");
    assert_eq!(found.owner, Some(owner.id));
}

pub(crate) async fn one_of_many_claims_wins(stores: Stores) {
    let mut runs = Vec::new();
    for _ in 0..5 {
        let run = new_run("etl", None);
        runs.push(run.id);
        stores.one.begin(run, Vec::new()).await.expect("it begins");
    }
    let claims = (0..12).map(|at| {
        let store = if at % 2 == 0 { stores.one.clone() } else { stores.other.clone() };
        let runs = runs.clone();
        async move { store.claim(owner(), &runs).await.expect("answered") }
    });
    let leases: Vec<_> = join_all(claims).await.concat();
    assert_eq!(leases.len(), 5, "{leases:?}");
    assert!(leases.iter().all(|lease| lease.token == 1));
}

pub(crate) async fn the_dead_are_taken_over_and_fenced(stores: Stores) {
    let lease = begin(&*stores.one, living(SHORT)).await;
    stores.one.append(&lease, &[job_started(1, "load")]).await.expect("driven");
    let heir = owner();
    let claimed = until("the takeover", || async {
        stores.other.claim(heir, &[lease.run]).await.expect("answered").pop()
    })
    .await;
    assert_eq!(claimed.token, 2);
    let event = [job_completed(2, "load", json!(1))];
    let refused = stores.one.append(&lease, &event).await;
    assert!(matches!(refused, Err(StoreError::LeaseLost { run }) if run == lease.run));
    stores.other.append(&claimed, &event).await.expect("the heir drives");
    let old = workflow_core::store::Owner { id: lease.owner, lifetime: SHORT };
    assert_eq!(stores.one.renew(old, &[lease]).await.expect("answered"), [lease]);
    assert_eq!(stores.other.renew(heir, &[claimed]).await.expect("answered"), []);
}

pub(crate) async fn renewing_keeps_runs(stores: Stores) {
    let owner = living(Duration::from_millis(1500));
    let lease = begin(&*stores.one, owner).await;
    let end = Instant::now() + owner.lifetime * 2;
    while Instant::now() < end {
        assert_eq!(stores.one.renew(owner, &[lease]).await.expect("answered"), []);
        assert_eq!(stores.other.abandoned(None, 10).await.expect("readable"), []);
        std::thread::sleep(Duration::from_millis(50));
    }
}

pub(crate) async fn released_runs_can_be_claimed(stores: Stores) {
    let owner = owner();
    let (kept, freed) = (begin(&*stores.one, owner).await, begin(&*stores.one, owner).await);
    let lost = workflow_core::store::Lease { token: 7, ..kept };
    stores.one.release(&[freed, lost]).await.expect("released");
    let orphans = stores.other.abandoned(None, 10).await.expect("readable");
    assert_eq!(
        orphans.iter().map(|run| (run.id, run.owner)).collect::<Vec<_>>(),
        [(freed.run, None)]
    );
    let refused = stores.one.append(&freed, &[job_started(1, "load")]).await;
    assert!(matches!(refused, Err(StoreError::LeaseLost { .. })), "{refused:?}");
    stores.one.append(&kept, &[job_started(1, "load")]).await.expect("still driven");
    let again = stores.other.claim(owner, &[freed.run, kept.run]).await.expect("answered");
    assert_eq!(
        again.iter().map(|lease| (lease.run, lease.token)).collect::<Vec<_>>(),
        [(freed.run, 2)]
    );
}

pub(crate) async fn orphans_come_in_pages(stores: Stores) {
    let mut runs = Vec::new();
    for _ in 0..5 {
        let run = new_run("etl", None);
        runs.push(run.id);
        stores.one.begin(run, Vec::new()).await.expect("it begins");
    }
    let ids = |runs: Vec<workflow_core::store::StoredRun>| {
        runs.into_iter().map(|run| run.id).collect::<Vec<_>>()
    };
    let first = ids(stores.one.abandoned(None, 2).await.expect("readable"));
    assert_eq!(first, runs[..2]);
    let rest = ids(stores.one.abandoned(Some(first[1]), 10).await.expect("readable"));
    assert_eq!(rest, runs[2..]);
}

pub(crate) async fn finished_runs_are_not_abandoned(stores: Stores) {
    let owner = living(SHORT);
    let (ended, open) = (begin(&*stores.one, owner).await, begin(&*stores.one, owner).await);
    stores.one.append(&ended, &[completed(1, json!(null))]).await.expect("kept");
    let orphans = until("the death of the owner", || async {
        let orphans = stores.other.abandoned(None, 10).await.expect("readable");
        (!orphans.is_empty()).then_some(orphans)
    })
    .await;
    assert_eq!(orphans.iter().map(|run| run.id).collect::<Vec<_>>(), [open.run]);
    let claimed = stores.other.claim(self::owner(), &[ended.run]).await.expect("answered");
    assert_eq!(claimed, []);
    // A run that ended under its owner is not lost to it.
    assert_eq!(stores.one.renew(owner, &[ended]).await.expect("answered"), []);
}

pub(crate) async fn a_slow_owner_that_nobody_replaced_goes_on(stores: Stores) {
    let lease = begin(&*stores.one, living(SHORT)).await;
    until("the death of the owner", || async {
        let orphans = stores.other.abandoned(None, 10).await.expect("readable");
        (!orphans.is_empty()).then_some(())
    })
    .await;
    stores.one.append(&lease, &[job_started(1, "load")]).await.expect("nobody took it");
    let again = workflow_core::store::Owner { id: lease.owner, lifetime: Duration::from_secs(60) };
    let claimed = stores.one.claim(again, &[lease.run]).await.expect("answered");
    assert_eq!(claimed.iter().map(|lease| lease.token).collect::<Vec<_>>(), [2]);
    let stranger = workflow_core::store::Lease { owner: OwnerId::random(), ..claimed[0] };
    let refused = stores.one.append(&stranger, &[job_started(2, "load")]).await;
    assert!(matches!(refused, Err(StoreError::LeaseLost { .. })), "{refused:?}");
}

pub(crate) async fn held_leases_are_counted(stores: Stores) {
    assert_eq!(stores.one.held().await.expect("readable"), HeldLeases::default());
    let owner = owner();
    let (kept, freed) = (begin(&*stores.one, owner).await, begin(&*stores.one, owner).await);
    begin(&*stores.one, living(Duration::from_secs(5))).await;
    let ended = begin(&*stores.one, owner).await;
    stores.one.append(&ended, &[completed(1, json!(null))]).await.expect("kept");
    stores.one.release(&[freed]).await.expect("released");
    stores.one.begin(new_run("etl", None), Vec::new()).await.expect("it begins");
    let held = stores.other.held().await.expect("readable");
    assert_eq!(held.runs, 2, "{held:?}");
    assert!(held.expires_in > Duration::from_secs(50), "{held:?}");
    assert!(held.expires_in <= owner.lifetime, "{held:?}");
    stores.one.release(&[kept]).await.expect("released");
    let held = stores.other.held().await.expect("readable");
    assert!(held.runs == 1 && held.expires_in <= Duration::from_secs(5), "{held:?}");
}

pub(crate) async fn a_blocked_run_says_why_until_it_goes_on(stores: Stores) {
    let lease = begin(&*stores.one, owner()).await;
    let blocked_of = async || {
        let found = stores.other.run(lease.run).await.expect("readable").expect("there");
        found.blocked
    };
    assert_eq!(blocked_of().await, None);
    let changed = |sequence, difference: &str| {
        let kind = json!({
            "event": "run_blocked", "reason": "definition_changed", "difference": difference
        });
        event(sequence, kind)
    };
    let is =
        |difference: &str| Some(Blocked::DefinitionChanged { difference: difference.to_owned() });
    stores.one.append(&lease, &[changed(1, "a job is new")]).await.expect("kept");
    assert_eq!(blocked_of().await, is("a job is new"));
    stores.one.append(&lease, &[changed(2, "a job is gone")]).await.expect("kept");
    assert_eq!(blocked_of().await, is("a job is gone"));
    stores.one.release(&[lease]).await.expect("released");
    let orphans = stores.other.abandoned(None, 10).await.expect("readable");
    assert_eq!(orphans[0].blocked, is("a job is gone"));
    let claimed = stores.other.claim(owner(), &[lease.run]).await.expect("answered");
    let resumed = event(3, json!({ "event": "run_resumed", "after_crash": true }));
    stores.other.append(&claimed[0], std::slice::from_ref(&resumed)).await.expect("kept");
    assert_eq!(blocked_of().await, None);
    assert_eq!(stores.one.events(lease.run, 3, 10).await.expect("readable"), [resumed]);
    let again = [changed(4, "a job is new"), event(5, json!({ "event": "run_unblocked" }))];
    stores.other.append(&claimed[0], &again).await.expect("kept");
    assert_eq!(blocked_of().await, None);
    let end = [changed(6, "a job is new"), event(7, json!({ "event": "run_cancelled" }))];
    stores.other.append(&claimed[0], &end).await.expect("kept");
    assert_eq!(blocked_of().await, None);
}

pub(crate) async fn runs_inside_of_a_run_are_found(stores: Stores) {
    let outer = begin(&*stores.one, owner()).await;
    let mut children = Vec::new();
    for _ in 0..3 {
        let mut new = new_run("inner", Some(owner()));
        new.parent = Some(Parent { run: outer.run, job: "calls".to_owned() });
        let begun = stores.one.begin(new, vec![started(0)]).await.expect("it begins");
        let BeginOutcome::New(Some(lease)) = begun else { panic!("{begun:?}") };
        children.push(lease);
    }
    stores.one.append(&children[1], &[completed(1, json!(null))]).await.expect("kept");
    let mut open = vec![children[0].run, children[2].run];
    open.sort();
    assert_eq!(stores.other.children(outer.run).await.expect("readable"), open);
    assert_eq!(stores.other.children(RunId::random()).await.expect("readable"), []);
}
