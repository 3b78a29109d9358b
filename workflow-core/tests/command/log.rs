//! What is kept and streamed of the output of commands.

use std::sync::{Arc, Mutex};

use futures::future::join_all;
use workflow_core::command::{Command, RunLog, Shell, Stream};
use workflow_core::{Engine, JobContext};

use super::{Folder, block_on, gate, workflow};

#[test]
fn output_is_kept_by_job_and_attempt() {
    let folder = Folder::new();
    let path = folder.path("run.log");
    let shell = Shell::new().log(RunLog::open(&path).expect("the log opens"));
    let command = Command::new("echo out; echo err >&2");
    let (workflow, ended) = workflow(shell, command);
    Engine::default().run(workflow).wait().expect("the run completes");
    ended.recv().expect("the command ended").expect("it succeeds");
    let log = RunLog::read(&path, "command", 1).expect("the log is read");
    assert_eq!((log.stdout(), log.stderr()), (b"out\n".to_vec(), b"err\n".to_vec()));
    let entries = RunLog::attempts(&path).expect("the log is read");
    assert_eq!((entries.len(), entries[0].stdout_bytes), (1, 4));
}

#[test]
fn any_bytes_survive() {
    let folder = Folder::new();
    let path = folder.path("run.log");
    let shell = Shell::new().log(RunLog::open(&path).expect("the log opens"));
    let all: Vec<u8> = (0..=255).collect();
    std::fs::write(folder.path("bytes"), &all).expect("the folder is ours");
    let mut command = Command::new("cat bytes bytes; cat bytes >&2");
    command.cwd = Some(folder.0.clone());
    block_on(shell.run(&command, &JobContext::detached())).expect("it succeeds");
    let log = RunLog::read(&path, "", 1).expect("the log is read");
    assert_eq!((log.stdout(), log.stderr()), (all.repeat(2), all));
}

#[test]
fn what_is_beyond_the_limit_is_counted() {
    let folder = Folder::new();
    let path = folder.path("run.log");
    let live = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&live);
    let shell = Shell::new().log(RunLog::open(&path).expect("the log opens")).live(move |chunk| {
        seen.lock().expect("no one panics").extend_from_slice(chunk.bytes);
    });
    let mut command = Command::new("head -c 1000000 /dev/zero; echo last words >&2; exit 1");
    command.output_limit = 100_000;
    let end = block_on(shell.run(&command, &JobContext::detached()));
    let error = end.expect_err("it fails").to_string();
    assert!(error.ends_with("last words"), "{error}");
    let log = RunLog::read(&path, "", 1).expect("the log is read");
    assert_eq!((log.stdout().len(), log.dropped_bytes), (100_000, 900_011));
    assert_eq!(live.lock().expect("no one panics").len(), 100_000);
}

#[test]
fn two_hundred_commands_run_at_once() {
    let folder = Folder::new();
    let path = folder.path("run.log");
    let log = RunLog::open(&path).expect("the log opens");
    let gate = gate(&folder);
    let waiting = Arc::new(Mutex::new(0));
    let shell = Shell::new().log(log).live(move |chunk| {
        assert_eq!((chunk.stream, chunk.bytes), (Stream::Stdout, b"here\n".as_slice()));
        let mut waiting = waiting.lock().expect("no one panics");
        *waiting += 1;
        if *waiting == COUNT {
            std::io::Write::write_all(&mut &gate, &[b'\n'; COUNT]).expect("the gate opens");
        }
    });
    let mut command = Command::new("echo here; read -r _ < gate");
    command.cwd = Some(folder.0.clone());
    let context = JobContext::detached();
    let ends = block_on(join_all((0..COUNT).map(|_| shell.run(&command, &context))));
    for end in ends {
        end.expect("it succeeds");
    }
    let log = RunLog::read(&path, "", 1).expect("the log is read");
    assert_eq!(log.stdout(), b"here\n".repeat(COUNT));
}

const COUNT: usize = 200;

#[test]
fn any_executor_will_do() {
    let command = Command::new("echo a=1 > $WORKFLOW_OUTPUT");
    let ends = async || {
        let context = JobContext::detached();
        Shell::new().run(&command, &context).await.expect("it succeeds").outputs.len()
    };
    assert_eq!(smol::block_on(ends()), 1);
    let tokio = tokio::runtime::Builder::new_current_thread().build().expect("tokio starts");
    assert_eq!(tokio.block_on(ends()), 1);
}
