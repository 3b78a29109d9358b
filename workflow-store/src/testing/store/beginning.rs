//! Runs begin.

use std::time::{Duration, SystemTime};

use futures::future::join_all;
use serde_json::json;
use workflow_core::Status;
use workflow_core::event::{Event, EventKind};
use workflow_core::id::RunId;
use workflow_core::store::{
    BeginOutcome, NewRun, Parent, SharedBy, StoreError, StoredRun, Trigger,
};

use super::fixtures::*;

pub(crate) async fn a_run_is_kept_as_it_began(stores: Stores) {
    let owner = owner();
    let mut new = new_run("etl", Some(owner));
    new.idempotency_key = Some("k".to_owned());
    new.trigger = Trigger::Schedule;
    new.scheduled_for =
        Some(SystemTime::UNIX_EPOCH + Duration::from_nanos(1_800_000_000_123_456_789));
    new.user = Some("alice".to_owned());
    new.parent = Some(Parent { run: RunId::random(), job: "outer".to_owned() });
    let begun = stores.one.begin(new.clone(), vec![started(0)]).await.expect("it begins");
    let BeginOutcome::New(Some(lease)) = begun else { panic!("no lease: {begun:?}") };
    assert_eq!((lease.run, lease.owner, lease.token), (new.id, owner.id, 1));
    let found = stores.other.run(new.id).await.expect("readable").expect("there");
    assert_eq!(found, StoredRun::begun(new.clone(), Status::Running, 1));
    let events = stores.other.events(new.id, 0, 10).await.expect("readable");
    assert_eq!(events, [started(0)]);
    assert_eq!(stores.one.run(RunId::random()).await.expect("readable"), None);
    assert_eq!(stores.one.events(RunId::random(), 0, 10).await.expect("readable"), []);
}

pub(crate) async fn an_idempotency_key_has_one_run(stores: Stores) {
    let mut first = new_run("etl", None);
    first.idempotency_key = Some("order 7".to_owned());
    let second = {
        let id = RunId::random();
        let mut run = first.clone();
        run.id = id;
        run
    };
    let begun = stores.one.begin(first.clone(), Vec::new()).await.expect("it begins");
    assert_eq!(begun, BeginOutcome::New(None));
    let again = stores.other.begin(second.clone(), vec![started(0)]).await.expect("it is found");
    let expected = StoredRun::begun(first.clone(), Status::Pending, 0);
    assert_eq!(again, BeginOutcome::Existing(Box::new(expected), SharedBy::Key));
    assert_eq!(stores.one.run(second.id).await.expect("readable"), None);
}

pub(crate) async fn a_key_is_for_one_request(stores: Stores) {
    let keyed = |name: &str| {
        let mut run = new_run(name, None);
        run.idempotency_key = Some("k".to_owned());
        run
    };
    let first = keyed("one");
    stores.one.begin(first.clone(), Vec::new()).await.expect("it begins");
    let other_workflow = keyed("other");
    let mut other_input = keyed("one");
    other_input.input = Some(json!({ "day": "2026-01-03" }));
    let cases = [(other_workflow, "of workflow `one`"), (other_input, "with another input")];
    for (run, wanted) in cases {
        let refused = stores.other.begin(run.clone(), vec![started(0)]).await;
        assert!(
            matches!(&refused, Err(StoreError::KeyConflict { key, run, difference })
            if key == "k" && *run == first.id && difference == wanted),
            "{refused:?}"
        );
        assert_eq!(stores.one.run(run.id).await.expect("readable"), None);
    }
    // What another user asks for is another's business, and the keys of runs inside of others are
    // the engine's.
    let mut of_user = keyed("other");
    of_user.user = Some("alice".to_owned());
    let mut inside = keyed("third");
    inside.parent = Some(Parent { run: first.id, job: "outer".to_owned() });
    for run in [of_user, inside] {
        let begun = stores.one.begin(run, Vec::new()).await.expect("it begins");
        assert_eq!(begun, BeginOutcome::New(None));
    }
}

