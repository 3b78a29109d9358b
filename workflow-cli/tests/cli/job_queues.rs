//! Jobs with a task queue of their own, with real workers that are killed, late, or asked to stop.
#![cfg(target_os = "linux")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, test_kill_process};
use serde_json::{Value as Json, json};
use test_postgres as cluster;

use crate::support::{Outcome, Worker, command, folder};

/// The second job is for another queue. It says who executes it, and waits for the file `go`.
const MODEL: &str = "
name: model
jobs:
  - name: prepare
    command: echo $ROLE >> prepared; echo n=7 >> $WORKFLOW_OUTPUT
    outputs: [n]
  - name: train
    task_queue: gpu
    depends_on: [prepare]
    command: |
      echo \"$ROLE $$\" >> trained
      echo training with ${{ jobs.prepare.outputs.n }} at $ROLE
      while [ ! -e go ]; do sleep 0.02; done
      echo n=8 >> $WORKFLOW_OUTPUT
    outputs: [n]
  - name: report
    depends_on: [train]
    command: echo $ROLE ${{ jobs.train.outputs.n }} >> reported
";

/// A folder with the file, and the database of its runs.
struct Place {
    folder: PathBuf,
    url: String,
    /// Kept until the end of the test.
    _database: Option<cluster::Database>,
}

impl Place {
    fn sqlite(test: &str) -> Self {
        let folder = folder(test, &[("model.yaml", MODEL)]);
        let url = format!("sqlite://{}", folder.join("runs.db").display());
        Self { folder, url, _database: None }
    }

    fn postgres(test: &str) -> Self {
        let database = cluster::database();
        let url = database.url().to_owned();
        let folder = folder(test, &[("model.yaml", MODEL)]);
        Self { folder, url, _database: Some(database) }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = command(assert_cmd::cargo::cargo_bin!("workflow"));
        command.args(args).current_dir(&self.folder).env("WORKFLOW_DB", &self.url);
        command
    }

    fn workflow(&self, args: &[&str]) -> Outcome {
        self.command(args).output().expect("it starts").into()
    }

    /// Starts a worker whose jobs know it by this role.
    fn worker(&self, role: &str, queue: &str) -> Worker {
        let mut command = self.command(&["worker", "--task-queue", queue]);
        command.env("ROLE", role);
        Worker::start(command)
    }

    fn trigger(&self) -> String {
        let queued = self.workflow(&["trigger", "model.yaml"]);
        assert_eq!(queued.code, Some(0), "{}", queued.err);
        let warning = "no live worker serves gpu, the task queue of job train; start a worker";
        assert!(queued.err.contains(warning), "{}", queued.err);
        queued.out.trim().to_owned()
    }

    fn run(&self, run: &str) -> Json {
        self.workflow(&["runs", "get", run, "-f", "json"]).json()
    }

    /// The text of a file that commands have written.
    fn text(&self, file: &str) -> String {
        fs::read_to_string(self.folder.join(file)).unwrap_or_default()
    }

    fn go(&self) {
        fs::write(self.folder.join("go"), "").expect("written");
    }

