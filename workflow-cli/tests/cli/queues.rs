//! Queued runs and the workers that run them.

use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use crate::support::{Worker, folder, host_in, process_in};

fn trigger(folder: &Path, args: &[&str]) -> String {
    let queued = host_in(folder, &[&["trigger"], args].concat());
    assert_eq!(queued.code, Some(0), "{}", queued.err);
    queued.out.trim().to_owned()
}

fn status(folder: &Path, run: &str) -> String {
    let run = host_in(folder, &["runs", "get", run, "-f", "json"]).json();
    run["status"].as_str().expect("a status").to_owned()
}

fn until_completed(folder: &Path, run: &str) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while status(folder, run) != "completed" {
        assert!(Instant::now() < deadline, "{run} is {}", status(folder, run));
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_worker_runs_the_runs_of_its_queues() {
    let folder = folder("queues_domains", &[]);
    let order = trigger(&folder, &["orders/report", "--day", "2026-01-02"]);
    let stock = trigger(&folder, &["stock/count"]);
    let special = trigger(&folder, &["stock/count", "--task-queue", "special"]);
    let worker = Worker::of_host(&folder, &["--domain", "orders", "--task-queue", "special"]);
    until_completed(&folder, &order);
    until_completed(&folder, &special);
    assert_eq!(status(&folder, &stock), "pending");
    worker.signal(Signal::TERM);
    let _all = Worker::of_host(&folder, &["--preset", "all"]);
    until_completed(&folder, &stock);
}

#[test]
fn a_triggered_run_is_waited_for() {
    let folder = folder("queues_wait", &[]);
    let waiting = ["trigger", "stock/count", "--wait", "--timeout", "1", "-q"];
    let late = host_in(&folder, &waiting);
    assert_eq!(late.code, Some(1), "{}", late.err);
    assert!(late.err.contains("has not ended in time and continues"), "{}", late.err);
    let _worker = Worker::of_host(&folder, &[]);
    let input = r#"{"day": "2026-01-02", "orders": 2}"#;
    let report = ["trigger", "orders/report", "--json-input", input, "--wait", "--timeout", "1m"];
    let ended = host_in(&folder, &[&report[..], &["-f", "json"]].concat());
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert_eq!(ended.json()["result"], json!("2026-01-02: 30"), "{}", ended.out);
    assert!(ended.err.contains("write completed"), "{}", ended.err);
    let failed = host_in(&folder, &["trigger", "orders/print", "--wait", "-q"]);
    assert_eq!(failed.code, Some(1), "{}", failed.err);
}

#[test]
fn a_key_queues_one_run() {
    let folder = folder("queues_key", &[]);
    let args = ["stock/count", "--workflow-id", "monday"];
    let first = trigger(&folder, &args);
    assert_eq!(trigger(&folder, &args), first);
    let other = host_in(&folder, &["trigger", "orders/print", "--workflow-id", "monday"]);
    assert_eq!(other.code, Some(2), "{}", other.err);
}

#[test]
fn inputs_are_options_of_trigger() {
    let folder = folder("queues_inputs", &[]);
    let help = host_in(&folder, &["trigger", "orders/report", "--help"]).out;
    assert!(help.contains("Inputs of the workflow:"), "{help}");
    assert!(help.contains("--day <TEXT>"), "{help}");
    assert!(help.contains("The day, as 2026-01-02. (required)"), "{help}");
    assert!(help.contains("--orders <INTEGER>"), "{help}");
    let run = trigger(&folder, &["orders/report", "--orders", "7", "--day", "12"]);
    let found = host_in(&folder, &["runs", "get", &run, "-f", "json"]).json();
    assert_eq!(found["input"], json!({ "day": "12", "orders": 7 }), "{found}");
    let unknown = host_in(&folder, &["trigger", "stock/count", "--day", "1"]);
    assert_eq!(unknown.code, Some(2));
    assert!(unknown.err.contains("unexpected argument '--day'"), "{}", unknown.err);
    let missing = host_in(&folder, &["trigger", "orders/report", "--orders", "7"]);
    assert!(missing.err.contains("day"), "{}", missing.err);
    assert_eq!(missing.code, Some(2));
}

#[test]
fn mistakes_in_options_for_inputs_name_the_option() {
    let folder = folder("queues_mistakes", &[]);
    let help = host_in(&folder, &["trigger", "orders/report", "--help"]).out;
    assert!(help.contains("How many orders to look at. [default: 3]"), "{help}");
    let wrong = |args: &[&str]| {
        let said = host_in(&folder, &[&["trigger"], args].concat());
        assert_eq!((said.code, &*said.out), (Some(2), ""), "{}", said.err);
        said.err
    };
    assert_eq!(
        wrong(&["orders/reprt", "--day", "12"]),
        "error: no workflow `orders/reprt` is registered, so it has no option `--day`; did you mean \
         `orders/report`?\n"
    );
    assert_eq!(
        wrong(&["orders/report"]),
        "error: workflow `orders/report` requires an input of type `Wanted`; pass it with --input \
         JSON, or key by key with --day\n"
    );
    assert_eq!(
        wrong(&["orders/report", "--day", "12", "--orders", "1", "-p", "orders=3"]),
        "error: --orders and --param orders set the same key of the input; remove one\n"
    );
    let long = "99999999999999999999999";
    assert_eq!(
        wrong(&["orders/report", "--day", long, "--orders", long]),
        format!("error: --orders: the number {long} is out of range: it has more than 64 bits\n")
    );
    let run = trigger(&folder, &["orders/report", "--day", "007", "--orders", "007"]);
    let found = host_in(&folder, &["runs", "get", &run, "-f", "json"]).json();
    assert_eq!(found["input"], json!({ "day": "007", "orders": 7 }), "{found}");
}

#[test]
fn options_override_the_preset_and_the_preset_overrides_the_defaults() {
    let presets = "
defaults: { max_concurrent_workflows: 10, max_concurrent_activities: 20, max_cached_workflows: 9 }
presets:
  cached: { max_cached_workflows: 7 }
  orders:
    domains: [orders]
    task_queues: [urgent]
    priorities: { urgent: 5 }
    max_concurrent_workflows: 30
";
    let folder = folder("queues_presets", &[("workers.yaml", presets), ("bad.yaml", "presets: 7")]);
    let dry = |args: &[&str]| host_in(&folder, &[&["worker", "--dry-run"], args].concat());
    let preset = dry(&["--preset", "orders"]).json();
    assert_eq!(preset["queues"], json!(["urgent", "default-orders"]));
    assert_eq!(preset["workflows"], json!(["orders/approve", "orders/print", "orders/report"]));
    assert_eq!(preset["max_concurrent_workflows"], 30);
    assert_eq!(preset["max_concurrent_activities"], 20);
    let given =
        ["--preset", "orders", "--domains", "stock", "x", "--max-concurrent-workflows", "1"];
    let given = dry(&given).json();
    assert_eq!(given["queues"], json!(["default-stock", "default-x"]));
    assert_eq!(given["max_concurrent_workflows"], 1);
    let all = dry(&[]).json();
    assert_eq!((&all["queues"], &all["max_concurrent_workflows"]), (&json!(null), &json!(10)));
    let cached = |args: &[&str]| dry(args).json()["max_cached_workflows"].clone();
    assert_eq!(cached(&["--preset", "orders"]), 9);
    assert_eq!(cached(&["--preset", "cached"]), 7);
    assert_eq!(cached(&["--preset", "cached", "--max-cached-workflows", "0"]), 0);
    let negative = dry(&["--max-cached-workflows=-1"]);
    assert!(negative.err.contains("--max-cached-workflows <N>"), "{}", negative.err);
    assert_eq!(negative.code, Some(2));
    let unknown = dry(&["--preset", "order"]);
    assert!(unknown.err.contains("no preset `order`; use cached, orders, all"), "{}", unknown.err);
    assert_eq!(unknown.code, Some(2));
    let bad = dry(&["--presets", "bad.yaml"]);
    assert!(bad.err.contains("invalid presets in `bad.yaml`"), "{}", bad.err);
    assert_eq!(bad.code, Some(2));
}

#[test]
fn presets_that_mean_something_else_are_refused() {
    let presets = "
defaults: { domains: [orders], priorities: { default-stock: 5 } }
presets:
  all: { description: All }
  idle: { domains: [stock], max_concurrent_activities: 0 }
  none: { domains: [stock], max_concurrent_workflows: 0 }
  misnamed: { domains: [stock], priorities: { stock: 10 } }
";
    let folder = folder("queues_mistakes", &[("workers.yaml", presets)]);
    let dry = |args: &[&str]| host_in(&folder, &[&["worker", "--dry-run"], args].concat());
    let all = dry(&["--preset", "all"]).json();
    assert_eq!((&all["queues"], &all["priorities"]), (&json!(null), &json!({"default-stock": 5})));
    let stock = dry(&["--domain", "stock"]).json();
    assert_eq!(stock["priorities"], json!({ "default-stock": 5 }));
    let refused = |args: &[&str], error: &str| {
        let found = dry(args);
        assert_eq!(found.code, Some(2), "{}", found.err);
        assert!(found.err.contains(error), "{}", found.err);
    };
    let zero = "invalid preset `idle`: `max_concurrent_activities` is 0; write 1 or more";
    refused(&["--preset", "idle"], zero);
    refused(&["--preset", "none"], "`max_concurrent_workflows` is 0");
    refused(
        &["--preset", "misnamed"],
        "`stock`, which is not served (did you mean `default-stock`?)",
    );
    refused(&["--preset", "all", "--task-queue="], "invalid task queue: a name is empty");
    refused(&["--preset", "all", "--task-queue=a\n\u{1b}[31m"], r#""a\n\u{1b}[31m" contains a"#);
    refused(&["--preset", "all", "--domain="], "invalid domain: a name is empty");
}

#[test]
fn a_served_domain_without_workflows_is_a_warning() {
    let folder = folder("queues_no_domain", &[]);
    let served = host_in(&folder, &["worker", "--dry-run", "--domains", "Orders", "stock"]);
    assert_eq!(served.code, Some(0), "{}", served.err);
    let warning =
        "warning: no registered workflow or job has the domain `Orders`; use orders, stock\n";
    assert_eq!(served.err, warning);
}

#[test]
fn a_worker_without_the_workflow_is_not_counted() {
    let folder = folder("queues_unknown", &[]);
    let _plain = Worker::start(process_in(&folder, &["worker"]));
    let deadline = Instant::now() + Duration::from_secs(30);
    let listed = || host_in(&folder, &["workers", "list", "-f", "json"]);
    while listed().code != Some(0) || listed().json()["workers"] == json!([]) {
        assert!(Instant::now() < deadline, "the worker is not listed");
    }
    let queued = host_in(&folder, &["trigger", "stock/count"]);
    let warning = "no live worker of default-stock has workflow `stock/count`; start a worker that \
        has the workflow: `worker --task-queue=default-stock`";
    assert!(queued.err.contains(warning), "{}", queued.err);
    let why = host_in(&folder, &["runs", "why", queued.out.trim(), "-f", "json"]).json();
    assert_eq!(why[0]["reason"], "unknown_workflow", "{why}");
}

#[test]
fn workers_and_queues_are_listed() {
    let folder = folder("queues_listed", &[]);
    let queued = host_in(&folder, &["trigger", "stock/count", "--task-queue", "special"]);
    let run = queued.out.trim().to_owned();
    let warning = "no live worker serves special; start a worker that has \
        the workflow: `worker --task-queue=special`";
    assert!(queued.err.contains(warning), "{}", queued.err);
    let listed = host_in(&folder, &["workers", "list"]);
    assert!(listed.out.contains("special"), "{}", listed.out);
    assert!(listed.out.lines().any(|line| line.ends_with("none")), "{}", listed.out);
    let why = host_in(&folder, &["runs", "why", &run]);
    let expected = "the run waits in task queue `special`, which no live worker serves
  fix: start a worker that has the workflow: `worker --task-queue=special`
";
    assert_eq!(why.out, expected);
    let worker = Worker::of_host(
        &folder,
        &["--task-queue", "special", "--max-concurrent-workflows", "5", "--domain", "orders"],
    );
    until_completed(&folder, &run);
    let listed = host_in(&folder, &["workers", "list", "-f", "json"]).json();
    assert_eq!(listed["queues"], json!([]));
    let found = &listed["workers"][0];
    assert_eq!((&found["state"], &found["max_concurrent_workflows"]), (&json!("alive"), &json!(5)));
    assert_eq!(found["queues"]["named"], json!({ "default-orders": 0, "special": 0 }));
    let why = host_in(&folder, &["runs", "why", &run, "-f", "json"]).json();
    assert_eq!(
        (&why[0]["reason"], &why[0]["detail"]),
        (&json!("ended"), &json!("the run completed"))
    );
    worker.signal(Signal::TERM);
    let deadline = Instant::now() + Duration::from_secs(30);
    while host_in(&folder, &["workers", "list", "-f", "json"]).json()["workers"] != json!([]) {
        assert!(Instant::now() < deadline, "the worker is still listed");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn another_worker_takes_over_from_a_killed_one() {
    let folder = folder("queues_killed", &[]);
    let run = trigger(&folder, &["stock/watch"]);
    let first = Worker::of_host(&folder, &[]);
    let deadline = Instant::now() + Duration::from_secs(30);
    while status(&folder, &run) != "running" {
        assert!(Instant::now() < deadline, "nobody runs it");
        std::thread::sleep(Duration::from_millis(20));
    }
    let owner = || host_in(&folder, &["runs", "get", &run, "-f", "json"]).json()["owner"].clone();
    let dead = owner();
    drop(first);
    let _second = Worker::of_host(&folder, &["--domain", "stock"]);
    while owner() == dead {
        assert!(Instant::now() < deadline, "nobody took it over");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_worker_keeps_few_waiting_runs_in_memory() {
    let folder = folder("queues_evicted", &[]);
    let runs: Vec<String> = (0..6).map(|_| trigger(&folder, &["orders/approve"])).collect();
    let first = Worker::of_host(&folder, &["--max-cached-workflows", "2"]);
    let why = |run: &str| host_in(&folder, &["runs", "why", run, "-f", "json"]).json();
    let deadline = Instant::now() + Duration::from_secs(60);
    let until_evicted = |count: usize| {
        let evicted = || runs.iter().filter(|run| why(run)[0]["reason"] == "evicted").count();
        while evicted() != count {
            assert!(Instant::now() < deadline, "{} are evicted", evicted());
        }
    };
    until_evicted(4);
    let waiting = || {
        let listed = host_in(&folder, &["workers", "list", "-f", "json"]).json();
        let worker = &listed["workers"][0];
        (worker["waiting"].clone(), worker["max_cached_workflows"].clone())
    };
    while waiting() != (json!(2), json!(2)) {
        assert!(Instant::now() < deadline, "{:?}", waiting());
    }
    let evicted = runs.iter().find(|run| why(run)[0]["reason"] == "evicted").expect("four are");
    let shown = host_in(&folder, &["runs", "why", evicted]).out;
    let expected = "the run was evicted to the store; a worker of task queue `default-orders` \
        resumes it when its wait ends\n";
    assert!(shown.starts_with(expected), "{shown}");
    assert!(shown.contains("job `approve` waits for signal `approved`"), "{shown}");
    assert_eq!(status(&folder, evicted), "running");
    drop(first);
    let _second = Worker::of_host(&folder, &["--max-cached-workflows", "0"]);
    for run in &runs {
        let payload = r#"{"by": "ada"}"#;
        let sent = host_in(&folder, &["runs", "signal", run, "approved", payload]);
        assert_eq!(sent.code, Some(0), "{}", sent.err);
    }
    runs.iter().for_each(|run| until_completed(&folder, run));
}
