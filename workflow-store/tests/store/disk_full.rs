//! A disk without room, under a run: the run ends with a clear error, the file is whole, and once
//! there is room the run is finished.
//!
//! Each test runs a part of this program in a place of its own: one with a small file system, one
//! with a bound on the size of files, which needs no rights.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rusqlite::Connection;
use rustix::process::{Resource, getrlimit, setrlimit};
use workflow_core::RunError;
use workflow_core::id::RunId;
use workflow_core::prelude::*;
use workflow_core::store::StoreError;
use workflow_store::{Catalog as _, NewWorkflow, SqliteStore};

/// How often each piece was made in this process.
static MADE: [AtomicU32; PIECES] = [const { AtomicU32::new(0) }; PIECES];

const PIECES: usize = 40;

/// What a piece leaves on record, in bytes.
const SIZE: usize = 50_000;

/// A bound between the first piece and the last, in bytes.
const ROOM: u64 = 900_000;

#[job]
fn make(number: &usize) -> String {
    MADE[*number].fetch_add(1, Ordering::SeqCst);
    "x".repeat(SIZE)
}

#[register_workflow(name = "disk full: pieces")]
async fn pieces(ctx: WorkflowContext) -> Result<usize, JobError> {
    let mut total = 0;
    for number in 0..PIECES {
        total += ctx.run(make, number).await?.len();
    }
    Ok(total)
}

fn engine(path: &Path) -> Engine {
    let store = pollster::block_on(SqliteStore::open(path)).expect("opened");
    Engine::builder()
        .store(store)
        .lease(Duration::from_millis(300))
        .store_timeout(Duration::from_millis(100))
        .build()
}

fn check(path: &Path) {
    let check: String = Connection::open(path)
        .and_then(|file| file.query_row("PRAGMA integrity_check", [], |row| row.get(0)))
        .expect("a database");
    assert_eq!(check, "ok");
}

/// Runs until there is no room, makes some, and takes the run up.
fn fill_and_go_on(path: &Path, said: &str, make_room: impl FnOnce()) {
    let run = until_full(path, said);
    check(path);
    let made = || MADE.iter().map(|count| count.load(Ordering::SeqCst)).collect::<Vec<_>>();
    let before = made();
    make_room();
    let engine = engine(path);
    let report = pollster::block_on(engine.follow(run)).expect("it completes");
    assert_eq!(report.output::<usize>().expect("a number"), PIECES * SIZE);
    check(path);
    // At most the one that was under way was made again.
    let after = made();
    assert!(before.contains(&1) && before.contains(&0), "{before:?}");
    let again = after.iter().filter(|count| **count == 2).count();
    assert!(again <= 1 && after.iter().all(|count| (1..=2).contains(count)), "{after:?}");
}

fn until_full(path: &Path, said: &str) -> RunId {
    let engine = engine(path);
    let ended = engine.run("disk full: pieces").wait();
    let Err(RunError::Store { run, error }) = ended else { panic!("{ended:?}") };
    assert!(matches!(*error, StoreError::Unavailable(_)), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("workflows.db") && text.contains(said), "{text}");
    run
}

/// Where the part of the program is that runs in a place of its own.
const FOLDER: &str = "WORKFLOW_TEST_FULL_DISK";

fn inside() -> Option<PathBuf> {
    std::env::var_os(FOLDER).map(PathBuf::from)
}

/// Runs one of the ignored tests by way of a shell, which makes the place.
fn outside(by: &[&str], script: &str, test: &str) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(by[0]);
    command.args(&by[1..]).args(["sh", "-ec", script, "sh"]);
    command.arg(std::env::current_exe().expect("this program"));
    command.args(["--exact", &format!("disk_full::{test}"), "--ignored", "--nocapture"]);
    command.env(FOLDER, folder.path()).output().expect("a shell")
}

fn assert_good(output: &Output) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let said = text(&output.stdout) + &text(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
fn a_file_size_limit_loses_no_data() {
    // With the signal ignored, writing fails as on a full disk.
    assert_good(&outside(&["env"], "trap '' XFSZ; exec \"$@\"", "within_a_bound"));
}

#[test]
#[ignore = "a part of `a_file_size_limit_loses_no_data`"]
fn within_a_bound() {
    let Some(folder) = inside() else { return };
    let mut limit = getrlimit(Resource::Fsize);
    limit.current = Some(ROOM);
    setrlimit(Resource::Fsize, limit).expect("a bound");
    fill_and_go_on(&folder.join("workflows.db"), "check the disk", || {
        limit.current = limit.maximum;
        setrlimit(Resource::Fsize, limit).expect("no bound");
    });
}

#[test]
fn a_store_that_cannot_be_written_is_not_ready() {
    assert_good(&outside(&["env"], "trap '' XFSZ; exec \"$@\"", "within_no_room"));
}

#[test]
#[ignore = "a part of `a_store_that_cannot_be_written_is_not_ready`"]
fn within_no_room() {
    let Some(folder) = inside() else { return };
    let store = pollster::block_on(SqliteStore::open(folder.join("workflows.db"))).expect("opened");
    let ping = || pollster::block_on(store.ping());
    let add = |name| pollster::block_on(store.create_workflow(NewWorkflow::new(name)));
    ping().expect("ready");
    let mut limit = getrlimit(Resource::Fsize);
    limit.current = Some(0);
    setrlimit(Resource::Fsize, limit).expect("no room");
    add("a").expect_err("no room");
    ping().expect_err("not ready");
    limit.current = limit.maximum;
    setrlimit(Resource::Fsize, limit).expect("room");
    ping().expect("ready again");
    add("a").expect("written");
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_system_is_full() {
    let script = format!("mount -t tmpfs -o size=4m tmpfs \"${FOLDER}\"; exec \"$@\"");
    let as_root = rustix::process::geteuid().is_root();
    let user: &[&str] = if as_root { &[] } else { &["--user", "--map-root-user"] };
    let by = [&["unshare", "--mount"], user].concat();
    let allowed = Command::new(by[0])
        .args(&by[1..])
        .args(["sh", "-ec", "mount -t tmpfs -o size=4m tmpfs /mnt"])
        .output();
    if !allowed.is_ok_and(|output| output.status.success()) {
        // Then the bound alone stands for it: this user may mount nothing here.
        return a_file_size_limit_loses_no_data();
    }
    assert_good(&outside(&by, &script, "within_a_file_system"));
}

#[cfg(target_os = "linux")]
#[test]
#[ignore = "a part of `a_file_system_is_full`"]
fn within_a_file_system() {
    let Some(folder) = inside() else { return };
    let ballast = folder.join("ballast");
    std::fs::write(&ballast, vec![0; 4 * 1024 * 1024 - ROOM as usize]).expect("it fits");
    fill_and_go_on(&folder.join("workflows.db"), "the disk is full", || {
        std::fs::remove_file(ballast).expect("it is there");
    });
}
