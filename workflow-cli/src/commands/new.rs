//! `new`: makes a workflow from a template, and adds it to the project around it.

mod member;
mod write;

use std::path::{Path, PathBuf};

use clap::Args;

use crate::args::current_folder;
use crate::failure::{Failure, Outcome};
use crate::output::{self, DIM, styled};
use crate::project::{Package, Project};
use crate::scaffold::{self, Library, Name, Parameters, Source, Template};

use member::Edit;
pub(super) use write::create;

/// Make a new workflow from a template
///
/// In a Cargo project with a program that uses workflows, the new package is added to it: in
/// `workflows/NAME`, as a member, as a dependency of the program, and with the line that links it.
/// Elsewhere, the new folder NAME is a program of its own. In its folder, the command `workflow`
/// builds and runs that program.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct NewArguments {
    /// Name of the workflow, its package and its folder
    #[arg(value_name = "NAME")]
    name: Name,
    /// Kind of project
    #[arg(long, value_enum, value_name = "TEMPLATE", default_value_t)]
    template: Template,
    /// Where a data workflow reads its records
    #[arg(long, value_enum, value_name = "SOURCE", default_value_t)]
    source: Source,
    /// Package whose program gets the workflow, if the project has several
    #[arg(long, value_name = "PACKAGE")]
    host: Option<String>,
    /// The workflow library: a folder, a Git address or a version [default: that of the program, or
    /// the one this command was built from]
    #[arg(long, value_name = "LIBRARY")]
    library: Option<String>,
}

const EXAMPLES: &str = "\
Examples:
  workflow new sales --source mock
  workflow new sales --source api && workflow test sales
  workflow new thumbnails --template service
  workflow new backup --template yaml

Exit codes:
  0 success, 1 a file cannot be written, 2 invalid usage";

pub(crate) fn new(args: &NewArguments) -> Result<Outcome, Failure> {
    if args.template != Template::Data && args.source != Source::default() {
        let problem = "`--source` belongs to `--template data`; leave it out".to_owned();
        return Err(Failure::Usage(problem));
    }
    let here = current_folder()?;
    let project = match args.template {
        Template::Yaml => None,
        _ => Project::find(&here)?,
    };
    let host = host(project.as_ref(), args)?;
    let place = Place::new(&here, project.as_ref(), host, args);
    let parameters = Parameters {
        name: args.name.clone(),
        source: args.source,
        library: library(args, &place, host)?,
        has_program: place.has_program,
        root: if host.is_some() { "../../" } else { "" },
    };
    let files = scaffold::render(args.template, &parameters)?;
    let edits = match &project {
        Some(project) => member::edits(project, host, &place.folder, &args.name.as_crate())?,
        None => Vec::new(),
    };
    write::write(&place.folder, &files, &edits)?;
    report(args, &here, &place, host.is_some(), &edits);
    Ok(Outcome::Success)
}

/// The package whose program gets the workflow.
fn host<'a>(
    project: Option<&'a Project>,
    args: &NewArguments,
) -> Result<Option<&'a Package>, Failure> {
    let hosts = project.map(Project::hosts).unwrap_or_default();
    let names = || hosts.iter().map(|it| format!("`{}`", it.name)).collect::<Vec<_>>().join(", ");
    match (&args.host, &hosts[..]) {
        (Some(name), _) => match hosts.iter().find(|package| package.name == *name) {
            Some(found) => Ok(Some(found)),
            None if hosts.is_empty() => Err(Failure::Usage(
                "`--host` needs a project with a program that uses `workflow-core`; this folder is \
                 in none"
                    .to_owned(),
            )),
            None => Err(Failure::Usage(format!("`{name}` is no host; the hosts are {}", names()))),
        },
        (None, _) if args.template == Template::Service => Ok(None),
        (None, []) => Ok(None),
        (None, [one]) => Ok(Some(one)),
        (None, _) => Err(Failure::Usage(format!(
            "this project has several programs that use workflows; choose one with `--host`: {}",
            names()
        ))),
    }
}

