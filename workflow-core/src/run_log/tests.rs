use std::borrow::Cow;
use std::fs::{self, OpenOptions};

use super::*;

/// A folder that is removed with the test.
pub(crate) struct TestFolder(PathBuf);

impl TestFolder {
    pub(crate) fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("workflow-test-{}", uuid::Uuid::new_v4()));
        fs::create_dir(&folder).expect("the temporary folder can be written");
        Self(folder)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for TestFolder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).expect("the folder of a test can be removed");
    }
}

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
fn each_attempt_has_its_own_output() {
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
fn concurrent_writers_do_not_mix_records() {
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
fn output_and_names_cannot_forge_a_record() {
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
fn a_crash_while_writing_loses_only_that_record() {
    let folder = TestFolder::new();
    let path = folder.path("run.log");
    let log = RunLog::open(&path).expect("the log opens");
    print(&log, "a", 1, OutputStream::Stdout, b"kept\n");
    let whole = std::fs::metadata(&path).expect("it is there").len();
    print(&log, "a", 1, OutputStream::Stdout, b"torn\n");
    drop(log);
    let log = RunLog::open(&path).expect("the log opens again");
    print(&log, "b", 1, OutputStream::Stdout, b"after\n");
    let end = std::fs::metadata(&path).expect("it is there").len();
    for length in (0..end).rev() {
        let file = OpenOptions::new().write(true).open(&path).expect("it opens");
        file.set_len(length).expect("it is cut");
        let wanted: &[u8] = if length < whole { b"" } else { b"kept\n" };
        assert_eq!(stdout(&path, "a", 1), wanted, "cut at {length}");
        assert_eq!(stdout(&path, "b", 1), b"after\n", "cut at {length}");
        let after = all(&path).pop();
        assert_eq!(after, Some((2, "after\n".to_owned())), "cut at {length}");
    }
}

/// All output from a position on, with its segment.
fn all_from(path: &Path, from: LogPosition) -> Vec<(u32, String)> {
    let records = RunLog::read_from(path, from).expect("the log is read");
    let piece = |record: Result<LogRecord, LogError>| {
        let LogRecord { place, chunk, .. } = record.expect("it is whole");
        (place.segment, String::from_utf8(chunk.bytes).expect("text"))
    };
    records.map(piece).collect()
}

fn all(path: &Path) -> Vec<(u32, String)> {
    all_from(path, LogPosition::default())
}

#[test]
fn each_handle_writes_its_own_segment() {
    let folder = TestFolder::new();
    let path = folder.path("run.log");
    let first = RunLog::open(&path).expect("the log opens");
    print(&first, "a", 1, OutputStream::Stdout, b"1\n");
    let second = RunLog::open(&path).expect("the log opens beside it");
    print(&second, "a", 2, OutputStream::Stdout, b"2\n");
    print(&first, "a", 1, OutputStream::Stdout, b"late\n");
    drop((first, second));
    let third = RunLog::open(&path).expect("the log opens again");
    print(&third, "b", 1, OutputStream::Stderr, b"3\n");
    for name in ["run.log", "run.2.log", "run.3.log"] {
        assert!(folder.path(name).is_file(), "{name}");
    }
    let wanted = [(1, "1\n"), (1, "late\n"), (2, "2\n"), (3, "3\n")];
    assert_eq!(all(&path), wanted.map(|(segment, text)| (segment, text.to_owned())));
    let entries = RunLog::attempts(&path).expect("the log is read");
    let found: Vec<_> = entries.iter().map(|of| (&*of.job, of.attempt, of.segment)).collect();
    assert_eq!(found, [("a", 1, 1), ("a", 2, 2), ("b", 1, 3)]);
}

#[test]
fn reading_resumes_at_every_position() {
    let folder = TestFolder::new();
    let path = folder.path("run.log");
    for segment in 0..3 {
        let log = RunLog::open(&path).expect("the log opens");
        for line in 0..3 {
            print(&log, "a", segment + 1, OutputStream::Stdout, format!("{line}\n").as_bytes());
        }
    }
    let everything = all(&path);
    assert_eq!(everything.len(), 9);
    let places = RunLog::read_from(&path, LogPosition::default()).expect("the log is read");
    let places: Vec<_> = places.map(|record| record.expect("it is whole").place).collect();
    for (at, place) in places.iter().enumerate() {
        assert_eq!(all_from(&path, place.start()), everything[at..]);
        assert_eq!(all_from(&path, place.end()), everything[at + 1..]);
    }
    // A segment that does not exist, and a place in it.
    assert!(all_from(&path, LogPosition::new(4, 0)).is_empty());
    assert!(all_from(&path, LogPosition::new(4, 19)).is_empty());
}

#[test]
fn following_misses_nothing_when_a_run_changes_owner() {
    let folder = TestFolder::new();
    let path = folder.path("run.log");
    let (mut seen, mut from) = (Vec::new(), LogPosition::default());
    let mut look = |path: &Path| {
        for record in RunLog::read_from(path, from).expect("the log is read") {
            let record = record.expect("it is whole");
            from = record.place.end();
            seen.push(String::from_utf8(record.chunk.bytes).expect("text"));
        }
        seen.len()
    };
    let first = RunLog::open(&path).expect("the log opens");
    assert_eq!(look(&path), 0);
    print(&first, "a", 1, OutputStream::Stdout, b"1");
    assert_eq!(look(&path), 1);
    print(&first, "a", 1, OutputStream::Stdout, b"2");
    let second = RunLog::open(&path).expect("the log opens");
    assert_eq!(look(&path), 2);
    print(&first, "a", 1, OutputStream::Stdout, b"3");
    print(&second, "a", 2, OutputStream::Stdout, b"4");
    assert_eq!(look(&path), 4);
    assert_eq!(look(&path), 4);
    print(&second, "a", 2, OutputStream::Stdout, b"5");
    look(&path);
    assert_eq!(seen, ["1", "2", "3", "4", "5"]);
}

#[test]
fn records_appended_while_reading_come_before_the_next_segment() {
    let folder = TestFolder::new();
    let path = folder.path("run.log");
    let first = RunLog::open(&path).expect("the log opens");
    print(&first, "a", 1, OutputStream::Stdout, b"1");
    let mut reading = RunLog::read_from(&path, LogPosition::default()).expect("the log is read");
    let place = reading.next().expect("there is one").expect("it is whole").place;
    // The reader does not know these, and must not skip the first of them.
    print(&first, "a", 1, OutputStream::Stdout, b"2");
    let second = RunLog::open(&path).expect("the log opens");
    print(&second, "a", 2, OutputStream::Stdout, b"3");
    assert!(reading.next().is_none());
    let rest = all_from(&path, place.end());
    assert_eq!(rest, [(1, "2".to_owned()), (2, "3".to_owned())]);
}

#[test]
fn a_restarted_attempt_has_only_output_since_the_restart() {
    let folder = TestFolder::new();
    let path = folder.path("run.log");
    let paused = RunLog::open(&path).expect("the log opens");
    paused.begin("a", 1).expect("noted");
    print(&paused, "a", 1, OutputStream::Stdout, b"half of it\n");
    print(&paused, "silent", 1, OutputStream::Stdout, b"too early\n");
    print(&paused, "done", 1, OutputStream::Stdout, b"all of it\n");
    let heir = RunLog::open(&path).expect("the log opens");
    heir.begin("a", 1).expect("noted");
    heir.begin("silent", 1).expect("noted");
    print(&heir, "a", 1, OutputStream::Stdout, b"all of it\n");
    // The paused engine continues, and has not noticed yet.
    print(&paused, "a", 1, OutputStream::Stdout, b"and the rest\n");
    assert_eq!(stdout(&path, "a", 1), b"all of it\n");
    assert_eq!(stdout(&path, "silent", 1), b"");
    assert_eq!(stdout(&path, "done", 1), b"all of it\n");
    let segment = |job| RunLog::segment_of(&path, job, 1).expect("the log is read");
    assert_eq!(["a", "silent", "done", "none"].map(segment), [2, 2, 1, 1]);
    let entries = RunLog::attempts(&path).expect("the log is read");
    let found: Vec<_> = entries.iter().map(|of| (&*of.job, of.stdout_bytes, of.segment)).collect();
    assert_eq!(found, [("a", 10, 2), ("done", 10, 1)]);
}

#[test]
fn files_that_are_not_logs_are_not_changed() {
    let folder = TestFolder::new();
    let path = folder.path("run.log");
    std::fs::write(&path, "dear diary\n").expect("the folder is ours");
    let error = RunLog::open(&path).expect_err("it is no log").to_string();
    let wanted = "is damaged at byte 0: not the log of a run; move it away to start a new one";
    assert!(error.ends_with(wanted), "{error}");
    assert_eq!(std::fs::read(&path).expect("it is there"), b"dear diary\n");
    std::fs::write(&path, [FIRST_LINE, b"no header\n"].concat()).expect("the folder is ours");
    let error = RunLog::read(&path, "a", 1).expect_err("it is damaged").to_string();
    assert!(error.contains("byte 19: invalid header of a record"), "{error}");
}

#[test]
fn a_partly_written_record_is_truncated() {
    let folder = TestFolder::new();
    let path = folder.path("run.log");
    let log = RunLog::open(&path).expect("the log opens");
    print(&log, "a", 1, OutputStream::Stdout, b"before\n");
    let writable = log.swap_file(File::open(&path).expect("it is there"));
    let error =
        log.append(&header("a", 1, OutputStream::Stdout, 4), b"lost").expect_err("read only");
    assert!(error.to_string().starts_with("cannot write the log `"), "{error}");
    (&writable).write_all(b"{\"job\":").expect("half a record is written");
    log.swap_file(writable);
    print(&log, "a", 1, OutputStream::Stdout, b"after\n");
    assert_eq!(stdout(&path, "a", 1), b"before\nafter\n");
}
