//! From the arguments of a program to its exit code.

use std::ffi::OsString;
use std::fmt;
use std::io::{ErrorKind, Write as _};
use std::process::ExitCode;
use std::sync::Arc;

use clap::FromArgMatches as _;
use workflow_store::Catalog;

use crate::args::HostStore;
use crate::cli::{Arguments, Command, command, program_name};
#[cfg(feature = "serve")]
use crate::commands::{accounts, serve};
use crate::commands::{
    completions, config, list, maintenance, plan, recover, run, runs, stats, validate, workflows,
};
use crate::failure::{Failure, Outcome};
use crate::logging::DefaultLevel;
use crate::output;

/// Runs the command line on the arguments of this process, and gives its exit code.
///
/// Workflows are those registered in the program, and files. Call it first in `main`: see
/// [`CommandLine::run`].
pub fn main() -> ExitCode {
    CommandLine::new().run()
}

/// The command line of a host that has arguments or a store of its own.
///
/// ```no_run
/// use std::process::ExitCode;
/// use std::sync::Arc;
///
/// use workflow_store::SqliteStore;
///
/// fn main() -> ExitCode {
///     let store = match pollster::block_on(SqliteStore::open("shop.db")) {
///         Ok(store) => Arc::new(store),
///         Err(error) => {
///             eprintln!("error: {error}");
///             return ExitCode::FAILURE;
///         }
///     };
///     workflow_cli::CommandLine::new().store(store).run()
/// }
/// ```
#[must_use = "a command line does nothing until it runs"]
pub struct CommandLine {
    arguments: Vec<OsString>,
    store: Option<Arc<dyn Catalog>>,
}

impl CommandLine {
    /// Makes a command line on the arguments of this process, with the stores that users name.
    pub fn new() -> Self {
        Self { arguments: std::env::args_os().collect(), store: None }
    }

    /// Sets the arguments, the first of which names the program. Default: those of the process.
    pub fn arguments<A: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments = arguments.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the store that every command uses, unless its user names another with `--db`. `run`
    /// keeps its runs there. Default: the database that `--db` or `WORKFLOW_DB` names, or
    /// `.workflow/workflows.db`.
    ///
    /// The store may be of any kind: one of `workflow-store`, one that wraps another, or one of
    /// another crate.
    pub fn store(mut self, store: Arc<dyn Catalog>) -> Self {
        self.store = Some(store);
        self
    }

    /// Runs the command that the arguments name, and gives its exit code.
    ///
    /// As process 1 of a container, it starts the program once more with the arguments of the
    /// process, and waits for it, while it collects the orphans that fall to process 1. The same
    /// program is started for `--detach`. What a host does before this call is done in each of
    /// these processes.
    pub fn run(self) -> ExitCode {
        #[cfg(unix)]
        if let Some(code) = crate::init::run_as_init() {
            return code;
        }
        let program = program_name(self.arguments.first());
        let parsed = command(&program)
            .try_get_matches_from(self.arguments)
            .and_then(|matches| Arguments::from_arg_matches(&matches));
        match parsed {
            Ok(mut arguments) => {
                if let Some(store) = self.store {
                    arguments.command.set_store(HostStore(store));
                }
                exit_code(dispatch(arguments, &program))
            }
            Err(message) => print_clap(&message),
        }
    }
}

impl Default for CommandLine {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommandLine").field("arguments", &self.arguments).finish_non_exhaustive()
    }
}

fn dispatch(arguments: Arguments, program: &str) -> Result<Outcome, Failure> {
    output::set_color(arguments.color);
    arguments.log.init(default_level(&arguments.command))?;
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
        Command::Prune(wanted) => maintenance::prune(&wanted),
        Command::Migrate(wanted) => maintenance::migrate(&wanted),
        Command::Config(wanted) => config::config(&wanted),
        Command::Completions(wanted) => {
            completions::completions(&wanted, program, command(program))
        }
    }
}

/// Whether the runs of this process are shown by something else than the command.
fn default_level(command: &Command) -> DefaultLevel {
    match command {
        #[cfg(feature = "serve")]
        Command::Serve(_) => DefaultLevel::Info,
        Command::Recover(wanted) if wanted.serves() => DefaultLevel::Info,
        Command::Run(wanted) if wanted.is_detached() => DefaultLevel::Info,
        _ => DefaultLevel::Warn,
    }
}

/// Says what came of it, where it has not been said, and turns it into an exit code.
fn exit_code(result: Result<Outcome, Failure>) -> ExitCode {
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
fn print_clap(message: &clap::Error) -> ExitCode {
    let printed = message.print().and_then(|()| std::io::stdout().flush());
    match printed {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Failure::Output(error).exit_code(),
        _ => u8::try_from(message.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from),
    }
}
