//! Runs that another process adds to a task queue are announced to workers that wait.

use std::time::Duration;

use futures::stream::{BoxStream, StreamExt as _};
use test_postgres as cluster;
use workflow_core::store::{
    BeginOutcome, NewRun, Owner, OwnerId, Queues, Store, WorkerId, WorkerReport,
};
use workflow_store::{PostgresStore, SqliteStore};

use crate::given;

/// The time after which a test fails for lack of an announcement.
const PATIENCE: Duration = Duration::from_secs(20);

fn new_run(owner: Option<Owner>) -> NewRun {
    NewRun { owner, ..given::new_run() }
}

async fn next(changes: &mut BoxStream<'static, ()>) {
    let item = tokio::time::timeout(PATIENCE, changes.next()).await;
    assert_eq!(item.expect("announced in time"), Some(()));
}

/// Waits until nothing is announced any more: the watcher makes one announcement when it begins.
async fn settle(changes: &mut BoxStream<'static, ()>) {
    while tokio::time::timeout(Duration::from_millis(100), changes.next()).await.is_ok() {}
}

async fn additions_are_announced(one: impl Store, other: impl Store) {
    let mut changes = one.queue_changes();
    settle(&mut changes).await;
    for _ in 0..3 {
        other.begin(new_run(None), Vec::new()).await.expect("it begins");
        next(&mut changes).await;
        settle(&mut changes).await;
    }
    let owner = Owner { id: OwnerId::random(), lifetime: PATIENCE };
    let begun = other.begin(new_run(Some(owner)), Vec::new()).await.expect("it begins");
    let BeginOutcome::New(Some(lease)) = begun else { panic!("{begun:?}") };
    settle(&mut changes).await;
    other.release(&[lease]).await.expect("released");
    next(&mut changes).await;
    // A later subscriber hears of later runs, also after all others have gone.
    drop(changes);
    let mut changes = one.queue_changes();
    settle(&mut changes).await;
    other.begin(new_run(None), Vec::new()).await.expect("it begins");
    next(&mut changes).await;
}

fn on_a_runtime(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime").block_on(test);
}

#[test]
fn sqlite_announces_runs_of_other_processes() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("workflows.db");
    on_a_runtime(async {
        let one = SqliteStore::open(&path).await.expect("a store");
        let other = SqliteStore::open(&path).await.expect("the same store");
        additions_are_announced(one, other).await;
    });
}

#[test]
fn postgresql_announces_runs_of_other_processes() {
    let database = cluster::database();
    on_a_runtime(async {
        let one = PostgresStore::open(database.url()).await.expect("a store");
        let other = PostgresStore::open(database.url()).await.expect("the same store");
        let mut changes = one.queue_changes();
        next(&mut changes).await;
        settle(&mut changes).await;
        // Only task queues matter, not everything that is written.
        let report = WorkerReport {
            id: WorkerId { owner: OwnerId::random(), number: 0 },
            name: "worker".to_owned(),
            queues: Queues::all(),
            max_concurrent_workflows: None,
            max_cached_workflows: None,
            max_concurrent_activities: None,
            workflows: 0,
            activities: 0,
            waiting: 0,
            lifetime: PATIENCE,
            program: None,
        };
        other.report_worker(&report).await.expect("recorded");
        let silence = tokio::time::timeout(Duration::from_millis(300), changes.next()).await;
        assert!(silence.is_err());
        additions_are_announced(one, other).await;
    });
}

/// A memory database has one connection, and announces what its own process does.
#[test]
fn a_memory_database_announces_its_own_runs() {
    on_a_runtime(async {
        let store = SqliteStore::open(":memory:").await.expect("a store");
        let mut changes = store.queue_changes();
        store.begin(new_run(None), Vec::new()).await.expect("it begins");
        next(&mut changes).await;
    });
}
