//! The workflow that a command works on: registered in the program, in a file, or in the store.

use std::path::{Path, PathBuf};

use workflow_core::registry::{self, Entry, RegistryError};
use workflow_files::WorkflowFile;
use workflow_files::document::read_text;
use workflow_store::{Catalog, CatalogError, MatchedBy, StoredWorkflow, WorkflowSource};

use super::store;
use crate::failure::Failure;
use crate::output;

/// The workflow that a command works on.
pub(crate) enum Target {
    /// A workflow that this program registers.
    Registered(Entry),
    /// A workflow file.
    File(Box<WorkflowFile>),
    /// A workflow file from the store, with the ID of the workflow there.
    Stored(Box<WorkflowFile>, i64),
}

impl Target {
    /// Finds a registered workflow of this name, or else a file. Prints the warnings of the file.
    ///
    /// # Errors
    ///
    /// Fails when neither exists, with the nearest name, and when the file is invalid.
    pub(crate) fn find(name: &str) -> Result<Self, Failure> {
        let unknown = match registry::get(name) {
            Ok(entry) => return Ok(Self::Registered(entry)),
            Err(error @ RegistryError::Unknown { .. }) => error,
            Err(error) => return Err(error.into()),
        };
        if !is_file(name) {
            return Err(Failure::Usage(unknown_workflow(name, &unknown)));
        }
        let file = load(name)?;
        output::diagnostics(file.warnings());
        Ok(Self::File(Box::new(file)))
    }
}

impl Target {
    /// Finds the workflow for a saved run: a file, or a workflow by its ID, the user's own name,
    /// its registered name, or its slug.
    ///
    /// # Errors
    ///
    /// Fails when none matches. In a store with accounts, also fails for another user's workflow
    /// unless it is named by ID, so that nobody runs the commands of others by mistake.
    pub(crate) fn find_in_store(name: &str, store: &dyn Catalog) -> Result<Self, Failure> {
        let registered = registry::get(name);
        if registered.is_err() && is_file(name) {
            let file = load_absolute(name)?;
            output::diagnostics(file.warnings());
            return Ok(Self::File(Box::new(file)));
        }
        match (pollster::block_on(store.find_workflow(name)), registered) {
            (Err(CatalogError::Store(error)), _) => Err(error.into()),
            (Ok((found, MatchedBy::Id | MatchedBy::OwnName)), _) => Self::from_stored(found, name),
            (_, Ok(entry)) => Ok(Self::Registered(entry)),
            (Ok((found, by)), Err(_)) => {
                let is_others = by != MatchedBy::Registered && found.user != store::current_user();
                // Without accounts, all workflows belong to one user.
                if is_others && pollster::block_on(store.has_accounts())? {
                    let owner = found.user.as_deref().unwrap_or("nobody");
                    return Err(Failure::Usage(format!(
                        "`{name}` is workflow {id} of {owner}, and its commands would run as you; use \
                         `run {id}` to run it anyway",
                        id = found.id
                    )));
                }
                Self::from_stored(found, name)
            }
            (Err(CatalogError::NoWorkflow(_)), Err(error @ RegistryError::Unknown { .. })) => {
                Err(Failure::Usage(unknown_workflow(name, &error)))
            }
            (Err(CatalogError::NoWorkflow(_)), Err(error)) => Err(error.into()),
            (Err(error), _) => Err(error.into()),
        }
    }

    /// The registered workflow or the file that runs a stored workflow.
    fn from_stored(found: StoredWorkflow, name: &str) -> Result<Self, Failure> {
        if found.source == WorkflowSource::Registered {
            return Ok(Self::Registered(registry::get(&found.name)?));
        }
        match found.definition.as_ref().and_then(WorkflowFile::from_source) {
            Some(file) => Ok(Self::Stored(Box::new(file?), found.id)),
            None => Err(Failure::Usage(format!(
                "`{name}` has no file in the store and is not registered in this program; \
                 create a workflow with `workflows create FILE`, or run the file itself"
            ))),
        }
    }
}

/// Loads a workflow file by its absolute path, so that a saved run works from any folder.
///
/// # Errors
///
/// Fails with all diagnostics of the file, and when a store cannot persist it.
pub(crate) fn load_absolute(path: &str) -> Result<WorkflowFile, Failure> {
    // Diagnostics show the path as the user typed it.
    let file = load(path)?;
    let file = if path == "-" { file } else { WorkflowFile::load(absolute(Path::new(path))?)? };
    let file = file.runs_dir(absolute(Path::new(RUNS_DIR))?);
    file.check_persistable().map_err(Failure::Usage)?;
    Ok(file)
}

/// Returns the absolute path.
///
/// # Errors
///
/// Fails when the current directory no longer exists.
pub(crate) fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(|error| Failure::Machine {
        what: format!("cannot resolve the path `{}`", path.display()),
        error,
    })
}

/// Returns the current directory.
///
/// # Errors
///
/// Fails when it no longer exists.
pub(crate) fn current_folder() -> Result<PathBuf, Failure> {
    std::env::current_dir().map_err(|error| Failure::Machine {
        what: "cannot find the current directory".to_owned(),
        error,
    })
}

/// Prints the `--cwd` with which the commands of the file would find a path that they use.
pub(crate) fn print_cwd_hint(file: &WorkflowFile) {
    let Some((path, folder)) = file.found_elsewhere() else { return };
    let current = std::env::current_dir().unwrap_or_default();
    let folder = match current == folder {
        true => Path::new("."),
        false => &folder,
    };
    output::hint(format_args!(
        "`{path}` is not in the folder of the file, where commands run; `--cwd {}` runs them \
         where it is",
        folder.display()
    ));
}

/// The default folder for the files of runs.
pub(crate) const RUNS_DIR: &str = ".workflow/runs";

/// Loads a workflow file, or standard input for `-`.
///
/// # Errors
///
/// Fails with all diagnostics of the file.
pub(crate) fn load(path: &str) -> Result<WorkflowFile, Failure> {
    if path != "-" {
        return Ok(WorkflowFile::load(path)?);
    }
    let text = read_text(std::io::stdin())
        .map_err(|reason| Failure::Usage(format!("cannot read standard input: {reason}")))?;
    Ok(WorkflowFile::parse("<standard input>", &text)?)
}

/// Whether the argument names a file, existing or not.
pub(crate) fn is_file(name: &str) -> bool {
    let path = Path::new(name);
    let extension = path.extension().and_then(|extension| extension.to_str());
    name == "-"
        || matches!(extension, Some("yaml" | "yml" | "json" | "json5" | "jsonc"))
        || (path.exists() && !path.is_dir())
}

fn unknown_workflow(name: &str, unknown: &RegistryError) -> String {
    let cure = match unknown {
        RegistryError::Unknown { nearest: Some(name), .. } => format!("did you mean `{name}`?"),
        RegistryError::Unknown { known: 0, .. } => {
            "this program has no registered workflows, so name a file such as `etl.yaml`".to_owned()
        }
        _ => "`list` shows the registered workflows".to_owned(),
    };
    format!("no workflow or file `{name}`; {cure}")
}
