//! Evicted runs. A store that cannot evict runs passes at once.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use workflow_core::id::RunId;
use workflow_core::store::{
    Asleep, BeginOutcome, ClaimRequest, ClaimedRun, EvictedRun, Eviction, Lease, MessageKind,
    NewRun, Owner, Parent, Queues, Store, StoreError,
};

use super::fixtures::*;

fn signal() -> MessageKind {
    MessageKind::Signal { name: "go".to_owned(), payload: json!(1) }
}

/// The eviction of a run that has received no message.
fn eviction(lease: Lease, wakes_in: Option<Duration>) -> Eviction {
    let run = EvictedRun { lease, messages: 0 };
    Eviction { run, children: Vec::new(), wakes_in }
}

async fn evict(store: &dyn Store, eviction: &Eviction) -> bool {
    let run = eviction.run.lease.run;
    let evicted = store.evict(std::slice::from_ref(eviction)).await.expect("answered");
    assert!(evicted.is_empty() || evicted == [run], "{evicted:?}");
    !evicted.is_empty()
}

async fn claim_as(store: &dyn Store, owner: Owner) -> Vec<ClaimedRun> {
    let request = ClaimRequest { queues: Queues::all(), except: Vec::new(), limit: 10 };
    store.claim_next(owner, &request).await.expect("answered")
}

async fn claim(store: &dyn Store) -> Vec<RunId> {
    claim_as(store, owner()).await.iter().map(|claimed| claimed.run.id).collect()
}

async fn asleep(store: &dyn Store, run: RunId) -> Option<Asleep> {
    store.asleep(run).await.expect("readable")
}

async fn is_stranded(store: &dyn Store, run: RunId) -> bool {
    let stranded = store.stranded(None, 100).await.expect("readable");
    stranded.iter().any(|stranded| stranded.id == run)
}

/// Begins a child run of a run of the same owner.
async fn begin_child(store: &dyn Store, parent: RunId, owner: Owner) -> Lease {
    let parent = Some(Parent { run: parent, job: "calls".to_owned() });
    let child = NewRun { parent, ..new_run("inner", Some(owner)) };
    match store.begin(child, vec![started(0)]).await.expect("it begins") {
        BeginOutcome::New(Some(lease)) => lease,
        other => panic!("no lease: {other:?}"),
    }
}

pub(crate) async fn an_evicted_run_waits_in_no_queue(stores: Stores) {
    if !stores.one.evicts() {
        return;
    }
    let living = owner();
    let lease = begin(&*stores.one, living).await;
    assert_eq!(asleep(&*stores.other, lease.run).await, None);
    assert!(evict(&*stores.one, &eviction(lease, None)).await);
    let expected = Some(Asleep { resumes_with: lease.run, wakes_in: None });
    assert_eq!(asleep(&*stores.other, lease.run).await, expected);
    assert_eq!(claim(&*stores.other).await, []);
    assert!(!is_stranded(&*stores.other, lease.run).await);
    assert_eq!(stores.one.backlogs().await.expect("readable"), []);
    let abandoned = stores.other.abandoned(None, 10).await.expect("readable");
    assert_eq!(abandoned.iter().map(|run| run.id).collect::<Vec<_>>(), [lease.run]);
    assert_eq!(abandoned[0].owner, None, "nobody has died");
    let late = stores.one.append(&lease, &[job_started(1, "load")]).await;
    assert!(matches!(late, Err(StoreError::LeaseLost { .. })), "{late:?}");
    assert_eq!(stores.one.renew(living, &[lease]).await.expect("answered"), [lease]);
    assert_eq!(stores.other.held().await.expect("readable").runs, 0);
    assert!(!evict(&*stores.one, &eviction(lease, None)).await, "it has no owner");
}

