//! What goes wrong with servers, and what is said of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use test_postgres as cluster;
use workflow_core::event::Event;
use workflow_core::store::{Owner, OwnerId, Store, StoreError};
use workflow_store::PostgresStore;

use crate::given::begin;

fn event(sequence: u64) -> Event {
    if sequence == 0 { crate::given::started() } else { crate::given::kept(sequence, sequence) }
}

fn open(url: &str) -> Result<PostgresStore, StoreError> {
    pollster::block_on(PostgresStore::open(url))
}

#[test]
fn a_run_goes_on_when_its_connections_are_cut() {
    let database = cluster::database();
    let store = open(database.url()).expect("opened");
    let lease = pollster::block_on(begin(&store)).expect("begun");
    let done = Arc::new(AtomicBool::new(false));
    let (is_done, url) = (done.clone(), database.url().to_owned());
    let cutter = std::thread::spawn(move || {
        let mut cuts = 0;
        while !is_done.load(Ordering::SeqCst) {
            cluster::run(
                &url,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                 WHERE datname = current_database() AND application_name = 'workflow-store'",
            );
            cuts += 1;
            std::thread::sleep(Duration::from_millis(30));
        }
        cuts
    });
    // What is not kept is offered again, as an engine does.
    let mut refused = 0;
    for sequence in 1..=200 {
        while let Err(error) = pollster::block_on(store.append(&lease, &[event(sequence)])) {
            assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
            refused += 1;
            assert!(refused < 10_000, "{error}");
        }
    }
    done.store(true, Ordering::SeqCst);
    assert!(cutter.join().expect("no panic") > 0);
    let events = pollster::block_on(async {
        loop {
            if let Ok(events) = store.events(lease.run, 0, 1000).await {
                break events;
            }
        }
    });
    assert_eq!(events, (0..=200).map(event).collect::<Vec<_>>());
}

#[test]
fn a_process_paused_in_a_transaction_does_not_block_others() {
    let database = cluster::database();
    let store = open(database.url()).expect("opened");
    let lease = pollster::block_on(begin(&store)).expect("begun");
    pollster::block_on(store.release(&[lease])).expect("released");
    let url = database.url().to_owned();
    let stopped = std::thread::spawn(move || {
        cluster::run(
            &url,
            "BEGIN; UPDATE workflows_workflowrun SET events = events; \
            SELECT pg_sleep(3); COMMIT",
        );
    });
    let sleeping = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep' \
        AND datname = current_database()";
    while database.query(sleeping).is_empty() && !stopped.is_finished() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let heir = Owner { id: OwnerId::random(), lifetime: Duration::from_secs(60) };
    let claim = || pollster::block_on(store.claim(heir, &[lease.run])).expect("answered");
    assert!(claim().is_empty());
    pollster::block_on(begin(&store)).expect("others are served");
    assert!(!stopped.is_finished(), "it was not waited for");
    stopped.join().expect("no panic");
    assert_eq!(claim().len(), 1);
}

#[test]
fn a_database_from_a_newer_version_is_refused() {
    let database = cluster::database();
    drop(open(database.url()).expect("opened"));
    database.execute("INSERT INTO refinery_schema_history VALUES (99, 'later', '', '')");
    let error = open(database.url()).expect_err("refused");
    assert!(matches!(error, StoreError::Unusable(_)), "{error:?}");
    assert!(error.to_string().contains("schema version 99"), "{error}");
}

#[test]
fn many_open_a_new_database_at_once() {
    let database = cluster::database();
    let threads: Vec<_> = (0..5)
        .map(|_| {
            let url = database.url().to_owned();
            std::thread::spawn(move || {
                let store = open(&url).expect("opened");
                pollster::block_on(begin(&store)).expect("begun");
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
    assert_eq!(database.query("SELECT execution_count FROM workflows_workflow"), ["5"]);
}

#[test]
fn an_unreachable_database_is_explained() {
    let error = open("postgres://nobody@127.0.0.1:1/none").expect_err("no server");
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    assert!(error.to_string().contains("check that PostgreSQL is running"), "{error}");
    let error = open("postgres://[nonsense").expect_err("no URL");
    assert!(error.to_string().contains("invalid database URL"), "{error}");
    let database = cluster::database();
    let error = open(&database.url().replace("/test_", "/no_")).expect_err("no database");
    assert!(matches!(error, StoreError::Unusable(_)), "{error:?}");
    assert!(error.to_string().contains("create it"), "{error}");
}
