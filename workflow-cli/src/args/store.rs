//! The database or host store that a command works on.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use clap::Args;
use workflow_store::{Catalog, Viewer, sqlite_path};

use crate::failure::Failure;

/// The store that a command works on.
#[derive(Debug, Default, Args)]
pub(crate) struct StoreArguments {
    /// Database: a SQLite file or postgres://user@host/database [default: WORKFLOW_DB, or
    /// sqlite://.workflow/workflows.db]
    #[arg(long, global = true, value_name = "URL", display_order = 800)]
    db: Option<String>,
    /// The host's store, the default without `--db`.
    #[arg(skip)]
    pub(crate) host: Option<HostStore>,
}

/// A store passed in by the host.
#[derive(Clone)]
pub(crate) struct HostStore(pub(crate) Arc<dyn Catalog>);

impl fmt::Debug for HostStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostStore").finish_non_exhaustive()
    }
}

impl HostStore {
    /// Returns the store as the current user sees it.
    pub(crate) fn for_current_user(&self) -> Arc<dyn Catalog> {
        for_user(self.0.clone())
    }
}

impl StoreArguments {
    /// Opens an existing store.
    ///
    /// # Errors
    ///
    /// Fails when the database does not exist or cannot be opened.
    pub(crate) fn open_existing(&self) -> Result<Arc<dyn Catalog>, Failure> {
        if let Some(host) = self.host_store() {
            return Ok(host.for_current_user());
        }
        let address = address_or_default(self.db.as_deref());
        match sqlite_path(&address) {
            Some(path) if !path.exists() => Err(Failure::Usage(format!(
                "no database at `{}`; name another with --db or WORKFLOW_DB, save a run with \
                 `run --db`, or create an empty database with `migrate`",
                path.display()
            ))),
            _ => connect(&address),
        }
    }

    /// Opens the store, unless none is named and the default database does not exist.
    ///
    /// # Errors
    ///
    /// As [`open_existing`](Self::open_existing).
    pub(crate) fn open_if_exists(&self) -> Result<Option<Arc<dyn Catalog>>, Failure> {
        let is_named =
            self.host_store().is_some() || configured_address(self.db.as_deref()).is_some();
        let has_default = sqlite_path(DEFAULT_ADDRESS).is_some_and(|path| path.exists());
        (is_named || has_default).then(|| self.open_existing()).transpose()
    }

    /// Opens the store, or an empty one in memory if none is named and the default database does not
    /// exist.
    ///
    /// # Errors
    ///
    /// As [`open_existing`](Self::open_existing).
    pub(crate) fn open_or_empty(&self) -> Result<Arc<dyn Catalog>, Failure> {
        self.open_if_exists()?.map_or_else(|| connect(EMPTY_ADDRESS), Ok)
    }

    /// Opens the store, and creates the database if it does not exist.
    ///
    /// # Errors
    ///
    /// Fails when the database cannot be created or opened.
    pub(crate) fn open_or_create(&self) -> Result<Arc<dyn Catalog>, Failure> {
        if let Some(host) = self.host_store() {
            return Ok(host.for_current_user());
        }
        open_or_create(&address_or_default(self.db.as_deref()))
    }

    /// The host's store, unless `--db` names another.
    fn host_store(&self) -> Option<&HostStore> {
        self.host.as_ref().filter(|_| self.db.is_none())
    }

    /// The name of the store in messages: its address without the password.
    pub(crate) fn display_name(&self) -> String {
        if self.host_store().is_some() {
            return "the store of this program".to_owned();
        }
        without_password(&address_or_default(self.db.as_deref()))
    }
}

/// The address from `--db` or the environment.
pub(crate) fn configured_address(db: Option<&str>) -> Option<String> {
    let from_environment = || std::env::var(DB_VARIABLE).ok();
    db.map(str::to_owned).or_else(from_environment).filter(|address| !address.is_empty())
}

/// The address from `--db` or the environment, or else the default.
pub(crate) fn address_or_default(db: Option<&str>) -> String {
    configured_address(db).unwrap_or_else(|| DEFAULT_ADDRESS.to_owned())
}

/// Opens the store at this address, and creates the database and its folder if they do not
/// exist.
///
/// # Errors
///
/// Fails when one of them cannot be created, or the database cannot be opened.
pub(crate) fn open_or_create(address: &str) -> Result<Arc<dyn Catalog>, Failure> {
    let path = sqlite_path(address);
    let folder = path.as_deref().and_then(Path::parent);
    if let Some(folder) = folder.filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|error| Failure::Machine {
            what: format!("cannot create the folder `{}` of the database", folder.display()),
            error,
        })?;
    }
    connect(address)
}

/// Opens the store for the current user, who has all rights, and whose own workflows come first
/// when a name is looked up.
fn connect(address: &str) -> Result<Arc<dyn Catalog>, Failure> {
    Ok(for_user(pollster::block_on(workflow_store::open(address))?))
}

/// A new store in memory.
#[cfg(feature = "temporal")]
pub(crate) fn memory_store() -> Result<Arc<dyn Catalog>, Failure> {
    Ok(pollster::block_on(workflow_store::open(EMPTY_ADDRESS))?)
}

fn for_user(store: Arc<dyn Catalog>) -> Arc<dyn Catalog> {
    match current_user() {
        Some(user) => store.seen_by(Viewer::Staff(user)),
        None => store,
    }
}

/// The current user, who owns the workflows and runs that this process creates. `None` if the
/// environment names no user.
pub(crate) fn current_user() -> Option<String> {
    let named = ["USER", "LOGNAME"].into_iter().filter_map(|name| std::env::var(name).ok());
    named.into_iter().find(|user| !user.is_empty())
}

/// The environment variable that names the store.
const DB_VARIABLE: &str = "WORKFLOW_DB";

/// The database that is used when none is named.
const DEFAULT_ADDRESS: &str = "sqlite://.workflow/workflows.db";

/// A database in memory.
const EMPTY_ADDRESS: &str = "sqlite://:memory:";

/// The address without its password.
fn without_password(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else { return address.to_owned() };
    let Some((user, host)) = rest.rsplit_once('@') else { return address.to_owned() };
    let user = user.split_once(':').map_or(user, |(user, _)| user);
    format!("{scheme}://{user}@{host}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_contain_no_password() {
        assert_eq!(without_password("postgres://ada:secret@host/db"), "postgres://ada@host/db");
        assert_eq!(without_password("postgres://host/db"), "postgres://host/db");
        assert_eq!(without_password("runs.db"), "runs.db");
    }
}
