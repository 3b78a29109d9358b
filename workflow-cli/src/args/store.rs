//! Where workflows and runs are kept.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use workflow_store::{Catalog, Viewer};

use crate::failure::Failure;

/// Which store is meant.
#[derive(Debug, Default, Args)]
pub(crate) struct StoreArguments {
    /// The database: a file of SQLite, or postgres://user@host/database [default: WORKFLOW_DB, or
    /// sqlite://.workflow/workflows.db]
    #[arg(long, global = true, value_name = "URL", display_order = 800)]
    db: Option<String>,
    /// The store of the host, which is meant where none is named.
    #[arg(skip)]
    pub(crate) host: Option<HostStore>,
}

/// A store that the host hands to the command line.
#[derive(Clone)]
pub(crate) struct HostStore(pub(crate) Arc<dyn Catalog>);

impl fmt::Debug for HostStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostStore").finish_non_exhaustive()
    }
}

impl HostStore {
    /// The store as the user of this terminal sees it.
    pub(crate) fn for_current_user(&self) -> Arc<dyn Catalog> {
        for_user(self.0.clone())
    }
}

impl StoreArguments {
    /// Opens the store, which must be there.
    ///
    /// # Errors
    ///
    /// Fails when it is not, and when it cannot be opened.
    pub(crate) fn open_existing(&self) -> Result<Arc<dyn Catalog>, Failure> {
        if let Some(host) = self.host_store() {
            return Ok(host.for_current_user());
        }
        let address = address_or_default(self.db.as_deref());
        match sqlite_path(&address) {
            Some(path) if !path.exists() => Err(Failure::Usage(format!(
                "there is no database at `{}`; say which with --db or WORKFLOW_DB, keep a run with \
                 `run --db`, or make an empty one with `migrate`",
                path.display()
            ))),
            _ => connect(&address),
        }
    }

    /// Opens the store, and makes it where there is none.
    ///
    /// # Errors
    ///
    /// Fails when it cannot be opened.
    pub(crate) fn open_or_create(&self) -> Result<Arc<dyn Catalog>, Failure> {
        if let Some(host) = self.host_store() {
            return Ok(host.for_current_user());
        }
        open_or_create(&address_or_default(self.db.as_deref()))
    }

    /// The store of the host, unless another is named.
    fn host_store(&self) -> Option<&HostStore> {
        self.host.as_ref().filter(|_| self.db.is_none())
    }

    /// The address, without a password.
    pub(crate) fn display_name(&self) -> String {
        if self.host_store().is_some() {
            return "the store of this program".to_owned();
        }
        without_password(&address_or_default(self.db.as_deref()))
    }
}

/// The address that is meant, if one is: what was given, or what the environment says.
pub(crate) fn configured_address(db: Option<&str>) -> Option<String> {
    let from_environment = || std::env::var(DB_VARIABLE).ok();
    db.map(str::to_owned).or_else(from_environment).filter(|address| !address.is_empty())
}

/// The address of the store when one is needed.
pub(crate) fn address_or_default(db: Option<&str>) -> String {
    configured_address(db).unwrap_or_else(|| DEFAULT_ADDRESS.to_owned())
}

/// Opens the store at this address, and makes it, and its folder, where there is none.
///
/// # Errors
///
/// Fails when it cannot be opened.
pub(crate) fn open_or_create(address: &str) -> Result<Arc<dyn Catalog>, Failure> {
    let path = sqlite_path(address);
    let folder = path.as_deref().and_then(Path::parent);
    if let Some(folder) = folder.filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|error| Failure::Machine {
            what: format!("the folder `{}` of the database cannot be made", folder.display()),
            error,
        })?;
    }
    connect(address)
}

/// Opens the store for the user of this terminal, who sees and may do everything, and whose own
/// workflows are the first that a name means.
fn connect(address: &str) -> Result<Arc<dyn Catalog>, Failure> {
    Ok(for_user(pollster::block_on(workflow_store::open(address))?))
}

fn for_user(store: Arc<dyn Catalog>) -> Arc<dyn Catalog> {
    match current_user() {
        Some(user) => store.seen_by(Viewer::Staff(user)),
        None => store,
    }
}

/// The user of this terminal, whose are the workflows and runs that it asks for; nobody, where the
/// environment does not say.
pub(crate) fn current_user() -> Option<String> {
    let named = ["USER", "LOGNAME"].into_iter().filter_map(|name| std::env::var(name).ok());
    named.into_iter().find(|user| !user.is_empty())
}

/// The environment variable that names the store.
const DB_VARIABLE: &str = "WORKFLOW_DB";

/// The store when nothing names one.
const DEFAULT_ADDRESS: &str = "sqlite://.workflow/workflows.db";

/// The file that the address means, if it means one.
fn sqlite_path(address: &str) -> Option<PathBuf> {
    let path = match address.split_once("://") {
        Some(("sqlite" | "file", path)) => path,
        Some(_) => return None,
        None => address.strip_prefix("sqlite:").unwrap_or(address),
    };
    (path != ":memory:").then(|| PathBuf::from(path))
}

/// The address without a password.
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
    fn a_password_is_not_shown() {
        assert_eq!(without_password("postgres://ada:secret@host/db"), "postgres://ada@host/db");
        assert_eq!(without_password("postgres://host/db"), "postgres://host/db");
        assert_eq!(without_password("runs.db"), "runs.db");
    }

    #[test]
    fn a_file_is_known() {
        assert_eq!(sqlite_path("sqlite://a/b.db"), Some("a/b.db".into()));
        assert_eq!(sqlite_path("a/b.db"), Some("a/b.db".into()));
        assert_eq!(sqlite_path("postgres://host/db"), None);
    }
}
