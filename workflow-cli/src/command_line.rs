//! The entry point: from the arguments of a program to its exit code.

use std::ffi::OsString;
use std::fmt;
use std::io::{ErrorKind, Write as _};
use std::process::ExitCode;
use std::sync::Arc;

use workflow_store::Catalog;

use crate::args::HostStore;
use crate::cli::{Arguments, Command, WorkflowCommand, command, parse, program_name};
#[cfg(feature = "serve")]
use crate::commands::{accounts, serve};
use crate::commands::{
    assets, completions, config, data, list, maintenance, plan, recover, run, runs, schedules,
    stats, trigger, validate, worker, workers, workflows,
};
#[cfg(feature = "new")]
use crate::commands::{dbt, evidence, new, test};
#[cfg(feature = "new")]
use crate::delegate::to_project;
use crate::failure::{Failure, Outcome};
use crate::logging::DefaultLevel;
use crate::output;
use crate::session;

/// Runs the command line with the arguments of this process, and returns its exit code.
///
/// Call it first in `main`: see [`CommandLine::run`].
pub fn main() -> ExitCode {
    CommandLine::new().run()
}

/// A command line with the arguments, the store or the presets of a host.
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
    presets: Option<String>,
    saves_runs: bool,
    #[cfg(feature = "new")]
    delegates: bool,
}

impl CommandLine {
    /// Creates a command line with the arguments of this process, no store and no presets.
    pub fn new() -> Self {
        Self {
            arguments: std::env::args_os().collect(),
            store: None,
            presets: None,
            saves_runs: false,
            #[cfg(feature = "new")]
            delegates: false,
        }
    }

    /// Sets the arguments. The first one is the name of the program. Default: the arguments of the
    /// process.
    pub fn arguments<A: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments = arguments.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the store that every command uses unless `--db` names another. `run` saves its runs
    /// there. Default: the database of `--db` or `WORKFLOW_DB`, or `.workflow/workflows.db`.
    ///
    /// Any implementation works: a store of `workflow-store`, a wrapper around one, or your own.
    pub fn store(mut self, store: Arc<dyn Catalog>) -> Self {
        self.store = Some(store);
        self
    }

    /// Saves every run of `run` in the default database, `.workflow/workflows.db`, so that `serve`
    /// shows it. Default: `run` saves a run only if `--db`, `WORKFLOW_DB` or a [`store`](Self::store)
    /// says where.
    pub fn save_runs(mut self) -> Self {
        self.saves_runs = true;
        self
    }

    /// Sets the presets of `worker`, in YAML or JSON: the text of a `workers.yaml`. Default: none.
    ///
    /// A file of presets, in the current directory or with `--presets`, replaces presets of the same
    /// name. Text that is invalid is an error of `worker`.
    pub fn presets(mut self, text: impl Into<String>) -> Self {
        self.presets = Some(text.into());
        self
    }

    /// Hands commands to the program of the Cargo project around the working directory, if a manifest
    /// names one: what the binary `workflow` does, which has no registered workflows itself.
    /// `new`, `test`, `evidence`, `dbt`, `validate` and `completions` are not handed on.
    ///
    /// The manifest, in the working directory or above it, has the name of a package in
    /// `package.metadata.workflow.host` or `workspace.metadata.workflow.host`. `cargo run` builds
    /// and runs it, so its author is trusted.
    #[cfg(feature = "new")]
    pub fn delegate_to_project(mut self) -> Self {
        self.delegates = true;
        self
    }

    /// Runs the command that the arguments name, and returns its exit code.
    ///
    /// As process 1 of a container, starts the program again as a child process with the arguments
    /// of the process, and reaps orphans until the child ends. `--detach` also starts the program
    /// again. Code of the host before this call runs in each of these processes.
    pub fn run(self) -> ExitCode {
        #[cfg(unix)]
        if let Some(code) = crate::init::run_as_init() {
            return code;
        }
        let program = program_name(self.arguments.first());
        let parsed = parse(&program, &self.arguments);
        match parsed {
            Ok(mut arguments) => {
                #[cfg(feature = "new")]
                if self.delegates
                    && let Some(code) = to_project(&arguments.command, &self.arguments)
                {
                    return code;
                }
                if let Some(store) = self.store {
                    arguments.command.set_store(HostStore(store));
                }
                if self.saves_runs {
                    arguments.command.save_runs();
                }
                if let Command::Worker(args) = &mut arguments.command {
                    args.host_presets = self.presets;
                }
                let code = exit_code(dispatch(arguments, &program));
                session::flush_assets();
                code
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
    if uses_registered(&arguments.command) {
        config::describe_registered();
    }
    match arguments.command {
        #[cfg(feature = "new")]
        Command::New(args) => new::new(&args),
        #[cfg(feature = "new")]
        Command::Test(args) => test::test(&args),
        #[cfg(feature = "new")]
        Command::Evidence(args) => evidence::evidence(&args),
        #[cfg(feature = "new")]
        Command::Dbt(args) => dbt::dbt(&args),
        Command::Run(args) | Command::Workflow(WorkflowCommand::Run(args)) => run::run(&args),
        Command::Trigger(args) => trigger::trigger(&args),
        Command::Plan(args) => plan::plan(&args),
        Command::Validate(args) => validate::validate(&args),
        Command::List(args) => list::list(&args),
        Command::Workflows(args) => workflows::workflows(&args),
        Command::Runs(args) => runs::runs(&args),
        Command::Data(args) => data::data(&args),
        Command::Recover(args) => recover::recover(&args),
        Command::Worker(args) => worker::worker(&args),
        Command::Workers(args) => workers::workers(&args),
        Command::Schedules(args) => schedules::schedules(&args),
        Command::Assets(args) => assets::assets(&args),
        Command::Stats(args) => stats::stats(&args),
        #[cfg(feature = "serve")]
        Command::Serve(args) => serve::serve(&args),
        #[cfg(feature = "serve")]
        Command::User(args) => accounts::user(&args),
        #[cfg(feature = "serve")]
        Command::Token(args) => accounts::token(&args),
        Command::Prune(args) => maintenance::prune(&args),
        Command::Migrate(args) => maintenance::migrate(&args),
        Command::Config(args) => config::config(&args),
        Command::Completions(args) => completions::completions(&args, program, command(program)),
    }
}

/// Whether the command may show, schedule or run registered workflows.
fn uses_registered(command: &Command) -> bool {
    match command {
        #[cfg(feature = "new")]
        Command::New(_) | Command::Test(_) | Command::Evidence(_) | Command::Dbt(_) => false,
        #[cfg(feature = "serve")]
        Command::User(_) | Command::Token(_) => false,
        // Reports mistakes itself.
        Command::Config(_) => false,
        Command::Validate(_)
        | Command::Prune(_)
        | Command::Migrate(_)
        | Command::Completions(_) => false,
        _ => true,
    }
}

/// The log level of a command when RUST_LOG is not set.
fn default_level(command: &Command) -> DefaultLevel {
    match command {
        #[cfg(feature = "serve")]
        Command::Serve(_) => DefaultLevel::Info,
        Command::Worker(_) => DefaultLevel::Info,
        Command::Run(args) if args.is_detached() => DefaultLevel::Info,
        _ => DefaultLevel::Warn,
    }
}

/// Prints the error, if any, and returns the exit code.
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

/// Prints help, the version, or an error in the arguments.
fn print_clap(message: &clap::Error) -> ExitCode {
    let printed = message.print().and_then(|()| std::io::stdout().flush());
    match printed {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Failure::Output(error).exit_code(),
        _ => u8::try_from(message.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from),
    }
}
