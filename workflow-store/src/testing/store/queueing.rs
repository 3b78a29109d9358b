//! Task queues.

use std::time::Duration;

use futures::future::join_all;
use serde_json::json;
use workflow_core::id::RunId;
use workflow_core::store::{
    BeginOutcome, ClaimRequest, ClaimedRun, Lease, NewRun, Owner, Parent, Queues, Store,
    WorkflowSnapshot,
};

use super::fixtures::*;

const SHORT: Duration = Duration::from_millis(80);

fn in_queue(queue: &str, priority: i32) -> NewRun {
    NewRun { task_queue: queue.to_owned(), priority, ..new_run("etl", None) }
}

async fn enqueue(store: &dyn Store, run: NewRun) -> RunId {
    let id = run.id;
    store.begin(run, Vec::new()).await.expect("it begins");
    id
}

fn from(queues: Queues, limit: usize) -> ClaimRequest {
    ClaimRequest { queues, except: Vec::new(), limit }
}

async fn claim(store: &dyn Store, owner: Owner, request: &ClaimRequest) -> Vec<ClaimedRun> {
    store.claim_next(owner, request).await.expect("answered")
}

fn ids(claimed: &[ClaimedRun]) -> Vec<RunId> {
    claimed.iter().map(|claimed| claimed.run.id).collect()
}

pub(crate) async fn queued_runs_are_claimed_by_priority_and_age(stores: Stores) {
    let mut runs = Vec::new();
    for priority in [0, 5, 0, -1, 5] {
        runs.push(enqueue(&*stores.one, in_queue("a", priority)).await);
    }
    let owner = owner();
    let first = claim(&*stores.other, owner, &from(Queues::all(), 2)).await;
    assert_eq!(ids(&first), [runs[1], runs[4]]);
    assert_eq!((first[0].lease.owner, first[0].lease.token), (owner.id, 1));
    assert_eq!((first[0].run.owner, &*first[0].run.task_queue), (None, "a"));
    assert_eq!(first[0].run.priority, 5);
    stores.other.append(&first[0].lease, &[started(0)]).await.expect("driven");
    let rest = claim(&*stores.one, owner, &from(Queues::all(), 10)).await;
    assert_eq!(ids(&rest), [runs[0], runs[2], runs[3]]);
    assert_eq!(claim(&*stores.one, owner, &from(Queues::all(), 10)).await, []);
}

pub(crate) async fn a_worker_claims_from_its_queues_only(stores: Stores) {
    let (a, b) = (in_queue("a", 0), in_queue("b", 9));
    let (a, b) = (enqueue(&*stores.one, a).await, enqueue(&*stores.one, b).await);
    let none = claim(&*stores.other, owner(), &from(Queues::named(["c", "A"]), 10)).await;
    assert_eq!(none, []);
    let claimed = claim(&*stores.other, owner(), &from(Queues::named(["a", "c"]), 10)).await;
    assert_eq!(ids(&claimed), [a]);
    let found = stores.one.run(b).await.expect("readable").expect("there");
    assert_eq!((found.owner, &*found.task_queue, found.priority), (None, "b", 9));
}

pub(crate) async fn queues_of_higher_priority_come_first(stores: Stores) {
    let mut runs = Vec::new();
    for (queue, priority) in [("late", 9), ("plain", 0), ("a", 0), ("b", 1), ("plain", 3)] {
        runs.push(enqueue(&*stores.one, in_queue(queue, priority)).await);
    }
    let queues = Queues::all().add("a", 10).add("b", 10).add("late", -10);
    let claimed = claim(&*stores.other, owner(), &from(queues.clone(), 3)).await;
    assert_eq!(ids(&claimed), [runs[3], runs[2], runs[4]]);
    let claimed = claim(&*stores.other, owner(), &from(queues, 3)).await;
    assert_eq!(ids(&claimed), [runs[1], runs[0]]);
}

