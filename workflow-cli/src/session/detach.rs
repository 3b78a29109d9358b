//! Runs in a background process: this program again, with the same arguments and the ID of the run,
//! in its own session without a terminal.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::json;
use workflow_core::RunError;
use workflow_core::error_text::io_reason;
use workflow_core::id::RunId;
use workflow_store::Catalog;

use super::answer::print_refused;
use super::engine::engine;
use crate::args::{Format, PersistenceArguments};
use crate::failure::{Failure, Outcome};
use crate::{interrupt, output, runtime};

/// A background process, and the file with its output.
pub(crate) struct Detached {
    process: u32,
    log: PathBuf,
}

/// Starts a background process for a saved run, and prints the run ID.
///
/// # Errors
///
/// Fails when the process cannot be started.
pub(crate) fn start(run: RunId, format: Format) -> Result<Outcome, Failure> {
    let detached = spawn(run).map_err(|error| Failure::Machine {
        what: format!("cannot start a process for run {run}; `recover` will resume it"),
        error,
    })?;
    print_started(run, Some(&detached), format)?;
    Ok(Outcome::Success)
}

/// Prints the ID of a run that its limit has cancelled, and why.
///
/// # Errors
///
/// Fails when the store cannot be read, or writing fails.
pub(crate) fn refused(store: &dyn Catalog, run: RunId, format: Format) -> Result<Outcome, Failure> {
    print_refused(store, run)?;
    print_started(run, None, format)?;
    Ok(Outcome::Cancelled)
}

/// Prints the ID of the run, and the commands to watch and cancel it.
///
/// # Errors
///
/// Fails when writing fails.
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
            "running in the background as process {process}, with output in {}; use `runs watch \
             {run}` to watch it, `runs cancel {run}` to cancel it",
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

/// The folder for the output of background processes.
const FOLDER: &str = ".workflow/detached";

/// Adds the ID of the run to the arguments.
fn arguments(mut arguments: Vec<OsString>, run: RunId) -> Vec<OsString> {
    let end = arguments.iter().position(|argument| argument == "--").unwrap_or(arguments.len());
    let added = ["--detached-run".into(), run.to_string().into()];
    arguments.splice(end..end, added);
    arguments
}

/// Runs a saved run to its end, as the background process that was started for it.
///
/// # Errors
///
/// Fails when the run cannot be loaded or is aborted.
pub(crate) fn run_detached(
    run: RunId,
    persistence: &PersistenceArguments,
    max_parallel: Option<usize>,
) -> Result<Outcome, Failure> {
    // Detaches from the terminal, whose closing would end the run.
    if let Err(error) = rustix::process::setsid() {
        output::warning(format_args!(
            "cannot start a new session, so the run may end with its terminal: {}",
            io_reason(&error.into())
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
    fn the_run_comes_before_positional_arguments() {
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
