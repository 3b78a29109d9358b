//! A process that is stopped in the middle of a transaction, by a real `SIGSTOP`: others are served
//! all the same, and it continues when it is let.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use test_postgres as cluster;
use workflow_core::id::RunId;
use workflow_core::store::{MessageKind, Owner, OwnerId, Store, StoreError};
use workflow_store::PostgresStore;

/// The database and the run that the other process writes to.
const URL: &str = "WORKFLOW_TEST_STOPPED_URL";
const RUN: &str = "WORKFLOW_TEST_STOPPED_RUN";

/// Writes what locks most, for ever: the counter of messages, and the lock of those who claim.
#[test]
#[ignore = "the other process of `a_paused_process_does_not_block_others`"]
fn another_process() {
    let (Ok(url), Ok(run)) = (std::env::var(URL), std::env::var(RUN)) else { return };
    let run: RunId = run.parse().expect("an id");
    let store = pollster::block_on(PostgresStore::open(&url)).expect("opened");
    loop {
        for result in [send(&store, run), claim(&store, run)] {
            if let Err(error) = result {
                assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
            }
        }
    }
}

fn send(store: &dyn Store, run: RunId) -> Result<(), StoreError> {
    let signal = MessageKind::Signal { name: "go".to_owned(), payload: 1.into() };
    pollster::block_on(store.send(run, signal)).map(drop)
}

fn claim(store: &dyn Store, run: RunId) -> Result<(), StoreError> {
    let owner = Owner { id: OwnerId::random(), lifetime: Duration::ZERO };
    pollster::block_on(async {
        let leases = store.claim(owner, &[run]).await?;
        store.release(&leases).await
    })
}

/// Ends the other process with the test.
struct Other(Child);

impl Other {
    fn signal(&self, signal: Signal) {
        let process = Pid::from_child(&self.0);
        kill_process(process, signal).expect("it is there");
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        self.0.kill().and_then(|()| self.0.wait()).expect("it ends");
    }
}

#[test]
fn a_paused_process_does_not_block_others() {
    let database = cluster::database();
    let store = pollster::block_on(PostgresStore::open(database.url())).expect("opened");
    let lease = pollster::block_on(crate::given::begin(&store)).expect("begun");
    pollster::block_on(store.release(&[lease])).expect("released");
    let run = lease.run;
    let other = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "postgres_stopped::another_process", "--ignored"])
        .env(URL, format!("{}&application_name=other", database.url()))
        .env(RUN, run.to_string())
        .stdout(Stdio::null())
        .spawn();
    let other = Other(other.expect("it starts"));
    let count = || -> u64 {
        let count = database.query("SELECT count(*) FROM workflows_message");
        count[0].parse().expect("a number")
    };
    let mut last = 0;
    for _ in 0..2 {
        // It continues, also after it was stopped.
        until(|| count() > last + 5);
        stop_in_transaction(&other, &database);
        let began = Instant::now();
        send(&store, run).expect("served");
        claim(&store, run).expect("served");
        assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
        last = count();
        other.signal(Signal::CONT);
    }
    until(|| count() > last + 5);
}

/// Stops it where its connection has begun a transaction and waits for what is next.
fn stop_in_transaction(other: &Other, database: &cluster::Database) {
    let state = "SELECT state FROM pg_stat_activity WHERE application_name = 'other' \
        AND datname = current_database() AND state <> 'idle'";
    until(|| {
        other.signal(Signal::STOP);
        loop {
            match database.query(state).first().map(String::as_str) {
                Some("idle in transaction") => return true,
                // What it had asked for is still being done.
                Some(_) => std::thread::yield_now(),
                None => break,
            }
        }
        other.signal(Signal::CONT);
        false
    });
}

fn until(is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < deadline, "it did not come about");
        std::thread::sleep(Duration::from_millis(1));
    }
}