    fn until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(40);
        while !holds() {
            assert!(Instant::now() < deadline, "{what} did not come about");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn until_trained(&self, times: usize) {
        let count = || self.text("trained").lines().count();
        self.until("the attempt", || count() == times);
    }

    fn until_status(&self, run: &str, status: &str) {
        self.until(status, || self.run(run)["status"] == json!(status));
    }

    fn check_completed(&self, run: &str) {
        self.until_status(run, "completed");
        let jobs = self.run(run)["jobs"].clone();
        let attempts: Vec<_> =
            jobs.as_array().expect("jobs").iter().map(|job| job["attempts"].clone()).collect();
        assert_eq!(attempts, [1, 1, 1], "{jobs}");
    }
}

#[test]
fn each_worker_executes_the_jobs_of_its_queue() {
    let place = Place::sqlite("job_queues_each");
    place.go();
    let run = place.trigger();
    let _main = place.worker("main", "default-workflows");
    let _gpu = place.worker("gpu", "gpu");
    place.check_completed(&run);
    assert_eq!((&*place.text("prepared"), &*place.text("reported")), ("main\n", "main 8\n"));
    assert!(place.text("trained").starts_with("gpu "), "{}", place.text("trained"));
    // What the job printed is in the log of the run.
    let log = place.workflow(&["runs", "logs", &run, "--job", "train"]);
    assert!(log.out.contains("training with 7 at gpu"), "{}{}", log.out, log.err);
}

#[test]
fn a_job_waits_for_a_late_worker_and_says_so() {
    let place = Place::sqlite("job_queues_late");
    place.go();
    let run = place.trigger();
    let _main = place.worker("main", "default-workflows");
    let why = || place.workflow(&["runs", "why", &run]).out;
    let expected = "job `train` waits in task queue `gpu`, which no live worker serves
  fix: start a worker that has the workflow: `worker --task-queue=gpu`
";
    place.until("the reason", || why().contains(expected));
    let listed = place.workflow(&["workers", "list", "-f", "json"]).json();
    let queue = &listed["queues"][0];
    assert_eq!(
        (&queue["queue"], &queue["runs"], &queue["jobs"]),
        (&json!("gpu"), &json!(0), &json!(1))
    );
    assert_eq!(queue["workers"], 0);
    let _gpu = place.worker("gpu", "gpu");
    place.check_completed(&run);
}

fn the_worker_of_the_job_is_killed(place: &Place) {
    let run = place.trigger();
    let _main = place.worker("main", "default-workflows");
    let gpu = place.worker("first", "gpu");
    place.until_trained(1);
    drop(gpu);
    let _second = place.worker("second", "gpu");
    let killed = Instant::now();
    place.until_trained(2);
    assert!(killed.elapsed() < Duration::from_secs(12), "{:?}", killed.elapsed());
    place.go();
    place.check_completed(&run);
    let roles = place.text("trained");
    let roles: Vec<_> = roles.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(roles, ["first", "second"]);
}

#[test]
fn a_killed_worker_of_the_job_is_replaced_on_sqlite() {
    the_worker_of_the_job_is_killed(&Place::sqlite("job_queues_killed"));
}

#[test]
fn a_killed_worker_of_the_job_is_replaced_on_postgres() {
    the_worker_of_the_job_is_killed(&Place::postgres("job_queues_killed_postgres"));
}

fn the_worker_of_the_run_is_killed(place: &Place) {
    let run = place.trigger();
    let main = place.worker("main", "default-workflows");
    let _gpu = place.worker("gpu", "gpu");
    place.until_trained(1);
    let owner = || place.run(&run)["owner"].clone();
    let dead = owner();
    drop(main);
    let _next = place.worker("next", "default-workflows");
    place.until("another owner", || owner() != dead);
    place.go();
    place.check_completed(&run);
    // The attempt continued meanwhile, and was made once.
    assert_eq!(place.text("trained").lines().count(), 1, "{}", place.text("trained"));
    assert_eq!(place.text("reported"), "next 8\n");
}

#[test]
fn a_killed_worker_of_the_run_loses_no_attempt_on_sqlite() {
    the_worker_of_the_run_is_killed(&Place::sqlite("job_queues_owner"));
}

#[test]
fn a_killed_worker_of_the_run_loses_no_attempt_on_postgres() {
    the_worker_of_the_run_is_killed(&Place::postgres("job_queues_owner_postgres"));
}

#[test]
fn a_cancel_kills_the_command_elsewhere() {
    let place = Place::postgres("job_queues_cancel");
    let run = place.trigger();
    let _main = place.worker("main", "default-workflows");
    let _gpu = place.worker("gpu", "gpu");
    place.until_trained(1);
    let trained = place.text("trained");
    let shell: i32 =
        trained.trim().rsplit(' ').next().and_then(|it| it.parse().ok()).expect("a process");
    let cancelled = place.workflow(&["runs", "cancel", &run]);
    assert_eq!(cancelled.code, Some(0), "{}", cancelled.err);
    place.until_status(&run, "cancelled");
    let shell = Pid::from_raw(shell).expect("a process");
    place.until("the end of the command", || test_kill_process(shell).is_err());
}

#[test]
fn a_worker_that_stops_hands_its_job_on() {
    let place = Place::sqlite("job_queues_terminated");
    let run = place.trigger();
    let _main = place.worker("main", "default-workflows");
    let mut first = place.worker("first", "gpu");
    place.until_trained(1);
    first.signal(Signal::TERM);
    let _second = place.worker("second", "gpu");
    // A second signal does not wait for the jobs.
    first.signal(Signal::TERM);
    first.wait();
    place.until_trained(2);
    place.go();
    place.check_completed(&run);
}

#[test]
fn one_process_without_a_database_executes_everything() {
    let place = Place::sqlite("job_queues_alone");
    place.go();
    let mut run = place.command(&["run", "model.yaml", "-q"]);
    let ended: Outcome =
        run.env_remove("WORKFLOW_DB").env("ROLE", "alone").output().expect("it starts").into();
    assert_eq!(ended.code, Some(0), "{}{}", ended.out, ended.err);
    assert!(place.text("trained").starts_with("alone "), "{}", place.text("trained"));
}

#[test]
fn mistakes_in_a_file_have_their_place() {
    let file = "
name: wrong
jobs:
  - name: child
    workflow: model
    task_queue: gpu
  - name: empty
    command: 'true'
    task_queue: ''
";
    let folder = folder("job_queues_wrong", &[("wrong.yaml", file)]);
    let checked = check(&folder);
    assert_eq!(checked.code, Some(1), "{}", checked.out);
    let told = format!("{}{}", checked.out, checked.err);
    assert!(told.contains("a job that runs a workflow cannot have a `task_queue`"), "{told}");
    assert!(told.contains("invalid task queue: a name is empty"), "{told}");
}

fn check(folder: &Path) -> Outcome {
    crate::support::workflow_in(folder, &["validate", "wrong.yaml"])
}
