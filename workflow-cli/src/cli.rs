//! The parser of the whole command line, and its help.

use std::ffi::OsString;
use std::path::Path;

use clap::builder::StyledStr;
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::args::HostStore;
#[cfg(feature = "serve")]
use crate::commands::accounts::{TokenArguments, UserArguments};
use crate::commands::assets::AssetsArguments;
use crate::commands::completions::CompletionsArguments;
use crate::commands::config::ConfigArguments;
use crate::commands::data::DataArguments;
#[cfg(feature = "new")]
use crate::commands::dbt::DbtArguments;
#[cfg(feature = "new")]
use crate::commands::evidence::EvidenceArguments;
use crate::commands::list::ListArguments;
use crate::commands::maintenance::{MigrateArguments, PruneArguments};
#[cfg(feature = "new")]
use crate::commands::new::NewArguments;
use crate::commands::plan::PlanArguments;
use crate::commands::recover::RecoverArguments;
use crate::commands::run::RunArguments;
use crate::commands::runs::RunsArguments;
use crate::commands::schedules::SchedulesArguments;
#[cfg(feature = "serve")]
use crate::commands::serve::ServeArguments;
use crate::commands::stats::StatsArguments;
#[cfg(feature = "new")]
use crate::commands::test::TestArguments;
use crate::commands::trigger;
use crate::commands::trigger::TriggerArguments;
use crate::commands::validate::ValidateArguments;
use crate::commands::worker::WorkerArguments;
use crate::commands::workers::WorkersArguments;
use crate::commands::workflows::WorkflowsArguments;
use crate::logging::LogArguments;

/// Run workflows that are registered in this program or written in files.
#[derive(Debug, Parser)]
#[command(name = "workflow", version, after_help = EXAMPLES, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// When to use colours; `auto` respects NO_COLOR and CLICOLOR_FORCE
    #[arg(long, global = true, display_order = 900, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: clap::ColorChoice,
    #[command(flatten)]
    pub(crate) log: LogArguments,
}

const EXAMPLES: &str = "\
Examples:
  workflow new sales                       make a data workflow from a template
  workflow list                            list registered workflows
  workflow validate etl.yaml               check a workflow file
  workflow plan etl.yaml                   show which jobs would run, in what order
  workflow run etl --param day=2026-01-02  run a workflow
  workflow run etl.yaml --detach           run it in the background and save the run
  workflow trigger etl --param day=1       queue a run for a worker
  workflow runs list                       list saved runs
  workflow recover                         resume runs after a crash
  workflow worker --domain booking         run the queued runs of a domain
  workflow workers list                    list workers and task queues
  workflow serve                           serve the web page and the REST API
  workflow help run                        show the help of a command

Exit codes:
  0 success, 1 the run failed, 2 invalid usage or input, 130 cancelled";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    #[cfg(feature = "new")]
    New(NewArguments),
    #[cfg(feature = "new")]
    Test(TestArguments),
    #[cfg(feature = "new")]
    Evidence(EvidenceArguments),
    #[cfg(feature = "new")]
    Dbt(DbtArguments),
    Run(RunArguments),
    #[command(subcommand, hide = true)]
    Workflow(WorkflowCommand),
    Trigger(TriggerArguments),
    Plan(PlanArguments),
    Validate(ValidateArguments),
    List(ListArguments),
    Workflows(WorkflowsArguments),
    Runs(RunsArguments),
    Data(DataArguments),
    Recover(RecoverArguments),
    Worker(WorkerArguments),
    Workers(WorkersArguments),
    Schedules(SchedulesArguments),
    Assets(AssetsArguments),
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

/// `workflow run NAME`, as some people write it after the name of the program
#[derive(Debug, Subcommand)]
pub(crate) enum WorkflowCommand {
    Run(RunArguments),
}

