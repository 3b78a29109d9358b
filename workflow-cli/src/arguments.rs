//! What can be asked for, and the help that says so.

use std::ffi::OsString;
use std::path::Path;

use clap::builder::StyledStr;
use clap::{CommandFactory as _, Parser, Subcommand};

#[cfg(feature = "serve")]
use crate::accounts::{TokenArguments, UserArguments};
use crate::completions::CompletionsArguments;
use crate::config::ConfigArguments;
use crate::list::ListArguments;
use crate::logging::LogArguments;
use crate::plan::PlanArguments;
use crate::recover::RecoverArguments;
use crate::run::RunArguments;
use crate::runs::RunsArguments;
#[cfg(feature = "serve")]
use crate::serve::ServeArguments;
use crate::stats::StatsArguments;
use crate::upkeep::{MigrateArguments, PruneArguments};
use crate::validate::ValidateArguments;
use crate::workflows::WorkflowsArguments;

/// Runs workflows: those registered in this program, and those in files.
#[derive(Debug, Parser)]
#[command(name = "workflow", version, after_help = EXAMPLES, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// When to use colours; `auto` heeds NO_COLOR and CLICOLOR_FORCE
    #[arg(long, global = true, display_order = 900, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: clap::ColorChoice,
    #[command(flatten)]
    pub(crate) log: LogArguments,
}

const EXAMPLES: &str = "\
Examples:
  workflow list                            what is registered in this program
  workflow validate etl.yaml               everything that is wrong with a file
  workflow plan etl.yaml                   what would run, in what order
  workflow run etl --param day=2026-01-02  run it
  workflow run etl.yaml --detach           run it in the background, and keep the run
  workflow runs list                       the runs that are kept
  workflow recover                         take up what a crash left behind
  workflow serve                           the web page, and the REST API
  workflow help run                        all about one command

Exit codes:
  0 it went well, 1 it ran and failed, 2 wrong usage or input, 130 cancelled";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Run(RunArguments),
    Plan(PlanArguments),
    Validate(ValidateArguments),
    List(ListArguments),
    Workflows(WorkflowsArguments),
    Runs(RunsArguments),
    Recover(RecoverArguments),
    Stats(StatsArguments),
    #[cfg(feature = "serve")]
    Serve(ServeArguments),
    #[cfg(feature = "serve")]
    User(UserArguments),
    #[cfg(feature = "serve")]
    Token(TokenArguments),
    Prune(PruneArguments),
    Migrate(MigrateArguments),
    Config(ConfigArguments),
    Completions(CompletionsArguments),
}

/// What the user calls this program.
pub(crate) fn program_name(first: Option<&OsString>) -> String {
    let name =
        first.and_then(|path| Path::new(path).file_stem()).map(|name| name.to_string_lossy());
    name.map_or_else(|| "workflow".to_owned(), |name| name.into_owned())
}

/// The command line, whose help calls the program by its name.
pub(crate) fn command(program: &str) -> clap::Command {
    named(Arguments::command(), program)
}

fn named(command: clap::Command, program: &str) -> clap::Command {
    let help = command.get_after_help().map(StyledStr::to_string);
    let command = command.mut_subcommands(|command| named(command, program));
    match help {
        Some(help) => command.after_help(help.replace("  workflow ", &format!("  {program} "))),
        None => command,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        command("workflow").debug_assert();
    }

    #[test]
    fn help_calls_the_program_by_its_name() {
        let program = program_name(Some(&"/usr/bin/shop".into()));
        let help = command(&program).render_help().to_string();
        assert!(help.contains("  shop run etl"), "{help}");
    }
}
