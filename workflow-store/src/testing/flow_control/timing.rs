//! Rate limits and debounce, on the store's clock.

use std::time::Duration;

use serde_json::json;
use workflow_core::flow_control::{Concurrency, Debounce, RateLimit};
use workflow_core::store::{BeginOutcome, LimitWait, NewRun, SharedBy};

use super::fixtures::*;

const SECOND: Duration = Duration::from_secs(1);

/// Sets the clock to this many milliseconds after the start of the scenario. It also continues by
/// itself, so that scenarios use lengths of minutes.
fn at(stores: &Stores, seconds: i64) {
    stores.set_time(seconds * 1_000_000);
}

pub(crate) async fn a_rate_lets_runs_begin_evenly(stores: Stores) {
    // One run in a minute.
    let control = rate(1, 60 * SECOND);
    let runs = enqueue_all(&*stores.one, 4, &control).await;
    assert_eq!(ids(&claim(&*stores.one, 10).await), runs[..1]);
    assert_eq!(claim(&*stores.other, 10).await, []);
    let wait = stores.one.waits_for(runs[1]).await.expect("readable");
    let Some(LimitWait::Rate { of, next_in }) = wait else { panic!("{wait:?}") };
    assert_eq!(of, RateLimit::new(1, 60 * SECOND));
    assert!(next_in > 30 * SECOND && next_in <= 60 * SECOND, "{next_in:?}");
    let due = stores.other.next_due().await.expect("readable").expect("one is due");
    assert!(due > 30 * SECOND && due <= 61 * SECOND, "{due:?}");
    at(&stores, 30);
    assert_eq!(claim(&*stores.other, 10).await, []);
    at(&stores, 62);
    assert_eq!(ids(&claim(&*stores.other, 10).await), runs[1..2]);
    assert_eq!(claim(&*stores.other, 10).await, []);
    // Time in which nobody claims is lost: no burst follows.
    at(&stores, 600);
    assert_eq!(ids(&claim(&*stores.other, 10).await), runs[2..3]);
    at(&stores, 662);
    assert_eq!(ids(&claim(&*stores.one, 10).await), runs[3..]);
    assert_eq!(stores.other.next_due().await.expect("readable"), None);
}

pub(crate) async fn rates_and_slots_hold_together(stores: Stores) {
    let mut control = at_most(1, "a");
    control.rate_limit = Some(RateLimit::new(1, 60 * SECOND));
    let runs = enqueue_all(&*stores.one, 3, &control).await;
    let first = claim(&*stores.one, 10).await;
    assert_eq!(ids(&first), runs[..1]);
    at(&stores, 62);
    // The rate allows another one, but the slot is taken.
    assert_eq!(claim(&*stores.other, 10).await, []);
    complete(&*stores.one, &first[0].lease).await;
    let second = claim(&*stores.other, 10).await;
    assert_eq!(ids(&second), runs[1..2]);
    complete(&*stores.one, &second[0].lease).await;
    // The slot is free, but the rate allows none.
    assert_eq!(claim(&*stores.other, 10).await, []);
    let wait = stores.one.waits_for(runs[2]).await.expect("readable");
    assert!(matches!(wait, Some(LimitWait::Rate { .. })), "{wait:?}");
    at(&stores, 124);
    assert_eq!(ids(&claim(&*stores.other, 10).await), runs[2..]);
}

pub(crate) async fn a_run_that_has_begun_needs_no_second_turn(stores: Stores) {
    let runs = enqueue_all(&*stores.one, 2, &rate(1, 60 * SECOND)).await;
    let claimed = claim(&*stores.one, 10).await;
    stores.one.release(&[claimed[0].lease]).await.expect("released");
    let claimed = claim(&*stores.other, 10).await;
    assert_eq!(ids(&claimed), runs[..1]);
    complete(&*stores.other, &claimed[0].lease).await;
    assert_eq!(claim(&*stores.other, 10).await, []);
}