pub(crate) async fn excepted_workflows_are_left_to_others(stores: Stores) {
    let other = NewRun { task_queue: "a".to_owned(), ..new_run("other", None) };
    let other = enqueue(&*stores.one, other).await;
    let etl = enqueue(&*stores.one, in_queue("a", 0)).await;
    for queues in [Queues::all(), Queues::named(["a"])] {
        let except = vec!["other".to_owned(), "third".to_owned()];
        let request = ClaimRequest { except, ..from(queues, 10) };
        let claimed = claim(&*stores.other, owner(), &request).await;
        assert_eq!(ids(&claimed), [etl]);
        let leases: Vec<Lease> = claimed.iter().map(|claimed| claimed.lease).collect();
        stores.other.release(&leases).await.expect("released");
    }
    let claimed = claim(&*stores.other, owner(), &from(Queues::all(), 10)).await;
    assert_eq!(ids(&claimed), [other, etl]);
}

pub(crate) async fn released_runs_wait_in_their_queues_again(stores: Stores) {
    let run = NewRun { task_queue: "a".to_owned(), ..new_run("etl", Some(owner())) };
    let id = run.id;
    let begun = stores.one.begin(run, vec![started(0)]).await.expect("it begins");
    let BeginOutcome::New(Some(lease)) = begun else { panic!("{begun:?}") };
    assert_eq!(claim(&*stores.other, owner(), &from(Queues::all(), 10)).await, []);
    stores.one.release(&[Lease { token: 7, ..lease }]).await.expect("ignored");
    assert_eq!(claim(&*stores.other, owner(), &from(Queues::all(), 10)).await, []);
    stores.one.release(&[lease]).await.expect("released");
    let claimed = claim(&*stores.other, owner(), &from(Queues::named(["a"]), 10)).await;
    assert_eq!((ids(&claimed), claimed[0].lease.token), (vec![id], 2));
    // A run that was claimed by its ID does not wait either, nor does one that has ended.
    stores.other.release(&[claimed[0].lease]).await.expect("released");
    let leases = stores.one.claim(owner(), &[id]).await.expect("answered");
    assert_eq!(claim(&*stores.other, owner(), &from(Queues::all(), 10)).await, []);
    stores.one.append(&leases[0], &[completed(1, json!(null))]).await.expect("it ends");
    stores.one.release(&leases).await.expect("released");
    assert_eq!(claim(&*stores.other, owner(), &from(Queues::all(), 10)).await, []);
}

pub(crate) async fn runs_of_the_dead_return_to_their_queues(stores: Stores) {
    let dead = living(SHORT);
    let lost = begin(&*stores.one, dead).await;
    let kept = begin(&*stores.one, owner()).await;
    let claimed = until("the death of the owner", || async {
        let claimed = claim(&*stores.other, owner(), &from(Queues::all(), 10)).await;
        (!claimed.is_empty()).then_some(claimed)
    })
    .await;
    assert_eq!((ids(&claimed), claimed[0].lease.token), (vec![lost.run], 2));
    assert_eq!(claimed[0].run.owner, Some(dead.id), "the run was interrupted by a crash");
    let event = [job_started(1, "load")];
    assert!(stores.one.append(&lost, &event).await.is_err());
    stores.one.append(&kept, &event).await.expect("still driven");
}

pub(crate) async fn a_late_owner_keeps_runs_that_nobody_claimed(stores: Stores) {
    let late = living(SHORT);
    let lease = begin(&*stores.one, late).await;
    until("the death of the owner", || async {
        let abandoned = stores.other.abandoned(None, 10).await.expect("readable");
        (!abandoned.is_empty()).then_some(())
    })
    .await;
    // Somebody who serves another queue notices the death.
    assert_eq!(claim(&*stores.other, owner(), &from(Queues::named(["b"]), 10)).await, []);
    let alive = Owner { id: late.id, lifetime: Duration::from_secs(2) };
    assert_eq!(stores.one.renew(alive, &[lease]).await.expect("answered"), []);
    assert_eq!(claim(&*stores.other, owner(), &from(Queues::all(), 10)).await, []);
    stores.one.append(&lease, &[job_started(1, "load")]).await.expect("still driven");
    // It dies once more.
    let claimed = until("the second death", || async {
        let claimed = claim(&*stores.other, owner(), &from(Queues::all(), 10)).await;
        (!claimed.is_empty()).then_some(claimed)
    })
    .await;
    assert_eq!(ids(&claimed), [lease.run]);
}