pub(crate) async fn a_key_is_looked_up_within_its_scope(stores: Stores) {
    let mut first = new_run("etl", None);
    first.idempotency_key = Some("schedule:7:2026-01-02T00:00:00Z".to_owned());
    let by = |user: Option<&str>, trigger: Trigger, parent: Option<Parent>| NewRun {
        id: RunId::random(),
        user: user.map(str::to_owned),
        trigger,
        parent,
        ..first.clone()
    };
    let parent = || Some(Parent { run: first.id, job: "outer".to_owned() });
    // Whoever was first, the same text is another key to everybody else.
    let runs = [
        by(Some("mallory"), Trigger::Api, None),
        by(Some("alice"), Trigger::Api, None),
        by(None, Trigger::Api, None),
        by(Some("alice"), Trigger::Schedule, None),
        by(Some("alice"), Trigger::Workflow, parent()),
    ];
    for run in &runs {
        let begun = stores.one.begin(run.clone(), Vec::new()).await.expect("it begins");
        assert_eq!(begun, BeginOutcome::New(None), "{:?}", run.key_scope());
    }
    for run in &runs {
        let again = NewRun { id: RunId::random(), ..run.clone() };
        let begun = stores.other.begin(again, Vec::new()).await.expect("it is found");
        assert!(
            matches!(&begun, BeginOutcome::Existing(found, _) if found.id == run.id),
            "{begun:?}"
        );
    }
    // A schedule and an engine begin a run once, for whomever.
    for run in [by(None, Trigger::Schedule, None), by(Some("bob"), Trigger::Workflow, parent())] {
        let begun = stores.other.begin(run, Vec::new()).await.expect("it is found");
        assert!(matches!(begun, BeginOutcome::Existing(..)), "{begun:?}");
    }
    // A retry is no first request.
    let retry = by(Some("alice"), Trigger::Retry, None);
    let refused = stores.one.begin(retry, Vec::new()).await;
    assert!(
        matches!(&refused, Err(StoreError::KeyConflict { run, difference, .. })
            if *run == runs[1].id && difference == "which is not a retry"),
        "{refused:?}"
    );
}

pub(crate) async fn a_key_of_a_retry_is_for_the_run_that_it_repeats(stores: Stores) {
    let (old, other) = (RunId::random(), RunId::random());
    let retry = |of: RunId| {
        let mut run = new_run("etl", None);
        (run.trigger, run.idempotency_key) = (Trigger::Retry, Some("again".to_owned()));
        let begins = EventKind::RunStarted { retry_of: Some(of) };
        (run, vec![Event::new(0, SystemTime::now(), begins)])
    };
    let (first, events) = retry(old);
    stores.one.begin(first.clone(), events).await.expect("it begins");
    let (same, events) = retry(old);
    let found = stores.other.begin(same, events).await.expect("it is found");
    assert!(matches!(&found, BeginOutcome::Existing(run, _) if run.id == first.id), "{found:?}");
    let (another, events) = retry(other);
    let refused = stores.other.begin(another, events).await;
    assert!(
        matches!(&refused, Err(StoreError::KeyConflict { run, difference, .. })
            if *run == first.id && *difference == format!("which retries run {old}")),
        "{refused:?}"
    );
}

pub(crate) async fn a_text_that_is_no_key_is_refused(stores: Stores) {
    for key in [String::new(), "k".repeat(256), "a\0b".to_owned()] {
        let mut run = new_run("etl", None);
        run.idempotency_key = Some(key.clone());
        let refused = stores.one.begin(run.clone(), Vec::new()).await;
        assert!(matches!(refused, Err(StoreError::InvalidKey(_))), "{key:?}: {refused:?}");
        assert_eq!(stores.other.run(run.id).await.expect("readable"), None);
    }
}

pub(crate) async fn a_repeated_input_may_be_spelled_otherwise(stores: Stores) {
    let mut first = new_run("etl", None);
    first.idempotency_key = Some("k".to_owned());
    first.input = Some(json!({ "b": [1e17, -0.0, u64::MAX], "a": null }));
    stores.one.begin(first.clone(), Vec::new()).await.expect("it begins");
    let again = NewRun { id: RunId::random(), ..first.clone() };
    let begun = stores.other.begin(again, Vec::new()).await.expect("it is found");
    assert!(matches!(begun, BeginOutcome::Existing(run, _) if run.id == first.id));
}

pub(crate) async fn an_id_is_taken_once(stores: Stores) {
    let run = new_run("etl", None);
    stores.one.begin(run.clone(), Vec::new()).await.expect("it begins");
    let error = stores.other.begin(run.clone(), vec![started(0)]).await;
    assert!(matches!(error, Err(StoreError::Exists { run: id }) if id == run.id), "{error:?}");
    let found = stores.one.run(run.id).await.expect("readable").expect("there");
    assert_eq!((found.events, found.status), (0, Status::Pending));
}

pub(crate) async fn a_refused_beginning_leaves_nothing(stores: Stores) {
    let run = new_run("etl", None);
    let gap = stores.one.begin(run.clone(), vec![started(1)]).await;
    assert!(matches!(gap, Err(StoreError::Gap { wanted: 0, found: 1, .. })), "{gap:?}");
    let illegal = stores.one.begin(run.clone(), vec![completed(0, json!(1))]).await;
    assert!(matches!(illegal, Err(StoreError::Transition { .. })), "{illegal:?}");
    assert_eq!(stores.one.run(run.id).await.expect("readable"), None);
}

