//! PostgreSQL stores.

use workflow_core::store::StoreError;

use crate::db::postgres::Opener;
use crate::exec::connection_pool::ConnectionPool;
use crate::exec::operation::TxMode;
use crate::runs;
use crate::store::{Database, SqlStore};

/// A store in PostgreSQL 13 or newer.
///
/// One connection writes: queued operations share a transaction and are acknowledged when it is
/// committed. Two connections read, each query for at most 20 s. One more is for reads that must
/// not wait behind them: those of the engine, and health checks. Lost connections are replaced;
/// writes in progress fail with [`StoreError::Unavailable`] and can be retried.
///
/// ```no_run
/// use workflow_store::PostgresStore;
///
/// # pollster::block_on(async {
/// let store = PostgresStore::open("postgres://shop@localhost/shop").await?;
/// # drop(store);
/// # Ok::<(), workflow_core::store::StoreError>(())
/// # })?;
/// # Ok::<(), workflow_core::store::StoreError>(())
/// ```
pub type PostgresStore = SqlStore<Postgres>;

/// The marker type of PostgreSQL stores.
#[derive(Debug)]
pub struct Postgres;

impl Database for Postgres {}

impl SqlStore<Postgres> {
    /// Connects to a database by its URL, and creates missing tables.
    ///
    /// `sslmode` in the URL sets the encryption of the connection, as for `psql`:
    ///
    /// | `sslmode` | encrypted | the server's certificate |
    /// |---|---|---|
    /// | `disable` | no | |
    /// | `prefer`, the default | if the server supports it | is not checked |
    /// | `require` | yes | is not checked; with `sslrootcert`, as `verify-ca` |
    /// | `verify-ca` | yes | must be signed by one of `sslrootcert` |
    /// | `verify-full` | yes | and name the host of the URL |
    ///
    /// `sslrootcert=FILE` is a file of certificates in PEM format; without it, or with `system`,
    /// those of the system are used. All modes except `disable` and `prefer` need the feature
    /// `tls`, without which `prefer` means `disable`. Client certificates are not supported.
    ///
    /// The tables are in the schema `public` if the search path of the connection contains it, at
    /// any position: applications with a schema for each tenant and the `search_path`
    /// `tenant1,public` share workflows and runs. Otherwise they are in the first schema of the
    /// path, so `?options=-csearch_path%3Dbilling` separates a store. The default path, `"$user",
    /// public`, means the role's own schema if it exists.
    ///
    /// Tables of another application are adopted: missing columns are added, `NOT NULL` columns
    /// without a default get one, and rows that the application inserts are read as workflows and
    /// runs.
    ///
    /// # Errors
    ///
    /// Fails when the URL is invalid or needs a feature that this program was built without, when
    /// the server cannot be reached within ten seconds, cannot be verified or rejects the user, or
    /// when a newer version of this crate has migrated the database.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let pool = ConnectionPool::start(&Opener::new(url)?, READERS)?;
        // The first connection migrates.
        while pool.write(TxMode::Exclusive, runs::backfill_waiting).await? {}
        Ok(Self::with_pool(pool))
    }
}

/// The number of reader connections.
const READERS: usize = 2;