pub(crate) async fn a_death_that_a_clock_took_back_is_noticed_again(stores: Stores) {
    let lease = begin(&*stores.one, living(SHORT)).await;
    until("the death of the owner", || async {
        let abandoned = stores.other.abandoned(None, 10).await.expect("readable");
        (!abandoned.is_empty()).then_some(())
    })
    .await;
    assert_eq!(claim(&*stores.other, owner(), &from(Queues::named(["b"]), 10)).await, []);
    (stores.set_clock)(-3_600_000_000);
    let heir = owner();
    let claimed = until("the takeover", || async {
        let claimed = claim(&*stores.other, heir, &from(Queues::all(), 10)).await;
        (!claimed.is_empty()).then_some(claimed)
    })
    .await;
    assert_eq!(ids(&claimed), [lease.run]);
}

pub(crate) async fn blocked_and_child_runs_are_stranded(stores: Stores) {
    let blocked = begin(&*stores.one, owner()).await;
    let kind = json!({ "event": "run_blocked", "reason": "definition_changed", "difference": "x" });
    stores.one.append(&blocked, &[event(1, kind)]).await.expect("kept");
    let parent = Some(Parent { run: blocked.run, job: "calls".to_owned() });
    let child = NewRun { parent, ..new_run("inner", Some(owner())) };
    let begun = stores.one.begin(child, vec![started(0)]).await.expect("it begins");
    let BeginOutcome::New(Some(child)) = begun else { panic!("{begun:?}") };
    stores.one.release(&[blocked, child]).await.expect("released");
    let external = NewRun::new(WorkflowSnapshot::external("theirs", 1, json!({})));
    enqueue(&*stores.one, external).await;
    let queued = enqueue(&*stores.one, in_queue("a", 0)).await;

    let stranded = async |after, limit| -> Vec<RunId> {
        let found = stores.other.stranded(after, limit).await.expect("readable");
        found.iter().filter(|run| !run.workflow.is_external()).map(|run| run.id).collect()
    };
    let mut expected = vec![blocked.run, child.run];
    expected.sort();
    assert_eq!(stranded(None, 10).await, expected);
    assert_eq!(stranded(None, 1).await, expected[..1]);
    assert_eq!(stranded(Some(expected[0]), 10).await, expected[1..]);
    let claimed = claim(&*stores.other, owner(), &from(Queues::all(), 10)).await;
    assert_eq!(ids(&claimed), [queued]);
    // Once it is no longer blocked, it waits in its queue.
    let leases = stores.one.claim(owner(), &[blocked.run]).await.expect("answered");
    let unblocked = event(2, json!({ "event": "run_unblocked" }));
    stores.one.append(&leases[0], &[unblocked]).await.expect("kept");
    stores.one.release(&leases).await.expect("released");
    let claimed = claim(&*stores.other, owner(), &from(Queues::all(), 10)).await;
    assert_eq!(ids(&claimed), [blocked.run]);
}

pub(crate) async fn recorded_runs_wait_unless_their_events_block_them(stores: Stores) {
    let blocked =
        json!({ "event": "run_blocked", "reason": "definition_changed", "difference": "x" });
    let unblocked = json!({ "event": "run_unblocked" });
    let mut runs = Vec::new();
    for kinds in [vec![blocked.clone()], vec![blocked, unblocked]] {
        let run = new_run("etl", None);
        runs.push(run.id);
        let events = (1..).zip(kinds).map(|(sequence, kind)| event(sequence, kind));
        let events = [started(0)].into_iter().chain(events).collect();
        stores.one.begin(run, events).await.expect("it begins");
    }
    let claimed = claim(&*stores.other, owner(), &from(Queues::all(), 10)).await;
    assert_eq!(ids(&claimed), runs[1..]);
}

pub(crate) async fn concurrent_claims_share_the_queued_runs(stores: Stores) {
    let mut runs = Vec::new();
    for _ in 0..20 {
        runs.push(enqueue(&*stores.one, in_queue("a", 0)).await);
    }
    let claims = (0..12).map(|at| {
        let store = if at % 2 == 0 { stores.one.clone() } else { stores.other.clone() };
        async move { claim(&*store, owner(), &from(Queues::all(), 2)).await }
    });
    let claimed = join_all(claims).await.concat();
    let mut found = ids(&claimed);
    found.sort();
    runs.sort();
    assert_eq!(found, runs);
    assert!(claimed.iter().all(|claimed| claimed.lease.token == 1));
}