pub(crate) async fn debounced_requests_replace_the_input(stores: Stores) {
    let control = debounce(Debounce::new(60 * SECOND).key("a"));
    let first = limited(control.clone());
    let id = enqueue(&*stores.one, NewRun { input: Some(json!(1)), ..first }).await;
    assert_eq!(claim(&*stores.one, 10).await, []);
    assert_eq!(stores.one.claim(owner(), &[id]).await.expect("answered"), []);
    at(&stores, 40);
    let second = NewRun { input: Some(json!(2)), ..limited(control.clone()) };
    let begun = stores.other.begin(second, Vec::new()).await.expect("answered");
    let BeginOutcome::Existing(existing, SharedBy::Debounce) = begun else { panic!("{begun:?}") };
    assert_eq!((existing.id, existing.input), (id, Some(json!(2))));
    // Another user and another key have runs of their own.
    let user = Some("ada".to_owned());
    enqueue(&*stores.one, NewRun { user, ..limited(control.clone()) }).await;
    let other = limited(debounce(Debounce::new(600 * SECOND).key("b")));
    enqueue(&*stores.one, other).await;
    at(&stores, 70);
    assert_eq!(claim(&*stores.one, 10).await, []);
    let wait = stores.one.waits_for(id).await.expect("readable");
    assert!(matches!(wait, Some(LimitWait::Debounce { .. })), "{wait:?}");
    at(&stores, 102);
    let claimed = claim(&*stores.other, 10).await;
    assert_eq!((claimed.len(), claimed[0].run.id), (2, id));
    assert_eq!(claimed[0].run.input, Some(json!(2)));
    // A request after the beginning has a run of its own.
    enqueue(&*stores.one, limited(control)).await;
}

pub(crate) async fn a_repeated_request_finds_its_run_although_the_input_was_replaced(
    stores: Stores,
) {
    let control = debounce(Debounce::new(60 * SECOND).key("a"));
    let request = |key: &str, input: u32| NewRun {
        idempotency_key: Some(key.to_owned()),
        input: Some(json!(input)),
        ..limited(control.clone())
    };
    let id = enqueue(&*stores.one, request("first", 1)).await;
    let joined = stores.other.begin(request("second", 2), Vec::new()).await.expect("answered");
    assert!(matches!(joined, BeginOutcome::Existing(_, SharedBy::Debounce)), "{joined:?}");
    let again = stores.one.begin(request("first", 1), Vec::new()).await.expect("answered");
    let BeginOutcome::Existing(existing, SharedBy::Key) = again else { panic!("{again:?}") };
    assert_eq!((existing.id, existing.input), (id, Some(json!(2))));
}

pub(crate) async fn debounce_ends_after_the_longest_delay(stores: Stores) {
    let mut control = debounce(Debounce::new(60 * SECOND).max_delay(90 * SECOND));
    control.concurrency = Some(Concurrency::new(1).key("1"));
    let id = enqueue(&*stores.one, limited(control.clone())).await;
    for seconds in [30, 60, 80] {
        at(&stores, seconds);
        assert_eq!(claim(&*stores.one, 10).await, []);
        // The limits of the last request are those of the run.
        control.concurrency = Some(Concurrency::new(1).key(seconds.to_string()));
        let begun = stores.other.begin(limited(control.clone()), Vec::new()).await;
        let Ok(BeginOutcome::Existing(existing, _)) = begun else { panic!("{begun:?}") };
        assert_eq!(existing.id, id);
    }
    at(&stores, 92);
    let claimed = claim(&*stores.one, 10).await;
    assert_eq!(ids(&claimed), [id]);
    let key = claimed[0].run.flow_control.concurrency.as_ref().map(|limit| &*limit.key);
    assert_eq!(key, Some("80"));
    let next = enqueue(&*stores.one, limited(at_most(1, "80"))).await;
    let wait = stores.one.waits_for(next).await.expect("readable");
    assert!(matches!(wait, Some(LimitWait::Concurrency { holders, .. }) if holders == [id]));
}

pub(crate) async fn a_debounced_run_can_be_cancelled(stores: Stores) {
    let control = debounce(Debounce::new(60 * SECOND));
    let id = enqueue(&*stores.one, limited(control.clone())).await;
    let lease = stores.one.claim_without_limits(owner(), &[id]).await.expect("answered")[0];
    // Its input is fixed from now on.
    let other = enqueue(&*stores.other, limited(control)).await;
    let cancelled = event(0, json!({ "event": "run_cancelled" }));
    stores.one.append(&lease, &[cancelled]).await.expect("it ends");
    at(&stores, 62);
    assert_eq!(ids(&claim(&*stores.one, 10).await), [other]);
    assert_eq!(stores.one.next_due().await.expect("readable"), None);
}
