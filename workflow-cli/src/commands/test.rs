//! `test`: runs the tests of a workflow's package.

use std::ffi::OsString;
use std::path::Path;

use clap::Args;
use workflow_core::registry;

use crate::args::current_folder;
use crate::failure::{Failure, Outcome};
use crate::project::{Package, Project, cargo, no_cargo};

/// Run the tests of a workflow
///
/// Runs `cargo test` for the package that is named as the workflow, or that registers it.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct TestArguments {
    /// Workflow, or its package
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
    let package = package_of(&project, &args.name).ok_or_else(|| unknown(&project, &args.name))?;
    let mut command = cargo();
    command.args(["test", "--package", &package.name]).args(&args.arguments);
    let status = command.status().map_err(no_cargo)?;
    Ok(if status.success() { Outcome::Success } else { Outcome::Failed })
}

/// The package of this name, or the one in which this program registers the workflow.
fn package_of<'a>(project: &'a Project, name: &str) -> Option<&'a Package> {
    project.package(name).or_else(|| {
        let source = project.root.join(Path::new(registry::get(name).ok()?.location().file));
        let folder = |package: &&Package| {
            package.manifest.parent().is_some_and(|folder| source.starts_with(folder))
        };
        let packages = project.packages.iter().filter(folder);
        // The innermost one: a workspace may have its packages inside of another.
        packages.max_by_key(|package| package.manifest.as_os_str().len())
    })
}

fn unknown(project: &Project, name: &str) -> Failure {
    let names: Vec<_> = project.packages.iter().map(|it| format!("`{}`", it.name)).collect();
    Failure::Usage(format!(
        "no package is named `{name}`; the packages of this project are {}",
        names.join(", ")
    ))
}
