//! `dbt`: installs dbt for a workflow, and runs it over the models of the workflow.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::{Args, Subcommand};
use workflow_dbt::Program;

use crate::failure::{Failure, Outcome};
use crate::foreground;
use crate::output;
use crate::project::folder_with;

/// Install dbt, and build or list the models of a workflow
///
/// The models are a dbt project in the folder `dbt` of the workflow. dbt-core 1.8 to 1.12 is
/// taken from its `.venv`, or from PATH.
///
/// NAME is a package, or a workflow with a configuration. A host program also finds the workflows
/// that it registers.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DbtArguments {
    #[command(subcommand)]
    action: Action,
}

const EXAMPLES: &str = "\
Examples:
  workflow dbt setup sales
  workflow dbt build sales
  workflow dbt build sales -- --select sales_by_day+
  workflow dbt list sales -- --resource-type model

The exit code is that of dbt, or 2 if something is missing.";

#[derive(Debug, Subcommand)]
enum Action {
    /// Install dbt-core with DuckDB into `.venv` of the project, with python3 and pip
    Setup(NameArguments),
    /// Build models, seeds and snapshots, and run their tests
    Build(RunArguments),
    /// List the nodes of the project
    List(RunArguments),
}

#[derive(Debug, Args)]
struct NameArguments {
    /// Package, or workflow with a configuration
    #[arg(value_name = "NAME")]
    name: String,
}

#[derive(Debug, Args)]
struct RunArguments {
    #[command(flatten)]
    workflow: NameArguments,
    /// Arguments of dbt
    #[arg(last = true, value_name = "ARGUMENTS")]
    arguments: Vec<OsString>,
}

/// The folder of the models in that of their workflow.
const FOLDER: &str = "dbt";

pub(crate) fn dbt(args: &DbtArguments) -> Result<Outcome, Failure> {
    match &args.action {
        Action::Setup(args) => setup(&find(&args.name)?),
        Action::Build(args) => run("build", args),
        Action::List(args) => run("ls", args),
    }
}

fn setup(project: &Path) -> Result<Outcome, Failure> {
    // One elsewhere on PATH may have other adapters, and other projects use it.
    if let Ok(program) = Program::at(&project.join(".venv/bin/dbt")) {
        output::message(installed(&program));
        return Ok(Outcome::Success);
    }
    output::message("installing dbt-core and dbt-duckdb with pip, which takes a minute");
    let program = Program::setup(project).map_err(|error| Failure::Usage(error.to_string()))?;
    output::message(installed(&program));
    Ok(Outcome::Success)
}

fn installed(program: &Program) -> String {
    format!("dbt-core {} is at {}", program.version(), program.path().display())
}

fn run(command: &str, args: &RunArguments) -> Result<Outcome, Failure> {
    let name = &args.workflow.name;
    let project = find(name)?;
    let program = Program::find(&project).map_err(|error| {
        Failure::Usage(format!("{error}; `workflow dbt setup {name}` does this with DuckDB"))
    })?;
    let mut dbt = Command::new(program.path());
    dbt.arg(command).args(&args.arguments).current_dir(&project).env("DO_NOT_TRACK", "1");
    // dbt has another working directory.
    if let Some(folder) = std::env::var_os("DATA_DIR")
        && let Ok(folder) = std::path::absolute(folder)
    {
        dbt.env("DATA_DIR", folder);
    }
    foreground::run(dbt, &format!("install it again with `workflow dbt setup {name}`"))
}

fn find(name: &str) -> Result<PathBuf, Failure> {
    let project = folder_with(FOLDER, name)?.map(|folder| folder.join(FOLDER));
    let project = project.filter(|folder| folder.join("dbt_project.yml").is_file());
    project.ok_or_else(|| {
        Failure::Usage(format!(
            "`{name}` has no dbt project: neither the folder of its configuration nor that of a \
             package `{name}` has `{FOLDER}/dbt_project.yml`"
        ))
    })
}
