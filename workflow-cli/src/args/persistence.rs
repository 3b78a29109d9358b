//! Whether and where a run is saved.

use std::sync::Arc;

use clap::Args;
use workflow_core::id::RunId;
use workflow_store::Catalog;

use super::store::{self, HostStore};
use crate::failure::Failure;

/// Whether and where a run is saved.
#[derive(Debug, Default, Args)]
pub(crate) struct PersistenceArguments {
    /// Save the run in this database, so that it survives a crash: a SQLite file or
    /// postgres://user@host/database [default: WORKFLOW_DB; where a database is required,
    /// sqlite://.workflow/workflows.db]
    #[arg(long, value_name = "URL")]
    db: Option<String>,
    /// The host's store, the default without `--db`.
    #[arg(skip)]
    pub(crate) host: Option<HostStore>,
    /// Whether the host wants every run saved.
    #[arg(skip)]
    pub(crate) always: bool,
    /// Run in a background process: print the run ID and return at once. If that process dies,
    /// `recover` resumes the run
    #[arg(long)]
    pub(crate) detach: bool,
    /// Idempotency key: starting again with the same key returns the existing run
    #[arg(long, value_name = "KEY")]
    pub(crate) idempotency_key: Option<String>,
    /// The saved run that this background process runs
    #[arg(long, value_name = "RUN", hide = true)]
    pub(crate) detached_run: Option<RunId>,
}

impl PersistenceArguments {
    /// Returns the store if the arguments, the environment or the host ask for one.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be opened.
    pub(crate) fn requested_store(&self) -> Result<Option<Arc<dyn Catalog>>, Failure> {
        match store::configured_address(self.db.as_deref()) {
            _ if self.host_store().is_some() => self.store().map(Some),
            None if !self.always && !self.detach && self.idempotency_key.is_none() => Ok(None),
            _ => self.store().map(Some),
        }
    }

    /// Returns the requested store, or else the default one.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be opened.
    pub(crate) fn store(&self) -> Result<Arc<dyn Catalog>, Failure> {
        if let Some(host) = self.host_store() {
            return Ok(host.for_current_user());
        }
        store::open_or_create(&store::address_or_default(self.db.as_deref()))
    }

    /// The host's store, unless `--db` names another.
    fn host_store(&self) -> Option<&HostStore> {
        self.host.as_ref().filter(|_| self.db.is_none())
    }
}
