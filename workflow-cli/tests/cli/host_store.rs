//! A host that passes its own store to the command line.

#[path = "../../../tests-support/counting.rs"]
mod counting;

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use counting::Counting;
use workflow_cli::CommandLine;
use workflow_core::prelude::*;
use workflow_store::{Catalog, RunQuery, SqliteStore};

#[register_workflow(name = "greet")]
fn greet(name: String) -> String {
    format!("hello {name}")
}

fn store() -> Counting {
    let store = pollster::block_on(SqliteStore::open(":memory:")).expect("a store");
    Counting::new(Arc::new(store))
}

fn run(store: &Counting, arguments: &[&str]) -> ExitCode {
    let arguments = ["host"].iter().chain(arguments).copied();
    CommandLine::new().arguments(arguments).store(Arc::new(store.clone())).run()
}

/// Exit codes can only be compared by their debug text.
fn assert_good(code: ExitCode) {
    assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::SUCCESS));
}

#[test]
fn commands_use_the_store_of_the_host() {
    let store = store();
    assert_good(run(&store, &["run", "greet", "--input", "\"ada\"", "--quiet"]));
    assert!(store.calls("begin") == 1 && store.calls("append") > 0, "the run was kept elsewhere");
    assert_good(run(&store, &["runs", "list"]));
    assert!(store.calls("runs") > 0);
    assert_good(run(&store, &["workflows", "list"]));
    assert!(store.calls("workflows") > 0);
    assert_good(run(&store, &["stats"]));
    assert!(store.calls("statistics") > 0);
    assert_good(run(&store, &["runs", "retry", "latest", "--quiet"]));
    let page = pollster::block_on(store.runs(RunQuery::default())).expect("listed");
    let names: Vec<_> = page.items.iter().map(|run| run.workflow.as_str()).collect();
    assert_eq!(names, ["greet", "greet"]);
}

#[test]
fn a_named_store_takes_precedence() {
    let folder = tempfile::tempdir().expect("a folder");
    let db = folder.path().join("runs.db").display().to_string();
    let store = store();
    assert_good(run(&store, &["run", "greet", "--input", "\"ada\"", "--quiet", "--db", &db]));
    assert_good(run(&store, &["runs", "list", "--db", &db]));
    assert_eq!((store.calls("begin"), store.calls("runs")), (0, 0));
    let named = pollster::block_on(workflow_store::open(&db)).expect("a store");
    let page = pollster::block_on(named.runs(RunQuery::default())).expect("listed");
    assert_eq!(page.items.len(), 1);
}

/// Starts a server that serves until the process ends, and returns its response to a request.
fn answer_of_server(store: &Counting, path: &str) -> String {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let at = free.local_addr().expect("an address");
        drop(free);
        let served = store.clone();
        let server =
            std::thread::spawn(move || run(&served, &["serve", "--address", &at.to_string()]));
        // It ends if another program has taken the port.
        while !server.is_finished() {
            match try_ask(at, path) {
                Ok(answer) if !answer.is_empty() => return answer,
                answer => assert!(Instant::now() < deadline, "nobody answers: {answer:?}"),
            }
            // Each attempt may take the port itself.
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn try_ask(at: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(at)?;
    // A connection from the port to itself may succeed.
    if stream.local_addr()? == at {
        return Ok(String::new());
    }
    let head = format!("GET {path} HTTP/1.0\r\nHost: {at}\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[cfg(feature = "serve")]
#[test]
fn serve_uses_the_store_of_the_host() {
    let store = store();
    assert_good(run(&store, &["run", "greet", "--input", "\"bob\"", "--quiet"]));
    let before = store.calls("runs");
    let answer = answer_of_server(&store, "/api/v1/runs");
    assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
    assert!(answer.contains("\"greet\""), "{answer}");
    assert_eq!(store.calls("runs"), before + 1);
}
