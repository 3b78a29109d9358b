//! What is kept and streamed of the output of commands.

use std::io::Write as _;

use futures::executor::block_on_stream;
use futures::future::join_all;
use workflow_core::event::EventKind;
use workflow_core::run_log::{LogPosition, LogRecord, OutputStream, RunLog};
use workflow_core::{Engine, JobContext, Run as _};
use workflow_files::command::{Command, Shell};

use super::{Folder, block_on, eventually, gate, workflow};

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
fn output_beyond_the_limit_is_counted() {
    let folder = Folder::new();
    let path = folder.path("run.log");
    let shell = Shell::new().log(RunLog::open(&path).expect("the log opens"));
    let mut command = Command::new("head -c 1000000 /dev/zero; echo last words >&2; exit 1");
    command.output_limit = 100_000;
    let end = block_on(shell.run(&command, &JobContext::detached()));
    let error = end.expect_err("it fails").to_string();
    assert!(error.ends_with("last words"), "{error}");
    let log = RunLog::read(&path, "", 1).expect("the log is read");
    assert_eq!((log.stdout().len(), log.dropped_bytes), (100_000, 900_011));
}

#[test]
fn two_hundred_commands_run_at_once() {
    let folder = Folder::new();
    let path = folder.path("run.log");
    let log = RunLog::open(&path).expect("the log opens");
    let gate = gate(&folder);
    let shell = Shell::new().log(log);
    let kept = path.clone();
    let opens = std::thread::spawn(move || {
        eventually("all wait", || {
            let kept = RunLog::read(&kept, "", 1).expect("the log is read");
            kept.stdout() == b"here\n".repeat(COUNT)
        });
        (&gate).write_all(&[b'\n'; COUNT]).expect("the gate opens");
        gate
    });
    let mut command = Command::new("echo here; read -r _ < gate");
    command.cwd = Some(folder.0.clone());
    let context = JobContext::detached();
    let ends = block_on(join_all((0..COUNT).map(|_| shell.run(&command, &context))));
    for end in ends {
        end.expect("it succeeds");
    }
    // Until here, because a command may open the gate after the others have passed it.
    drop(opens.join().expect("all of them waited at once"));
}

const COUNT: usize = 200;

#[test]
fn events_show_what_the_log_keeps_and_where() {
    let folder = Folder::new();
    let path = folder.path("run.log");
    let shell = Shell::new().log(RunLog::open(&path).expect("the log opens"));
    let script = "printf 'gr\\303\\266\\303\\237er \\377\\n'; echo 2 >&2; printf end";
    let (workflow, _ended) = workflow(shell, Command::new(script));
    let run = Engine::default().run(workflow).start().expect("the run starts");
    let mut shown: Vec<_> = block_on_stream(run.events())
        .filter_map(|event| match event.kind {
            EventKind::JobOutput { job, attempt, stream, text, log } => {
                Some((log.expect("a log is kept"), job, attempt, stream, text))
            }
            _ => None,
        })
        .collect();
    let as_shown = |record: LogRecord| {
        let text = String::from_utf8_lossy(&record.chunk.bytes).into_owned();
        (record.place, record.job, record.attempt, record.chunk.stream, text)
    };
    let kept = |from| -> Vec<_> {
        let records = RunLog::read_from(&path, from).expect("the log is read");
        records.map(|record| as_shown(record.expect("it is whole"))).collect()
    };
    assert_eq!(shown, kept(LogPosition::default()));
    let of = |wanted| shown.iter().filter(move |(.., stream, _)| *stream == wanted);
    let out: Vec<_> = of(OutputStream::Stdout).map(|(.., text)| text.as_str()).collect();
    assert_eq!(out, ["größer \u{fffd}\n", "end"]);
    assert_eq!(of(OutputStream::Stderr).map(|(.., text)| text.as_str()).collect::<String>(), "2\n");
    // Who has seen the first continues with the second.
    let (first, ..) = shown.remove(0);
    assert_eq!(kept(first.end()), shown);
    assert!(kept(u64::MAX.into()).is_empty());
    let between = LogPosition::from(u64::from(first.start()) + 1);
    let mut wrong = RunLog::read_from(&path, between).expect("it is a log");
    let error = wrong.try_for_each(|record| record.map(drop));
    assert!(error.expect_err("no record begins there").to_string().contains("is damaged at byte"));
}

#[test]
fn output_beyond_the_limit_is_not_an_event() {
    let mut command = Command::new("head -c 1000000 /dev/zero");
    command.output_limit = 100_000;
    let (workflow, _ended) = workflow(Shell::new(), command);
    let run = Engine::default().run(workflow).start().expect("the run starts");
    let shown = block_on_stream(run.events()).map(|event| match event.kind {
        EventKind::JobOutput { text, log, .. } => {
            assert_eq!(log, None);
            text.len()
        }
        _ => 0,
    });
    assert_eq!(shown.sum::<usize>(), 100_000);
}

#[test]
fn commands_run_under_any_executor() {
    let command = Command::new("echo a=1 > $WORKFLOW_OUTPUT");
    let ends = async || {
        let context = JobContext::detached();
        Shell::new().run(&command, &context).await.expect("it succeeds").outputs.len()
    };
    assert_eq!(smol::block_on(ends()), 1);
    let tokio = tokio::runtime::Builder::new_current_thread().build().expect("tokio starts");
    assert_eq!(tokio.block_on(ends()), 1);
}
