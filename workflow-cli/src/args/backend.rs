//! Where runs are executed: engines with a store, or a Temporal cluster.

use std::str::FromStr;

use clap::Args;
use workflow_temporal::{AddressError, TemporalOptions};

/// The backend that a command works on.
#[derive(Debug, Default, Args)]
pub(crate) struct BackendArguments {
    /// Backend: `store`, or a Temporal server as temporal://host:port/namespace [default: store]
    #[arg(long, global = true, value_name = "BACKEND", display_order = 801)]
    backend: Option<Backend>,
}

#[derive(Debug, Clone)]
enum Backend {
    Store,
    Temporal(TemporalOptions),
}

impl FromStr for Backend {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        match text {
            "store" => Ok(Self::Store),
            address => address.parse().map(Self::Temporal),
        }
    }
}

impl BackendArguments {
    /// The Temporal server, if the command works on one.
    pub(crate) fn temporal(&self) -> Option<&TemporalOptions> {
        match &self.backend {
            Some(Backend::Temporal(options)) => Some(options),
            Some(Backend::Store) | None => None,
        }
    }
}
