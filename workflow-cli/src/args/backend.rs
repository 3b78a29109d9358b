//! Where runs are executed: engines with a store, or a Temporal cluster.

use std::str::FromStr;

use clap::error::ErrorKind;
use clap::{ArgMatches, Args};
use workflow_temporal::{TemporalAddressError, TemporalOptions};

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
    type Err = TemporalAddressError;

    fn from_str(text: &str) -> Result<Self, TemporalAddressError> {
        match text {
            "store" => Ok(Self::Store),
            address => address.parse().map(Self::Temporal),
        }
    }
}

impl BackendArguments {
    /// Checks that a command names one place for its runs.
    ///
    /// # Errors
    ///
    /// Fails if the arguments have a Temporal server and a database.
    pub(crate) fn check(arguments: &ArgMatches) -> Result<(), clap::Error> {
        let mut matches = arguments;
        while let Some((_, inner)) = matches.subcommand() {
            matches = inner;
        }
        let backend = matches.try_get_one::<Backend>("backend").ok().flatten();
        let database = matches.try_get_one::<String>("db").ok().flatten();
        if matches!(backend, Some(Backend::Temporal(_))) && database.is_some() {
            let text =
                "--db names a store, but --backend has the runs on Temporal; omit one of them\n";
            return Err(clap::Error::raw(ErrorKind::ArgumentConflict, text));
        }
        Ok(())
    }

    /// The Temporal server, if the command works on one.
    pub(crate) fn temporal(&self) -> Option<&TemporalOptions> {
        match &self.backend {
            Some(Backend::Temporal(options)) => Some(options),
            Some(Backend::Store) | None => None,
        }
    }
}
