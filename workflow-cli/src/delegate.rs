//! Hands the command to the program of the project in which it is given.
//!
//! The binary `workflow` knows no registered workflows. A project that was made with `new` names the
//! package whose program does, so that `workflow run sales` means the same there as
//! `cargo run -- run sales`.

use std::ffi::OsString;
use std::io::{self, IsTerminal as _};
use std::process::ExitCode;

use crate::cli::Command;
use crate::project::{Host, cargo, no_cargo};

/// Runs the command in the program of the project around the working directory. `None` if there is
/// none, or if the command works on packages and files. Such a command finds a workflow that is only
/// registered if the program of the project runs it.
pub(crate) fn to_project(command: &Command, arguments: &[OsString]) -> Option<ExitCode> {
    if matches!(
        command,
        Command::New(_)
            | Command::Test(_)
            | Command::Evidence(_)
            | Command::Dbt(_)
            | Command::Validate(_)
            | Command::Completions(_)
    ) {
        return None;
    }
    let host = Host::find(&std::env::current_dir().ok()?)?;
    Some(run(&host, arguments.get(1..).unwrap_or_default()))
}

fn run(host: &Host, arguments: &[OsString]) -> ExitCode {
    let mut command = cargo();
    command.arg("run");
    // On a terminal people see that it compiles. Elsewhere, standard error is that of the command.
    if !io::stderr().is_terminal() {
        command.arg("--quiet");
    }
    command.arg("--manifest-path").arg(&host.manifest).args(["--package", &host.package, "--"]);
    command.args(arguments);
    #[cfg(unix)]
    let failure = {
        use std::os::unix::process::CommandExt as _;
        // Signals reach the program as if it had been started by its name.
        no_cargo(command.exec())
    };
    #[cfg(not(unix))]
    let failure = match command.status() {
        Ok(status) => {
            let code = status.code().and_then(|code| u8::try_from(code).ok());
            return code.map_or(ExitCode::FAILURE, ExitCode::from);
        }
        Err(error) => no_cargo(error),
    };
    crate::output::failure(&failure);
    failure.exit_code()
}
