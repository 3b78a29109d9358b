//! Runs whose limits make them wait, share a run, or end at once.

use std::io::{BufRead as _, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value as Json, json};

use crate::support::{Outcome, Worker, folder, process_in};

/// A workflow with this flow control, whose job waits for a file `go`.
fn with(name: &str, flow_control: &str) -> PathBuf {
    let file = format!(
        "name: limited\n{flow_control}\njobs:\n  - name: load\n    \
         command: until test -e go; do sleep 0.05; done\n"
    );
    let folder = folder(name, &[("limited.yaml", &file)]);
    assert_eq!(says(&folder, &["migrate"]).code, Some(0));
    folder
}

const DB: &str = "sqlite://.workflow/workflows.db";

fn says(folder: &Path, args: &[&str]) -> Outcome {
    let mut command = process_in(folder, args);
    command.env("WORKFLOW_DB", DB).output().expect("it starts").into()
}

fn trigger(folder: &Path, args: &[&str]) -> Outcome {
    says(folder, &[&["trigger", "limited.yaml"], args].concat())
}

fn get(folder: &Path, run: &str) -> Json {
    says(folder, &["runs", "get", run, "-f", "json"]).json()
}

/// `run` in a process, which is killed when this is dropped.
struct Running {
    child: Child,
    err: Lines<BufReader<ChildStderr>>,
}

impl Running {
    fn start(folder: &Path) -> Self {
        let mut command = process_in(folder, &["run", "limited.yaml"]);
        command.env("WORKFLOW_DB", DB).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let err = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        Self { child, err }
    }

    /// Reads until a line contains this, and returns what was read.
    fn until(&mut self, text: &str) -> String {
        let mut read = String::new();
        while !read.contains(text) {
            let line = self.err.next().unwrap_or_else(|| panic!("no `{text}`:\n{read}"));
            read += &format!("{}\n", line.expect("it says text"));
        }
        read
    }

    /// Sends a signal, and returns the exit code with what was written.
    fn stop(mut self, signal: Signal) -> (Option<i32>, String) {
        kill_process(Pid::from_child(&self.child), signal).expect("it runs");
        self.end()
    }

