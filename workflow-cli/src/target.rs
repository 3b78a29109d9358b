//! What a command is about: a workflow by its name.

use std::sync::Arc;

use workflow_core::registry::{self, Entry, RegistryError};
use workflow_core::{Engine, Workflow};

use crate::failure::Failure;

/// A workflow that was asked for.
pub(crate) enum Target {
    /// One that is registered in this program.
    Registered(Entry),
}

impl Target {
    /// Finds what is meant.
    ///
    /// # Errors
    ///
    /// Fails when there is none, with the nearest name.
    pub(crate) fn find(wanted: &str) -> Result<Self, Failure> {
        match registry::get(wanted) {
            Ok(entry) => Ok(Self::Registered(entry)),
            Err(RegistryError::Unknown { nearest, known, .. }) => {
                Err(Failure::Usage(unknown(wanted, nearest.as_deref(), known)))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The workflow.
    pub(crate) fn workflow(&self) -> Arc<dyn Workflow> {
        match self {
            Self::Registered(entry) => entry.workflow(),
        }
    }

    /// The engine that runs it: the host's, with a limit of its own where one is asked for.
    pub(crate) fn engine(&self, max_parallel: Option<usize>) -> Engine {
        match max_parallel {
            None => registry::engine().clone(),
            Some(jobs) => registry::engine().to_builder().max_parallel(jobs).build(),
        }
    }
}

fn unknown(wanted: &str, nearest: Option<&str>, known: usize) -> String {
    let cure = match (nearest, known) {
        (Some(name), _) => format!("did you mean `{name}`?"),
        (None, 0) => "none is registered in this program".to_owned(),
        (None, _) => "`list` shows what there is".to_owned(),
    };
    format!("no workflow is named `{wanted}`; {cure}")
}
