//! Several real processes on one store, killed and stopped in the middle of their work.
#![cfg(all(target_os = "linux", feature = "sqlite", feature = "postgres"))]

#[expect(dead_code, reason = "the soak program of the benches asks for more")]
mod fleet;

use test_postgres as cluster;

use fleet::{Fleet, Harm};

/// What makes this program a server: this test and no other.
const AS_SERVER: &[&str] = &["--exact", "is_a_server_when_told_so", "--nocapture"];

#[test]
fn is_a_server_when_told_so() {
    fleet::serve();
}

/// Some rounds of each harm on a store, and what must hold after each and at the end.
fn survive(url: &str, folder: &std::path::Path, harm: Harm, seed: u64) {
    let mut fleet = Fleet::start(url, folder, AS_SERVER, 2, seed).expect("the servers start");
    for round in 0..4 {
        let came_of_it = fleet.round(harm, 2).expect("the store is there");
        let wrong = came_of_it.violations;
        assert!(wrong.is_empty(), "round {round}, seed {seed}: {wrong:#?}");
    }
    let wrong = fleet.check_all().expect("the store is there");
    assert!(wrong.is_empty(), "seed {seed}: {wrong:#?}");
}

fn on_sqlite(harm: Harm, seed: u64) {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite://{}", folder.path().join("workflows.db").display());
    survive(&url, folder.path(), harm, seed);
}

fn on_postgres(harm: Harm, seed: u64) {
    let folder = tempfile::tempdir().expect("a folder");
    let database = cluster::database();
    survive(database.url(), folder.path(), harm, seed);
}

/// Three processes with runs that have limits; one is killed or stopped in each round.
fn keep_limits(url: &str, folder: &std::path::Path, seed: u64) {
    let mut fleet = Fleet::start(url, folder, AS_SERVER, 3, seed).expect("the servers start");
    for (round, harm) in [Harm::Kill, Harm::Kill, Harm::Stop].into_iter().enumerate() {
        let wrong = fleet.limited_round(harm, 24).expect("the store is there").violations;
        assert!(wrong.is_empty(), "round {round}, seed {seed}: {wrong:#?}");
    }
    let wrong = fleet.check_all().expect("the store is there");
    assert!(wrong.is_empty(), "seed {seed}: {wrong:#?}");
}

#[test]
fn limits_hold_when_a_process_is_killed_on_sqlite() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite://{}", folder.path().join("workflows.db").display());
    keep_limits(&url, folder.path(), 7);
}

#[test]
fn limits_hold_when_a_process_is_killed_on_postgres() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = cluster::database();
    keep_limits(database.url(), folder.path(), 8);
}

#[test]
fn a_killed_process_is_taken_over_on_sqlite() {
    on_sqlite(Harm::Kill, 1);
}

#[test]
fn a_terminated_process_is_taken_over_on_sqlite() {
    on_sqlite(Harm::Terminate, 5);
}

#[test]
fn a_terminated_process_is_taken_over_on_postgres() {
    on_postgres(Harm::Terminate, 6);
}

#[test]
fn a_paused_process_is_taken_over_on_sqlite() {
    on_sqlite(Harm::Stop, 2);
}

#[test]
fn a_killed_process_is_taken_over_on_postgres() {
    on_postgres(Harm::Kill, 3);
}

#[test]
fn a_paused_process_is_taken_over_on_postgres() {
    on_postgres(Harm::Stop, 4);
}