/// Where the new package is.
struct Place {
    folder: PathBuf,
    has_program: bool,
}

impl Place {
    fn new(
        here: &Path,
        project: Option<&Project>,
        host: Option<&Package>,
        args: &NewArguments,
    ) -> Self {
        let name = args.name.as_given();
        let folder = match (project, host) {
            (Some(project), Some(_)) => project.root.join("workflows").join(name),
            _ => here.join(name),
        };
        let has_program = host.is_none() && args.template != Template::Library;
        Self { folder, has_program }
    }
}

/// The library: what was asked for, that of the host, or the checkout of which this program was
/// built.
fn library(args: &NewArguments, place: &Place, host: Option<&Package>) -> Result<Library, Failure> {
    if let Some(given) = &args.library {
        return named_library(given);
    }
    if let Some(host) = host {
        return host.library().map(|found| relative(found, &place.folder)).ok_or_else(|| {
            Failure::Usage(format!(
                "`{}` takes the workflow library from a branch or a revision; name it with \
                 `--library`",
                host.name
            ))
        });
    }
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    let checkout = checkout.filter(|folder| folder.join("workflow-core/Cargo.toml").is_file());
    Ok(match checkout.and_then(Path::to_str) {
        Some(path) => relative(Library::Path(path.to_owned()), &place.folder),
        None => Library::Version(env!("CARGO_PKG_VERSION").to_owned()),
    })
}

fn named_library(given: &str) -> Result<Library, Failure> {
    if given.contains(['"', '\\']) || given.chars().any(char::is_control) {
        let problem = "`--library` has characters that a manifest cannot hold".to_owned();
        return Err(Failure::Usage(problem));
    }
    if given.contains("://") {
        return Ok(Library::Git(given.to_owned()));
    }
    if given.starts_with(|first: char| first.is_ascii_digit()) {
        return Ok(Library::Version(given.to_owned()));
    }
    let folder = Path::new(given).canonicalize().ok();
    let folder = folder.filter(|folder| folder.join("workflow-core/Cargo.toml").is_file());
    match folder.as_deref().and_then(Path::to_str) {
        Some(path) => Ok(Library::Path(path.to_owned())),
        None => Err(Failure::Usage(format!(
            "`{given}` is no checkout of the workflow library; write its folder, a Git address \
             with `://`, or a version"
        ))),
    }
}

/// A path from the new package, if it is near, so that the project can be moved.
fn relative(library: Library, folder: &Path) -> Library {
    let Library::Path(path) = &library else { return library };
    for (levels, above) in folder.ancestors().enumerate().skip(1).take(3) {
        if above.parent().is_some()
            && let Ok(below) = Path::new(path).strip_prefix(above)
        {
            let up = PathBuf::from_iter(std::iter::repeat_n("..", levels)).join(below);
            return Library::Path(up.display().to_string().trim_end_matches('/').to_owned());
        }
    }
    library
}

fn report(args: &NewArguments, here: &Path, place: &Place, is_part: bool, edits: &[Edit]) {
    let display_path = |path: &Path| path.strip_prefix(here).unwrap_or(path).display().to_string();
    let name = args.name.as_crate();
    output::message(format_args!("made {}", display_path(&place.folder)));
    for edit in edits {
        output::message(format_args!("changed {}: {}", display_path(&edit.path), edit.what));
    }
    let mut steps = Vec::new();
    if !is_part {
        steps.push(format!("cd {}", display_path(&place.folder)));
    }
    if args.template != Template::Yaml {
        steps.push(format!("workflow test {name}"));
    }
    match args.template {
        Template::Yaml => steps.push(format!("workflow run {name}.yaml")),
        Template::Data if place.has_program => steps.push(format!("workflow run {name}")),
        Template::Service => {
            steps.push(format!("workflow run {name} --input '\"some words\"'"));
        }
        Template::Data | Template::Library => {}
    }
    output::message("next:");
    for step in steps {
        output::message(format_args!("  {}", styled(DIM, step)));
    }
}
