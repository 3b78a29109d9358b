//! Things to put into stores.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use workflow_core::definition::Metadata;
use workflow_core::event::Event;
use workflow_core::store::{BeginOutcome, Lease, NewRun, Owner, OwnerId, Store, WorkflowSnapshot};

pub(crate) use super::Stores;

/// An engine that stays alive for long.
pub(crate) fn owner() -> Owner {
    living(Duration::from_secs(60))
}

pub(crate) fn living(lifetime: Duration) -> Owner {
    Owner { id: OwnerId::random(), lifetime }
}

pub(crate) fn workflow(name: &str) -> WorkflowSnapshot {
    WorkflowSnapshot {
        name: name.to_owned(),
        metadata: Metadata::new(json!({ "description": "counts", "tags": ["a"] })).expect("fit"),
        fingerprint: "f1".into(),
        source: Some(Arc::new(json!({ "jobs": [1.0, 2] }))),
        graph: Arc::new(json!({ "nodes": [{ "id": "load" }], "edges": [] })),
    }
}

pub(crate) fn new_run(name: &str, owner: Option<Owner>) -> NewRun {
    NewRun { input: Some(json!({ "day": "2026-01-02" })), owner, ..NewRun::new(workflow(name)) }
}

/// An event; `kind` as events are written.
pub(crate) fn event(sequence: u64, kind: Json) -> Event {
    let mut json = json!({ "sequence": sequence, "at": "2026-01-02T03:04:05.123456789Z" });
    for (key, value) in kind.as_object().expect("an object") {
        json[key] = value.clone();
    }
    serde_json::from_value(json).expect("an event")
}

pub(crate) fn started(sequence: u64) -> Event {
    event(sequence, json!({ "event": "run_started" }))
}

pub(crate) fn job_started(sequence: u64, job: &str) -> Event {
    event(sequence, json!({ "event": "job_started", "job": job, "attempt": 1 }))
}

pub(crate) fn job_completed(sequence: u64, job: &str, output: Json) -> Event {
    event(sequence, json!({ "event": "job_completed", "job": job, "attempt": 1, "output": output }))
}

pub(crate) fn completed(sequence: u64, output: Json) -> Event {
    event(sequence, json!({ "event": "run_completed", "output": output }))
}

/// Begins a run that `owner` drives.
pub(crate) async fn begin(store: &dyn Store, owner: Owner) -> Lease {
    let run = new_run("etl", Some(owner));
    match store.begin(run, vec![started(0)]).await.expect("it begins") {
        BeginOutcome::New(Some(lease)) => lease,
        other => panic!("no lease: {other:?}"),
    }
}

/// Asks until the answer is there.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut ask: impl FnMut() -> F,
) -> T {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "{what} did not come about");
        std::thread::sleep(Duration::from_millis(5));
    }
}
