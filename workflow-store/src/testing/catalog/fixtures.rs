//! Runs to put into catalogs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use workflow_core::definition::Metadata;
use workflow_core::event::Event;
use workflow_core::store::{NewRun, Owner, OwnerId, WorkflowSnapshot};

pub use super::Catalogs;

pub fn snapshot(name: &str, metadata: Json) -> WorkflowSnapshot {
    WorkflowSnapshot {
        name: name.to_owned(),
        metadata: Metadata::new(metadata).expect("fit"),
        fingerprint: "f1".into(),
        source: None,
        graph: Arc::new(json!({ "nodes": [{ "id": "load" }], "edges": [] })),
    }
}

pub fn new_run(name: &str) -> NewRun {
    NewRun {
        input: Some(json!({ "day": 1 })),
        owner: Some(Owner { id: OwnerId::random(), lifetime: Duration::from_secs(60) }),
        ..NewRun::new(snapshot(name, json!({ "project": "sales" })))
    }
}

/// A run of a file that keeps a folder for each of its runs in this one. Its folder is there, with
/// a log and what a command left.
pub fn run_of_file(name: &str, runs_dir: &std::path::Path) -> NewRun {
    let mut run = new_run(name);
    let source = json!({ "workflow_file": {
        "name": "etl.yaml", "folder": "/work", "runs_dir": runs_dir, "text": "name: etl",
    }});
    run.workflow.source = Some(Arc::new(source));
    let folder = runs_dir.join(run.id.to_string());
    std::fs::create_dir_all(folder.join("left")).expect("a folder");
    for file in ["output.log", "output.2.log", "left/rows.csv"] {
        std::fs::write(folder.join(file), "x").expect("a file");
    }
    run
}

/// The names of the folders in this one, in order.
pub fn folders_in(runs_dir: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(runs_dir).expect("a folder");
    let name = |entry: std::fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
    let mut names: Vec<_> = entries.map(|entry| name(entry.expect("readable"))).collect();
    names.sort();
    names
}

/// An event that happens so many milliseconds after the run began.
pub fn event(sequence: u64, millis: u32, mut kind: Json) -> Event {
    kind["sequence"] = sequence.into();
    kind["at"] = format!(
        "2026-01-02T03:{:02}:{:02}.{:03}Z",
        millis / 60_000,
        millis / 1000 % 60,
        millis % 1000
    )
    .into();
    serde_json::from_value(kind).expect("an event")
}

/// A whole run with one job that takes so long.
pub fn whole_run(millis: u32, ends_well: bool) -> Vec<Event> {
    let failure = json!({ "kind": "retryable", "message": "no\0 rows", "error_type": "E" });
    let (job, run) = match ends_well {
        true => (
            json!({ "event": "job_completed", "job": "load", "attempt": 1, "output": 7 }),
            json!({ "event": "run_completed", "output": { "rows": 7 } }),
        ),
        false => (
            json!({ "event": "job_failed", "job": "load", "attempt": 1, "error": failure }),
            json!({ "event": "run_failed", "reason": "job `load` failed" }),
        ),
    };
    vec![
        event(0, 0, json!({ "event": "run_started" })),
        event(1, 0, json!({ "event": "job_started", "job": "load", "attempt": 1 })),
        event(2, millis, job),
        event(3, millis, run),
    ]
}

/// Asks until the answer is there.
pub async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "{what} did not come about");
        std::thread::sleep(Duration::from_millis(5));
    }
}
