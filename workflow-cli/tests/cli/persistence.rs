//! Saved runs with the real binaries: detached, watched, cancelled, retried and recovered.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use insta::assert_snapshot;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value as Json, json};

use crate::support::{Outcome, folder, host_in, process_in, same, tables, workflow_in};

/// The second job waits for a file `go`, and the third fails until there is a file `right`.
const STEPS: &str = r#"
name: steps
jobs:
  - name: first
    command: echo first >> ran; echo "from the first"
  - name: second
    command: until test -e go; do sleep 0.05; done; echo second >> ran; echo "from the second"
    depends_on: [first]
  - name: third
    command: echo third >> ran; test -e right
    depends_on: [second]
  - name: fourth
    command: echo fourth >> ran
    depends_on: [third]
"#;

/// Starts a background run. Returns its ID and its process.
fn detach(folder: &Path, run: impl Fn(&Path, &[&str]) -> Outcome, args: &[&str]) -> (String, i32) {
    let said = run(folder, &[args, &["--detach", "-f", "json"]].concat());
    assert_eq!(said.code, Some(0), "{}", said.err);
    let answer = said.json();
    let process = answer["process"].as_i64().and_then(|process| process.try_into().ok());
    (answer["run"].as_str().expect("an id").to_owned(), process.expect("a process"))
}

/// The run as the store has it.
fn get(folder: &Path, run: &str) -> Json {
    workflow_in(folder, &["runs", "get", run, "-f", "json"]).json()
}

/// Waits until a job of the run is running.
fn until_running(folder: &Path, run: &str, job: &str) {
    until(folder, run, |run| {
        let jobs = run["jobs"].as_array().expect("a list");
        jobs.iter().any(|one| one["name"] == *job && one["status"] == "running")
    });
}

