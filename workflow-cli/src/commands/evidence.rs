//! `evidence`: makes, serves and builds the dashboard of a workflow with npm.

use std::path::{Path, PathBuf};
use std::process::Command;

use clap::{Args, Subcommand};
use workflow_config::Loader;

use super::new::create;
use crate::args::current_folder;
use crate::failure::{Failure, Outcome};
use crate::foreground;
use crate::output;
use crate::project::{Project, folder_with};
use crate::scaffold::{self, File, Library, Name, Parameters, Source, Template};

/// Make, serve and build the dashboard of a workflow
///
/// A dashboard is an Evidence project in the directory `evidence` of the workflow: pages in Markdown
/// with SQL over the tables that the workflow writes. It needs Node 18 or newer with npm. The page
/// of `workflow serve` shows the tables without it.
///
/// NAME is a package, or a workflow with a configuration. A host program also finds the workflows
/// that it registers.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct EvidenceArguments {
    #[command(subcommand)]
    action: Action,
}

const EXAMPLES: &str = "\
Examples:
  workflow evidence new sales
  workflow evidence dev sales
  workflow evidence build sales

The exit code is that of npm, or 2 if something is missing.";

#[derive(Debug, Subcommand)]
enum Action {
    /// Make the project if it is missing, and install its packages
    New(NameArguments),
    /// Serve the dashboard, and follow changes of its pages
    Dev(DevArguments),
    /// Build the dashboard as static files, in `evidence/build`
    Build(NameArguments),
}

#[derive(Debug, Args)]
struct NameArguments {
    /// Package, or workflow with a configuration
    #[arg(value_name = "NAME")]
    name: String,
}

#[derive(Debug, Args)]
struct DevArguments {
    #[command(flatten)]
    workflow: NameArguments,
    /// Port on 127.0.0.1
    #[arg(long, value_name = "PORT", default_value_t = 9000)]
    port: u16,
    /// Serve the data of the last time, without reading the tables
    #[arg(long)]
    no_sources: bool,
}

/// The folder of the dashboard in that of its workflow.
const FOLDER: &str = "evidence";

pub(crate) fn evidence(args: &EvidenceArguments) -> Result<Outcome, Failure> {
    match &args.action {
        Action::New(args) => new(&args.name),
        Action::Dev(args) => dev(args),
        Action::Build(args) => build(&args.name),
    }
}

fn new(name: &str) -> Result<Outcome, Failure> {
    let folder = match folder_with(FOLDER, name)? {
        Some(folder) => folder.join(FOLDER),
        None => make(name)?,
    };
    check(&folder, name)?;
    if has_packages(&folder) {
        output::message(format_args!("the packages of {} are installed", shown(&folder)));
        return Ok(Outcome::Success);
    }
    let outcome = install(&folder)?;
    if outcome == Outcome::Success {
        output::message(format_args!(
            "next:\n  workflow run {name}\n  workflow evidence dev {name}"
        ));
    }
    Ok(outcome)
}

fn dev(args: &DevArguments) -> Result<Outcome, Failure> {
    let name = &args.workflow.name;
    let folder = find(name)?;
    if !has_packages(&folder) {
        return Err(Failure::Usage(format!(
            "the packages of {} are not installed; run `workflow evidence new {name}`",
            shown(&folder)
        )));
    }
    if !args.no_sources {
        let read = sources(&folder)?;
        if read != Outcome::Success {
            return Ok(read);
        }
    }
    output::message(format_args!("serving the dashboard on http://127.0.0.1:{}", args.port));
    let port = args.port.to_string();
    npm(&folder, &["exec", "--", "evidence", "dev", "--host", "127.0.0.1", "--port", &port])
}

fn build(name: &str) -> Result<Outcome, Failure> {
    let folder = find(name)?;
    let mut outcome = Outcome::Success;
    if !has_packages(&folder) {
        outcome = install(&folder)?;
    }
    for step in [sources, |folder: &Path| npm(folder, &["run", "build"])] {
        if outcome == Outcome::Success {
            outcome = step(&folder)?;
        }
    }
    Ok(outcome)
}

