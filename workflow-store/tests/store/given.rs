//! A run for the tests of what goes wrong.
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value as Json, json};
use workflow_core::definition::Metadata;
use workflow_core::event::Event;
use workflow_core::store::{
    BeginOutcome, Lease, NewRun, Owner, OwnerId, Store, StoreError, WorkflowSnapshot,
};

/// An event, as events are written.
pub(crate) fn event(json: Json) -> Event {
    serde_json::from_value(json).expect("an event")
}

pub(crate) fn started() -> Event {
    event(json!({ "sequence": 0, "at": "2026-01-02T03:04:05Z", "event": "run_started" }))
}

/// A value that a job kept.
pub(crate) fn kept(sequence: u64, value: impl Into<Json>) -> Event {
    event(json!({ "sequence": sequence, "at": "2026-01-02T03:04:05Z", "event": "value_persisted",
        "job": "load", "key": "k", "value": value.into() }))
}

/// A run whose owner stays alive for long.
pub(crate) fn new_run() -> NewRun {
    let workflow = WorkflowSnapshot {
        name: "etl".to_owned(),
        metadata: Metadata::default(),
        fingerprint: "f1".into(),
        source: None,
        graph: Arc::new(json!({ "nodes": [], "edges": [] })),
    };
    let owner = Some(Owner { id: OwnerId::random(), lifetime: Duration::from_secs(60) });
    NewRun { owner, ..NewRun::new(workflow) }
}

pub(crate) async fn begin(store: &dyn Store) -> Result<Lease, StoreError> {
    match store.begin(new_run(), vec![started()]).await? {
        BeginOutcome::New(Some(lease)) => Ok(lease),
        other => panic!("no lease: {other:?}"),
    }
}
