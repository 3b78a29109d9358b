use std::borrow::Cow;
use std::fs::OpenOptions;

use super::*;
use crate::command::scratch::TestFolder;
use crate::command::{Command, CommandError, Shell};
use crate::job::{JobContext, OutputStream};

fn header(job: &str, attempt: u32, stream: OutputStream, bytes: usize) -> Header<'_> {
    let job = Cow::Borrowed(job);
    Header { job, attempt, stream: Some(stream), after_ms: 5, bytes, dropped: None }
}

fn print(log: &RunLog, job: &str, attempt: u32, stream: OutputStream, body: &[u8]) {
    log.append(&header(job, attempt, stream, body.len()), body).expect("the log is written");
}

fn stdout(path: &Path, job: &str, attempt: u32) -> Vec<u8> {
    RunLog::read(path, job, attempt).expect("the log is read").stdout()
}

#[test]
fn attempts_are_told_apart() {
    let folder = TestFolder::new();
    let path = folder.path("run.log");
    let log = RunLog::open(&path).expect("the log opens");
    print(&log, "a", 1, OutputStream::Stdout, b"first\n");
    print(&log, "b", 1, OutputStream::Stdout, b"other\n");
    print(&log, "a", 1, OutputStream::Stderr, b"oh\xff\n");
    print(&log, "a", 2, OutputStream::Stdout, b"second\n");
    let a = RunLog::read(&path, "a", 1).expect("the log is read");
    assert_eq!((a.stdout(), a.stderr()), (b"first\n".to_vec(), b"oh\xff\n".to_vec()));
    assert_eq!(a.chunks[1].after.as_millis(), 5);
    assert_eq!(stdout(&path, "a", 2), b"second\n");
    assert_eq!(stdout(&path, "none", 1), b"");
    let entries = RunLog::attempts(&path).expect("the log is read");
    let names: Vec<_> = entries.iter().map(|entry| (&*entry.job, entry.attempt)).collect();
    assert_eq!(names, [("a", 1), ("b", 1), ("a", 2)]);
    assert_eq!((entries[0].stdout_bytes, entries[0].stderr_bytes), (6, 4));
}

#[test]
fn writers_at_the_same_time_do_not_mix() {
    let folder = TestFolder::new();
    let path = folder.path("run.log");
    let log = RunLog::open(&path).expect("the log opens");
    let jobs: Vec<String> = (0..8).map(|job| format!("job {job}")).collect();
    std::thread::scope(|scope| {
        for job in &jobs {
            let log = log.clone();
            scope.spawn(move || {
                for line in 0..200 {
                    print(
                        &log,
                        job,
                        1,
                        OutputStream::Stdout,
                        format!("{job}: {line}\n").as_bytes(),
                    );
                }
            });
        }
    });
    for job in &jobs {
        let wanted: String = (0..200).map(|line| format!("{job}: {line}\n")).collect();
        assert_eq!(String::from_utf8_lossy(&stdout(&path, job, 1)), wanted);
    }
}

#[test]
fn no_output_and_no_name_passes_for_a_record() {
    let folder = TestFolder::new();
    let path = folder.path("run.log");
    let log = RunLog::open(&path).expect("the log opens");
    let forged =
        b"x\n{\"job\":\"b\",\"attempt\":1,\"stream\":\"stdout\",\"after_ms\":0,\"bytes\":1}\ny\n";
    let hostile = "a\",\"attempt\":9,\"job\":\"b\n{";
    print(&log, hostile, 1, OutputStream::Stdout, forged);
    print(&log, "a", 1, OutputStream::Stdout, forged);
    assert_eq!(stdout(&path, hostile, 1), forged);
    assert_eq!(stdout(&path, "b", 1), b"");
    assert_eq!(stdout(&path, "b", 9), b"");
}

#[test]
fn a_crash_in_the_middle_of_a_record_costs_that_record() {
    let folder = TestFolder::new();
    let path = folder.path("run.log");
    let log = RunLog::open(&path).expect("the log opens");
    print(&log, "a", 1, OutputStream::Stdout, b"kept\n");
    let whole = std::fs::metadata(&path).expect("it is there").len();
    print(&log, "a", 1, OutputStream::Stdout, b"torn\n");
    drop(log);
    let end = std::fs::metadata(&path).expect("it is there").len();
    for length in (0..end).rev() {
        let file = OpenOptions::new().write(true).open(&path).expect("it opens");
        file.set_len(length).expect("it is cut");
        let wanted: &[u8] = if length < whole { b"" } else { b"kept\n" };
        assert_eq!(stdout(&path, "a", 1), wanted, "cut at {length}");
        let log = RunLog::open(&path).expect("the log opens again");
        print(&log, "b", 1, OutputStream::Stdout, b"after\n");
        assert_eq!(stdout(&path, "a", 1), wanted, "cut at {length}");
        assert_eq!(stdout(&path, "b", 1), b"after\n", "cut at {length}");
    }
}

#[test]
fn one_handle_writes() {
    let folder = TestFolder::new();
    let path = folder.path("run.log");
    let first = RunLog::open(&path).expect("the log opens");
    let busy = RunLog::open(&path).expect_err("it is open");
    assert!(matches!(busy, LogError::Busy(_)), "{busy}");
    drop(first);
    RunLog::open(&path).expect("the log opens again");
}

#[test]
fn what_is_no_log_is_left_alone() {
    let folder = TestFolder::new();
    let path = folder.path("run.log");
    std::fs::write(&path, "dear diary\n").expect("the folder is ours");
    let error = RunLog::open(&path).expect_err("it is no log").to_string();
    let wanted = "is damaged at byte 0: this is no log of a run; move it away to begin a new one";
    assert!(error.ends_with(wanted), "{error}");
    assert_eq!(std::fs::read(&path).expect("it is there"), b"dear diary\n");
    std::fs::write(&path, [FIRST_LINE, b"no header\n"].concat()).expect("the folder is ours");
    let error = RunLog::open(&path).expect_err("it is damaged").to_string();
    assert!(error.contains("byte 19: a line is no header"), "{error}");
}

/// The same log, with another file in its hands.
fn swap_file(log: &RunLog, file: File) -> File {
    std::mem::replace(&mut log.0.lock().expect("no one panics").file, file)
}

#[test]
fn what_a_failed_write_leaves_is_cut_away() {
    let folder = TestFolder::new();
    let path = folder.path("run.log");
    let log = RunLog::open(&path).expect("the log opens");
    print(&log, "a", 1, OutputStream::Stdout, b"before\n");
    let writable = swap_file(&log, File::open(&path).expect("it is there"));
    let error =
        log.append(&header("a", 1, OutputStream::Stdout, 4), b"lost").expect_err("read only");
    assert!(error.to_string().ends_with("run.log` cannot be written"), "{error}");
    (&writable).write_all(b"{\"job\":").expect("half a record is written");
    swap_file(&log, writable);
    print(&log, "a", 1, OutputStream::Stdout, b"after\n");
    assert_eq!(stdout(&path, "a", 1), b"before\nafter\n");
}

#[test]
fn a_command_whose_output_cannot_be_kept_is_stopped() {
    let folder = TestFolder::new();
    let path = folder.path("run.log");
    let log = RunLog::open(&path).expect("the log opens");
    swap_file(&log, File::open(&path).expect("it is there"));
    let shell = Shell::new().log(log);
    let command = Command::new("echo words; sleep 1000");
    let end = futures::executor::block_on(shell.run(&command, &JobContext::detached()));
    let error = end.expect_err("the log cannot be written");
    assert!(matches!(error.downcast_ref(), Some(CommandError::Log(_))), "{error}");
}
