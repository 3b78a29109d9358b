//! `test`: runs the tests of a workflow's package.

use std::ffi::OsString;

use clap::Args;

use crate::args::current_folder;
use crate::failure::{Failure, Outcome};
use crate::project::{Project, cargo, no_cargo};

/// Run the tests of a workflow
///
/// Runs `cargo test` for the package of this name. A host program also finds the workflows that it
/// registers.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct TestArguments {
    /// Package of the workflow
    #[arg(value_name = "NAME")]
    name: String,
    /// Arguments of `cargo test`
    #[arg(last = true, value_name = "ARGUMENTS")]
    arguments: Vec<OsString>,
}

const EXAMPLES: &str = "\
Examples:
  workflow test sales
  workflow test sales -- --test ingestion

Exit codes:
  0 all tests pass, 1 one fails, 2 there is no such package";

pub(crate) fn test(args: &TestArguments) -> Result<Outcome, Failure> {
    let here = current_folder()?;
    let project = Project::find(&here)?;
    let project = project.ok_or_else(|| {
        Failure::Usage("this folder is in no Cargo package; change to that of the workflow".into())
    })?;
    let package = project.package_of(&args.name).ok_or_else(|| unknown(&project, &args.name))?;
    let mut command = cargo();
    command.args(["test", "--package", &package.name]).args(&args.arguments);
    let status = command.status().map_err(no_cargo)?;
    Ok(if status.success() { Outcome::Success } else { Outcome::Failed })
}

fn unknown(project: &Project, name: &str) -> Failure {
    let names: Vec<_> = project.packages.iter().map(|it| format!("`{}`", it.name)).collect();
    Failure::Usage(format!(
        "no package is named `{name}`; choose one of this project ({}), or create it with \
         `workflow new {name}`",
        names.join(", ")
    ))
}