pub(crate) async fn a_time_puts_an_evicted_run_into_its_queue(stores: Stores) {
    if !stores.one.evicts() {
        return;
    }
    let (soon, later) = (Duration::from_millis(60), Duration::from_secs(3600));
    let late = begin(&*stores.one, owner()).await;
    let lease = begin(&*stores.one, owner()).await;
    assert!(evict(&*stores.one, &eviction(late, Some(later))).await);
    assert_eq!(claim(&*stores.other).await, []);
    let due = stores.other.next_due().await.expect("readable").expect("a run waits for a time");
    assert!(due <= later && due > later - Duration::from_secs(600), "{due:?}");
    assert!(evict(&*stores.one, &eviction(lease, Some(soon))).await);
    let due = stores.other.next_due().await.expect("readable").expect("a run waits for a time");
    assert!(due <= soon, "{due:?}");
    let claimed = until("the end of the wait", || async {
        let claimed = claim_as(&*stores.other, owner()).await;
        (!claimed.is_empty()).then_some(claimed)
    })
    .await;
    let [ClaimedRun { lease: new, run }] = &claimed[..] else { panic!("{claimed:?}") };
    assert_eq!((new.run, new.token, run.owner), (lease.run, 2, None));
    assert_eq!(asleep(&*stores.one, lease.run).await, None);
    stores.other.append(new, &[job_started(1, "load")]).await.expect("it continues");
    assert_eq!(claim(&*stores.one).await, []);
    assert!(asleep(&*stores.one, late.run).await.is_some());
}

pub(crate) async fn messages_wake_evicted_runs(stores: Stores) {
    if !stores.one.evicts() {
        return;
    }
    for message in [signal(), MessageKind::Cancel] {
        let lease = begin(&*stores.one, owner()).await;
        let hour = Some(Duration::from_secs(3600));
        assert!(evict(&*stores.one, &eviction(lease, hour)).await);
        stores.other.send(lease.run, message).await.expect("sent");
        assert_eq!(asleep(&*stores.one, lease.run).await, None);
        stores.other.send(lease.run, signal()).await.expect("sent to a run in its queue");
        let claimed = claim_as(&*stores.one, owner()).await;
        assert_eq!(claimed.len(), 1);
        assert_eq!(claimed[0].run.id, lease.run);
        assert_eq!(stores.one.messages(lease.run).await.expect("readable").len(), 2);
        assert_eq!(stores.one.next_due().await.expect("readable"), None);
    }
}

pub(crate) async fn a_message_that_the_engine_lacks_prevents_eviction(stores: Stores) {
    if !stores.one.evicts() {
        return;
    }
    let lease = begin(&*stores.one, owner()).await;
    stores.other.send(lease.run, signal()).await.expect("sent");
    assert!(!evict(&*stores.one, &eviction(lease, None)).await);
    stores.one.append(&lease, &[job_started(1, "load")]).await.expect("still driven");
    let mut received = eviction(lease, None);
    received.run.messages = 1;
    assert!(evict(&*stores.one, &received).await);
    assert_eq!(claim(&*stores.other).await, []);
    stores.other.send(lease.run, signal()).await.expect("sent");
    assert_eq!(claim(&*stores.other).await, [lease.run]);
}

pub(crate) async fn a_claimed_run_sleeps_no_more(stores: Stores) {
    if !stores.one.evicts() {
        return;
    }
    let lease = begin(&*stores.one, owner()).await;
    assert!(evict(&*stores.one, &eviction(lease, Some(Duration::from_millis(20)))).await);
    let leases = stores.other.claim(owner(), &[lease.run]).await.expect("answered");
    assert_eq!((leases.len(), leases[0].token), (1, 2));
    assert_eq!(asleep(&*stores.one, lease.run).await, None);
    assert_eq!(stores.one.next_due().await.expect("readable"), None);
    assert_eq!(claim(&*stores.one).await, []);
    // Released, it waits in its queue.
    stores.other.release(&leases).await.expect("released");
    assert_eq!(claim(&*stores.one).await, [lease.run]);
}

pub(crate) async fn woken_runs_come_first(stores: Stores) {
    if !stores.one.evicts() {
        return;
    }
    let enqueue = async || {
        let run = new_run("etl", None);
        let id = run.id;
        stores.one.begin(run, Vec::new()).await.expect("it begins");
        id
    };
    let first = enqueue().await;
    let mut queued = vec![enqueue().await];
    let begun = begin(&*stores.one, owner()).await;
    queued.push(enqueue().await);
    assert!(evict(&*stores.one, &eviction(begun, None)).await);
    stores.other.send(begun.run, signal()).await.expect("sent");
    let order: Vec<RunId> = [first, begun.run].into_iter().chain(queued).collect();
    assert_eq!(claim(&*stores.other).await, order);
}

