//! Workers that die or are stopped, and others that take over.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use workflow_core::event::{Blocked, EventKind};
use workflow_core::id::RunId;
use workflow_core::job::closure;
use workflow_core::workflow::FunctionWorkflow;
use workflow_core::{Flow, JobError, Status};
use workflow_temporal::{TemporalClient, TemporalRun};

use crate::support::{options, until};

/// The example `steps` as a process.
struct Worker {
    process: Child,
    lines: Receiver<String>,
}

impl Worker {
    fn start(prefix: &str) -> Self {
        Self::start_with(&[prefix])
    }

    /// A worker with a lease and a grace period, in seconds.
    fn with_times(prefix: &str, lease: &str, grace: &str) -> Self {
        Self::start_with(&[prefix, lease, grace])
    }

    /// A worker whose workflows have another definition.
    fn changed(prefix: &str) -> Self {
        Self::start_with(&[prefix, "changed"])
    }

    fn start_with(arguments: &[&str]) -> Self {
        let mut process = Command::new(example())
            .arg(test_temporal::server().address())
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the example is built with the tests");
        let (send, lines) = channel();
        let out = BufReader::new(process.stdout.take().expect("a pipe"));
        std::thread::spawn(move || {
            out.lines().map_while(Result::ok).try_for_each(|line| send.send(line))
        });
        let worker = Self { process, lines };
        worker.until("serving ");
        worker
    }

    /// Waits for a line that starts with this.
    fn until(&self, start: &str) {
        loop {
            let line = self.lines.recv_timeout(Duration::from_secs(60)).expect(start);
            if line.starts_with(start) {
                return;
            }
        }
    }

    /// The lines until it ends.
    fn rest(&self) -> impl Iterator<Item = String> {
        std::iter::from_fn(|| self.lines.recv_timeout(Duration::from_secs(60)).ok())
    }

    fn signal(&self, name: &str) {
        let pid = self.process.id().to_string();
        let status = Command::new("kill").args([name, &pid]).status().expect("kill");
        assert!(status.success(), "kill {name} {pid}");
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn example() -> PathBuf {
    let test = std::env::current_exe().expect("a path");
    let debug = test.parent().and_then(|deps| deps.parent()).expect("the folder of the profile");
    debug.join("examples/steps")
}

/// Starts a run of a workflow of the example, which this process does not have.
async fn start(client: &TemporalClient, workflow: &str) -> TemporalRun {
    let steps = FunctionWorkflow::new(workflow, |flow: &mut Flow| {
        let nothing = flow.value(());
        flow.job(closure("elsewhere", nothing, |()| async { Ok::<_, JobError>(()) }));
    });
    let steps = steps.expect("a name");
    client.run(steps).start().await.expect("it starts")
}

async fn client(prefix: &str) -> TemporalClient {
    let client = TemporalClient::connect(&options()).await.expect("the server is there");
    client.queue_prefix(prefix.to_owned())
}

#[tokio::test]
async fn a_killed_worker_is_replaced_within_12_seconds() {
    let prefix = format!("killed-{}", RunId::random());
    let first = Worker::start(&prefix);
    let run = start(&client(&prefix).await, "four_steps").await;
    first.until("step 2 ");
    let second = Worker::start(&prefix);
    first.signal("-KILL");
    let killed = Instant::now();
    // The attempt that the crash interrupted costs none of the job's attempts.
    second.until("step 2 attempt 1");
    assert!(killed.elapsed() < Duration::from_secs(12), "{:?}", killed.elapsed());
    assert_eq!(run.result::<u64>().await.expect("it completes"), 4);
}

#[tokio::test]
async fn a_stopped_worker_hands_over() {
    let prefix = format!("stopped-{}", RunId::random());
    let first = Worker::with_times(&prefix, "8", "1");
    let run = start(&client(&prefix).await, "four_steps").await;
    first.until("step 2 ");
    let second = Worker::start(&prefix);
    first.signal("-TERM");
    // It waits for the attempt for 1 s, which takes 3 s.
    second.until("step 2 attempt 1");
    first.until("stopped");
    assert_eq!(run.result::<u64>().await.expect("it completes"), 4);
}

/// The jobs of the run that have completed. Each has one outcome.
async fn completed(run: &TemporalRun) -> usize {
    let events = run.events(0).await.expect("a worker answers").into_vec();
    let mut jobs: Vec<_> = events
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::JobCompleted { job, .. } => Some(job.clone()),
            _ => None,
        })
        .collect();
    let count = jobs.len();
    jobs.sort();
    jobs.dedup();
    assert_eq!(jobs.len(), count, "{jobs:?}");
    count
}

#[tokio::test]
async fn workers_are_stopped_paused_and_killed_under_load() {
    let prefix = format!("load-{}", RunId::random());
    let client = client(&prefix).await;
    let [stopped, paused, killed] = [(); 3].map(|()| Worker::with_times(&prefix, "2", "5"));
    let mut runs = Vec::new();
    for _ in 0..30 {
        runs.push(start(&client, "six_parts").await);
    }
    for worker in [&stopped, &paused, &killed] {
        worker.until("made ");
    }
    stopped.signal("-TERM");
    paused.signal("-STOP");
    killed.signal("-KILL");
    let last = Worker::start(&prefix);
    // It ends its attempts before it stops.
    stopped.until("stopped");
    last.until("made ");
    // What it had begun is somebody else's by now.
    tokio::time::timeout(Duration::from_secs(60), runs[0].output())
        .await
        .expect("in time")
        .expect("6");
    paused.signal("-CONT");
    for run in &runs {
        assert_eq!(run.result::<u64>().await.expect("it completes"), 6);
        // Six parts, and the function.
        assert_eq!(completed(run).await, 7);
    }
}

#[tokio::test]
async fn a_drained_worker_redoes_nothing() {
    let prefix = format!("drained-{}", RunId::random());
    let client = client(&prefix).await;
    let first = Worker::start(&prefix);
    let mut runs = Vec::new();
    for _ in 0..10 {
        runs.push(start(&client, "six_parts").await);
    }
    first.until("made ");
    first.signal("-TERM");
    let second = Worker::start(&prefix);
    for run in &runs {
        assert_eq!(run.result::<u64>().await.expect("it completes"), 6);
    }
    second.signal("-TERM");
    let mut made: Vec<String> = first.rest().chain(second.rest()).collect();
    made.retain(|line| line.starts_with("made "));
    made.sort();
    let count = made.len();
    made.dedup();
    assert_eq!((count, made.len()), (59, 59), "each part was made once");
}

#[tokio::test]
async fn a_worker_of_another_definition_blocks_the_run() {
    let prefix = format!("changed-{}", RunId::random());
    let first = Worker::start(&prefix);
    let run = start(&client(&prefix).await, "six_parts").await;
    first.until("made ");
    first.signal("-TERM");
    first.until("stopped");
    let changed = Worker::changed(&prefix);
    until(|| async { run.state().await.is_ok_and(|state| state.blocked.is_some()) }).await;
    let state = run.state().await.expect("the server answers");
    assert!(matches!(state.blocked, Some(Blocked::DefinitionChanged { .. })), "{state:?}");
    assert_eq!((state.status, state.has_worker), (Status::Running, true));
    // The events come from the history.
    assert!((1..=5).contains(&completed(&run).await));
    changed.signal("-TERM");
    changed.until("stopped");
    let _right = Worker::start(&prefix);
    assert_eq!(run.result::<u64>().await.expect("it completes"), 6);
    assert_eq!(run.state().await.expect("the server answers").blocked, None);
}
