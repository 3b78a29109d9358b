//! Workers that die or are stopped, and others that take over.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use workflow_core::id::RunId;
use workflow_core::job::closure;
use workflow_core::workflow::FunctionWorkflow;
use workflow_core::{Flow, JobError};
use workflow_temporal::TemporalClient;

use crate::support::options;

/// The example `steps` as a process.
struct Worker {
    process: Child,
    lines: Receiver<String>,
}

impl Worker {
    fn start(prefix: &str) -> Self {
        let mut process = Command::new(example())
            .args([&test_temporal::server().address(), prefix])
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

/// Starts a run of the example's workflow, which this process does not have.
async fn start(client: &TemporalClient) -> workflow_temporal::TemporalRun {
    let steps = FunctionWorkflow::new("four_steps", |flow: &mut Flow| {
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
    let run = start(&client(&prefix).await).await;
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
    let first = Worker::start(&prefix);
    let run = start(&client(&prefix).await).await;
    first.until("step 2 ");
    let second = Worker::start(&prefix);
    first.signal("-TERM");
    // It waits for the attempt for 5 s, which takes 6 s.
    second.until("step 2 attempt 1");
    first.until("stopped");
    assert_eq!(run.result::<u64>().await.expect("it completes"), 4);
}
