//! Graceful shutdown, and runs that no process can resume.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use insta::assert_snapshot;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value as Json;

use crate::support::{folder, host_in, same, workflow_in};

/// The second job waits for a file `go`.
const STEPS: &str = r#"
name: steps
jobs:
  - name: first
    command: echo first >> ran
  - name: second
    command: until test -e go; do sleep 0.05; done; echo second >> ran
    depends_on: [first]
  - name: third
    command: echo third >> ran
    depends_on: [second]
"#;

fn get(folder: &Path, run: &str) -> Json {
    workflow_in(folder, &["runs", "get", run, "-f", "json"]).json()
}

/// The only run of the store, once it meets a condition.
fn until(folder: &Path, is_so: impl Fn(&Json) -> bool) -> String {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let list = workflow_in(folder, &["runs", "list", "-f", "json"]).json();
        if let Some(run) = list["items"][0]["id"].as_str()
            && is_so(&get(folder, run))
        {
            return run.to_owned();
        }
        assert!(Instant::now() < deadline, "{list}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn is_running(job: &str) -> impl Fn(&Json) -> bool {
    move |run| {
        let jobs = run["jobs"].as_array().expect("a list");
        jobs.iter().any(|one| one["name"] == *job && one["status"] == "running")
    }
}

/// A directory with a database and the file.
fn with_database(name: &str) -> std::path::PathBuf {
    let folder = folder(name, &[("steps.yaml", STEPS)]);
    assert_eq!(workflow_in(&folder, &["migrate"]).code, Some(0));
    folder
}

/// A process that is killed at the end of the test.
struct Process(Option<Child>);

impl Process {
    fn signal(&self, signal: Signal) {
        let child = self.0.as_ref().expect("it has not ended");
        let id = i32::try_from(child.id()).expect("an id");
        kill_process(Pid::from_raw(id).expect("an id"), signal).expect("it is there");
    }

    /// Waits for the process to end.
    fn output(mut self) -> Output {
        self.0.take().expect("it has not ended").wait_with_output().expect("it ends")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails only if the process is dead already.
        _ = self.0.as_mut().map(Child::kill);
    }
}

/// Starts the program in the directory.
fn start(folder: &Path, args: &[&str]) -> Process {
    let mut command = Command::new(env!("CARGO_BIN_EXE_workflow"));
    command.args(args).current_dir(folder).env("NO_COLOR", "1");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Process(Some(command.spawn().expect("it starts")))
}

fn touch(folder: &Path, name: &str) {
    std::fs::write(folder.join(name), "").expect("it can be written");
}

#[test]
fn recover_releases_its_runs_on_a_signal() {
    let folder = with_database("released");
    let running = start(&folder, &["run", "steps.yaml", "--db", "sqlite://.workflow/workflows.db"]);
    let run = until(&folder, is_running("second"));
    running.signal(Signal::TERM);
    // The running job may finish, and no further job starts.
    std::thread::sleep(Duration::from_millis(300));
    assert!(is_running("second")(&get(&folder, &run)));
    touch(&folder, "go");
    let said = running.output();
    let err = String::from_utf8_lossy(&said.stderr);
    assert!(err.contains("continues when an engine resumes it"), "{err}");
    let stored = get(&folder, &run);
    assert_eq!((&stored["status"], &stored["owner"]), (&"running".into(), &Json::Null));
    // The next process does not wait for a lease, and runs no job twice.
    let asked = Instant::now();
    let recovered = workflow_in(&folder, &["recover"]);
    assert_eq!(recovered.code, Some(0), "{}", recovered.err);
    assert!(!recovered.err.contains("waiting"), "{}", recovered.err);
    assert!(asked.elapsed() < Duration::from_secs(8), "a lease was waited for");
    let ran = std::fs::read_to_string(folder.join("ran")).expect("they ran");
    assert_eq!(ran, "first\nsecond\nthird\n");
}

#[test]
fn serve_releases_its_runs_on_a_signal() {
    let folder = with_database("server_stops");
    let db = "sqlite://.workflow/workflows.db";
    let running = start(&folder, &["run", "steps.yaml", "--db", db]);
    let run = until(&folder, is_running("second"));
    running.signal(Signal::TERM);
    touch(&folder, "go");
    running.output();
    std::fs::remove_file(folder.join("go")).expect("it was there");
    let stopped = |args: &[&str], code| {
        let serving = start(&folder, args);
        until(&folder, |run| !run["owner"].is_null() || run["status"] == "completed");
        serving.signal(Signal::INT);
        let said = serving.output();
        let err = String::from_utf8_lossy(&said.stderr);
        assert_eq!(said.status.code(), Some(code), "{err}");
    };
    stopped(&["serve", "--db", db, "--address", "127.0.0.1:0", "--grace", "5s"], 0);
    stopped(&["worker", "--db", db, "--grace", "5s"], 0);
    assert_eq!(workflow_in(&folder, &["recover"]).code, Some(0));
    assert_eq!(get(&folder, &run)["status"], "completed");
    let ran = std::fs::read_to_string(folder.join("ran")).expect("they ran");
    assert_eq!(ran, "first\nsecond\nthird\n");
}

#[test]
fn a_run_without_a_workflow_is_blocked_and_can_be_cancelled() {
    let folder = folder("stranded", &[]);
    let said = host_in(&folder, &["run", "orders/approve", "--detach", "-f", "json"]).json();
    let process = said["process"].as_i64().and_then(|id| i32::try_from(id).ok()).expect("an id");
    let run = until(&folder, is_running("approve"));
    let waits = get(&folder, &run);
    assert_eq!(waits["stall"]["state"], "waiting", "{waits}");
    assert_eq!(waits["stall"]["reason"], "signal", "{waits}");
    let list = workflow_in(&folder, &["runs", "list"]).out;
    let line = list.lines().nth(1).expect("a line");
    assert!(line.contains("waiting") && line.contains("for `approved`, "), "{list}");
    assert!(list.lines().all(|line| line.chars().count() <= 80), "{list}");
    let shown = workflow_in(&folder, &["runs", "get", "1"]).out;
    assert!(shown.contains("waiting: job `approve` waits for signal `approved`"), "{shown}");
    kill_process(Pid::from_raw(process).expect("an id"), Signal::TERM).expect("it is there");
    until(&folder, |run| run["owner"].is_null());
    let recovered = workflow_in(&folder, &["recover"]);
    assert_eq!(recovered.code, Some(1), "{}", recovered.err);
    let blocked = get(&folder, &run);
    assert_eq!(blocked["status"], "running");
    assert_eq!(blocked["stall"]["reason"], "workflow_missing", "{blocked}");
    let list = workflow_in(&folder, &["runs", "list"]);
    assert!(list.out.contains("blocked"), "{}", list.out);
    let retried = workflow_in(&folder, &["runs", "retry", &run]);
    same().bind(|| assert_snapshot!(retried.err, @"error: run <id> is blocked: workflow missing: no workflow `orders/approve`: this program registers none; run it with a program that does; cancel it with `runs cancel <id>`, then retry it without --failed-only and --from"));
    let unblocked = workflow_in(&folder, &["runs", "unblock", &run]);
    assert_eq!(unblocked.code, Some(0), "{}", unblocked.err);
    let cancelled = workflow_in(&folder, &["runs", "cancel", &run]);
    same().bind(|| assert_snapshot!(cancelled.err, @"run <id> cancelled"));
    assert_eq!(get(&folder, &run)["status"], "cancelled");
    let again = workflow_in(&folder, &["runs", "cancel", &run]);
    same().bind(|| assert_snapshot!(again.err, @"error: cannot cancel run <id>: it has already been cancelled; start it again with `runs retry`"));
}
