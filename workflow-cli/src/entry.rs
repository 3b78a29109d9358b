//! From the arguments of a program to its exit code.

use std::ffi::OsString;
use std::io::{ErrorKind, Write as _};
use std::process::ExitCode;

use clap::FromArgMatches as _;

use crate::arguments::{Arguments, Command, command, program_name};
use crate::failure::{Failure, Outcome};
use crate::logging::Serves;
#[cfg(feature = "serve")]
use crate::{accounts, serve};
use crate::{
    completions, config, list, output, plan, recover, run, runs, stats, upkeep, validate, workflows,
};

/// Runs the command line on the arguments of this process, and gives its exit code.
///
/// Workflows are those registered in the program, and files. To be called first in `main`: see
/// [`main_with`].
pub fn main() -> ExitCode {
    main_with(std::env::args_os())
}

/// Runs the command line on these arguments, the first of which names the program, and gives the
/// exit code.
///
/// For hosts with arguments of their own, which give the rest to this. As process 1 of a container, it
/// starts the program once more with the arguments of the process, and waits for it, while it collects
/// the orphans that fall to process 1: what a host does before this call is done in both.
pub fn main_with<A: Into<OsString>>(arguments: impl IntoIterator<Item = A>) -> ExitCode {
    #[cfg(unix)]
    if let Some(code) = crate::init::as_init() {
        return code;
    }
    let arguments: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
    let program = program_name(arguments.first());
    let parsed = command(&program)
        .try_get_matches_from(arguments)
        .and_then(|matches| Arguments::from_arg_matches(&matches));
    match parsed {
        Ok(arguments) => conclude(act(arguments, &program)),
        Err(told) => tell(&told),
    }
}

fn act(arguments: Arguments, program: &str) -> Result<Outcome, Failure> {
    output::set_color(arguments.color);
    arguments.log.begin(serves(&arguments.command))?;
    match arguments.command {
        Command::Run(wanted) => run::run(&wanted),
        Command::Plan(wanted) => plan::plan(&wanted),
        Command::Validate(wanted) => validate::validate(&wanted),
        Command::List(wanted) => list::list(&wanted),
        Command::Workflows(wanted) => workflows::workflows(&wanted),
        Command::Runs(wanted) => runs::runs(&wanted),
        Command::Recover(wanted) => recover::recover(&wanted),
        Command::Stats(wanted) => stats::stats(&wanted),
        #[cfg(feature = "serve")]
        Command::Serve(wanted) => serve::serve(&wanted),
        #[cfg(feature = "serve")]
        Command::User(wanted) => accounts::user(&wanted),
        #[cfg(feature = "serve")]
        Command::Token(wanted) => accounts::token(&wanted),
        Command::Prune(wanted) => upkeep::prune(&wanted),
        Command::Migrate(wanted) => upkeep::migrate(&wanted),
        Command::Config(wanted) => config::config(&wanted),
        Command::Completions(wanted) => {
            completions::completions(&wanted, program, command(program))
        }
    }
}

/// Whether the runs of this process are shown by something else than the command.
fn serves(command: &Command) -> Serves {
    match command {
        #[cfg(feature = "serve")]
        Command::Serve(_) => Serves::Runs,
        Command::Recover(wanted) if wanted.serves() => Serves::Runs,
        Command::Run(wanted) if wanted.is_detached() => Serves::Runs,
        _ => Serves::Itself,
    }
}

/// Says what came of it, where it has not been said, and turns it into an exit code.
fn conclude(result: Result<Outcome, Failure>) -> ExitCode {
    match result {
        Ok(outcome) => outcome.into(),
        Err(Failure::Output(error)) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(failure) => {
            output::failure(&failure);
            failure.exit_code()
        }
    }
}

/// Prints help, the version, or what is wrong with the arguments.
fn tell(told: &clap::Error) -> ExitCode {
    let printed = told.print().and_then(|()| std::io::stdout().flush());
    match printed {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Failure::Output(error).exit_code(),
        _ => u8::try_from(told.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from),
    }
}