/// Waits until the stored run meets a condition.
fn until(folder: &Path, run: &str, is_so: impl Fn(&Json) -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let run = get(folder, run);
        if is_so(&run) {
            return;
        }
        assert!(Instant::now() < deadline, "{run}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn touch(folder: &Path, name: &str) {
    std::fs::write(folder.join(name), "").expect("it can be written");
}

/// The jobs that ran, in order.
fn ran(folder: &Path) -> String {
    let text = std::fs::read_to_string(folder.join("ran")).unwrap_or_default();
    text.lines().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_run_is_saved_on_request() {
    let folder = folder("kept", &[("steps.yaml", STEPS), ("go", ""), ("right", "")]);
    assert_eq!(workflow_in(&folder, &["run", "steps.yaml", "-q"]).code, Some(0));
    assert!(!folder.join(".workflow/workflows.db").exists());
    let saved = workflow_in(&folder, &["run", "steps.yaml", "--db", "runs.db"]);
    assert_eq!(saved.code, Some(0), "{}", saved.err);
    assert!(saved.err.starts_with("run: "), "{}", saved.err);
    tables().bind(|| {
        assert_snapshot!(workflow_in(&folder, &["runs", "list", "--db", "runs.db"]).out, @"
        RUN  STATUS  WORKFLOW  STARTED  DURATION
          1  completed  steps  <clock> <time>
        ");
    });
}

#[test]
fn a_key_starts_one_run() {
    let folder = folder("key", &[("steps.yaml", STEPS), ("go", "")]);
    let args = ["run", "steps.yaml", "--idempotency-key", "monday"];
    let first = workflow_in(&folder, &args);
    assert_eq!(first.code, Some(1));
    let again = workflow_in(&folder, &args);
    assert_eq!(again.code, Some(1));
    tables().bind(|| {
        assert_snapshot!(again.err, @"
        run <id> already exists for this idempotency key: failed
        steps: 4 jobs
          first started
          first completed in <time> (1 of 4)
          second started
          second completed in <time> (2 of 4)
          third started
          third failed in <time> (3 of 4): the command exited with code 1; it wrote nothing to stderr
          fourth skipped (4 of 4): `third` did not complete
        steps failed
        ");
        assert_snapshot!(again.out, @"
        steps #1 failed
          run  <id>
          trigger  manual
          key  monday
          queue  default-workflows
          requested  <when>
          started  <when>
          ended  <when>
          duration <time>
          error  job `third` failed: the command exited with code 1; it wrote nothing to stderr
          jobs  2 of 4 completed, 1 failed, 1 skipped

        JOB  STATUS  ATTEMPTS  STARTED  DURATION  ERROR
        first  completed  1  <when> <time>  -
        second  completed  1  <when> <time>  -
        third  failed  1  <when> <time>  the command exited with code 1; it wrote nothing to stderr
        fourth  skipped  0  -  -  `third` did not complete
        ");
    });
    assert_eq!(ran(&folder), "first second third");
    let detached = workflow_in(&folder, &[&args[..], &["--detach"]].concat());
    assert_eq!(detached.code, Some(1));
    assert!(first.err.contains(detached.out.trim()), "{}{}", detached.out, first.err);
    let list = workflow_in(&folder, &["runs", "list", "-f", "json"]).json();
    assert_eq!(list["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(list["items"][0]["idempotency_key"], "monday");
}

#[test]
fn a_detached_run_is_watched() {
    let folder = folder("detached", &[("steps.yaml", STEPS), ("right", "")]);
    let began = Instant::now();
    let said = workflow_in(&folder, &["run", "steps.yaml", "--detach"]);
    let run = said.out.trim();
    assert!(began.elapsed() < Duration::from_secs(10) && said.code == Some(0), "{}", said.err);
    same().bind(|| assert_snapshot!(said.err, @"running in the background as process <n>, with output in .workflow/detached/<id>.log; use `runs watch <id>` to watch it, `runs cancel <id>` to cancel it"));
    until_running(&folder, run, "second");
    assert_eq!(get(&folder, run)["status"], "running");
    let early = workflow_in(&folder, &["runs", "retry", run]);
    assert_eq!(early.code, Some(2));
    touch(&folder, "go");
    let watched = workflow_in(&folder, &["runs", "watch", run]);
    assert_eq!(watched.code, Some(0));
    tables().bind(|| {
        assert_snapshot!(early.err, @"error: cannot retry run <id> while it is running; wait for its end with `runs watch <id>`, or cancel it with `runs cancel <id>`");
        assert_snapshot!(watched.err, @"
        steps: 4 jobs
          first started
          first completed in <time> (1 of 4)
          second started
          second completed in <time> (2 of 4)
          third started
          third completed in <time> (3 of 4)
          fourth started
          fourth completed in <time> (4 of 4)
        steps completed
        ");
        assert_snapshot!(watched.out, @"
        steps #1 completed
          run  <id>
          trigger  manual
          queue  default-workflows
          requested  <when>
          started  <when>
          ended  <when>
          duration <time>
          jobs  4 of 4 completed

        JOB  STATUS  ATTEMPTS  STARTED  DURATION  ERROR
        first  completed  1  <when> <time>  -
        second  completed  1  <when> <time>  -
        third  completed  1  <when> <time>  -
        fourth  completed  1  <when> <time>  -
        ");
    });
    let lines = workflow_in(&folder, &["runs", "watch", run, "-f", "jsonl", "--from", "2"]);
    let lines: Vec<Json> =
        lines.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!((&lines[0]["sequence"], &lines[0]["event"]), (&json!(2), &json!("job_completed")));
    assert_eq!(lines.last().expect("a line")["run"]["status"], "completed");
    assert_eq!(
        workflow_in(&folder, &["runs", "logs", run]).out,
        "  first | from the first\n  second | from the second\n"
    );
    let second = workflow_in(&folder, &["runs", "logs", run, "--job", "second", "-F"]);
    assert_eq!(second.out, "from the second\n");
    same().bind(|| {
        assert_snapshot!(workflow_in(&folder, &["runs", "cancel", run]).err, @"error: cannot cancel run <id>: it has already completed");
        assert_snapshot!(workflow_in(&folder, &["runs", "logs", run, "--job", "none"]).err, @"error: run <id> has no job `none`; it has first, second, third, fourth");
    });
}

#[test]
fn recover_resumes_runs_of_a_killed_process() {
    let folder = folder("killed", &[("steps.yaml", STEPS), ("right", "")]);
    let (run, process) = detach(&folder, workflow_in, &["run", "steps.yaml"]);
    let (waits, host) = detach(&folder, host_in, &["run", "orders/approve"]);
    until_running(&folder, &run, "second");
    until_running(&folder, &waits, "approve");
    let owner = get(&folder, &run)["owner"].clone();
    // `runs watch` shows the whole run, whichever engine runs it.
    let watching = std::thread::spawn({
        let (folder, run) = (folder.clone(), run.clone());
        move || workflow_in(&folder, &["runs", "watch", &run])
    });
    for process in [process, host] {
        let process = Pid::from_raw(process).expect("the process of the run");
        kill_process(process, Signal::KILL).expect("it is there");
        until_commands_are_gone(&run);
    }
    let recovering = std::thread::spawn({
        let folder = folder.clone();
        move || workflow_in(&folder, &["recover"])
    });
    // By now the command of the killed process is dead, too.
    until(&folder, &run, |run| run["owner"] != owner);
    touch(&folder, "go");
    let recovered = recovering.join().expect("it says something");
    assert_eq!(recovered.code, Some(1), "{}", recovered.err);
    let lines = |part: &str| recovered.err.lines().filter(|line| line.contains(part)).count();
    assert_eq!(lines(&format!("run {run} of steps resumed")), 1, "{}", recovered.err);
    assert_eq!(lines(&format!("run {run} of steps completed in")), 1, "{}", recovered.err);
    let refused = recovered.err.lines().find(|line| line.contains(&waits)).expect("it is told");
    same().bind(|| assert_snapshot!(refused, @"run <id> cannot be resumed: no workflow `orders/approve`: this program registers none; run it with a program that does"));
    assert_eq!(get(&folder, &run)["status"], "completed");
    assert_eq!(ran(&folder), "first second third fourth");
    let watched = watching.join().expect("it says something");
    assert_eq!(watched.code, Some(0), "{}", watched.err);
    for line in ["first completed", "second completed", "fourth completed", "steps completed"] {
        assert_eq!(watched.err.matches(line).count(), 1, "{line}: {}", watched.err);
    }
    // The host has registered the workflow.
    let approved = host_in(&folder, &["runs", "signal", &waits, "approved", r#"{"by": "ada"}"#]);
    assert!(approved.err.contains("no engine is running it"), "{}", approved.err);
    assert_eq!(host_in(&folder, &["recover"]).code, Some(0));
    assert_eq!(get(&folder, &waits)["result"], json!({ "by": "ada" }));
    assert_eq!(workflow_in(&folder, &["recover"]).err, "no runs to resume\n");
}

/// Four jobs, of which one at a time may run.
const ONE_AT_A_TIME: &str = r#"
name: queries
max_parallel: 4
limits: { db: 1 }
jobs:
  - name: query_{i}
    command: echo in >> spans; until test -e go; do sleep 0.05; done; sleep 0.05; echo out >> spans
    limits: [db]
    parameters: { i: "1:4" }
"#;

#[test]
fn a_recovered_run_obeys_the_limits_of_its_file() {
    let folder = folder("limits", &[("queries.yaml", ONE_AT_A_TIME)]);
    let (run, process) = detach(&folder, workflow_in, &["run", "queries.yaml"]);
    until_running(&folder, &run, "query_1");
    let owner = get(&folder, &run)["owner"].clone();
    let process = Pid::from_raw(process).expect("the process of the run");
    kill_process(process, Signal::KILL).expect("it is there");
    until_commands_are_gone(&run);
    // The jobs of the killed process have not written their end.
    std::fs::remove_file(folder.join("spans")).expect("a job had begun");
    let recovering = std::thread::spawn({
        let folder = folder.clone();
        move || workflow_in(&folder, &["recover"])
    });
    until(&folder, &run, |run| run["owner"] != owner);
    touch(&folder, "go");
    let recovered = recovering.join().expect("it says something");
    assert_eq!(recovered.code, Some(0), "{}", recovered.err);
    let spans = std::fs::read_to_string(folder.join("spans")).expect("jobs ran");
    let spans: Vec<_> = spans.lines().collect();
    assert_eq!(spans, ["in", "out"].repeat(4));
}

#[test]
fn a_recovered_run_uses_the_file_that_it_started_with() {
    let new = STEPS.replace("echo third", "echo new").replace("echo fourth", "echo newer");
    let folder = folder("replaced", &[("steps.yaml", STEPS), ("new.yaml", &new), ("right", "")]);
    let (run, process) = detach(&folder, workflow_in, &["run", "steps.yaml"]);
    until_running(&folder, &run, "second");
    let process = Pid::from_raw(process).expect("the process of the run");
    kill_process(process, Signal::KILL).expect("it is there");
    until_commands_are_gone(&run);
    let update = ["workflows", "update", "1", "new.yaml", "-f", "json"];
    assert_eq!(workflow_in(&folder, &update).json()["version"], 2);
    touch(&folder, "go");
    let recovered = workflow_in(&folder, &["recover"]);
    assert_eq!(recovered.code, Some(0), "{}", recovered.err);
    assert_eq!(ran(&folder), "first second third fourth");
    assert_eq!(get(&folder, &run)["workflow_version"], 1);
    assert_eq!(workflow_in(&folder, &["run", "1", "--db", ".workflow/workflows.db"]).code, Some(0));
    assert_eq!(ran(&folder), "first second third fourth first second new newer");
}

#[test]
fn a_killed_process_with_a_fast_clock_leaves_a_run_to_recover() {
    let folder = folder("ahead", &[("steps.yaml", STEPS), ("right", "")]);
    let (run, process) = detach(&folder, workflow_in, &["run", "steps.yaml"]);
    until_running(&folder, &run, "second");
    let process = Pid::from_raw(process).expect("the process of the run");
    kill_process(process, Signal::KILL).expect("it is there");
    until_commands_are_gone(&run);
    let database = rusqlite::Connection::open(folder.join(".workflow/workflows.db"));
    let hour_ahead = "UPDATE workflows_owner SET alive_until = alive_until + 3600000000";
    let changed = database.and_then(|database| {
        database.busy_timeout(Duration::from_secs(10))?;
        database.execute(hour_ahead, [])
    });
    assert_eq!(changed, Ok(1));
    touch(&folder, "go");
    let recovered = workflow_in(&folder, &["recover"]);
    assert_eq!(recovered.code, Some(0), "{}", recovered.err);
    assert!(recovered.err.contains(&format!("run {run} of steps completed")), "{}", recovered.err);
    assert_eq!(ran(&folder), "first second third fourth");
}

/// Waits until all commands of a killed process are gone. Its guard kills them.
fn until_commands_are_gone(run: &str) {
    let mark = format!("WORKFLOW_RUN_ID={run}\0");
    let is_of_run = |process: std::fs::DirEntry| {
        // Processes may end while this reads them.
        let environment = std::fs::read(process.path().join("environ")).unwrap_or_default();
        environment.windows(mark.len()).any(|part| part == mark.as_bytes())
    };
    eventually(|| {
        let processes = std::fs::read_dir("/proc").expect("there are processes");
        (!processes.flatten().any(is_of_run)).then_some(())
    });
}

/// The second job prints that it has started, and waits for a file `go`.
const TALKS: &str = r#"
name: talks
jobs:
  - name: first
    command: echo "from the first"
  - name: second
    command: echo begun; until test -e go; do sleep 0.05; done; echo "from the second"
    depends_on: [first]
"#;

#[test]
fn a_paused_process_does_not_fail_a_run_that_another_resumed() {
    let folder = folder("stopped", &[("talks.yaml", TALKS)]);
    let db = ["--db", ".workflow/workflows.db"];
    let args = [&["run", "talks.yaml", "--idempotency-key", "a"], &db[..]].concat();
    let mut process = process_in(&folder, &args);
    process.stdout(Stdio::null()).stderr(Stdio::piped());
    let stopped = process.spawn().expect("it starts");
    let pid = Pid::from_child(&stopped);
    // The store does not exist at once.
    let list = || workflow_in(&folder, &["runs", "list", "-f", "json"]);
    let list = || Some(list()).filter(|list| list.code == Some(0));
    let run = eventually(|| Some(list()?.json()["items"][0]["id"].as_str()?.to_owned()));
    let log = ["runs", "logs", &run, "--job", "second", "--attempt", "1"];
    let logged = || workflow_in(&folder, &log).out;
    eventually(|| (logged() == "begun\n").then_some(()));
    let owner = get(&folder, &run)["owner"].clone();
    kill_process(pid, Signal::STOP).expect("it is there");
    let recovering = std::thread::spawn({
        let folder = folder.clone();
        move || workflow_in(&folder, &["recover"])
    });
    let folder_of_run = folder.join(".workflow/runs").join(&run);
    eventually(|| folder_of_run.join("output.2.log").exists().then_some(()));
    until(&folder, &run, |run| run["owner"] != owner);
    // It continues while the other process runs the same attempt, notices that, and ends.
    kill_process(pid, Signal::CONT).expect("it is there");
    let stopped = stopped.wait_with_output().expect("it ends");
    let said = String::from_utf8(stopped.stderr).expect("text");
    assert!(said.contains("lost the lease on run"), "{said}");
    assert_eq!(stopped.status.code(), Some(1), "{said}");
    assert_eq!(get(&folder, &run)["status"], "running");
    touch(&folder, "go");
    let recovered = recovering.join().expect("it says something");
    assert_eq!(recovered.code, Some(0), "{}", recovered.err);
    assert_eq!(get(&folder, &run)["status"], "completed");
    assert_eq!(logged(), "begun\nfrom the second\n");
    assert_eq!(
        workflow_in(&folder, &["runs", "logs", &run]).out,
        "  first | from the first\n  second | begun\n  second | begun\n  second | from the second\n"
    );
}

/// Waits until the function returns a value.
fn eventually<T>(look: impl Fn() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "it did not happen in time");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_signal_reaches_a_run() {
    let folder = folder("signal", &[]);
    let (run, _) = detach(&folder, host_in, &["run", "orders/approve"]);
    let odd = workflow_in(&folder, &["runs", "signal", &run, "approved", "ada"]);
    assert_eq!(odd.code, Some(2));
    assert_snapshot!(odd.err, @r#"
    error: invalid value 'ada' for '[JSON]': invalid JSON: `ada` is neither in double quotes nor a JSON value (line 1, column 1); a JSON string needs its own quotes, such as '"yes"'

    For more information, try '--help'.
    "#);
    until_running(&folder, &run, "approve");
    // The output of a Rust job is in the log while it runs.
    let log = || workflow_in(&folder, &["runs", "logs", &run, "--job", "approve"]);
    eventually(|| (log().out == "who approves?\n").then_some(()));
    // The sender needs no registered workflow.
    let sent = workflow_in(&folder, &["runs", "signal", &run, "approved", r#"{"by": "ada"}"#]);
    same().bind(|| assert_snapshot!(sent.err, @"signal `approved` sent to run <id>"));
    let watched = workflow_in(&folder, &["runs", "watch", &run, "-f", "json"]);
    assert_eq!((watched.code, &watched.json()["result"]), (Some(0), &json!({ "by": "ada" })));
    let log = workflow_in(&folder, &["runs", "logs", &run]);
    assert_snapshot!(log.out, @r#"
    approve | who approves?
    approve | approved_by: "ada"
    approve | thank you, ada
    "#);
}

#[test]
fn a_run_is_cancelled() {
    let folder = folder("cancelled", &[("steps.yaml", STEPS)]);
    let (run, _) = detach(&folder, workflow_in, &["run", "steps.yaml"]);
    until_running(&folder, &run, "second");
    assert_eq!(workflow_in(&folder, &["runs", "cancel", &run]).code, Some(0));
    let watched = workflow_in(&folder, &["runs", "watch", &run, "-q", "-f", "json"]);
    assert_eq!((watched.code, &watched.json()["status"]), (Some(130), &json!("cancelled")));
}

#[test]
fn a_run_is_retried() {
    let folder = folder("repeated", &[("steps.yaml", STEPS), ("go", "")]);
    let failed =
        workflow_in(&folder, &["run", "steps.yaml", "--idempotency-key", "a", "-f", "json"]);
    let run = failed.json()["id"].as_str().expect("an id").to_owned();
    let retry =
        |args: &[&str]| workflow_in(&folder, &[&["runs", "retry", &run, "-q"], args].concat());
    let refused = retry(&["--from", "fourth"]);
    assert_eq!(refused.code, Some(2));
    let unknown = retry(&["--from", "fifth"]);
    same().bind(|| {
        assert_snapshot!(refused.err, @"error: cannot start from `fourth`: its dependency `third` has no result in run <id>; use --from third or --failed-only");
        assert_snapshot!(unknown.err, @"error: run <id> has no job `fifth`; its jobs are first, second, third, fourth");
    });
    assert_eq!(
        (retry(&[]).code, &*ran(&folder)),
        (Some(1), "first second third first second third")
    );
    touch(&folder, "right");
    std::fs::remove_file(folder.join("ran")).expect("it is there");
    let rest = workflow_in(&folder, &["runs", "retry", &run, "--failed-only"]);
    assert_eq!((rest.code, &*ran(&folder)), (Some(0), "third fourth"), "{}", rest.err);
    assert!(rest.err.contains("  first reused (1 of 4)\n"), "{}", rest.err);
    assert!(!rest.err.contains("first started"), "{}", rest.err);
    let rest = retry(&["--from", "second"]);
    assert_eq!((rest.code, &*ran(&folder)), (Some(0), "third fourth second third fourth"));
    let list =
        workflow_in(&folder, &["runs", "list", "--status", "completed", "-f", "json"]).json();
    assert_eq!(list["items"][0]["trigger"], "retry");
    let again = list["items"][0]["id"].as_str().expect("an id");
    let jobs = get(&folder, again)["jobs"].as_array().map(Vec::len);
    assert_eq!(jobs, Some(4));
    // Reused jobs did not run again, so they are not counted again.
    let stats = workflow_in(&folder, &["stats", "-f", "json"]).json();
    let of = |job: &Json| (job["job"].clone(), job["completed"].clone(), job["failed"].clone());
    let jobs: Vec<_> = stats[0]["jobs"].as_array().expect("a list").iter().map(of).collect();
    let expected = [("first", 2, 0), ("fourth", 2, 0), ("second", 3, 0), ("third", 2, 2)];
    assert_eq!(jobs, expected.map(|(job, good, bad)| (job.into(), good.into(), bad.into())));
}

#[test]
fn a_created_workflow_runs() {
    let folder = folder("created", &[("steps.yaml", STEPS), ("go", ""), ("right", "")]);
    assert_eq!(workflow_in(&folder, &["workflows", "create", "steps.yaml"]).code, Some(0));
    let db = ["--db", ".workflow/workflows.db", "-q"];
    assert_eq!(workflow_in(&folder, &[&["run", "1"], &db[..]].concat()).code, Some(0));
    let unknown = workflow_in(&folder, &[&["run", "stepz"], &db[..]].concat());
    assert_eq!(unknown.code, Some(2));
}
