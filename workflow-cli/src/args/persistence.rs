//! Whether a run is kept, where, and with which workflows it goes on.

use std::sync::Arc;

use clap::Args;
use workflow_core::RunId;
use workflow_store::Catalog;

use super::store::{self, HostStore};
use crate::failure::Failure;

/// Whether a run is kept, and where.
#[derive(Debug, Default, Args)]
pub(crate) struct PersistenceArguments {
    /// Keep the run in this database, so that it outlives a crash: a file of SQLite, or
    /// postgres://user@host/database [default: WORKFLOW_DB; else, where one is needed,
    /// sqlite://.workflow/workflows.db]
    #[arg(long, value_name = "URL")]
    db: Option<String>,
    /// The store of the host, which is meant where none is named.
    #[arg(skip)]
    pub(crate) host: Option<HostStore>,
    /// Let the run go on in a process of its own, print its id, and return at once. When that
    /// process is ended, `recover` takes the run up
    #[arg(long)]
    pub(crate) detach: bool,
    /// Idempotency key: starting again with the same key shows the existing run
    #[arg(long, value_name = "KEY")]
    pub(crate) idempotency_key: Option<String>,
    /// The run that this process is to drive
    #[arg(long, value_name = "RUN", hide = true)]
    pub(crate) detached_run: Option<RunId>,
}

impl PersistenceArguments {
    /// The store, where one is asked for.
    ///
    /// # Errors
    ///
    /// Fails when it cannot be opened.
    pub(crate) fn requested_store(&self) -> Result<Option<Arc<dyn Catalog>>, Failure> {
        match store::configured_address(self.db.as_deref()) {
            _ if self.host_store().is_some() => self.store().map(Some),
            None if !self.detach && self.idempotency_key.is_none() => Ok(None),
            _ => self.store().map(Some),
        }
    }

    /// The store, asked for or not.
    ///
    /// # Errors
    ///
    /// Fails when it cannot be opened.
    pub(crate) fn store(&self) -> Result<Arc<dyn Catalog>, Failure> {
        if let Some(host) = self.host_store() {
            return Ok(host.for_current_user());
        }
        store::open_or_create(&store::address_or_default(self.db.as_deref()))
    }

    /// The store of the host, unless another is named.
    fn host_store(&self) -> Option<&HostStore> {
        self.host.as_ref().filter(|_| self.db.is_none())
    }
}
