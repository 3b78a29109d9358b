//! Stores that are databases of PostgreSQL.

use workflow_core::StoreError;

use crate::db::postgres::Opener;
use crate::exec::connection_pool::ConnectionPool;
use crate::exec::operation::TxMode;
use crate::runs;
use crate::store::{Database, SqlStore};

/// Keeps runs in PostgreSQL 13 or newer.
///
/// One connection writes; what waits for it shares a transaction, and is acknowledged when that is
/// committed. Two others read, each query for at most 20 s, and one is for what must not wait behind
/// them: the engine's own reads, and whether the database answers. A connection that is lost is made again: what was being written is
/// answered with [`StoreError::Unavailable`], and may be asked again.
///
/// ```no_run
/// use workflow_store::PostgresStore;
///
/// # pollster::block_on(async {
/// let store = PostgresStore::open("postgres://shop@localhost/shop").await?;
/// # drop(store);
/// # Ok::<(), workflow_core::StoreError>(())
/// # })?;
/// # Ok::<(), workflow_core::StoreError>(())
/// ```
pub type PostgresStore = SqlStore<Postgres>;

/// Marks the stores that are databases of PostgreSQL.
#[derive(Debug)]
pub struct Postgres;

impl Database for Postgres {}

impl SqlStore<Postgres> {
    /// Connects to a database by its URL, and makes the tables that are missing.
    ///
    /// `sslmode` in the URL says whether the connection is encrypted, as it does for `psql`:
    ///
    /// | `sslmode` | encrypted | the server's certificate |
    /// |---|---|---|
    /// | `disable` | no | |
    /// | `prefer`, the default | if the server can | is not looked at |
    /// | `require` | yes | is not looked at; with `sslrootcert`, as `verify-ca` |
    /// | `verify-ca` | yes | must be signed by one of `sslrootcert` |
    /// | `verify-full` | yes | and name the host of the URL |
    ///
    /// `sslrootcert=FILE` names a file of certificates in PEM form; without it, or as `system`,
    /// those of the system count. All but `disable` and `prefer` need the feature `tls`, without
    /// which `prefer` means `disable`. Certificates of clients are not supported.
    ///
    /// The tables are in the schema `public` where the search path of the connection names it,
    /// wherever it stands there: applications that keep a schema for each tenant, and set
    /// `search_path` to `tenant1,public`, share workflows and runs. Where the path leaves `public`
    /// out, they are in the first schema of the path, so that
    /// `?options=-csearch_path%3Dbilling` keeps a store apart. The path that roles have by
    /// default, `"$user", public`, means the role's own schema where there is one.
    ///
    /// Tables that another application has made are taken over: missing columns are added, columns
    /// that are `NOT NULL` without a default get one, and rows that the application inserts are
    /// read as the workflows and runs that they are.
    ///
    /// # Errors
    ///
    /// Fails when the URL is ill-formed or asks for what this program was built without, when the
    /// server cannot be reached within ten seconds, is not who it should be or lets the user not
    /// in, or when a newer version of this crate has been at the database.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let pool = ConnectionPool::start(&Opener::new(url)?, READERS)?;
        // The first connection migrates.
        while pool.write(TxMode::Exclusive, runs::tell_older).await? {}
        Ok(Self::with_pool(pool))
    }
}

/// How many connections read.
const READERS: usize = 2;
