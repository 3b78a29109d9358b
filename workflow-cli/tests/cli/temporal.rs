//! Workers and runs on a real Temporal server, with `--backend`.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value as Json;

use crate::support::{command, folder, host_binary, host_in};

fn backend() -> String {
    format!("temporal://{}/default", test_temporal::server().address())
}

/// A worker of the host, killed at the end of the test.
struct Worker(Child);

impl Worker {
    fn start(folder: &Path, args: &[&str]) -> Self {
        let mut worker: Command = command(&host_binary());
        worker.args(["worker", "--backend", &backend()]).args(args).current_dir(folder);
        worker.stdout(Stdio::null()).stderr(Stdio::null());
        Self(worker.spawn().expect("it starts"))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// Runs a command of the host on the server, and returns its output.
fn on_temporal(folder: &Path, args: &[&str]) -> String {
    let backend = backend();
    let done = host_in(folder, &[args, &["--backend", &backend]].concat());
    assert_eq!(done.code, Some(0), "{args:?}: {}", done.err);
    done.out.trim().to_owned()
}

fn json(text: &str) -> Json {
    serde_json::from_str(text).expect("JSON")
}

#[test]
fn runs_are_triggered_listed_and_shown() {
    let folder = folder("temporal_runs", &[]);
    let _worker =
        Worker::start(&folder, &["--domain", "orders", "--max-concurrent-activities", "5"]);
    let args = ["trigger", "orders/report", "--day", "2026-01-02", "--workflow-id", "report-1"];
    let output = on_temporal(&folder, &[&args[..], &["--wait", "--timeout", "60"]].concat());
    assert_eq!(json(&output), "2026-01-02: 60");
    let run = json(&on_temporal(&folder, &["runs", "get", "report-1", "-f", "json"]));
    assert_eq!((&run["status"], &run["workflow"]), (&"completed".into(), &"orders/report".into()));
    let by_id = run["run_id"].as_str().expect("an ID");
    let shown = on_temporal(&folder, &["runs", "get", by_id]);
    assert!(shown.starts_with("report-1 of `orders/report`: completed"), "{shown}");
    assert!(shown.contains("total"), "{shown}");
    let events = on_temporal(&folder, &["runs", "watch", "report-1"]);
    assert!(events.contains("total started") && events.contains("total completed"), "{events}");

    let failed = host_in(&folder, &["trigger", "orders/print", "--wait", "--backend", &backend()]);
    assert_eq!(failed.code, Some(1), "{}", failed.err);
    until_listed(&folder, "completed", "orders/report");
    until_listed(&folder, "failed", "orders/print");
}

/// Lists of Temporal lag behind.
fn until_listed(folder: &Path, status: &str, workflow: &str) {
    let deadline = Instant::now() + Duration::from_secs(30);
    let args = ["runs", "list", "--status", status, "--workflow", workflow, "-f", "json"];
    let count = || json(&on_temporal(folder, &args))["items"].as_array().map(Vec::len);
    while count() != Some(1) {
        assert!(Instant::now() < deadline, "no {status} run of {workflow}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn runs_receive_signals_and_are_cancelled() {
    let folder = folder("temporal_signals", &[]);
    let worker = Worker::start(&folder, &[]);
    on_temporal(&folder, &["trigger", "orders/approve", "--workflow-id", "approve-1"]);
    let payload = r#"{"by": "ada", "amount": 7}"#;
    on_temporal(&folder, &["runs", "signal", "approve-1", "approved", payload]);
    let watched = on_temporal(&folder, &["runs", "watch", "approve-1"]);
    assert!(watched.contains("approve completed"), "{watched}");

    let watch = on_temporal(&folder, &["trigger", "stock/watch"]);
    on_temporal(&folder, &["runs", "cancel", &watch]);
    let cancelled = host_in(&folder, &["runs", "watch", &watch, "--backend", &backend()]);
    assert_eq!(cancelled.code, Some(130), "{}{}", cancelled.out, cancelled.err);

    kill_process(Pid::from_child(&worker.0), Signal::TERM).expect("it runs");
}

#[test]
fn what_temporal_does_not_have_names_the_cure() {
    let folder = folder("temporal_usage", &[]);
    let backend = backend();
    for (args, expected) in [
        (vec!["runs", "get", "nothing", "--backend", &*backend], "Temporal has no such run"),
        (vec!["runs", "logs", "x", "--backend", &*backend], "read the log of the worker"),
        (vec!["runs", "unblock", "x", "--backend", &*backend], "works on a store"),
        (vec!["runs", "list", "--user", "x", "--backend", &*backend], "--user works on a store"),
        (vec!["runs", "list", "--backend", "temporal://x"], "temporal://host:port/namespace"),
        (vec!["trigger", "orders/reprot", "--backend", &*backend], "did you mean `orders/"),
        (
            vec!["runs", "list", "--backend", "temporal://127.0.0.1:1/x"],
            "cannot connect to Temporal",
        ),
    ] {
        let refused = host_in(&folder, &args);
        assert_eq!(refused.code, Some(2), "{args:?}: {}", refused.err);
        assert!(refused.err.contains(expected), "{args:?}: {}", refused.err);
    }
}

#[test]
fn schedules_follow_the_registered_workflows() {
    let folder = folder("temporal_schedules", &[]);
    let refused = host_in(&folder, &["schedules", "sync"]);
    assert!(refused.err.contains("add --backend temporal://"), "{}", refused.err);
    // A report needs an input, so it cannot be scheduled.
    let refused = host_in(&folder, &["schedules", "sync", "--backend", &backend()]);
    assert_eq!(refused.code, Some(2), "{}", refused.err);
    assert!(
        refused.err.contains("the input does not fit workflow `orders/report`"),
        "{}",
        refused.err
    );
}