/// Reads the tables into the dashboard. Without `--strict`, a missing table would be no error.
fn sources(folder: &Path) -> Result<Outcome, Failure> {
    let mut fetch = Command::new("node");
    fetch.args(["--input-type=module", "--eval", FETCH_PARQUET]).current_dir(folder);
    let fetched = foreground::run(fetch, NO_NPM)?;
    if fetched != Outcome::Success {
        return Ok(fetched);
    }
    npm(folder, &["run", "sources", "--", "--strict"])
}

fn install(folder: &Path) -> Result<Outcome, Failure> {
    output::message(format_args!("installing the packages of {} with npm", shown(folder)));
    npm(folder, &["install", "--no-audit", "--no-fund"])
}

fn npm(folder: &Path, arguments: &[&str]) -> Result<Outcome, Failure> {
    let mut command = Command::new("npm");
    command.args(arguments).current_dir(folder);
    // The dashboard sends statistics to its authors otherwise.
    command.env("SEND_ANONYMOUS_USAGE_STATS", "no");
    foreground::run(command, NO_NPM)
}

/// The program that fetches what Evidence needs for Parquet, for Node.
const FETCH_PARQUET: &str = include_str!("evidence/parquet.mjs");

const NO_NPM: &str = "install Node 18 or newer from https://nodejs.org; without it, `workflow serve` and `workflow data` \
    show the tables";

fn find(name: &str) -> Result<PathBuf, Failure> {
    let folder = folder_with(FOLDER, name)?.ok_or_else(|| {
        Failure::Usage(format!(
            "`{name}` has no folder `{FOLDER}`; make one with `workflow evidence new {name}`"
        ))
    })?;
    let folder = folder.join(FOLDER);
    check(&folder, name)?;
    Ok(folder)
}

fn check(folder: &Path, name: &str) -> Result<(), Failure> {
    if folder.join("package.json").is_file() {
        return Ok(());
    }
    let folder = shown(folder);
    Err(Failure::Usage(format!(
        "{folder} has no `package.json`, so it is no dashboard; remove the folder, and run \
         `workflow evidence new {name}`"
    )))
}

fn has_packages(folder: &Path) -> bool {
    folder.join("node_modules/.bin/evidence").exists()
}

fn shown(folder: &Path) -> String {
    let here = current_folder().unwrap_or_default();
    folder.strip_prefix(here).unwrap_or(folder).display().to_string()
}

/// The error if there is no package for a dashboard.
fn no_package(name: &str) -> Failure {
    let configurations = match Loader::new().list() {
        Ok(configurations) => configurations,
        Err(error) => return error.into(),
    };
    Failure::Usage(if configurations.iter().any(|found| found.name == name) {
        format!("`{name}` is no package; copy an `{FOLDER}` folder beside its `config.yaml`")
    } else {
        format!(
            "no package is named `{name}`; change to the folder of its project, or make one with \
             `workflow new`; a host program also finds the workflows that it registers"
        )
    })
}

/// Makes the dashboard of a package that has none.
fn make(name: &str) -> Result<PathBuf, Failure> {
    let project = Project::find(&current_folder()?)?;
    let package = project.as_ref().zip(project.as_ref().and_then(|it| it.package_of(name)));
    let Some((project, package)) = package else { return Err(no_package(name)) };
    // A workflow without a program runs in the folder of its project.
    let folder = package.folder();
    let below = folder.strip_prefix(&project.root).unwrap_or(Path::new(""));
    let root = if package.program().is_some() {
        String::new()
    } else {
        "../".repeat(below.iter().count())
    };
    let parameters = Parameters {
        name: package.name.parse::<Name>().map_err(|error| Failure::Usage(error.to_string()))?,
        source: Source::Mock,
        library: Library::Version(String::new()),
        has_program: false,
        root: &root,
    };
    let files = scaffold::render(Template::Data, &parameters)?;
    let below = |File { path, text }: File| {
        let path = path.strip_prefix(FOLDER).ok()?.to_owned();
        Some(File { path, text })
    };
    let files: Vec<_> = files.into_iter().filter_map(below).collect();
    let folder = folder.join(FOLDER);
    create(&folder, &files)?;
    output::message(format_args!("made {}", shown(&folder)));
    Ok(folder)
}
