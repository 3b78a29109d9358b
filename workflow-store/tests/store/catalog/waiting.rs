//! What runs wait for, of those that no engine has told of: older ones, and imported ones.

use std::collections::BTreeMap;

use serde_json::json;
use workflow_core::event::{Event, Stall};
use workflow_store::Catalog;

use super::support::*;

/// Runs by what they wait for, each of a workflow of its own.
fn stories() -> Vec<(&'static str, Vec<Event>)> {
    let started = json!({ "event": "job_started", "job": "load", "attempt": 1 });
    let sleeps = |until: &str| {
        let (job, attempt, duration) = ("load", 1, 60);
        json!({ "event": "sleep_started", "job": job, "attempt": attempt, "duration": duration, "until": until })
    };
    let awaited = |job: &str, signal: &str| json!({ "event": "signal_awaited", "job": job, "attempt": 1, "signal": signal });
    let called = json!({ "called": { "by": "load", "attempt": 1, "job": "ask", "input": null } });
    let child = json!({ "event": "job_started", "job": "ask", "attempt": 1, "origin": called });
    let completed =
        json!({ "event": "job_completed", "job": "load", "attempt": 1, "output": null });
    let damaged = json!({ "event": "run_blocked", "reason": "record_damaged", "problem": "p" });
    let stories = [
        ("signal", vec![started.clone(), awaited("load", "go")]),
        ("sleep", vec![started.clone(), sleeps("2096-01-01T00:00:00Z")]),
        ("slept", vec![started.clone(), sleeps("2026-01-01T00:00:00Z")]),
        ("at work", vec![started.clone()]),
        (
            "function",
            vec![started.clone(), child, awaited("ask", "answer"), awaited("load", "stop")],
        ),
        (
            "over",
            vec![
                started.clone(),
                awaited("load", "go"),
                completed,
                json!({ "event": "run_completed" }),
            ],
        ),
        ("blocked", vec![started, damaged]),
    ];
    let story = |(name, kinds): (_, Vec<_>)| {
        let kinds = [json!({ "event": "run_started" })].into_iter().chain(kinds);
        let numbered = (0..).zip(kinds);
        (name, numbered.map(|(at, kind)| event(at, 1000 * at as u32, kind)).collect())
    };
    stories.into_iter().map(story).collect()
}

/// What keeps each run from making progress, as lists have it; and that each run itself says so.
async fn stalls(store: &dyn Catalog) -> BTreeMap<String, Option<Stall>> {
    let runs = store.runs(Default::default()).await.expect("listed").items;
    for run in &runs {
        let details = store.run_details(run.id).await.expect("it is there");
        assert_eq!(&details.run, run, "{}", run.workflow);
    }
    runs.into_iter().map(|run| (run.workflow, run.stall)).collect()
}

fn told(stalls: &BTreeMap<String, Option<Stall>>) -> Vec<String> {
    let told = |stall: &Option<Stall>| stall.as_ref().map_or("-".to_owned(), Stall::to_string);
    stalls.iter().map(|(name, stall)| format!("{name}: {}", told(stall))).collect()
}

const TOLD: [&str; 7] = [
    "at work: -",
    "blocked: blocked: record damaged: p",
    "function: waiting: job `ask` waits for signal `answer`",
    "over: -",
    "signal: waiting: job `load` waits for signal `go`",
    "sleep: waiting: job `load` sleeps until 2096-01-01T00:00:00Z",
    "slept: -",
];

pub(crate) async fn waits_of_older_runs_are_backfilled(place: Place) {
    for (name, events) in stories() {
        let begun = place.store.begin(new_run(name), Vec::new()).await.expect("begun");
        let workflow_core::store::BeginOutcome::New(Some(lease)) = begun else {
            panic!("{begun:?}")
        };
        place.store.append(&lease, &events).await.expect("kept");
    }
    let before = stalls(&*place.store).await;
    assert_eq!(told(&before), TOLD);
    // As the version before V8 left it, and as one did that told of new runs only.
    for first in [8, 12] {
        place.raw.undo(first);
        if first > 8 {
            place.raw.execute("DELETE FROM workflows_waiting");
        }
        let store = place.raw.open().await;
        assert_eq!(stalls(&*store).await, before);
        assert_eq!(place.raw.query("SELECT count(*) FROM workflows_unfolded"), ["0"]);
    }
}

pub(crate) async fn imported_runs_stand_where_their_events_say(place: Place) {
    for (name, events) in stories() {
        let mut run = new_run(name);
        run.owner = None;
        place.store.begin(run, events).await.expect("begun");
    }
    assert_eq!(told(&stalls(&*place.store).await), TOLD);
    let mut lines = Vec::new();
    place.store.export(None, &mut lines).await.expect("exported");
    for other in [sqlite().await, postgres().await] {
        other.store.import(&mut lines.as_slice()).await.expect("imported");
        assert_eq!(told(&stalls(&*other.other).await), TOLD);
    }
}
