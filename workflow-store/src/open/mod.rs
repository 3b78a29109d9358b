//! Opens stores by address.

#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;

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
/// Fails when the store cannot be opened, and when this program was built without that kind of
/// store.
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
        Some("sqlite" | "file") | None => open_sqlite(address).await,
        Some(scheme) => Err(StoreError::Unusable(
            format!(
                "unsupported store address `{scheme}://`; use the path of a file, or postgres://user@host/database"
            )
            .into(),
        )),
    }
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
