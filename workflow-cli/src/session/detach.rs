//! A run goes on in a process of its own: this program again, with the same arguments and the id
//! of the run, in a session of its own, without a terminal.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::json;
use workflow_core::{RunError, RunId};

use super::engine::engine;
use crate::args::{Format, PersistenceArguments};
use crate::failure::{Failure, Outcome};
use crate::output::{self, WARNING};
use crate::{interrupt, runtime};

/// A process that drives a run, and where it writes to.
pub(crate) struct Detached {
    process: u32,
    log: PathBuf,
}

/// Starts a process that drives a run on record, and says so.
///
/// # Errors
///
/// Fails when no process is to be had.
pub(crate) fn start(run: RunId, format: Format) -> Result<Outcome, Failure> {
    let detached = spawn(run).map_err(|error| Failure::Machine {
        what: format!("no process could be started for run {run}; `recover` takes it up"),
        error,
    })?;
    print_started(run, Some(&detached), format)?;
    Ok(Outcome::Success)
}

/// Prints the id of the run, and says what can be done with it.
///
/// # Errors
///
/// Fails when nobody reads it.
pub(crate) fn print_started(
    run: RunId,
    detached: Option<&Detached>,
    format: Format,
) -> Result<(), Failure> {
    if format != Format::Text {
        let process = detached.map(|detached| detached.process);
        let log = detached.map(|detached| &detached.log);
        return output::print_json(&json!({ "run": run, "process": process, "log": log }));
    }
    output::print(|out| writeln!(out, "{run}"))?;
    if let Some(Detached { process, log }) = detached {
        output::message(format_args!(
            "the run goes on in process {process}, which writes to {}; `runs watch {run}` shows \
             it, `runs cancel {run}` stops it",
            log.display()
        ));
    }
    Ok(())
}

fn spawn(run: RunId) -> io::Result<Detached> {
    fs::create_dir_all(FOLDER)?;
    let log = Path::new(FOLDER).join(format!("{run}.log"));
    let out = OpenOptions::new().append(true).create(true).open(&log)?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(arguments(std::env::args_os().skip(1).collect(), run));
    command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out);
    Ok(Detached { process: command.spawn()?.id(), log })
}

/// Where processes of detached runs write to.
const FOLDER: &str = ".workflow/detached";

/// The arguments, and which run is meant.
fn arguments(mut arguments: Vec<OsString>, run: RunId) -> Vec<OsString> {
    let end = arguments.iter().position(|argument| argument == "--").unwrap_or(arguments.len());
    let meant = ["--detached-run".into(), run.to_string().into()];
    arguments.splice(end..end, meant);
    arguments
}

/// Drives a run on record until its end, as the process that was started for it.
///
/// # Errors
///
/// Fails when the run is not to be had.
pub(crate) fn run_detached(
    run: RunId,
    persistence: &PersistenceArguments,
    max_parallel: Option<usize>,
) -> Result<Outcome, Failure> {
    // From now on no terminal can end it.
    if let Err(error) = rustix::process::setsid() {
        output::message(format_args!(
            "{WARNING}warning{WARNING:#}: the run may end with its terminal: {error}"
        ));
    }
    let store = persistence.store()?;
    let engine = engine(&store, max_parallel);
    runtime::inside(|| {
        interrupt::listen();
        let (saved_by, cancelled) = (engine.clone(), engine.clone());
        interrupt::cancel_on_signal(Some(saved_by), move || {
            if let Err(error) = pollster::block_on(cancelled.cancel(run)) {
                output::error(&error);
            }
        });
        match pollster::block_on(engine.follow(run)) {
            Ok(report) | Err(RunError::Failed(report) | RunError::Cancelled(report)) => {
                output::print(|out| write!(out, "{report}"))?;
                Ok(report.status().into())
            }
            Err(error) => Err(error.into()),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_run_is_named_before_what_is_no_option() {
        let run = RunId::random();
        let named = |given: &[&str]| -> Vec<String> {
            let given = given.iter().map(OsString::from).collect();
            arguments(given, run).into_iter().filter_map(|text| text.into_string().ok()).collect()
        };
        let id = run.to_string();
        assert_eq!(named(&["run", "a"]), ["run", "a", "--detached-run", &id]);
        assert_eq!(named(&["run", "--", "a"]), ["run", "--detached-run", &id, "--", "a"]);
    }
}