impl Command {
    /// Saves the run of `run`, also without `--db`.
    pub(crate) fn save_runs(&mut self) {
        if let Self::Run(args) | Self::Workflow(WorkflowCommand::Run(args)) = self {
            args.persistence.always = true;
        }
    }

    /// Sets the store that is used without `--db`.
    pub(crate) fn set_store(&mut self, host: HostStore) {
        let store = match self {
            Self::Run(args) | Self::Workflow(WorkflowCommand::Run(args)) => {
                args.persistence.host = Some(host);
                return;
            }
            Self::Runs(args) => return args.set_store(host),
            Self::Workers(args) => return args.set_store(host),
            Self::Schedules(args) => return args.set_store(host),
            Self::Assets(args) => &mut args.store,
            Self::Workflows(args) => &mut args.store,
            Self::Trigger(args) => &mut args.store,
            Self::Data(args) => &mut args.store,
            Self::Recover(args) => &mut args.store,
            Self::Worker(args) => &mut args.store,
            Self::Stats(args) => &mut args.store,
            #[cfg(feature = "serve")]
            Self::Serve(args) => &mut args.store,
            #[cfg(feature = "serve")]
            Self::User(args) => &mut args.store,
            #[cfg(feature = "serve")]
            Self::Token(args) => &mut args.store,
            Self::Prune(args) => &mut args.store,
            Self::Migrate(args) => &mut args.store,
            Self::Plan(_)
            | Self::Validate(_)
            | Self::List(_)
            | Self::Config(_)
            | Self::Completions(_) => return,
            #[cfg(feature = "new")]
            Self::New(_) | Self::Test(_) | Self::Evidence(_) | Self::Dbt(_) => return,
        };
        store.host = Some(host);
    }
}

/// Reads the arguments of a program, whose options may depend on its registered workflows.
///
/// # Errors
///
/// Fails when the arguments are invalid, and for help and the version.
pub(crate) fn parse(program: &str, arguments: &[OsString]) -> Result<Arguments, clap::Error> {
    let command = trigger::with_inputs(command(program), arguments);
    let matches = command
        .clone()
        .try_get_matches_from(arguments)
        .map_err(|error| trigger::explain_option(error, &command, arguments))?;
    #[cfg(feature = "temporal")]
    crate::args::BackendArguments::check(&matches)?;
    let mut parsed = Arguments::from_arg_matches(&matches)?;
    if let (Command::Trigger(args), Some((_, matches))) =
        (&mut parsed.command, matches.subcommand())
    {
        args.take_inputs(matches)?;
    }
    Ok(parsed)
}

/// The name of this program, from its first argument.
pub(crate) fn program_name(first: Option<&OsString>) -> String {
    let name =
        first.and_then(|path| Path::new(path).file_stem()).map(|name| name.to_string_lossy());
    name.map_or_else(|| "workflow".to_owned(), |name| name.into_owned())
}

