//! Workers and runs on a real Temporal server, with `--backend`.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value as Json;

use crate::support::{Outcome, Worker, command, folder, host_binary, host_in, workflow_in};

fn backend() -> String {
    format!("temporal://{}/default", test_temporal::server().address())
}

/// A worker of the host.
fn worker(folder: &Path, args: &[&str]) -> Worker {
    Worker::of_host(folder, &[&["--backend", &backend()], args].concat())
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
    let _worker = worker(&folder, &["--domain", "orders", "--max-concurrent-activities", "5"]);
    let args = ["trigger", "orders/report", "--day", "2026-01-02", "--workflow-id", "report-1"];
    let wait = ["--wait", "--timeout", "60", "-f"];
    let report = json(&on_temporal(&folder, &[&args[..], &wait, &["json"]].concat()));
    assert_eq!(
        (&report["status"], &report["input"]["day"]),
        (&"completed".into(), &"2026-01-02".into())
    );
    assert_eq!(report["jobs"].as_array().map(Vec::len), Some(7), "{report:#}");
    // The key stands for the run, which has ended.
    let lines = on_temporal(&folder, &[&args[..], &wait, &["jsonl"]].concat());
    let lines: Vec<Json> = lines.lines().map(json).collect();
    assert_eq!(lines.last().expect("lines")["run"]["status"], "completed");
    assert_eq!(lines[0]["event"], "run_started", "{}", lines[0]);
    let text = on_temporal(&folder, &[&args[..], &wait, &["text"]].concat());
    assert!(text.contains("2026-01-02: 60"), "{text}");
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
fn a_worker_names_the_task_queues_that_it_polls() {
    let folder = folder("temporal_queues", &[]);
    let backend = backend();
    let shown = host_in(&folder, &["worker", "--dry-run", "--backend", &backend]);
    let queues = json(&shown.out)["queues"].clone();
    let queues: Vec<String> = serde_json::from_value(queues).expect("a list");
    for queue in ["default-orders", "default-stock", "default-workflows"] {
        assert!(queues.iter().any(|name| name == queue), "{queues:?}");
    }
    let unreachable = "temporal://127.0.0.1:1/default";
    let refused = host_in(&folder, &["worker", "--backend", unreachable]);
    assert!(!refused.err.contains("serving"), "{}", refused.err);
}

#[test]
fn runs_receive_signals_and_are_cancelled() {
    let own = Own::new("temporal_signals");
    let worker = own.worker();
    let run = |args: &[&str]| own.run(args).out.trim().to_owned();
    let silent = run(&["trigger", "stock/count"]);
    run(&["trigger", "orders/approve", "--workflow-id", "approve-1"]);
    let payload = r#"{"by": "ada", "amount": 7}"#;
    run(&["runs", "signal", "approve-1", "approved", payload]);
    let watched = run(&["runs", "watch", "approve-1"]);
    assert!(watched.contains("approve completed"), "{watched}");
    let logs = run(&["runs", "logs", "approve-1", "--job", "approve"]);
    assert!(logs.contains("who approves?") && logs.contains("thank you, ada"), "{logs}");
    let followed = run(&["runs", "logs", "approve-1", "-F"]);
    assert!(followed.contains("approve | thank you, ada"), "{followed}");
    let refused = host_in(&own.folder, &["runs", "logs", &silent, "--backend", &own.backend]);
    assert!(refused.err.contains("no job has printed anything yet"), "{}", refused.err);

    let watch = run(&["trigger", "stock/watch"]);
    run(&["runs", "cancel", &watch]);
    let args = ["runs", "watch", &watch, "--backend", &own.backend];
    let cancelled = host_in(&own.folder, &args);
    assert_eq!(cancelled.code, Some(130), "{}{}", cancelled.out, cancelled.err);

    worker.signal(Signal::TERM);
}

/// A namespace in which no other test has a worker.
struct Own {
    folder: PathBuf,
    backend: String,
}

impl Own {
    fn new(test: &str) -> Self {
        Self { folder: folder(test, &[]), backend: test_temporal::server().own_namespace() }
    }

    fn worker(&self) -> Worker {
        Worker::of_host(&self.folder, &["--backend", &self.backend])
    }

    fn run(&self, args: &[&str]) -> Outcome {
        let done = host_in(&self.folder, &[args, &["--backend", &self.backend]].concat());
        assert_eq!(done.code, Some(0), "{args:?}: {}", done.err);
        done
    }

    fn get(&self, run: &str) -> Json {
        json(&self.run(&["runs", "get", run, "-f", "json"]).out)
    }

    /// Runs the command of Temporal.
    fn temporal(&self, args: &[&str]) {
        let place = self.backend.strip_prefix("temporal://").expect("an address");
        let (address, namespace) = place.split_once('/').expect("a namespace");
        let mut temporal = Command::new(test_temporal::program().expect("the server has started"));
        temporal.args(args).args(["--address", address, "--namespace", namespace]);
        let done = temporal.output().expect("it starts");
        assert!(done.status.success(), "{args:?}: {}", String::from_utf8_lossy(&done.stderr));
    }

    /// The reasons why a run makes no progress, each with the name of its job.
    fn why(&self, run: &str) -> Vec<(String, String)> {
        let reasons = json(&self.run(&["runs", "why", run, "-f", "json"]).out);
        let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
        let reasons = reasons.as_array().expect("a list").iter();
        reasons.map(|reason| (text(&reason["job"]), text(&reason["reason"]))).collect()
    }

    fn until_why(&self, run: &str, job: &str, reason: &str) {
        let wanted = vec![(job.to_owned(), reason.to_owned())];
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.why(run) != wanted {
            assert!(Instant::now() < deadline, "{wanted:?}, but {:?}", self.why(run));
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

#[test]
fn it_is_told_why_a_run_does_not_go_on() {
    let own = Own::new("temporal_why");
    let triggered =
        own.run(&["trigger", "orders/approve", "--workflow-id", "approve", "-f", "json"]);
    assert_eq!(json(&triggered.out)["task_queue"], "default-orders");
    assert!(triggered.err.contains("no live worker serves default-orders"), "{}", triggered.err);
    assert_eq!(own.get("approve")["status"], "pending");
    own.until_why("approve", "", "no_worker");
    let text = own.run(&["runs", "why", "approve"]).out;
    assert!(text.contains("waits in task queue `default-orders`"), "{text}");
    assert!(text.contains("fix: start a worker that has the workflow"), "{text}");
    let worker = own.worker();
    own.until_why("approve", "approve", "signal");
    own.run(&["trigger", "stock/watch", "--workflow-id", "watch", "--priority", "7", "-q"]);
    own.until_why("watch", "watch", "running");
    own.run(&["runs", "cancel", "watch"]);
    own.run(&["runs", "signal", "approve", "approved", r#"{"by": "ada"}"#]);
    own.until_why("approve", "", "ended");
    drop(worker);
}

#[test]
fn an_idempotency_key_is_one_run_also_after_its_end() {
    let own = Own::new("temporal_key");
    let _worker = own.worker();
    let trigger = |day| ["trigger", "orders/report", "--day", day, "--workflow-id", "daily"];
    let first = trigger("2026-01-02");
    own.run(&[&first[..], &["--wait", "--timeout", "60"]].concat());
    let run = own.get("daily")["run_id"].as_str().expect("an ID").to_owned();
    let again = own.run(&[&first[..], &["-f", "json"]].concat());
    let expected = format!("run {run} already exists for this idempotency key: completed");
    assert!(again.err.contains(&expected), "{}", again.err);
    let shown = json(&again.out);
    assert_eq!((&shown["run_id"], &shown["existing"]), (&run.clone().into(), &true.into()));
    let other = [&trigger("2026-01-03")[..], &["--backend", &own.backend]].concat();
    let refused = host_in(&own.folder, &other);
    assert_eq!(refused.code, Some(2), "{}", refused.err);
    let expected = format!("key `daily` was already used for run {run} with another input");
    assert!(refused.err.contains(&expected), "{}", refused.err);

    let api = Api::start(&own);
    let start = |key: &str, day: &str| {
        let body = format!(r#"{{"idempotency_key": "{key}", "input": {{"day": "{day}"}}}}"#);
        api.request("POST /api/v1/workflows/orders%2Freport/run", &body)
    };
    let (status, existing) = start("daily", "2026-01-02");
    assert_eq!((&existing["run_id"], &existing["existing"]), (&run.into(), &true.into()));
    assert_eq!(status, 202, "{existing}");
    let (status, refused) = start("daily", "2026-01-03");
    assert_eq!((status, &refused["code"]), (409, &"idempotency_key_used".into()), "{refused}");
}

#[test]
fn a_run_whose_worker_died_before_the_start_has_no_running_job() {
    let own = Own::new("temporal_killed");
    let worker = own.worker();
    own.run(&["trigger", "orders/approve", "--workflow-id", "first"]);
    own.until_why("first", "approve", "signal");
    drop(worker);
    own.run(&["trigger", "orders/approve", "--workflow-id", "second", "-q"]);
    own.run(&["runs", "signal", "second", "approved", r#"{"by": "ada"}"#]);
    let run = own.get("second");
    assert_eq!((&run["status"], &run["jobs"]), (&"pending".into(), &Json::Array(vec![])));
    // Temporal does not know yet that the worker is dead.
    assert_eq!(own.why("second"), [(String::new(), "queued".to_owned())]);
    let shown = own.run(&["runs", "get", "second"]).out;
    assert!(!shown.contains("running"), "{shown}");
    let _worker = own.worker();
    own.until_why("second", "", "ended");
}

#[test]
fn an_ended_run_refuses_requests_and_names_the_cure() {
    let own = Own::new("temporal_ended");
    own.run(&["trigger", "orders/approve", "--workflow-id", "ended", "-q"]);
    let run = own.get("ended")["run_id"].as_str().expect("an ID").to_owned();
    own.temporal(&["workflow", "terminate", "--workflow-id", "ended"]);
    for args in [&["cancel", "ended"][..], &["signal", "ended", "approved", "{}"]] {
        let args = [&["runs"], args, &["--backend", &own.backend]].concat();
        let refused = host_in(&own.folder, &args);
        assert_eq!(refused.code, Some(2), "{args:?}: {}", refused.err);
        let expected = format!("run {run} has ended (failed)");
        assert!(refused.err.contains(&expected), "{args:?}: {}", refused.err);
    }
    let why = own.run(&["runs", "why", "ended"]).out;
    assert!(why.contains("the run failed") && why.contains("fix: start a new run"), "{why}");
}

#[test]
fn runs_are_shown_without_a_worker() {
    let own = Own::new("temporal_history");
    let worker = own.worker();
    let report = ["trigger", "orders/report", "--day", "2026-01-02", "--workflow-id", "report"];
    own.run(&[&report[..], &["--wait", "--timeout", "60"]].concat());
    own.run(&["trigger", "orders/approve", "--workflow-id", "approve"]);
    own.until_why("approve", "approve", "signal");
    let with_worker = own.run(&["runs", "watch", "report"]).out;
    let running = own.get("approve");
    drop(worker);
    // The program replays the history.
    assert_eq!(own.run(&["runs", "watch", "report"]).out, with_worker);
    let report = own.get("report");
    assert_eq!(
        (&report["status"], &report["result"]),
        (&"completed".into(), &"2026-01-02: 60".into())
    );
    assert_eq!(report["jobs"].as_array().map(Vec::len), Some(7));
    let alone = own.get("approve");
    assert_eq!((&alone["status"], &alone["jobs"]), (&"running".into(), &running["jobs"]));
    assert_eq!(alone["stall"]["reason"], "signal");
    // A program without the workflow has only the history.
    let args = ["runs", "watch", "report", "--backend", &own.backend];
    let Outcome { out: events, err, .. } = workflow_in(&own.folder, &args);
    for part in
        ["run started", "fetch started", "price[2] completed", "write completed", "run completed"]
    {
        assert!(events.contains(part), "{part}: {events}{err}");
    }
}

/// The server of the API, killed at the end of the test.
struct Api {
    process: Child,
    address: String,
}

impl Api {
    fn start(own: &Own) -> Self {
        let mut server = command(&host_binary());
        server.args(["serve", "--address", "127.0.0.1:0", "--backend", &own.backend]);
        let server = server.current_dir(&own.folder).stderr(Stdio::piped());
        let mut process = server.spawn().expect("it starts");
        let mut messages = BufReader::new(process.stderr.take().expect("a pipe"));
        let mut lines = messages.by_ref().lines().map(|line| line.expect("a line"));
        let address = lines.find_map(|line| Some(line.strip_prefix("serving http://")?.to_owned()));
        let address = address.expect("its address");
        // What it says later must not block it.
        std::thread::spawn(move || std::io::copy(&mut messages, &mut std::io::sink()));
        Self { process, address }
    }

    fn request(&self, request: &str, body: &str) -> (u16, Json) {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        let (address, length) = (&self.address, body.len());
        write!(
            stream,
            "{request} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
             Content-Length: {length}\r\nContent-Type: application/json\r\n\r\n{body}"
        )
        .expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        (status.expect("a status"), serde_json::from_str(body).unwrap_or_default())
    }

    fn get(&self, path: &str) -> Json {
        let (status, body) = self.request(&format!("GET /api/v1/{path}"), "");
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    fn until(&self, path: &str, holds: impl Fn(&Json) -> bool) -> Json {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            // The server copies a new run soon after its start.
            let (status, body) = self.request(&format!("GET /api/v1/{path}"), "");
            if status == 200 && holds(&body) {
                return body;
            }
            assert!(Instant::now() < deadline, "{path}: {body:#}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _reaped = self.process.wait();
    }
}

#[test]
fn the_api_shows_and_starts_runs_of_temporal() {
    let own = Own::new("temporal_api");
    let _worker = own.worker();
    let report = ["trigger", "orders/report", "--day", "2026-01-02", "--workflow-id", "report"];
    own.run(&[&report[..], &["--wait", "--timeout", "60"]].concat());
    own.run(&["trigger", "orders/print", "--workflow-id", "print"]);
    let api = Api::start(&own);

    let listed = api.until("runs", |runs| {
        let items = runs["items"].as_array().expect("a list");
        items.len() == 2 && items.iter().all(|run| run["status"] != "running")
    });
    let of = |name: &str| {
        let mut items = listed["items"].as_array().expect("a list").iter();
        items.find(|run| run["workflow"] == name).unwrap_or_else(|| panic!("{listed:#}")).clone()
    };
    assert_eq!(
        (&of("orders/report")["status"], &of("orders/print")["status"]),
        (&"completed".into(), &"failed".into())
    );
    let id = own.get("report")["run_id"].as_str().expect("an ID").to_owned();
    let run = api.get(&format!("runs/{id}"));
    assert_eq!(run["result_data"], "2026-01-02: 60");
    assert_eq!(run["input"]["day"], "2026-01-02", "{run:#}");
    assert!(run["jobs"].as_array().is_some_and(|jobs| jobs.len() == 7), "{run:#}");

    let (status, started) = api.request("POST /api/v1/workflows/orders%2Fapprove/run", "{}");
    assert_eq!(status, 202, "{started}");
    let id = started["run_id"].as_str().expect("an ID").to_owned();
    let path = format!("runs/{id}");
    api.until(&format!("{path}/why"), |why| {
        why.to_string().contains("waits for signal `approved`")
    });
    let signal = r#"{"name": "approved", "payload": {"by": "ada"}}"#;
    let (status, sent) = api.request(&format!("POST /api/v1/{path}/signal"), signal);
    assert_eq!(status, 202, "{sent}");
    let run = api.until(&path, |run| run["status"] == "completed");
    assert_eq!(run["result_data"]["by"], "ada");
    assert_eq!(own.get(&id)["status"], "completed");

    let workers = api.until("workers", |workers| !workers["items"][0].is_null());
    assert_eq!(workers["items"][0]["state"], "alive", "{workers:#}");
    let elsewhere = r#"{"task_queue": "elsewhere"}"#;
    let (status, _) = api.request("POST /api/v1/workflows/stock%2Fwatch/run", elsewhere);
    assert_eq!(status, 202);
    let queues = api.until("queues", |queues| !queues["items"][0].is_null());
    let queue = &queues["items"][0];
    assert_eq!(
        (&queue["queue"], &queue["runs"], &queue["workers"]),
        (&"elsewhere".into(), &1.into(), &0.into())
    );

    let (_, started) =
        api.request("POST /api/v1/workflows/stock%2Fwatch/run", r#"{"idempotency_key": "watch"}"#);
    let path = format!("runs/{}", started["run_id"].as_str().expect("an ID"));
    let (_, again) =
        api.request("POST /api/v1/workflows/stock%2Fwatch/run", r#"{"idempotency_key": "watch"}"#);
    assert_eq!((&again["run_id"], &again["existing"]), (&started["run_id"], &true.into()));
    let (status, _) = api.request(&format!("POST /api/v1/{path}/cancel"), "");
    assert_eq!(status, 202);
    api.until(&path, |run| run["status"] == "cancelled");
    for action in ["retry", "unblock"] {
        let (status, refused) = api.request(&format!("POST /api/v1/{path}/{action}"), "{}");
        assert_eq!(status, 409, "{refused}");
        assert!(
            refused.to_string().contains("Temporal executes the runs of this server"),
            "{refused}"
        );
    }
}

#[test]
fn a_run_that_cannot_be_copied_hides_no_other() {
    let own = Own::new("temporal_damaged");
    let damaged = ["workflow", "start", "--type", "elsewhere", "--task-queue", "elsewhere"];
    let record = ["--workflow-id", "damaged", "--input", "1", "--input-meta", "workflow-record=x"];
    own.temporal(&[&damaged[..], &record].concat());
    own.temporal(&["workflow", "terminate", "--workflow-id", "damaged"]);
    let args = ["runs", "watch", "damaged", "--backend", &own.backend];
    let refused = host_in(&own.folder, &args);
    assert!(
        refused.err.contains("the record of the run is damaged: its compression is unknown"),
        "{}",
        refused.err
    );
    let api = Api::start(&own);
    own.run(&["trigger", "orders/approve", "--workflow-id", "approve", "-q"]);
    let listed = api.until("runs", |runs| runs["items"].as_array().is_some_and(|it| it.len() == 1));
    assert_eq!(listed["items"][0]["workflow"], "orders/approve");
}

#[test]
fn a_run_that_is_terminated_without_a_worker_leaves_no_job_running() {
    let own = Own::new("temporal_terminated");
    let worker = own.worker();
    own.run(&["trigger", "orders/approve", "--workflow-id", "approve"]);
    own.until_why("approve", "approve", "signal");
    let api = Api::start(&own);
    let path = format!("runs/{}", own.get("approve")["run_id"].as_str().expect("an ID"));
    api.until(&path, |run| run["jobs"][0]["status"] == "running");
    drop(worker);
    own.temporal(&["workflow", "terminate", "--workflow-id", "approve"]);
    let run = api.until(&path, |run| run["status"] == "failed");
    assert_eq!(run["jobs"][0]["status"], "cancelled", "{run:#}");
    let args = ["runs", "watch", "approve", "--backend", &own.backend];
    for watched in [host_in(&own.folder, &args), workflow_in(&own.folder, &args)] {
        assert_eq!(watched.code, Some(1), "{}{}", watched.out, watched.err);
        assert!(watched.out.contains("run failed"), "{}", watched.out);
    }
    // Nobody has ever begun this one.
    own.run(&["trigger", "orders/approve", "--workflow-id", "early", "-q"]);
    let path = format!("runs/{}", own.get("early")["run_id"].as_str().expect("an ID"));
    own.temporal(&["workflow", "terminate", "--workflow-id", "early"]);
    api.until(&path, |run| run["status"] == "failed");
}

#[test]
fn what_temporal_does_not_have_names_the_cure() {
    let folder = folder("temporal_usage", &[]);
    let backend = backend();
    for (args, expected) in [
        (vec!["runs", "get", "nothing", "--backend", &*backend], "Temporal has no such run"),
        (vec!["runs", "logs", "nothing", "--backend", &*backend], "Temporal has no such run"),
        (vec!["runs", "unblock", "x", "--backend", &*backend], "works on a store"),
        (vec!["runs", "list", "--user", "x", "--backend", &*backend], "--user works on a store"),
        (vec!["runs", "list", "--db", "a.db", "--backend", &*backend], "omit one of them"),
        (vec!["runs", "list", "--backend", "temporal://x"], "temporal://host:port/namespace"),
        (vec!["trigger", "orders/reprot", "--backend", &*backend], "did you mean `orders/"),
        (
            vec!["trigger", "a.yaml", "--backend", &*backend],
            "files cannot run on Temporal; use a store",
        ),
    ] {
        let refused = host_in(&folder, &args);
        assert_eq!(refused.code, Some(2), "{args:?}: {}", refused.err);
        assert!(refused.err.contains(expected), "{args:?}: {}", refused.err);
    }
}

#[test]
fn an_unreachable_server_is_a_failure_with_its_reason() {
    let folder = folder("temporal_unreachable", &[]);
    for args in [&["runs", "list"][..], &["worker"], &["serve"], &["schedules", "sync"]] {
        let args = [args, &["--backend", "temporal://127.0.0.1:1/x"]].concat();
        let refused = host_in(&folder, &args);
        assert_eq!(refused.code, Some(1), "{args:?}: {}", refused.err);
        let expected = "error: cannot connect to Temporal at 127.0.0.1:1: connection refused; check \
                        the address, and that the server is running\n";
        assert_eq!(refused.err, expected, "{args:?}");
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
        refused.err.contains(
            "the schedule of workflow `orders/report` cannot start it: the input does not fit"
        ),
        "{}",
        refused.err
    );
}
