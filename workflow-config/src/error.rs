//! Why a configuration cannot be had.

use std::path::PathBuf;

use workflow_core::id::NameError;
use workflow_core::registry::RegistryError;
use workflow_files::document::Diagnostics;

/// Why a configuration cannot be had.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The name is no name of a workflow.
    #[error("no configuration can have this name: {0}")]
    Name(NameError),
    /// The name is no name of a folder, in which its file would be.
    #[error(
        "`{0}` cannot be the name of a folder, so no configuration is looked for; rename the \
         workflow, or let the program load the file by its path"
    )]
    Folder(String),
    /// The profile's name is no part of a file's name.
    #[error("the profile `{0}` is not well named; use letters, digits, `_` and `-`")]
    Profile(String),
    /// No file was found.
    #[error(
        "`{name}` has no configuration{}; looked for `config.yaml` in {}; make \
         `workflows/{name}/config.yaml`, or set `WORKFLOW_CONFIG_DIR` to the folder that holds \
         `{name}/config.yaml`",
        hint(.nearest), places(.searched)
    )]
    NotFound {
        /// The name that was looked for.
        name: String,
        /// The most similar name that has one.
        nearest: Option<String>,
        /// The folders that were looked into, in order.
        searched: Vec<PathBuf>,
    },
    /// Two files of one folder could be the one.
    #[error(
        "both `{}` and `{}` could be the configuration; remove one of them",
        .first.display(), .second.display()
    )]
    Ambiguous {
        /// One file.
        first: PathBuf,
        /// The other file.
        second: PathBuf,
    },
    /// A folder cannot be looked into.
    #[error("the folder `{}` cannot be read: {reason}", .path.display())]
    Unreadable {
        /// The folder.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The registry, which knows where the workflow's function is, is not sound.
    #[error("{0}")]
    Registry(RegistryError),
    /// Everything that is wrong with the values, with their places.
    #[error("the configuration of `{name}` is not valid\n\n{problems}")]
    Invalid {
        /// The name.
        name: String,
        /// The problems.
        problems: Diagnostics,
    },
}

impl ConfigError {
    /// What is wrong with the values, when it is those.
    pub fn problems(&self) -> Option<&Diagnostics> {
        match self {
            Self::Invalid { problems, .. } => Some(problems),
            _ => None,
        }
    }
}

fn hint(nearest: &Option<String>) -> String {
    nearest.as_ref().map(|name| format!(" (did you mean `{name}`?)")).unwrap_or_default()
}

fn places(searched: &[PathBuf]) -> String {
    let places: Vec<_> = searched.iter().map(|path| format!("`{}`", path.display())).collect();
    places.join(", ")
}
