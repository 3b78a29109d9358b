//! Opens stores by address.

#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;

use std::path::PathBuf;
use std::sync::Arc;

use workflow_core::store::StoreError;

use crate::catalog::Catalog;

#[cfg(feature = "postgres")]
pub use postgres::{Postgres, PostgresStore};
#[cfg(feature = "sqlite")]
pub use sqlite::{Sqlite, SqliteStore};

/// Opens the store with this address: `postgres://user@host/database`, or the path of a SQLite
/// file, also as `sqlite://path`.
///
/// # Errors
///
/// Fails when the store cannot be opened, when this program was built without that kind of store,
/// and when the address looks like a misspelled one of PostgreSQL, which may have a password.
///
/// ```
/// # pollster::block_on(async {
/// let store = workflow_store::open("sqlite://:memory:").await?;
/// assert!(store.abandoned(None, 1).await?.is_empty());
/// # Ok::<(), workflow_core::store::StoreError>(())
/// # })?;
/// # Ok::<(), workflow_core::store::StoreError>(())
/// ```
pub async fn open(address: &str) -> Result<Arc<dyn Catalog>, StoreError> {
    match address.split_once("://").map(|(scheme, _)| scheme) {
        Some("postgres" | "postgresql") => open_postgres(address).await,
        None if is_meant_for_postgres(address) => Err(StoreError::Address(
            "the address looks like one of PostgreSQL; write postgres://user@host/database"
                .to_owned(),
        )),
        Some("sqlite" | "file") | None => open_sqlite(address).await,
        Some(scheme) => Err(StoreError::Address(format!(
            "unsupported store address `{scheme}://`; use the path of a file, or \
             postgres://user@host/database"
        ))),
    }
}

/// The file of the address of a SQLite store; `None` for a store in memory, and for other addresses.
///
/// ```
/// use workflow_store::sqlite_path;
///
/// assert_eq!(sqlite_path("sqlite://a/b.db"), Some("a/b.db".into()));
/// assert_eq!(sqlite_path("a/b.db"), Some("a/b.db".into()));
/// assert_eq!(sqlite_path("postgres://host/db"), None);
/// ```
pub fn sqlite_path(address: &str) -> Option<PathBuf> {
    let path = match address.split_once("://") {
        Some(("sqlite" | "file", path)) => path,
        Some(_) => return None,
        None if is_meant_for_postgres(address) => return None,
        None => address.strip_prefix("sqlite:").unwrap_or(address),
    };
    (path != ":memory:").then(|| PathBuf::from(path))
}

/// Whether an address without `://` was not meant as the path of a file: it may have a password,
/// which no error and no name of a file must show.
fn is_meant_for_postgres(address: &str) -> bool {
    let after = ["postgresql", "postgres"].iter().find_map(|scheme| address.strip_prefix(scheme));
    let settings = ["host=", "hostaddr=", "dbname=", "user=", "password="];
    after.is_some_and(|rest| rest.starts_with(':') || rest.starts_with("//"))
        || address.split_whitespace().any(|part| settings.iter().any(|name| part.starts_with(name)))
}

#[cfg(feature = "postgres")]
async fn open_postgres(address: &str) -> Result<Arc<dyn Catalog>, StoreError> {
    Ok(Arc::new(PostgresStore::open(address).await?))
}

#[cfg(not(feature = "postgres"))]
async fn open_postgres(_: &str) -> Result<Arc<dyn Catalog>, StoreError> {
    let text = "this program was built without PostgreSQL; build workflow-store with its feature \
        `postgres`";
    Err(StoreError::Unusable(text.into()))
}

#[cfg(feature = "sqlite")]
async fn open_sqlite(address: &str) -> Result<Arc<dyn Catalog>, StoreError> {
    Ok(Arc::new(SqliteStore::open(address).await?))
}

#[cfg(not(feature = "sqlite"))]
async fn open_sqlite(_: &str) -> Result<Arc<dyn Catalog>, StoreError> {
    let text = "this program was built without SQLite; build workflow-store with its feature \
        `sqlite`";
    Err(StoreError::Unusable(text.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspelled_addresses_of_postgres_are_refused_without_their_password() {
        for address in [
            "postgres:/u:hunter2@host",
            "postgres//u:hunter2@host/db",
            "postgresql:u:hunter2@host/db",
            "host=localhost password=hunter2",
            "mysql://u:hunter2@host/db",
        ] {
            assert_eq!(sqlite_path(address), None, "{address}");
            let error = pollster::block_on(open(address)).map(drop).expect_err("refused");
            let text = error.to_string();
            assert!(text.contains("postgres://user@host/database"), "{text}");
            assert!(!text.contains("hunter2"), "{text}");
        }
        for path in ["postgres/runs.db", "postgres.db", "a@b.db", "sqlite:runs.db"] {
            assert!(sqlite_path(path).is_some(), "{path}");
        }
    }
}
