//! What every store does, asked of each: in memory, on SQLite, on PostgreSQL, and of one that wraps
//! another.

#[path = "../../../tests-support/counting.rs"]
mod counting;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use test_postgres as cluster;

use counting::Counting;
use workflow_core::Status;
use workflow_core::id::RunId;
use workflow_core::store::{MemoryStore, Trigger};
use workflow_store::testing::{Catalogs, Stores};
use workflow_store::{PostgresStore, RecentRun, RunSummary, SqliteOptions, SqliteStore};

async fn in_memory() -> Stores {
    let store = Arc::new(MemoryStore::new());
    let clock = store.clone();
    let passed = std::cell::Cell::new(0);
    Stores::new(store.clone(), store).clock(move |micros| {
        let ahead = micros - passed.replace(micros);
        clock.advance(std::time::Duration::from_micros(ahead.max(0).unsigned_abs()));
    })
}

async fn on_sqlite() -> Stores {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("workflows.db");
    let offset = Arc::new(AtomicI64::new(0));
    let open = || SqliteOptions::new().clock_offset(offset.clone()).open(&path);
    let one = Arc::new(open().await.expect("a store"));
    let other = Arc::new(open().await.expect("the same store"));
    let stores = Stores::new(one, other).keep(folder);
    stores.clock(move |micros| offset.store(micros, Ordering::Relaxed))
}

async fn on_postgres() -> Stores {
    let database = crate::MIGRATED.copy();
    let url = database.url().to_owned();
    let one = Arc::new(PostgresStore::open(&url).await.expect("a store"));
    let other = Arc::new(PostgresStore::open(&url).await.expect("the same store"));
    Stores::new(one, other).keep(database).clock(move |micros| cluster::set_clock(&url, micros))
}

mod memory {
    workflow_store::store_conformance!(crate::conformance::in_memory());
    workflow_store::flow_control_conformance!(crate::conformance::in_memory());
}

mod sqlite {
    workflow_store::store_conformance!(crate::conformance::on_sqlite());
    workflow_store::flow_control_conformance!(crate::conformance::on_sqlite());
}

mod postgres {
    workflow_store::store_conformance!(crate::conformance::on_postgres());
    workflow_store::flow_control_conformance!(crate::conformance::on_postgres());
}

/// A store that wraps another, as an engine sees it.
async fn wrapped() -> Stores {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("workflows.db");
    let offset = Arc::new(AtomicI64::new(0));
    let open = || SqliteOptions::new().clock_offset(offset.clone()).open(&path);
    let one = Counting::new(Arc::new(open().await.expect("a store")));
    let other = Counting::new(Arc::new(open().await.expect("the same store")));
    let stores = Stores::new(Arc::new(one), Arc::new(other)).keep(folder);
    stores.clock(move |micros| offset.store(micros, Ordering::Relaxed))
}

/// The same, as the server and the command line see it. It leaves out what has a default.
async fn wrapped_catalog() -> Catalogs {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("workflows.db");
    let one = Counting::new(Arc::new(SqliteStore::open(&path).await.expect("a store")));
    let other = Counting::new(Arc::new(SqliteStore::open(&path).await.expect("the same store")));
    Catalogs::new(Arc::new(one), Arc::new(other)).keep(folder)
}

mod wrapper {
    workflow_store::store_conformance!(crate::conformance::wrapped());
}

mod wrapper_catalog {
    workflow_store::catalog_conformance!(crate::conformance::wrapped_catalog());
}

#[test]
fn a_decorator_receives_every_call() {
    pollster::block_on(async {
        let empty =
            async || Counting::new(Arc::new(SqliteStore::open(":memory:").await.expect("a store")));
        let store = empty().await;
        let stores = Stores::new(Arc::new(store.clone()), Arc::new(store.clone()));
        workflow_store::testing::store::check("events_must_follow", stores).await;
        assert_eq!((store.calls("begin"), store.calls("append")), (1, 4));
        let store = empty().await;
        let catalogs = Catalogs::new(Arc::new(store.clone()), Arc::new(store.clone()));
        workflow_store::testing::catalog::check("metadata_is_replaced_or_merged", catalogs).await;
        assert!(store.calls("update_workflow") > 0);
    });
}

/// Stores of other crates make what they answer.
#[test]
fn other_crates_can_build_the_answers_of_a_catalog() {
    let at = std::time::SystemTime::UNIX_EPOCH;
    let (id, status) = (RunId::random(), Status::Completed);
    let run = RunSummary {
        number: 1,
        id,
        workflow_id: 7,
        workflow: "etl".to_owned(),
        status,
        trigger: Trigger::Manual,
        idempotency_key: None,
        parent: None,
        user: None,
        scheduled_for: None,
        started_at: at,
        begun_at: Some(at),
        completed_at: Some(at),
        error: None,
        events: 4,
        owner: None,
        task_queue: "default-workflows".to_owned(),
        priority: 0,
        stall: None,
    };
    let recent =
        RecentRun { workflow_id: run.workflow_id, id, status, started_at: at, duration: None };
    assert_eq!((run.id, run.status), (recent.id, recent.status));
}
