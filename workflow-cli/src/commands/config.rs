//! `config`: lists, shows and checks configurations of workflows.

use std::io::{BufWriter, Write as _};
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value as Json, json};
use workflow_config::{Found, Loader};

use crate::failure::{Failure, Outcome};
use crate::output::{self, SUCCESS, styled};

/// List, show and check the configurations of workflows
///
/// A configuration is a `config.yaml`, with an optional file per profile next to it, in a folder
/// named like the workflow. Folders are searched in WORKFLOW_CONFIG_DIR, in `workflows`, next to
/// the source of the registered function, and in the folder of its package, if that is named like
/// the workflow. WORKFLOW_<NAME>__<KEY>__<KEY> overrides a value.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ConfigArguments {
    #[command(subcommand)]
    action: Action,
    /// Search this folder first; can be repeated
    #[arg(long, global = true, value_name = "DIR")]
    dir: Vec<PathBuf>,
    /// Profile, such as `production` [default: WORKFLOW_PROFILE]
    #[arg(long, global = true, value_name = "PROFILE")]
    profile: Option<String>,
}

const EXAMPLES: &str = "\
Examples:
  workflow config list
  workflow config show etl
  workflow config validate etl";

#[derive(Debug, Subcommand)]
enum Action {
    /// List all configurations
    List(ListArguments),
    /// Show a configuration with layers merged, variables replaced, and secrets as `***`
    Show(ShowArguments),
    /// Check configurations against the types that the program reads them into
    Validate(ValidateArguments),
}

#[derive(Debug, Args)]
#[command(after_help = LIST_EXAMPLE)]
struct ListArguments {
    /// Output format
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    format: ListFormat,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum ListFormat {
    /// Readable table
    #[default]
    Table,
    /// JSON array
    Json,
}

const LIST_EXAMPLE: &str = "\
Examples:
  workflow config list --dir deploy -f json | jq -r '.[].name'";

#[derive(Debug, Args)]
#[command(after_help = SHOW_EXAMPLES)]
struct ShowArguments {
    /// Name of the workflow
    #[arg(value_name = "NAME")]
    name: String,
    /// Output format
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    format: ShowFormat,
    /// Print the files unchanged
    #[arg(long, conflicts_with = "format")]
    raw: bool,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum ShowFormat {
    /// YAML with the origin of each value as a comment
    #[default]
    Yaml,
    /// JSON
    Json,
}

const SHOW_EXAMPLES: &str = "\
Examples:
  workflow config show etl --profile production
  workflow config show etl --format json | jq .source";

#[derive(Debug, Args)]
#[command(after_help = VALIDATE_EXAMPLES)]
struct ValidateArguments {
    /// Names of workflows [default: all]
    #[arg(value_name = "NAME")]
    names: Vec<String>,
}

const VALIDATE_EXAMPLES: &str = "\
Examples:
  workflow config validate
  workflow config validate etl --profile production";

/// Checks the configurations of this program's workflows, before it serves them.
pub(super) fn validate_declared() -> Result<(), Failure> {
    let Err(mut problems) = workflow_config::validate_declared() else { return Ok(()) };
    let last = problems.pop();
    for problem in problems {
        output::failure(&Failure::Config(problem));
    }
    last.map_or(Ok(()), |last| Err(Failure::Config(last)))
}

/// Describes this program's workflows by their configurations. One with a mistake keeps the
/// metadata of its attribute, and the mistake is a warning: most commands have no use for it.
pub(crate) fn describe_registered() {
    for problem in workflow_config::describe_registered().err().unwrap_or_default() {
        output::warning(problem);
    }
}

pub(crate) fn config(args: &ConfigArguments) -> Result<Outcome, Failure> {
    let mut loader = Loader::new();
    for dir in &args.dir {
        loader = loader.dir(dir);
    }
    if let Some(profile) = &args.profile {
        loader = loader.profile(profile);
    }
    match &args.action {
        Action::List(args) => list(&loader.list()?, args.format),
        Action::Show(args) => show(&loader, args),
        Action::Validate(args) => validate(&loader, &args.names),
    }
}

fn list(found: &[Found], format: ListFormat) -> Result<Outcome, Failure> {
    match format {
        ListFormat::Json => {
            let rows: Vec<_> = found.iter().map(document).collect();
            output::print_json(&rows)?;
        }
        ListFormat::Table if found.is_empty() => {
            output::message(
                "no configuration found; `help config` lists the folders that are searched",
            );
        }
        ListFormat::Table => {
            let mut table = output::table();
            table.set_header(["WORKFLOW", "FILE", "PROFILES"]);
            for Found { name, file, profiles, .. } in found {
                let file = file.display().to_string();
                table.add_row([name, &file, output::or_dash(&profiles.join(", "))]);
            }
            output::print(|out| output::write_table(out, table))?;
        }
    }
    Ok(Outcome::Success)
}

fn document(found: &Found) -> Json {
    let Found { name, file, profiles, .. } = found;
    json!({ "name": name, "file": file.display().to_string(), "profiles": profiles })
}

fn show(loader: &Loader, args: &ShowArguments) -> Result<Outcome, Failure> {
    if args.raw {
        let files = loader.raw(&args.name)?;
        let mut out = BufWriter::new(output::raw_stdout());
        for file in &files {
            if files.len() > 1 {
                writeln!(out, "# {}", file.path.display())?;
            }
            write!(out, "{}", file.text)?;
            if !file.text.ends_with('\n') {
                writeln!(out)?;
            }
        }
        out.flush()?;
        return Ok(Outcome::Success);
    }
    let config = loader.open(&args.name)?;
    match args.format {
        ShowFormat::Json => output::print_json(&config.value())?,
        ShowFormat::Yaml => output::print(|out| out.write_all(config.to_yaml().as_bytes()))?,
    }
    Ok(Outcome::Success)
}

fn validate(loader: &Loader, names: &[String]) -> Result<Outcome, Failure> {
    let mut names = names.to_vec();
    if names.is_empty() {
        names.extend(loader.list()?.into_iter().map(|found| found.name));
    }
    if names.is_empty() {
        output::message(
            "no configuration found; `help config` lists the folders that are searched",
        );
    }
    let mut outcome = Outcome::Success;
    for name in &names {
        match loader.validate(name).map_err(Failure::Config) {
            Ok(_) => output::message(format_args!("{name}: {}", styled(SUCCESS, "valid"))),
            Err(failure) => {
                output::failure(&failure);
                outcome = Outcome::Failed;
            }
        }
    }
    Ok(outcome)
}