pub(crate) async fn child_runs_are_evicted_with_their_parent(stores: Stores) {
    if !stores.one.evicts() {
        return;
    }
    let (living, store) = (owner(), &*stores.one);
    let root = begin(store, living).await;
    let child = begin_child(store, root.run, living).await;
    let inner = begin_child(store, child.run, living).await;
    let children = |leases: &[Lease]| -> Vec<EvictedRun> {
        leases.iter().map(|lease| EvictedRun { lease: *lease, messages: 0 }).collect()
    };
    // None is evicted if a lease is lost.
    let lost = Lease { token: 7, ..inner };
    let tree = Eviction { children: children(&[child, lost]), ..eviction(root, None) };
    assert!(!evict(store, &tree).await);
    assert_eq!(store.renew(living, &[root, child, inner]).await.expect("answered"), []);
    let tree = Eviction { children: children(&[child, inner]), ..tree };
    assert!(evict(store, &tree).await);
    for run in [root.run, child.run, inner.run] {
        let asleep = asleep(&*stores.other, run).await.expect("evicted");
        assert_eq!(asleep.resumes_with, root.run);
    }
    assert!(!is_stranded(&*stores.other, child.run).await);
    // A message for a child run wakes the outermost one, and the child run waits for it.
    stores.other.send(inner.run, signal()).await.expect("sent");
    assert!(!is_stranded(&*stores.other, inner.run).await);
    let heir = owner();
    let claimed = claim_as(&*stores.other, heir).await;
    assert_eq!(claimed.len(), 1);
    assert_eq!(claimed[0].run.id, root.run);
    // What the outermost run does not resume is found.
    assert!(is_stranded(&*stores.one, child.run).await);
    let runs = [child.run, inner.run];
    assert_eq!(stores.other.claim(heir, &runs).await.expect("answered").len(), 2);
    assert!(!is_stranded(&*stores.one, child.run).await);
}

pub(crate) async fn the_end_of_a_child_run_wakes_its_parent(stores: Stores) {
    if !stores.one.evicts() {
        return;
    }
    let (living, store) = (owner(), &*stores.one);
    let root = begin(store, living).await;
    let child = begin_child(store, root.run, living).await;
    let children = vec![EvictedRun { lease: child, messages: 0 }];
    assert!(evict(store, &Eviction { children, ..eviction(root, None) }).await);
    // As to cancel it.
    let leases = stores.other.claim(owner(), &[child.run]).await.expect("answered");
    stores.other.append(&leases[0], &[job_started(1, "load")]).await.expect("kept");
    assert_eq!(claim(&*stores.one).await, []);
    stores.other.append(&leases[0], &[completed(2, json!(null))]).await.expect("it ends");
    assert_eq!(claim(&*stores.one).await, [root.run]);
}

pub(crate) async fn no_message_is_lost_to_an_eviction(stores: Stores) {
    if !stores.one.evicts() {
        return;
    }
    for _ in 0..30 {
        let lease = begin(&*stores.one, owner()).await;
        let (evicting, sending) = (Arc::clone(&stores.one), Arc::clone(&stores.other));
        let sent = std::thread::spawn(move || {
            pollster::block_on(sending.send(lease.run, signal())).expect("sent")
        });
        let is_evicted = evict(&*evicting, &eviction(lease, None)).await;
        let number = sent.join().expect("sent");
        if is_evicted {
            assert_eq!(claim(&*stores.one).await, [lease.run], "nobody has woken it");
        } else {
            let inbox = stores.one.inbox(lease.owner, number - 1).await.expect("readable");
            assert_eq!(inbox.len(), 1);
        }
    }
}

pub(crate) async fn an_evicted_run_is_woken_once(stores: Stores) {
    if !stores.one.evicts() {
        return;
    }
    for _ in 0..10 {
        let lease = begin(&*stores.one, owner()).await;
        assert!(evict(&*stores.one, &eviction(lease, Some(Duration::ZERO))).await);
        let (claiming, sending) = (Arc::clone(&stores.one), Arc::clone(&stores.other));
        let sent = std::thread::spawn(move || {
            pollster::block_on(sending.send(lease.run, signal())).expect("sent");
            pollster::block_on(claim(&*sending))
        });
        let mut claimed = claim(&*claiming).await;
        claimed.extend(sent.join().expect("sent"));
        claimed.extend(claim(&*claiming).await);
        assert_eq!(claimed, [lease.run]);
    }
}
