//! Drives one process of dbt from its start to its end, on a thread.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use workflow_core::JobError;

use crate::build::{Build, Work};
use crate::log::{ProcessFolder, Tail};
use crate::process::Process;
use crate::program::last_lines;
use crate::results::{BuildSummary, FILE, ResultsError, RunResults, write_selection};

/// How often the log is read.
const POLL: Duration = Duration::from_millis(20);

/// Does the work for a run, with the error as text.
pub(crate) fn drive(build: &Build, work: Work) -> Result<BuildSummary, Arc<str>> {
    work_on(build, work).map_err(|error| JobError::retryable(error).chain().into())
}

fn work_on(build: &Build, work: Work) -> Result<BuildSummary, DriveError> {
    let Some(lock) = lock(build)? else { return Err(DriveError::Stopped) };
    // Under the lock: an earlier process may have ended only now.
    for earlier in build.unread() {
        let log = earlier.log();
        let recalled = Tail::new(log.clone()).read(|event| build.recall(event));
        recalled.map_err(|source| DriveError::Log { path: log, source })?;
        build.has_read();
    }
    let unfinished = build.select();
    if unfinished.is_empty() || work == Work::Summarize {
        let end = summary(build)?;
        return if end.seconds.is_some() { Ok(end) } else { Err(DriveError::NoEnd) };
    }
    let folder = build.folder.create_next().map_err(|source| DriveError::folder(build, source))?;
    let written = write_selection(&folder.state(), unfinished);
    written.map_err(|source| DriveError::folder(build, source))?;
    let (status, invocation) = run(build, &folder, lock)?;
    build.has_read();
    if build.stops() {
        return Err(DriveError::Stopped);
    }
    // dbt ends with 1 if nodes failed, whose jobs say so, and without results if it failed itself.
    if matches!(status.code(), Some(0 | 1)) {
        keep_results(build, &folder, invocation.as_deref())?;
        let end = summary(build)?;
        if status.success() || end.seconds.is_some() {
            return Ok(end);
        }
    }
    Err(failure(build, &folder, status))
}

/// Waits until no other build of the project runs. The process inherits the lock as its standard
/// input, so that the lock is held until it has ended, also if this host has not. `None` if the
/// build is stopped before.
fn lock(build: &Build) -> Result<Option<File>, DriveError> {
    let folder = build.settings.own_folder();
    let path = folder.join("dbt.lock");
    let fails = |source| DriveError::Lock { path: path.clone(), source };
    fs::create_dir_all(&folder).map_err(fails)?;
    let mut options = File::options();
    let file = options.read(true).write(true).create(true).truncate(false).open(&path);
    let file = file.map_err(fails)?;
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok((!build.stops()).then_some(file)),
            Err(Errno::WOULDBLOCK | Errno::INTR) => {}
            Err(error) => return Err(fails(error.into())),
        }
        if build.stops() {
            return Ok(None);
        }
        build.wait_for_stop(POLL);
    }
}

/// Runs dbt to its end. Returns its exit status and its invocation ID.
fn run(
    build: &Build,
    folder: &ProcessFolder,
    lock: File,
) -> Result<(ExitStatus, Option<String>), DriveError> {
    let mut command = build.settings.build(&folder.state(), folder.path());
    let output = File::create(folder.output()).and_then(|file| Ok((file.try_clone()?, file)));
    let (stdout, stderr) = output.map_err(|source| DriveError::folder(build, source))?;
    command.stdin(lock).stdout(stdout).stderr(stderr);
    let program = build.settings.program.path();
    let started = Process::start(&mut command);
    // Closes the lock of this process: dbt has it.
    drop(command);
    let mut process =
        started.map_err(|source| DriveError::Start { path: program.to_owned(), source })?;
    let mut tail = Tail::new(folder.log());
    let mut invocation = None;
    let mut stopped: Option<Instant> = None;
    loop {
        let ended = process.ended().map_err(DriveError::Wait)?;
        // After the question, so that a process that has ended is read to its end.
        let read = tail.read(|event| {
            invocation = event.invocation.clone().or(invocation.take());
            build.take(event);
        });
        read.map_err(|source| DriveError::Log { path: folder.log(), source })?;
        if let Some(status) = ended {
            return Ok((status, invocation));
        }
        if build.wait_for_stop(POLL) {
            match stopped {
                None => process.interrupt(),
                Some(at) if at.elapsed() > build.settings.grace => process.kill(),
                Some(_) => {}
            }
            stopped = stopped.or(Some(Instant::now()));
        }
    }
}

/// Copies `run_results.json`, if it is that of this process.
fn keep_results(
    build: &Build,
    folder: &ProcessFolder,
    invocation: Option<&str>,
) -> Result<(), DriveError> {
    let path = build.settings.target_path().join(FILE);
    let Some(results) = RunResults::read(&path)? else { return Ok(()) };
    if Some(results.invocation.as_str()) == invocation {
        let copied = fs::copy(&path, folder.results());
        copied.map_err(|source| DriveError::folder(build, source))?;
    }
    Ok(())
}

/// The summary of all processes of the run, from the logs and the results of the last one.
fn summary(build: &Build) -> Result<BuildSummary, DriveError> {
    let folders = build.folder.processes();
    let statuses = build.statuses();
    let mut counts = BTreeMap::new();
    for status in statuses.values() {
        *counts.entry(*status).or_default() += 1;
    }
    let results = match folders.last() {
        Some(last) => RunResults::read(&last.results())?,
        None => None,
    };
    if let Some(results) = &results {
        results.check(&statuses, |id| build.nodes.contain(id))?;
    }
    Ok(BuildSummary {
        processes: folders.len(),
        seconds: results.as_ref().map(|results| results.seconds),
        invocation: results.map(|results| results.invocation),
        statuses: counts,
    })
}

/// Why dbt ended before its end.
fn failure(build: &Build, folder: &ProcessFolder, status: ExitStatus) -> DriveError {
    let mut reason = build.errors();
    if reason.is_empty() {
        let said = fs::read(folder.output()).unwrap_or_default();
        reason = last_lines(&String::from_utf8_lossy(&said), 5, "; ");
    }
    DriveError::Failed { status, reason, log: folder.log() }
}

/// Why dbt could not be driven to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DriveError {
    #[error("dbt was stopped")]
    Stopped,
    #[error("cannot start `{}`; install dbt again", path.display())]
    Start { path: PathBuf, source: io::Error },
    #[error(
        "this run has no record of the end of dbt, so hooks of the project may not have run; \
         start a new run"
    )]
    NoEnd,
    #[error("cannot wait for dbt")]
    Wait(#[source] io::Error),
    #[error("cannot read the dbt log `{}`", path.display())]
    Log { path: PathBuf, source: io::Error },
    #[error("cannot lock `{}`; make the folder of the project writable", path.display())]
    Lock { path: PathBuf, source: io::Error },
    #[error("cannot write to the folder of the run in `{}`; make it writable", path.display())]
    Folder { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Results(#[from] ResultsError),
    #[error("dbt ended early ({status}): {reason}; its log is `{}`", log.display())]
    Failed { status: ExitStatus, reason: String, log: PathBuf },
}

impl DriveError {
    fn folder(build: &Build, source: io::Error) -> Self {
        Self::Folder { path: build.settings.own_folder(), source }
    }
}
