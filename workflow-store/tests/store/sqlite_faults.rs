//! What goes wrong with files, and what is said of it.

use std::path::Path;
use std::sync::{Arc, Barrier};
use std::time::Duration;

use rusqlite::Connection;
use serde_json::json;
use workflow_core::id::RunId;
use workflow_core::store::{Lease, Store, StoreError};
use workflow_store::{SqliteOptions, SqliteStore};

use crate::given::{begin, kept, new_run, started};

fn open(path: &Path) -> Result<SqliteStore, StoreError> {
    pollster::block_on(SqliteStore::open(path))
}

#[test]
fn acknowledged_data_is_there_after_reopening() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite://{}", folder.path().join("workflows.db").display());
    let run = pollster::block_on(async {
        let store = SqliteStore::open(&url).await?;
        Ok::<_, StoreError>(begin(&store).await?.run)
    });
    let run = run.expect("kept");
    let store = open(Path::new(&url)).expect("opened again");
    let events = pollster::block_on(store.events(run, 0, 10)).expect("readable");
    assert_eq!(events, [started()]);
}

#[test]
fn a_database_in_memory_is_usable() {
    pollster::block_on(async {
        let store = SqliteStore::open(":memory:").await.expect("opened");
        let lease = begin(&store).await.expect("begun");
        assert_eq!(store.events(lease.run, 0, 10).await.expect("readable"), [started()]);
    });
}

#[test]
fn a_full_disk_refuses_and_harms_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("workflows.db");
    pollster::block_on(async {
        let store = SqliteOptions::new().max_pages(140).open(&path).await.expect("opened");
        let lease = begin(&store).await.expect("there is room");
        let text = "x".repeat(40_000);
        let mut count = 1;
        let error = loop {
            match store.append(&lease, &[kept(count, &*text)]).await {
                Ok(()) => count += 1,
                Err(error) => break error,
            }
        };
        assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
        let said = error.to_string();
        assert!(said.contains("workflows.db") && said.contains("the disk is full"), "{said}");
        // What was kept is there, and what is small still fits.
        assert_eq!(store.events(lease.run, 0, 1000).await.expect("readable").len() as u64, count);
        store.append(&lease, &[kept(count, "small")]).await.expect("small enough");
    });
    let check: String = Connection::open(&path)
        .and_then(|file| file.query_row("PRAGMA integrity_check", [], |row| row.get(0)))
        .expect("a database");
    assert_eq!(check, "ok");
}

#[test]
fn a_file_that_is_no_database_is_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("notes.txt");
    let text = "not a database ".repeat(1000);
    std::fs::write(&path, &text).expect("written");
    let error = open(&path).expect_err("refused");
    assert!(matches!(error, StoreError::Unusable(_)), "{error:?}");
    let said = error.to_string();
    assert!(said.contains("notes.txt") && said.contains("not a SQLite database"), "{said}");
    assert_eq!(std::fs::read_to_string(&path).expect("there"), text);
}

#[test]
fn a_damaged_file_is_named_with_its_cure() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("workflows.db");
    let run = pollster::block_on(async {
        let store = SqliteStore::open(&path).await.expect("opened");
        let lease = begin(&store).await.expect("begun");
        for at in 1..50 {
            store.append(&lease, &[kept(at, "x".repeat(3000))]).await.expect("kept");
        }
        lease.run
    });
    let mut bytes = std::fs::read(&path).expect("readable");
    let third = bytes.len() / 3;
    bytes[third..].fill(0xAB);
    std::fs::write(&path, bytes).expect("written");
    let error = open(&path)
        .and_then(|store| pollster::block_on(store.events(run, 0, 100)))
        .expect_err("damaged");
    assert!(matches!(error, StoreError::Unusable(_)), "{error:?}");
    assert!(error.to_string().contains("restore it from a backup"), "{error}");
}

#[test]
fn a_file_from_a_newer_version_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("workflows.db");
    drop(open(&path).expect("opened"));
    Connection::open(&path)
        .and_then(|file| {
            file.execute("INSERT INTO refinery_schema_history VALUES (99, 'later', '', '')", [])
        })
        .expect("written");
    let error = open(&path).expect_err("refused");
    assert!(matches!(error, StoreError::Unusable(_)), "{error:?}");
    let said = error.to_string();
    assert!(said.contains("version 99") && said.contains("newer version of the program"), "{said}");
}

#[test]
fn a_missing_folder_is_named() {
    let error = open(Path::new("/no/such/folder/workflows.db")).expect_err("refused");
    assert!(error.to_string().contains("check that its folder exists"), "{error}");
}

#[test]
fn a_file_that_can_only_be_read_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("workflows.db");
    drop(open(&path).expect("opened"));
    // Permissions do not hold for every user; this address does.
    let file = format!("file:{}?immutable=1", path.display());
    let error = open(Path::new(&file)).expect("opened");
    let error = pollster::block_on(begin(&error)).expect_err("refused");
    assert!(matches!(error, StoreError::Unusable(_)), "{error:?}");
    assert!(error.to_string().contains("it is read-only"), "{error}");
}

