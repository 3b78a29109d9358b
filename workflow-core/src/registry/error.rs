//! What can be wrong with a registry.

use super::Location;
use crate::definition::MetadataError;
use crate::id::NameError;

/// Why the registry cannot answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// No workflow, or no job, has the name.
    #[error(
        "no {what} is named `{name}`{}; {known} {what}s are registered, and one in a crate that \
         nothing mentions is dropped by the linker: `use that_crate as _;` keeps it",
        hint(.nearest)
    )]
    Unknown {
        /// `workflow` or `job`.
        what: &'static str,
        /// The name that was looked for.
        name: String,
        /// The most similar name that is registered.
        nearest: Option<String>,
        /// How many are registered.
        known: usize,
    },
    /// Two registrations share a name.
    #[error("two {what}s are named `{name}`: at {first} and at {second}; rename one of them")]
    Duplicate {
        /// `workflow` or `job`.
        what: &'static str,
        /// The name.
        name: String,
        /// One place.
        first: Location,
        /// The other place.
        second: Location,
    },
    /// A name is ill-formed.
    #[error("the workflow registered at {location} is not well named: {error}")]
    Name {
        /// The place.
        location: Location,
        /// What is wrong with the name.
        error: NameError,
    },
    /// Metadata is not well-formed.
    #[error("workflow `{name}` at {location}: {error}")]
    Metadata {
        /// The workflow's name.
        name: String,
        /// The place.
        location: Location,
        /// What is wrong with the metadata.
        error: MetadataError,
    },
}

fn hint(nearest: &Option<String>) -> String {
    nearest.as_ref().map(|name| format!(" (did you mean `{name}`?)")).unwrap_or_default()
}