/// The parser, with the name of the program in its help.
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
    #[cfg(feature = "serve")]
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_parser_is_valid() {
        command("workflow").debug_assert();
    }

    /// The flags of a command that have a counterpart in the API, spelled as in the API.
    #[cfg(feature = "serve")]
    fn flags(path: &[&str]) -> BTreeSet<String> {
        let named = |command: &clap::Command, name: &str| command.find_subcommand(name).cloned();
        let found =
            path.iter().try_fold(command("workflow"), |command, name| named(&command, name));
        let found = found.expect("a command");
        // Output format and store are not part of a request.
        let about = ["format", "quiet", "db", "help", "color", "log-format"];
        let flags = found.get_arguments().filter(|flag| !flag.is_hide_set());
        let flags = flags.filter_map(|flag| flag.get_long());
        let flags = flags.filter(|flag| !about.contains(flag));
        flags.map(|flag| flag.replace('-', "_")).collect()
    }

    /// The parameters of an API operation: query parameters, or the fields of its body.
    #[cfg(feature = "serve")]
    fn parameters(api: &serde_json::Value, path: &str, method: &str) -> BTreeSet<String> {
        let operation = &api["paths"][format!("/api/v1{path}")][method];
        assert!(operation.is_object(), "{method} {path}");
        let listed = operation["parameters"].as_array().into_iter().flatten();
        let queries = listed.filter(|one| one["in"] == "query");
        let mut names: BTreeSet<_> =
            queries.map(|one| one["name"].as_str().expect("a name").to_owned()).collect();
        let body = &operation["requestBody"]["content"]["application/json"]["schema"]["$ref"];
        if let Some(schema) = body.as_str().and_then(|place| place.strip_prefix('#')) {
            let fields = &api.pointer(schema).expect("a schema")["properties"];
            names.extend(fields.as_object().expect("fields").keys().cloned());
        }
        names
    }

    /// Filters and fields have the same names here and in the API, with the listed exceptions.
    #[cfg(feature = "serve")]
    #[test]
    fn flags_and_api_parameters_share_names() {
        let api = workflow_server::openapi();
        let only = |these: &BTreeSet<String>, those: &BTreeSet<String>| -> Vec<String> {
            these.difference(those).cloned().collect()
        };
        for Pair { command, operation: (method, path), flags_alone, names_alone } in PAIRS {
            let (flags, names) = (flags(command), parameters(&api, path, method));
            assert_eq!(only(&flags, &names), flags_alone, "flags of {command:?}, not of {path}");
            assert_eq!(only(&names, &flags), names_alone, "names of {path}, not of {command:?}");
        }
    }

    /// A command and the matching API operation, with the names that only one of them has.
    #[cfg(feature = "serve")]
    struct Pair {
        command: &'static [&'static str],
        operation: (&'static str, &'static str),
        flags_alone: &'static [&'static str],
        names_alone: &'static [&'static str],
    }

    #[cfg(feature = "serve")]
    const PAIRS: [Pair; 7] = [
        Pair {
            command: &["workflows", "list"],
            operation: ("get", "/workflows"),
            // torc's names for `is_active`, and for no `user`.
            flags_alone: &["all_users", "archived_only", "include_archived"],
            names_alone: &[],
        },
        Pair {
            command: &["workflows", "update"],
            operation: ("patch", "/workflows/{workflow}"),
            // torc's name for `user`.
            flags_alone: &["owner_user"],
            // The graph and the file have no flag. The other fields are read-only, and accepted so
            // that a program may send a whole workflow back.
            names_alone: &[
                "atoms_in_molecules",
                "created_at",
                "dag_spec",
                "execution_count",
                "id",
                "last_executed_at",
                "molecules_used",
                "updated_at",
                "user",
                "version",
                "yaml",
            ],
        },
        Pair {
            command: &["workflows", "history"],
            operation: ("get", "/workflows/{workflow}/versions"),
            // Part of the path.
            flags_alone: &["version"],
            names_alone: &[],
        },
        Pair {
            command: &["runs", "list"],
            operation: ("get", "/runs"),
            flags_alone: &[],
            // `workflow` accepts an ID, too.
            names_alone: &["workflow_id"],
        },
        Pair {
            command: &["runs", "logs"],
            operation: ("get", "/runs/{run}/logs"),
            flags_alone: &["follow"],
            // The command prints the whole log as text.
            names_alone: &["format", "from", "limit"],
        },
        Pair {
            command: &["runs", "retry"],
            operation: ("post", "/runs/{run}/retry"),
            flags_alone: &["detach"],
            names_alone: &[],
        },
        Pair {
            command: &["prune"],
            operation: ("post", "/retention"),
            flags_alone: &[],
            names_alone: &[],
        },
    ];

    #[test]
    fn help_calls_the_program_by_its_name() {
        let program = program_name(Some(&"/usr/bin/shop".into()));
        let help = command(&program).render_help().to_string();
        assert!(help.contains("  shop run etl"), "{help}");
    }
}
