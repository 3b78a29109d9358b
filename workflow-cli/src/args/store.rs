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
    pub(crate) fn seen(&self) -> Arc<dyn Catalog> {
        for_user(self.0.clone())
    }
}

impl StoreArguments {
    /// Opens the store, which must be there.
    ///
    /// # Errors
    ///
    /// Fails when it is not, and when it cannot be opened.
    pub(crate) fn open(&self) -> Result<Arc<dyn Catalog>, Failure> {
        if let Some(host) = self.hosts() {
            return Ok(host.seen());
        }
        let address = address(self.db.as_deref());
        match file(&address) {
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
    pub(crate) fn make(&self) -> Result<Arc<dyn Catalog>, Failure> {
        if let Some(host) = self.hosts() {
            return Ok(host.seen());
        }
        make(&address(self.db.as_deref()))
    }

    /// The store of the host, unless another is named.
    fn hosts(&self) -> Option<&HostStore> {
        self.host.as_ref().filter(|_| self.db.is_none())
    }

    /// The address, without a password.
    pub(crate) fn shown(&self) -> String {
        if self.hosts().is_some() {
            return "the store of this program".to_owned();
        }
        shown(&address(self.db.as_deref()))
    }
}

/// The address that is meant, if one is: what was given, or what the environment says.
pub(crate) fn given(db: Option<&str>) -> Option<String> {
    let said = || std::env::var(VARIABLE).ok();
    db.map(str::to_owned).or_else(said).filter(|address| !address.is_empty())
}

/// The address of the store when one is needed.
pub(crate) fn address(db: Option<&str>) -> String {
    given(db).unwrap_or_else(|| USUAL.to_owned())
}

/// Opens the store at this address, and makes it, and its folder, where there is none.
///
/// # Errors
///
/// Fails when it cannot be opened.
pub(crate) fn make(address: &str) -> Result<Arc<dyn Catalog>, Failure> {
    let path = file(address);
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
    match user() {
        Some(user) => store.seen_by(Viewer::Staff(user)),
        None => store,
    }
}

/// The user of this terminal, whose are the workflows and runs that it asks for; nobody, where the
/// environment does not say.
pub(crate) fn user() -> Option<String> {
    let named = ["USER", "LOGNAME"].into_iter().filter_map(|name| std::env::var(name).ok());
    named.into_iter().find(|user| !user.is_empty())
}

/// The environment variable that names the store.
const VARIABLE: &str = "WORKFLOW_DB";

/// The store when nothing names one.
const USUAL: &str = "sqlite://.workflow/workflows.db";

/// The file that the address means, if it means one.
fn file(address: &str) -> Option<PathBuf> {
    let path = match address.split_once("://") {
        Some(("sqlite" | "file", path)) => path,
        Some(_) => return None,
        None => address.strip_prefix("sqlite:").unwrap_or(address),
    };
    (path != ":memory:").then(|| PathBuf::from(path))
}

/// The address without a password.
fn shown(address: &str) -> String {
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
        assert_eq!(shown("postgres://ada:secret@host/db"), "postgres://ada@host/db");
        assert_eq!(shown("postgres://host/db"), "postgres://host/db");
        assert_eq!(shown("runs.db"), "runs.db");
    }

    #[test]
    fn a_file_is_known() {
        assert_eq!(file("sqlite://a/b.db"), Some("a/b.db".into()));
        assert_eq!(file("a/b.db"), Some("a/b.db".into()));
        assert_eq!(file("postgres://host/db"), None);
    }
}