    fn end(&mut self) -> (Option<i32>, String) {
        let read: Vec<String> = self.err.by_ref().map(|line| line.expect("it is text")).collect();
        (self.child.wait().expect("it ends").code(), read.join("\n"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Fails only if the process is dead already.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// The ID in a line such as `run: ID`.
fn id(text: &str) -> String {
    let (_, id) = text.split_once("run: ").expect("it names the run");
    id.lines().next().expect("an ID").to_owned()
}

#[test]
fn limits_need_a_database() {
    let folder = with("limits-alone", "singleton: true");
    let refused: Outcome =
        process_in(&folder, &["run", "limited.yaml"]).output().expect("it starts").into();
    assert_eq!(refused.code, Some(2));
    let expected =
        "has limits on its runs, which a database enforces; name one with --db or WORKFLOW_DB";
    assert!(refused.err.contains(expected), "{}", refused.err);
}

#[test]
fn a_run_that_waits_for_its_limit_says_so_and_obeys_signals() {
    let folder = with("limits-wait", "concurrency: { limit: 1 }");
    let mut holder = Running::start(&folder);
    let said = holder.until("load started");
    assert!(!said.contains("exists") && !said.contains("waits"), "{said}");
    let held_by = id(&said);
    for (signal, status) in [(Signal::TERM, "pending"), (Signal::INT, "cancelled")] {
        let mut waiting = Running::start(&folder);
        let said = waiting.until("it waits for its concurrency limit 1: held by");
        assert!(said.contains(&held_by) && !said.contains("idempotency"), "{said}");
        let run = id(&said);
        let (code, err) = waiting.stop(signal);
        assert_eq!((code, &get(&folder, &run)["status"]), (Some(130), &json!(status)), "{err}");
    }
    std::fs::write(folder.join("go"), "").expect("it can be written");
    let (code, err) = holder.end();
    assert_eq!(code, Some(0), "{err}");
}

#[test]
fn ctrl_c_leaves_a_run_that_holds_the_slot_of_another_request() {
    let folder = with("limits-skip", "singleton: true");
    let mut holder = Running::start(&folder);
    let run = id(&holder.until("load started"));
    let mut skipped = Running::start(&folder);
    let said = skipped.until("\n");
    let expected = format!("run {run} holds the only slot of workflow `limited`: running\n");
    assert_eq!(said, expected);
    let again = trigger(&folder, &[]);
    assert_eq!((again.err, again.code), (expected, Some(0)));
    let again = trigger(&folder, &["-f", "json"]).json();
    let queue = "default-workflows";
    let json = json!({ "run": run, "task_queue": queue, "status": "running", "existing": true });
    assert_eq!(again, json);
    let (code, err) = skipped.stop(Signal::INT);
    assert_eq!(code, Some(130), "{err}");
    assert!(err.contains(&format!("run {run} is left to other processes")), "{err}");
    std::fs::write(folder.join("go"), "").expect("it can be written");
    let (code, err) = holder.end();
    assert_eq!((code, &get(&folder, &run)["status"]), (Some(0), &json!("completed")), "{err}");
}

#[test]
fn a_debounced_request_joins_the_run() {
    let folder = with("limits-debounce", "debounce: { delay: 1h }");
    let first = trigger(&folder, &["-f", "json"]).json();
    let expected = (&json!("pending"), &json!(false));
    assert_eq!((&first["status"], &first["existing"]), expected);
    let second = trigger(&folder, &[]);
    let run = first["run"].as_str().expect("an ID");
    assert_eq!(second.out.trim(), run);
    assert!(
        second.err.starts_with(&format!("joined run {run}, which begins at ")),
        "{}",
        second.err
    );
    assert!(second.err.contains(" unless another request comes\nqueued in "), "{}", second.err);
}

#[test]
fn a_refused_run_says_which_limit_cancelled_it() {
    let limit = "concurrency: { key: '${{ input.c }}', limit: 1, on_conflict: cancel_new }";
    let folder = with("limits-refused", limit);
    let held_by = trigger(&folder, &["-p", "c=A"]).out;
    let reason = format!("concurrency limit 1 of key `A`: held by {}", held_by.trim());
    let refused = trigger(&folder, &["-p", "c=A"]);
    assert_eq!((refused.err, refused.code), (format!("cancelled: {reason}\n"), Some(130)));
    let run = refused.out.trim();
    assert_eq!(get(&folder, run)["error"], *reason);
    let why = says(&folder, &["runs", "why", run]).out;
    assert!(why.starts_with(&format!("the run was cancelled: {reason}\n")), "{why}");
    let waited = trigger(&folder, &["-p", "c=A", "--wait"]);
    assert!(waited.err.contains(&format!("cancelling: {reason}\n")), "{}", waited.err);
    assert!(!waited.err.contains("queued"), "{}", waited.err);
    assert!(waited.out.contains(&reason), "{}", waited.out);
    assert_eq!(waited.code, Some(130));
}

/// A debounced run waits in its queue, so it needs no other process.
#[test]
fn a_run_that_waits_for_its_limit_is_not_abandoned() {
    let folder = with("limits-served", "debounce: { delay: 1h }");
    let mut worker = process_in(&folder, &["worker"]);
    let _worker = Worker::start({
        worker.env("WORKFLOW_DB", DB);
        worker
    });
    let deadline = Instant::now() + Duration::from_secs(30);
    while says(&folder, &["workers", "list", "-f", "json"]).json()["workers"] == json!([]) {
        assert!(Instant::now() < deadline, "no worker is listed");
    }
    // Longer than the time after which a process without a worker is told so.
    let waited = trigger(&folder, &["--wait", "--timeout", "5"]);
    assert!(waited.err.contains("has not ended in time"), "{}", waited.err);
    assert!(!waited.err.contains("no process is running"), "{}", waited.err);
}
