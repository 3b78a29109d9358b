//! Turns among fairness keys. Counts positions, and measures no time.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use workflow_core::id::RunId;
use workflow_core::store::{NewRun, Store};

use super::fixtures::*;

/// Claims all runs, one after the other.
async fn order(store: &dyn Store) -> Vec<RunId> {
    let owner = owner();
    let mut order = Vec::new();
    loop {
        let claimed = claim_as(store, owner, 1).await;
        let [claimed] = &claimed[..] else { return order };
        order.push(claimed.run.id);
        complete(store, &claimed.lease).await;
    }
}

fn positions(order: &[RunId], runs: &[RunId]) -> Vec<usize> {
    runs.iter().map(|run| order.iter().position(|it| it == run).expect("claimed")).collect()
}

pub(crate) async fn keys_take_turns(stores: Stores) {
    let mut runs = BTreeMap::new();
    for key in ["a", "b", "c"] {
        runs.insert(key, enqueue_all(&*stores.one, 3, &fair(key, 1)).await);
    }
    let found = order(&*stores.other).await;
    for (turn, chunk) in found.chunks(3).enumerate() {
        let mut expected: Vec<RunId> = runs.values().map(|runs| runs[turn]).collect();
        let mut chunk = chunk.to_vec();
        chunk.sort();
        expected.sort();
        assert_eq!(chunk, expected, "turn {turn}");
    }
}

pub(crate) async fn a_small_key_waits_as_if_it_were_alone(stores: Stores) {
    // A hundred times as many runs, requested before.
    enqueue_all(&*stores.one, 200, &fair("big", 1)).await;
    let owner = owner();
    for _ in 0..20 {
        let claimed = claim_as(&*stores.other, owner, 1).await;
        complete(&*stores.one, &claimed[0].lease).await;
    }
    let small = enqueue_all(&*stores.one, 2, &fair("small", 1)).await;
    enqueue_all(&*stores.one, 20, &fair("big", 1)).await;
    let positions = positions(&order(&*stores.other).await, &small);
    // Alone: 0 and 1. Beside another key, with half of the slots: at most twice that, and one more
    // for the run that has its turn.
    assert!(positions[0] <= 1 && positions[1] <= 3, "{positions:?}");
}

pub(crate) async fn weights_share_in_proportion(stores: Stores) {
    let light = enqueue_all(&*stores.one, 10, &fair("light", 1)).await;
    let heavy = enqueue_all(&*stores.one, 30, &fair("heavy", 3)).await;
    let order = order(&*stores.other).await;
    let first = &order[..20];
    let count = |runs: &[RunId]| runs.iter().filter(|run| first.contains(run)).count();
    assert!((4..=6).contains(&count(&light)), "{}", count(&light));
    assert!((14..=16).contains(&count(&heavy)), "{}", count(&heavy));
}

pub(crate) async fn runs_without_a_key_go_on(stores: Stores) {
    let mut plain = Vec::new();
    let requested = SystemTime::now();
    for micros in 0..5 {
        let created_at = requested + Duration::from_micros(micros);
        plain.push(enqueue(&*stores.one, NewRun { created_at, ..new_run("etl", None) }).await);
    }
    let keyed = enqueue_all(&*stores.one, 50, &fair("a", 1)).await;
    let urgent = NewRun { priority: 1, ..limited(fair("a", 1)) };
    let urgent = enqueue(&*stores.one, urgent).await;
    let order = order(&*stores.other).await;
    assert_eq!(order[0], urgent);
    // The first run of the key does not wait for all others, and these do not wait for all of it.
    assert!(positions(&order, &plain)[4] <= 6, "{:?}", positions(&order, &plain));
    assert!(positions(&order, &keyed)[0] <= 6, "{:?}", positions(&order, &keyed));
    let mut sorted = positions(&order, &plain);
    sorted.sort_unstable();
    assert_eq!(sorted, positions(&order, &plain), "oldest first");
}

pub(crate) async fn a_busy_key_is_not_starved(stores: Stores) {
    let big = enqueue_all(&*stores.one, 20, &fair("big", 1)).await;
    let owner = owner();
    let mut waiting = Vec::new();
    for key in ["x", "y", "z"] {
        waiting.push((key, enqueue(&*stores.one, limited(fair(key, 1))).await));
    }
    // Three keys that request a run again as soon as theirs has begun.
    let mut served = 0;
    for _ in 0..40 {
        let claimed = claim_as(&*stores.other, owner, 1).await;
        complete(&*stores.one, &claimed[0].lease).await;
        let run = claimed[0].run.id;
        served += usize::from(big.contains(&run));
        if let Some(at) = waiting.iter().position(|(_, waiting)| *waiting == run) {
            let key = waiting[at].0;
            waiting[at] = (key, enqueue(&*stores.one, limited(fair(key, 1))).await);
        }
    }
    assert!((8..=12).contains(&served), "{served} of 40");
}
