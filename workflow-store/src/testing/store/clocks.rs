//! Clocks that are set while runs are driven.

use std::time::{Duration, Instant};

use workflow_core::id::RunId;

use super::fixtures::*;

const HOUR: i64 = 3600 * 1_000_000;

/// How far the clock is set: by less than a lease would do nothing.
const JUMPS: [i64; 6] =
    [HOUR, -HOUR, 60 * 1_000_000, -60 * 1_000_000, 20 * 8766 * HOUR, -20 * 8766 * HOUR];

/// Whether the store finds that nobody drives the run, and gives it to another.
async fn is_given_away(stores: &Stores, run: RunId) -> bool {
    let orphans = stores.other.abandoned(None, 10).await.expect("readable");
    let claimed = stores.other.claim(owner(), &[run]).await.expect("answered");
    let is_found = orphans.iter().any(|orphan| orphan.id == run);
    assert!(!is_found || !claimed.is_empty(), "found, and not to be claimed");
    !claimed.is_empty()
}

pub(crate) async fn a_jump_ends_nobody_that_is_alive(stores: Stores) {
    let owner = living(Duration::from_secs(6));
    let lease = begin(&*stores.one, owner).await;
    for jump in JUMPS {
        stores.one.renew(owner, &[lease]).await.expect("answered");
        assert!(!is_given_away(&stores, lease.run).await, "before {jump}");
        (stores.set_clock)(jump);
        assert!(!is_given_away(&stores, lease.run).await, "after {jump}");
        assert_eq!(stores.one.renew(owner, &[lease]).await.expect("answered"), []);
        assert!(!is_given_away(&stores, lease.run).await, "after {jump}, renewed");
        // And back.
        (stores.set_clock)(0);
        assert!(!is_given_away(&stores, lease.run).await, "back from {jump}");
        assert_eq!(stores.one.renew(owner, &[lease]).await.expect("answered"), []);
        assert!(!is_given_away(&stores, lease.run).await, "back from {jump}, renewed");
    }
    stores.one.append(&lease, &[job_started(1, "load")]).await.expect("still driven");
}

pub(crate) async fn a_jump_keeps_nobody_that_is_dead(stores: Stores) {
    let lifetime = Duration::from_millis(300);
    for jump in JUMPS {
        for is_known in [true, false] {
            let lease = begin(&*stores.one, living(lifetime)).await;
            if is_known {
                stores.other.abandoned(None, 10).await.expect("readable");
            }
            (stores.set_clock)(jump);
            let began = Instant::now();
            until("the takeover", || async {
                is_given_away(&stores, lease.run).await.then_some(())
            })
            .await;
            let took = began.elapsed();
            assert!(took < lifetime + Duration::from_secs(3), "{jump}: {took:?}");
            (stores.set_clock)(0);
        }
    }
}

pub(crate) async fn a_lease_far_ahead_is_judged_by_its_heartbeats(stores: Stores) {
    let owner = living(Duration::from_millis(900));
    (stores.set_clock)(HOUR);
    let lease = begin(&*stores.one, owner).await;
    (stores.set_clock)(0);
    let end = Instant::now() + owner.lifetime * 2;
    while Instant::now() < end {
        assert!(!is_given_away(&stores, lease.run).await, "it renews its lease");
        // Its clock is an hour ahead each time.
        (stores.set_clock)(HOUR);
        assert_eq!(stores.one.renew(owner, &[lease]).await.expect("answered"), []);
        (stores.set_clock)(0);
    }
    until("the takeover", || async { is_given_away(&stores, lease.run).await.then_some(()) }).await;
    // The others see it at once, too: its lease is over.
    assert_eq!(stores.one.renew(owner, &[lease]).await.expect("answered"), [lease]);
}

pub(crate) async fn an_owner_that_renews_at_the_last_moment_keeps_its_runs(stores: Stores) {
    let owner = living(Duration::from_millis(1500));
    (stores.set_clock)(HOUR);
    let lease = begin(&*stores.one, owner).await;
    (stores.set_clock)(0);
    assert!(!is_given_away(&stores, lease.run).await);
    std::thread::sleep(owner.lifetime);
    // A whole lease has passed. Nobody has looked since, and it renews before somebody does.
    stores.one.renew(owner, &[lease]).await.expect("answered");
    assert!(!is_given_away(&stores, lease.run).await);
    stores.one.append(&lease, &[job_started(1, "load")]).await.expect("still driven");
}

pub(crate) async fn no_lease_is_held_longer_than_its_length(stores: Stores) {
    let owner = owner();
    begin(&*stores.one, owner).await;
    for jump in [0].into_iter().chain(JUMPS) {
        (stores.set_clock)(jump);
        let held = stores.other.held().await.expect("readable");
        assert!(held.runs == 1 && held.expires_in <= owner.lifetime, "{jump}: {held:?}");
    }
}