#[test]
fn many_open_a_new_file_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("workflows.db");
    let barrier = Arc::new(Barrier::new(6));
    let threads: Vec<_> = (0..6)
        .map(|_| {
            let (path, barrier) = (path.clone(), barrier.clone());
            std::thread::spawn(move || {
                barrier.wait();
                let store = open(&path).expect("opened");
                pollster::block_on(begin(&store)).expect("begun");
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
    let file = Connection::open(&path).expect("a database");
    let one = |sql: &str| file.query_row(sql, [], |row| row.get::<_, i64>(0)).expect("a number");
    let (done, different) = (
        "SELECT count(*) FROM refinery_schema_history",
        "SELECT count(DISTINCT checksum) FROM refinery_schema_history",
    );
    assert!(one(done) > 0);
    assert_eq!(one(done), one(different), "each migration once");
    assert_eq!(one("SELECT count(*) FROM workflows_workflow"), 1);
    assert_eq!(one("SELECT execution_count FROM workflows_workflow"), 6);
}

#[test]
fn a_file_that_another_process_holds_is_said_to_be_busy() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("workflows.db");
    let options = SqliteOptions::new().busy_timeout(Duration::from_millis(50));
    let store = pollster::block_on(options.open(&path)).expect("opened");
    let other = Connection::open(&path).expect("opened");
    other.execute_batch("BEGIN IMMEDIATE").expect("locked");
    let error = pollster::block_on(begin(&store)).expect_err("busy");
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    assert!(error.to_string().contains("another process is writing"), "{error}");
    other.execute_batch("COMMIT").expect("free");
    pollster::block_on(begin(&store)).expect("free again");
}

#[test]
fn values_nested_too_deeply_are_not_stored() {
    let store = open(Path::new(":memory:")).expect("opened");
    let nested = |depth| (0..depth).fold(json!("[\\\"["), |inner, _| json!([inner]));
    let mut run = new_run();
    run.input = Some(nested(110));
    let id = run.id;
    pollster::block_on(store.begin(run.clone(), Vec::new())).expect("kept");
    assert_eq!(
        pollster::block_on(store.run(id)).expect("readable").expect("there").input,
        run.input
    );
    run.id = RunId::random();
    run.input = Some(nested(200));
    let error = pollster::block_on(store.begin(run, Vec::new())).expect_err("refused");
    assert!(error.to_string().contains("nested 200 levels deep"), "{error}");
}

/// What is refused of a store whose file was tampered with, with what it says.
#[cfg(unix)]
async fn refuses_everything(store: &SqliteStore, lease: &Lease, said: &[&str]) {
    let refusals = [
        store.append(lease, &[kept(1, "lost")]).await.expect_err("a write"),
        store.begin(new_run(), vec![started()]).await.map(drop).expect_err("a run"),
        store.events(lease.run, 0, 10).await.map(drop).expect_err("a read"),
        store.children(lease.run).await.map(drop).expect_err("a vital read"),
    ];
    for error in refusals {
        assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
        let text = error.to_string();
        for part in said {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}

#[cfg(unix)]
#[test]
fn a_file_that_is_moved_away_is_missed_until_it_is_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    pollster::block_on(async {
        let store = SqliteStore::open(at("workflows.db")).await.expect("opened");
        let lease = begin(&store).await.expect("begun");
        std::fs::rename(at("workflows.db"), at("moved.db")).expect("moved");
        let cure = ["workflows.db", "deleted or moved", "move the file back", "restart"];
        refuses_everything(&store, &lease, &cure).await;
        assert!(!at("workflows.db").exists(), "no file is made in its place");
        // A restored copy, say, under the running process.
        std::fs::copy(at("moved.db"), at("workflows.db")).expect("copied");
        refuses_everything(&store, &lease, &["another file has replaced", "restart"]).await;
        std::fs::rename(at("moved.db"), at("workflows.db")).expect("moved back");
        store.append(&lease, &[kept(1, "kept")]).await.expect("kept");
        let events = store.events(lease.run, 0, 10).await.expect("readable");
        assert_eq!(events, [started(), kept(1, "kept")]);
    });
}

/// Commits go to these before they are in the database.
#[cfg(unix)]
#[test]
fn a_deleted_wal_file_is_reported() {
    for suffix in ["-wal", "-shm"] {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("workflows.db");
        pollster::block_on(async {
            let store = SqliteStore::open(&path).await.expect("opened");
            let lease = begin(&store).await.expect("begun");
            let beside = format!("workflows.db{suffix}");
            std::fs::remove_file(folder.path().join(&beside)).expect("deleted");
            let error = store.append(&lease, &[kept(1, "lost")]).await.expect_err("refused");
            assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
            assert!(error.to_string().contains(&format!("{beside}`")), "{error}");
        });
    }
}

/// Other processes come and go, and a checkpoint empties the log.
#[cfg(unix)]
#[test]
fn changes_by_other_programs_lose_no_data() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("workflows.db");
    pollster::block_on(async {
        let store = SqliteStore::open(&path).await.expect("opened");
        let lease = begin(&store).await.expect("begun");
        for at in 1..4 {
            let other = Connection::open(&path).expect("opened");
            for work in ["PRAGMA wal_checkpoint(TRUNCATE)", "VACUUM"] {
                other.execute_batch(work).expect(work);
            }
            drop(other);
            drop(open(&path).expect("opened by another"));
            store.append(&lease, &[kept(at, "kept")]).await.expect("kept");
        }
        assert_eq!(store.events(lease.run, 0, 10).await.expect("readable").len(), 4);
    });
}
