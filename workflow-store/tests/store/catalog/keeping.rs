//! Retention, export, import.

use std::time::{Duration, SystemTime};

use serde_json::{Value as Json, json};
use workflow_store::{CatalogError, NewWorkflow, Retention, RunQuery};

use super::support::*;

async fn count(place: &Place, which: &str) -> u64 {
    place.store.count_runs(which).await.expect("counted")
}

pub(crate) async fn old_runs_are_pruned(place: Place) {
    let hour = Duration::from_secs(3600);
    for at in 0..10u32 {
        let mut run = new_run("etl");
        run.created_at = SystemTime::now() - hour * (at + 1) + hour / 2;
        // The oldest is still under way.
        let mut events = whole_run(5, true);
        if at == 9 {
            events.truncate(2);
        } else if at == 8 {
            let large = Json::String("x".repeat(2_000_000));
            let kind =
                json!({ "event": "job_completed", "job": "load", "attempt": 1, "output": large });
            events[2] = event(2, 5, kind);
        }
        place.store.begin(run, events).await.expect("begun");
    }
    place.store.begin(new_run("other"), whole_run(5, true)).await.expect("begun");
    assert_eq!(place.raw.query("SELECT count(*) FROM workflows_blob"), ["1"]);
    let by_age = Retention { keep_for: Some(hour * 5), ..Default::default() };
    assert_eq!(place.store.prune(by_age).await.expect("pruned"), 4);
    assert_eq!((count(&place, "etl").await, count(&place, "other").await), (6, 1));
    assert_eq!(place.raw.query("SELECT count(*) FROM workflows_blob"), ["0"]);
    let by_count =
        Retention { workflow: Some("etl".to_owned()), keep_last: Some(2), keep_for: None };
    assert_eq!(place.store.prune(by_count).await.expect("pruned"), 3);
    let left =
        place.store.runs(RunQuery { workflow: Some("etl".to_owned()), ..Default::default() });
    let left = left.await.expect("listed").items;
    assert_eq!(left.iter().filter(|run| run.status.is_final()).count(), 2);
    assert_eq!(left.len(), 3);
    assert_eq!(place.raw.query("SELECT count(*) FROM workflows_event"), ["14"]);
    assert_eq!(place.store.prune(Retention::default()).await.expect("nothing"), 0);
    // Figures keep counting what is gone.
    let statistics = place.store.statistics(Some("etl")).await.expect("known");
    assert_eq!(statistics[0].runs.completed, 9);
}

pub(crate) async fn folders_go_with_their_runs(place: Place) {
    let folder = tempfile::tempdir().expect("a folder");
    let runs_dir = folder.path().join("runs");
    let mut ids = Vec::new();
    for at in 0..4u32 {
        let mut run = run_of_file("etl", &runs_dir);
        run.created_at = SystemTime::now() - HOUR * (4 - at);
        ids.push(run.id.to_string());
        place.store.begin(run, whole_run(5, true)).await.expect("begun");
    }
    // Of one, the folder is not here: it ran elsewhere, or somebody was faster.
    std::fs::remove_dir_all(runs_dir.join(&ids[0])).expect("removed");
    let by_age = Retention { keep_for: Some(HOUR * 5 / 2), ..Default::default() };
    assert_eq!(place.store.prune(by_age).await.expect("pruned"), 2);
    assert_eq!(folders_in(&runs_dir), sorted(&ids[2..]));
    let last = Retention { keep_last: Some(1), ..Default::default() };
    assert_eq!(place.store.prune(last).await.expect("pruned"), 1);
    assert_eq!(folders_in(&runs_dir), ids[3..]);
    let other = run_of_file("other", &runs_dir);
    place.store.begin(other.clone(), whole_run(5, true)).await.expect("begun");
    assert_eq!(place.store.delete_workflow("etl").await.expect("deleted"), 1);
    assert_eq!(folders_in(&runs_dir), [other.id.to_string()]);
}

fn sorted(names: &[String]) -> Vec<String> {
    let mut names = names.to_vec();
    names.sort();
    names
}

pub(crate) async fn runs_age_from_their_end(place: Place) {
    let mut ids = Vec::new();
    // The first took nine hours, the others none; the last has not ended.
    for (began, ended) in [(10, Some(1)), (10, Some(10)), (2, Some(2)), (10, None)] {
        let mut run = new_run("etl");
        run.created_at = SystemTime::now() - HOUR * began;
        let mut events = whole_run(5, true);
        for event in &mut events {
            event.at = run.created_at;
        }
        match ended {
            Some(ended) => events[3].at = SystemTime::now() - HOUR * ended,
            None => events.truncate(3),
        }
        ids.push(run.id);
        place.store.begin(run, events).await.expect("begun");
    }
    // Another program said that a run had ended, and not when.
    let mut foreign = new_run("etl");
    foreign.created_at = SystemTime::now() - HOUR * 10;
    place.store.begin(foreign.clone(), whole_run(5, true)).await.expect("begun");
    place.raw.execute(&format!(
        "UPDATE workflows_workflowrun SET completed_at = NULL WHERE run_id = '{}'",
        foreign.id
    ));
    let by_age = Retention { keep_for: Some(HOUR * 5), ..Default::default() };
    assert_eq!(place.store.prune(by_age).await.expect("pruned"), 2);
    for (at, is_kept) in [(0, true), (1, false), (2, true), (3, true)] {
        let run = place.store.run_details(ids[at]).await;
        assert_eq!(run.is_ok(), is_kept, "run {at}: {run:?}");
    }
}

