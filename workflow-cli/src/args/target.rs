//! What a command is about: a workflow that is registered, or one in a file.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use workflow_core::registry::{self, Entry, RegistryError};
use workflow_files::WorkflowFile;
use workflow_store::{Catalog, CatalogError, MatchedBy, Source, StoredWorkflow};

use super::store;
use crate::failure::Failure;
use crate::output;

/// A workflow that was asked for.
pub(crate) enum Target {
    /// One that is registered in this program.
    Registered(Entry),
    /// One in a file.
    File(Box<WorkflowFile>),
    /// A file that the store has, and the number of the workflow there.
    Stored(Box<WorkflowFile>, i64),
}

impl Target {
    /// Finds what is meant: a registered workflow of this name, or else a file. Says what the
    /// file is to be warned of.
    ///
    /// # Errors
    ///
    /// Fails when there is neither, with the nearest name, and when the file is not valid.
    pub(crate) fn find(wanted: &str) -> Result<Self, Failure> {
        let unknown = match registry::get(wanted) {
            Ok(entry) => return Ok(Self::Registered(entry)),
            Err(error @ RegistryError::Unknown { .. }) => error,
            Err(error) => return Err(error.into()),
        };
        if !is_file(wanted) {
            return Err(Failure::Usage(unknown_workflow(wanted, &unknown)));
        }
        let file = load(wanted)?;
        output::diagnostics(file.warnings());
        Ok(Self::File(Box::new(file)))
    }
}

impl Target {
    /// Finds what is meant for a run that is kept: a file, or a workflow by its id, the user's own
    /// name for it, the name under which this program registers it, or its slug.
    ///
    /// # Errors
    ///
    /// Fails when there is none of them, and, where there are accounts, when it is somebody else's
    /// and was not asked for by its id: nobody runs the commands of others by mistake.
    pub(crate) fn find_in_store(wanted: &str, store: &dyn Catalog) -> Result<Self, Failure> {
        let registered = registry::get(wanted);
        if registered.is_err() && is_file(wanted) {
            let file = load_absolute(wanted)?;
            output::diagnostics(file.warnings());
            return Ok(Self::File(Box::new(file)));
        }
        match (pollster::block_on(store.find_workflow(wanted)), registered) {
            (Err(CatalogError::Store(error)), _) => Err(error.into()),
            (Ok((found, MatchedBy::Id | MatchedBy::OwnName)), _) => {
                Self::from_stored(found, wanted)
            }
            (_, Ok(entry)) => Ok(Self::Registered(entry)),
            (Ok((found, by)), Err(_)) => {
                let is_strangers =
                    by != MatchedBy::Registered && found.user != store::current_user();
                // Without accounts, there are no strangers.
                if is_strangers && pollster::block_on(store.has_accounts())? {
                    let owner = found.user.as_deref().unwrap_or("nobody");
                    return Err(Failure::Usage(format!(
                        "`{wanted}` means workflow {id}, which belongs to {owner}; its commands \
                         would run as you, so say `run {id}` if that is meant",
                        id = found.id
                    )));
                }
                Self::from_stored(found, wanted)
            }
            (Err(CatalogError::NoWorkflow(_)), Err(error @ RegistryError::Unknown { .. })) => {
                Err(Failure::Usage(unknown_workflow(wanted, &error)))
            }
            (Err(CatalogError::NoWorkflow(_)), Err(error)) => Err(error.into()),
            (Err(error), _) => Err(error.into()),
        }
    }

    /// What runs a workflow of the store: what this program registers, or the file of it.
    fn from_stored(found: StoredWorkflow, wanted: &str) -> Result<Self, Failure> {
        if found.source == Source::Registered {
            return Ok(Self::Registered(registry::get(&found.name)?));
        }
        match found.definition.as_ref().and_then(WorkflowFile::from_source) {
            Some(file) => Ok(Self::Stored(Box::new(file?), found.id)),
            None => Err(Failure::Usage(format!(
                "the store has no file of `{wanted}`, and this program no workflow of that name; \
                 add one with `workflows create FILE`, or run the file itself"
            ))),
        }
    }
}

/// Reads a workflow file that is to be found again from any folder.
///
/// # Errors
///
/// Fails with everything that is wrong with it.
pub(crate) fn load_absolute(path: &str) -> Result<WorkflowFile, Failure> {
    // What is wrong is told with the path as it was given.
    let file = load(path)?;
    let file = if path == "-" { file } else { WorkflowFile::load(absolute(Path::new(path))?)? };
    Ok(file.runs_dir(absolute(Path::new(RUNS_DIR))?))
}

/// The path as it is from any folder.
///
/// # Errors
///
/// Fails when the current folder is gone.
pub(crate) fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(|error| Failure::Machine {
        what: format!("`{}` has no absolute path", path.display()),
        error,
    })
}

/// Tells with which `--cwd` the commands of the file would find a path that they name.
pub(crate) fn print_cwd_hint(file: &WorkflowFile) {
    let Some((path, folder)) = file.found_elsewhere() else { return };
    let current = std::env::current_dir().unwrap_or_default();
    let folder = match current == folder {
        true => Path::new("."),
        false => &folder,
    };
    output::message(format_args!(
        "hint: `{path}` is not in the folder of the file, where commands run; with `--cwd {}` they \
         run where it is",
        folder.display()
    ));
}

/// Where runs have their folders, unless told otherwise.
pub(crate) const RUNS_DIR: &str = ".workflow/runs";

/// Reads a workflow file, or standard input for `-`.
///
/// # Errors
///
/// Fails with everything that is wrong with it.
pub(crate) fn load(path: &str) -> Result<WorkflowFile, Failure> {
    if path != "-" {
        return Ok(WorkflowFile::load(path)?);
    }
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .map_err(|error| Failure::Usage(format!("standard input cannot be read: {error}")))?;
    Ok(WorkflowFile::parse("<standard input>", &text)?)
}

/// Whether a file is meant, there or not.
fn is_file(wanted: &str) -> bool {
    let path = Path::new(wanted);
    let extension = path.extension().and_then(|extension| extension.to_str());
    wanted == "-"
        || matches!(extension, Some("yaml" | "yml" | "json" | "json5" | "jsonc"))
        || (path.exists() && !path.is_dir())
}

fn unknown_workflow(wanted: &str, unknown: &RegistryError) -> String {
    let cure = match unknown {
        RegistryError::Unknown { nearest: Some(name), .. } => format!("did you mean `{name}`?"),
        RegistryError::Unknown { known: 0, .. } => {
            "none is registered in this program, so give a file, such as `etl.yaml`".to_owned()
        }
        _ => "`list` shows those that are registered".to_owned(),
    };
    format!("no workflow is named `{wanted}`, and there is no such file; {cure}")
}