pub(crate) async fn one_key_under_contention(stores: Stores) {
    let requests = (0..40).map(|at| {
        let store = if at % 2 == 0 { stores.one.clone() } else { stores.other.clone() };
        async move {
            let mut run = new_run("etl", None);
            run.idempotency_key = Some(format!("key {}", at % 4));
            store.begin(run, Vec::new()).await.expect("answered")
        }
    });
    let answers = join_all(requests).await;
    let new = answers.iter().filter(|begun| matches!(begun, BeginOutcome::New(_))).count();
    assert_eq!(new, 4);
}

/// Of workflows and inputs that many ask for at once under one key, one begins.
pub(crate) async fn one_request_of_many_has_the_key(stores: Stores) {
    for round in 0..25 {
        let requests = (0..16_usize).map(|at| {
            let store = if at % 2 == 0 { stores.one.clone() } else { stores.other.clone() };
            let mut run = new_run(&format!("workflow {}", at % 4), None);
            run.idempotency_key = Some(format!("key {round}"));
            run.input = Some(json!(at / 4 % 2));
            async move { (run.clone(), store.begin(run, Vec::new()).await) }
        });
        let answers = join_all(requests).await;
        let begun = answers.iter().filter(|(_, answer)| matches!(answer, Ok(BeginOutcome::New(_))));
        let [(first, _)] = begun.collect::<Vec<_>>()[..] else {
            panic!("not one of them has begun: {answers:?}")
        };
        let asked = |run: &NewRun| (run.workflow.name.clone(), run.input.clone());
        for (run, answer) in &answers {
            match answer {
                Ok(BeginOutcome::New(_)) => {}
                Ok(BeginOutcome::Existing(existing, _)) => {
                    assert_eq!(asked(run), asked(first));
                    assert_eq!(existing.id, first.id);
                }
                Err(StoreError::KeyConflict { run: existing, .. }) => {
                    assert_ne!(asked(run), asked(first));
                    assert_eq!(*existing, first.id);
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

/// Keys that two processes ask for in different orders keep neither waiting.
pub(crate) async fn keys_in_any_order_are_no_circle(stores: Stores) {
    for round in 0..20 {
        let keys = || (0..16).map(move |at| format!("{round} {at}"));
        let one = keys().map(|key| (stores.one.clone(), "left", key));
        let other = keys().rev().map(|key| (stores.other.clone(), "right", key));
        let requests = one.chain(other).map(|(store, name, key)| async move {
            let mut run = new_run(name, None);
            run.idempotency_key = Some(key.clone());
            (key, store.begin(run, Vec::new()).await)
        });
        let mut begun: Vec<String> = Vec::new();
        for (key, answer) in join_all(requests).await {
            match answer {
                Ok(BeginOutcome::New(_)) => begun.push(key),
                Err(StoreError::KeyConflict { .. }) => {}
                other => panic!("{other:?}"),
            }
        }
        begun.sort();
        let mut wanted: Vec<String> = keys().collect();
        wanted.sort();
        assert_eq!(begun, wanted);
    }
}

pub(crate) async fn numbers_come_back_to_the_last_bit(stores: Stores) {
    // Spread over all exponents, from a generator whose constants are Knuth's.
    let next = |bits: u64| bits.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
    let bits = std::iter::successors(Some(7), |bits| Some(next(*bits)));
    let numbers: Vec<f64> =
        bits.map(f64::from_bits).filter(|number| number.is_finite()).take(2000).collect();
    let mut run = new_run("etl", None);
    run.input = Some(json!(numbers));
    stores.one.begin(run.clone(), Vec::new()).await.expect("it begins");
    let found = stores.other.run(run.id).await.expect("readable").expect("there");
    assert_eq!(found.input, Some(json!(numbers)));
}

pub(crate) async fn texts_of_all_kinds_come_back(stores: Stores) {
    let mut run = new_run("größe ✓ 'q\" $1 ?", Some(owner()));
    run.input = Some(json!({ "a\0b": ["c\0", "\\u0000", 1e300, -0.5, 1.0, u64::MAX, "🦀"] }));
    let output = json!({ "nul": "a\0b", "one": 1.0 });
    let events = vec![started(0), job_completed(1, "löad", output.clone()), completed(2, output)];
    stores.one.begin(run.clone(), events.clone()).await.expect("it begins");
    let found = stores.other.run(run.id).await.expect("readable").expect("there");
    assert_eq!(found, StoredRun::begun(run.clone(), Status::Completed, 3));
    assert_eq!(stores.other.events(run.id, 0, 10).await.expect("readable"), events);
}