/// A run that was asked for so many hours ago, and has ended.
async fn add(place: &Place, workflow: &str, hours: u32) {
    let mut run = new_run(workflow);
    run.created_at = SystemTime::now() - HOUR * hours;
    place.store.begin(run, whole_run(5, true)).await.expect("begun");
}

const HOUR: Duration = Duration::from_secs(3600);

pub(crate) async fn one_process_prunes_in_a_period(place: Place) {
    for hours in 0..6 {
        add(&place, "etl", hours).await;
        add(&place, "audit", hours).await;
    }
    let all = Retention { keep_for: Some(HOUR * 3 - HOUR / 2), ..Default::default() };
    let of = |workflow: &str| Retention {
        workflow: Some(workflow.to_owned()),
        keep_last: Some(5),
        keep_for: None,
    };
    let policy = [of("audit"), all, of("of tomorrow")];
    let (one, other) = (&place.store, &place.other);
    assert_eq!(one.prune_when_due(&policy, HOUR).await.expect("pruned"), Some(4));
    assert_eq!((count(&place, "etl").await, count(&place, "audit").await), (3, 5));
    add(&place, "etl", 9).await;
    assert_eq!(other.prune_when_due(&policy, HOUR).await.expect("asked"), None);
    assert_eq!(other.prune_when_due(&policy, Duration::ZERO).await.expect("pruned"), Some(1));
    // The clock was a year ahead the last time.
    place.raw.execute(
        "UPDATE workflows_counter SET value = value + 31536000000000 WHERE name = 'pruned_at'",
    );
    assert_eq!(other.prune_when_due(&policy, HOUR).await.expect("pruned"), Some(0));
    assert_eq!(other.prune_when_due(&policy, HOUR).await.expect("asked"), None);
}

pub(crate) async fn a_bad_import_leaves_nothing(place: Place) {
    place.store.begin(new_run("etl"), whole_run(5, true)).await.expect("begun");
    let mut lines = Vec::new();
    place.store.export(None, &mut lines).await.expect("exported");
    let text = String::from_utf8(lines).expect("text");
    let cut: String = text.lines().take(4).map(|line| format!("{line}\n")).collect();
    let shuffled = text.lines().rev().map(|line| format!("{line}\n")).collect();
    let empty = if place.raw.is_postgres() { postgres().await } else { sqlite().await };
    for wrong in [
        cut,
        shuffled,
        format!("{text}nonsense\n"),
        format!("{text}{{\"day\":1}}"),
        text.replace("\"day\":1", "\"day\":1e-400"),
    ] {
        let error = empty.store.import(&mut wrong.as_bytes()).await.expect_err("refused");
        assert!(matches!(error, CatalogError::Import { .. }), "{error:?}");
        let error = error.to_string();
        assert!(
            !["expected value", "missing field"].iter().any(|of| error.contains(of)),
            "{error}"
        );
        assert_eq!(empty.raw.query("SELECT count(*) FROM workflows_workflow"), ["0"]);
    }
}

pub(crate) async fn a_damaged_event_is_described(place: Place) {
    let run = new_run("etl");
    let id = run.id;
    place.store.begin(run, whole_run(5, true)).await.expect("begun");
    for (body, wanted) in [
        ("{\"sequence\": 1}", "cannot read an event (the field `at` is missing (line 1, column"),
        ("[7]", "(expected an object, found a list (line 1, column 1)): [7]"),
    ] {
        place.raw.execute(&format!("UPDATE workflows_event SET body = '{body}'"));
        let error = place.other.events(id, 0, 10).await.expect_err("damaged").to_string();
        assert!(error.contains(wanted), "{error}");
    }
}

pub(crate) async fn an_export_comes_back(place: Place) {
    let mut new = NewWorkflow::new("Drawn");
    new.user = Some("alice".to_owned());
    new.dag_spec = json!({ "nodes": [1], "edges": [] });
    new.definition = Some(json!({ "name": "Drawn", "jobs": [] }));
    place.store.create_workflow(new).await.expect("made");
    let large = Json::String("x".repeat(1_500_000));
    for at in 0..5u32 {
        let mut run = new_run("etl");
        run.idempotency_key = Some(format!("k{at}"));
        run.input = Some(json!({ "a\0": [1.0, at] }));
        run.owner = None;
        let mut events = whole_run(5, at % 2 == 0);
        if at == 2 {
            let kind =
                json!({ "event": "job_completed", "job": "load", "attempt": 1, "output": large });
            events[2] = event(2, 5, kind);
        }
        place.store.begin(run, events).await.expect("begun");
    }
    let mut lines = Vec::new();
    place.store.export(None, &mut lines).await.expect("exported");
    for other in [sqlite().await, postgres().await] {
        let imported = other.store.import(&mut lines.as_slice()).await.expect("imported");
        assert_eq!((imported.workflows, imported.runs, imported.events), (2, 5, 20));
        let mut again = Vec::new();
        other.other.export(None, &mut again).await.expect("exported");
        assert!(again == lines, "the export of an import is the same");
        let imported = other.store.import(&mut lines.as_slice()).await.expect("imported");
        assert_eq!((imported.workflows, imported.runs, imported.skipped), (0, 0, 5));
        let statistics = other.store.statistics(Some("etl")).await.expect("known");
        assert_eq!((statistics[0].runs.completed, statistics[0].runs.failed), (3, 2));
    }
    let mut one = Vec::new();
    place.store.export(Some("drawn"), &mut one).await.expect("exported");
    assert_eq!(one.iter().filter(|byte| **byte == b'\n').count(), 1);
}
