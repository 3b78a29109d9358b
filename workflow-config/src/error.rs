//! Why a configuration cannot be loaded.

use std::path::PathBuf;

use workflow_core::id::NameError;
use workflow_core::registry::RegistryError;
use workflow_files::document::Diagnostics;

/// Why a configuration cannot be loaded.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The name is not a valid workflow name.
    #[error("invalid workflow name: {0}")]
    Name(NameError),
    /// The name cannot be the name of the folder with the configuration.
    #[error(
        "`{0}` cannot be the name of a folder, so its configuration cannot be found; rename the workflow, or load the file by its path"
    )]
    Folder(String),
    /// The name of the profile cannot be part of a file name.
    #[error("the profile `{0}` has an invalid name; use letters, digits, `_` and `-`")]
    Profile(String),
    /// No file was found.
    #[error(
        "`{name}` has no configuration{}; searched for `config.yaml` in {}; create `workflows/{name}/config.yaml`, or set `WORKFLOW_CONFIG_DIR` to the folder with `{name}/config.yaml`",
        hint(.nearest), places(.searched)
    )]
    NotFound {
        /// The name.
        name: String,
        /// The most similar name with a configuration.
        nearest: Option<String>,
        /// The searched folders, in order.
        searched: Vec<PathBuf>,
    },
    /// Two files of one folder are candidates.
    #[error(
        "both `{}` and `{}` are possible configurations; remove one of them",
        .first.display(), .second.display()
    )]
    Ambiguous {
        /// One file.
        first: PathBuf,
        /// The other file.
        second: PathBuf,
    },
    /// A folder cannot be read.
    #[error("cannot read the folder `{}`: {reason}", .path.display())]
    Unreadable {
        /// The folder.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// The registry is invalid. It has the location of the workflow's function.
    #[error("{0}")]
    Registry(RegistryError),
    /// All mistakes in the values, with their places.
    #[error("invalid configuration of `{name}`\n\n{problems}")]
    Invalid {
        /// The name.
        name: String,
        /// The problems.
        problems: Diagnostics,
    },
}

impl ConfigError {
    /// Makes one error of those of a configuration: all mistakes in its values, each once, or another
    /// error.
    ///
    /// # Errors
    ///
    /// Fails if there is an error.
    pub fn all_of(name: &str, errors: impl Iterator<Item = Self>) -> Result<(), Self> {
        let mut all = Diagnostics::default();
        for error in errors {
            match error {
                Self::Invalid { problems, .. } => all.append_new(problems),
                other => return Err(other),
            }
        }
        match all.is_empty() {
            true => Ok(()),
            false => Err(Self::Invalid { name: name.to_owned(), problems: all }),
        }
    }

    /// The mistakes in the values, if that is the error.
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
