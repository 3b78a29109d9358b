//! Two live engines on one database while its clock is set.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use futures::channel::oneshot;
use futures::executor::block_on;
use test_postgres as cluster;
use workflow_core::engine::RunHandle;
use workflow_core::event::{Event, EventKind};
use workflow_core::id::RunId;
use workflow_core::prelude::*;
use workflow_core::store::{MessageKind, NewRun, Owner, OwnerId, Store, WorkflowSnapshot};
use workflow_store::{PostgresStore, SqliteOptions};

const LEASE: Duration = Duration::from_secs(3);
const HOUR: i64 = 3600 * 1_000_000;

#[register_workflow(name = "clocks: waits")]
async fn waits(ctx: WorkflowContext) -> Result<u32, JobError> {
    ctx.wait_signal("go").await
}

/// An engine that serves its store until this is dropped.
struct Serving {
    engine: Engine,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Serving {
    fn start(store: Arc<dyn Store>) -> Self {
        let engine = Engine::builder().store(store).lease(LEASE).build();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn({
            let engine = engine.clone();
            move || {
                let stop = async { stopped.await.unwrap_or_default() };
                block_on(engine.serve(stop)).expect("the store is of use");
            }
        });
        Self { engine, stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
            && !std::thread::panicking()
        {
            panic!("an engine stopped serving");
        }
    }
}

fn until<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let deadline = Instant::now() + LEASE * 10;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} did not come about");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Waits until each of the owners has renewed its lease twice: once by the clock as it is now.
fn until_renewed(query: &dyn Fn(&str) -> String, owners: &[OwnerId]) {
    let heartbeats = |owner: &OwnerId| -> u64 {
        let sql = "SELECT heartbeats FROM workflows_owner WHERE CAST(owner_id AS TEXT)";
        query(&format!("{sql} = '{owner}'")).parse().expect("a number")
    };
    let before: Vec<u64> = owners.iter().map(heartbeats).collect();
    until("the renewals", || {
        let mut now = owners.iter().map(heartbeats).zip(&before);
        now.all(|(now, before)| now >= before + 2).then_some(())
    });
}

fn owner_of(store: &dyn Store, run: RunId) -> Option<OwnerId> {
    block_on(store.run(run)).expect("readable").expect("there").owner
}

/// How often the run has changed hands.
fn takeovers(store: &dyn Store, run: RunId) -> usize {
    let events = block_on(store.events(run, 0, 1000)).expect("readable");
    events.iter().filter(|event| matches!(event.kind, EventKind::RunResumed { .. })).count()
}

/// Lets engines drive runs while the clock is set there and back.
fn survive(
    open: impl Fn() -> Arc<dyn Store>,
    set_clock: impl Fn(i64),
    query: &dyn Fn(&str) -> String,
) {
    let store = open();
    let engines = [Serving::start(open()), Serving::start(open())];
    let runs = engines.each_ref().map(|serving| {
        let run = serving.engine.run("clocks: waits").start().expect("it starts");
        block_on(run.persisted()).expect("it is kept");
        run
    });
    let owners = runs.each_ref().map(|run| owner_of(&*store, run.id()).expect("it is driven"));
    until_renewed(query, &owners);
    for jump in [HOUR, -HOUR, 20 * 8766 * HOUR] {
        for offset in [jump, 0] {
            // A run whose engine has just died.
            let left = left_behind(&*store);
            set_clock(offset);
            until_renewed(query, &owners);
            until("the takeover", || (takeovers(&*store, left) > 0).then_some(()));
            finish(&*store, left);
            let followed = block_on(engines[1].engine.follow(left)).expect("it completes");
            assert_eq!(followed.output::<u32>(), Ok(7));
            assert_eq!(takeovers(&*store, left), 1, "it changed hands again and again");
        }
    }
    let ids = runs.each_ref().map(RunHandle::id);
    assert_eq!(ids.map(|run| owner_of(&*store, run)), owners.map(Some));
    for run in &runs {
        finish(&*store, run.id());
        assert_eq!(run.wait().expect("it completes").output::<u32>(), Ok(7));
        assert_eq!(takeovers(&*store, run.id()), 0);
    }
}

/// A run under the lease of an engine that has died since it renewed it.
fn left_behind(store: &dyn Store) -> RunId {
    let workflow = registry::get("clocks: waits").expect("registered").workflow();
    let run = NewRun {
        owner: Some(Owner { id: OwnerId::random(), lifetime: LEASE }),
        ..NewRun::new(WorkflowSnapshot::of(&*workflow))
    };
    let (id, started) =
        (run.id, Event::new(0, SystemTime::now(), EventKind::RunStarted { retry_of: None }));
    block_on(store.begin(run, vec![started])).expect("it begins");
    id
}

fn finish(store: &dyn Store, run: RunId) {
    let kind = MessageKind::Signal { name: "go".to_owned(), payload: 7.into() };
    block_on(store.send(run, kind)).expect("kept");
}

#[test]
fn engines_survive_clocks_that_are_set_on_sqlite() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, offset) = (folder.path().join("workflows.db"), Arc::new(AtomicI64::new(0)));
    let open = || -> Arc<dyn Store> {
        let options = SqliteOptions::new().clock_offset(offset.clone());
        Arc::new(block_on(options.open(&path)).expect("a store"))
    };
    let query = |sql: &str| {
        let file = rusqlite::Connection::open(&path).expect("a database");
        let number: i64 = file.query_row(sql, [], |row| row.get(0)).expect(sql);
        number.to_string()
    };
    survive(open, |micros| offset.store(micros, Ordering::Relaxed), &query);
}

#[test]
fn engines_survive_clocks_that_are_set_on_postgres() {
    let database = cluster::database();
    let open = || -> Arc<dyn Store> {
        Arc::new(block_on(PostgresStore::open(database.url())).expect("a store"))
    };
    let query = |sql: &str| database.query(sql).remove(0);
    survive(open, |micros| cluster::set_clock(database.url(), micros), &query);
}
