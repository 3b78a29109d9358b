//! `evidence`: makes, serves and builds the dashboard of a workflow with npm.

use std::path::{Path, PathBuf};
use std::process::Command;

use clap::{Args, Subcommand};
use workflow_config::Loader;
use workflow_evidence::Dashboard;

use super::new::create;
use crate::args::{current_folder, integer};
use crate::failure::{Failure, Outcome};
use crate::foreground;
use crate::output;
use crate::project::{Project, folder_with};
use crate::scaffold::{self, File, Library, Name, Parameters, Source, Template};

/// Make, serve and build the dashboard of a workflow
///
/// A dashboard is an Evidence project in the folder `evidence` of the workflow: pages in Markdown
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
    #[arg(long, value_name = "PORT", default_value_t = 9000,
        value_parser = integer::<u16>(1..=65535))]
    port: u16,
    /// Serve the data of the last time, without reading the tables
    #[arg(long)]
    no_sources: bool,
}

/// The folder of the dashboard in that of its workflow.
const FOLDER: &str = Dashboard::FOLDER;

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
    let dashboard = open(&folder, name)?;
    if dashboard.has_packages() {
        output::message(format_args!("the packages of {} are installed", display_path(&folder)));
        return Ok(Outcome::Success);
    }
    let outcome = install(&dashboard)?;
    if outcome == Outcome::Success {
        output::message(format_args!(
            "next:\n  workflow run {name}\n  workflow evidence dev {name}"
        ));
    }
    Ok(outcome)
}

fn dev(args: &DevArguments) -> Result<Outcome, Failure> {
    let name = &args.workflow.name;
    let dashboard = find(name)?;
    if !dashboard.has_packages() {
        return Err(Failure::Usage(format!(
            "the packages of {} are not installed; run `workflow evidence new {name}`",
            display_path(dashboard.folder())
        )));
    }
    if !args.no_sources {
        let read = sources(&dashboard)?;
        if read != Outcome::Success {
            return Ok(read);
        }
    }
    output::message(format_args!("serving the dashboard on http://127.0.0.1:{}", args.port));
    run(dashboard.serve(args.port))
}

fn build(name: &str) -> Result<Outcome, Failure> {
    let dashboard = find(name)?;
    let mut outcome = Outcome::Success;
    if !dashboard.has_packages() {
        outcome = install(&dashboard)?;
    }
    for step in [sources, |dashboard: &Dashboard| run(dashboard.build())] {
        if outcome == Outcome::Success {
            outcome = step(&dashboard)?;
        }
    }
    Ok(outcome)
}

fn sources(dashboard: &Dashboard) -> Result<Outcome, Failure> {
    match run(dashboard.fetch_parquet())? {
        Outcome::Success => run(dashboard.sources()),
        failed => Ok(failed),
    }
}

fn install(dashboard: &Dashboard) -> Result<Outcome, Failure> {
    let folder = display_path(dashboard.folder());
    output::message(format_args!("installing the packages of {folder} with npm"));
    run(dashboard.install())
}

fn run(command: Command) -> Result<Outcome, Failure> {
    foreground::run(command, NO_NPM)
}

const NO_NPM: &str = "install Node 18 or newer from https://nodejs.org; without it, `workflow serve` and `workflow data` \
    show the tables";

fn find(name: &str) -> Result<Dashboard, Failure> {
    if let Some(folder) = folder_with(FOLDER, name)? {
        return open(&folder.join(FOLDER), name);
    }
    let project = Project::find(&current_folder()?)?;
    Err(match project.as_ref().and_then(|project| project.package_of(name)) {
        None => no_package(name),
        Some(_) => Failure::Usage(format!(
            "`{name}` has no folder `{FOLDER}`; make one with `workflow evidence new {name}`"
        )),
    })
}

fn open(folder: &Path, name: &str) -> Result<Dashboard, Failure> {
    Dashboard::find(folder).ok_or_else(|| {
        let folder = display_path(folder);
        Failure::Usage(format!(
            "{folder} has no `package.json`, so it is no dashboard; remove the folder, and run \
             `workflow evidence new {name}`"
        ))
    })
}

fn display_path(folder: &Path) -> String {
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
            "no package is named `{name}`; run this in the folder of its project, or create it with \
             `workflow new {name}`"
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
    output::message(format_args!("made {}", display_path(&folder)));
    Ok(folder)
}
