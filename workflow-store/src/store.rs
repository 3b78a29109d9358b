//! `SqlStore`, a handle on either database for one viewer.

use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use crate::db::sql::Sql;
use crate::exec::connection_pool::ConnectionPool;
use crate::exec::operation::{Cx, OperationFailure, TxMode};
use crate::liveness::Liveness;
use crate::visibility::{Viewer, Visibility};

/// A kind of database. Implemented only by this crate.
#[doc(hidden)]
pub trait Database: fmt::Debug + Send + Sync + 'static {}

/// A store on a database: [`SqliteStore`](crate::SqliteStore) or
/// [`PostgresStore`](crate::PostgresStore).
///
/// A clone is another handle on the same store. When the last handle is dropped, pending operations
/// are completed and the connections are closed.
pub struct SqlStore<D> {
    pub(crate) pool: Arc<ConnectionPool>,
    /// The viewer of this handle.
    pub(crate) viewer: Viewer,
    /// The heartbeats of owners that this process has seen.
    pub(crate) liveness: Arc<Mutex<Liveness>>,
    /// Whether the last claim found as many runs as it wanted, so that more may wait.
    pub(crate) last_claim_was_full: Arc<AtomicBool>,
    database: PhantomData<D>,
}

impl<D: Database> SqlStore<D> {
    pub(crate) fn with_pool(pool: ConnectionPool) -> Self {
        Self {
            pool: Arc::new(pool),
            viewer: Viewer::All,
            liveness: Arc::default(),
            last_claim_was_full: Arc::default(),
            database: PhantomData,
        }
    }

    /// Another handle for this viewer.
    pub(crate) fn for_viewer(&self, viewer: Viewer) -> Self {
        Self { viewer, ..self.clone() }
    }

    /// Runs a read with the viewer's visibility.
    pub(crate) async fn look<T, E, F>(&self, mut work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: OperationFailure,
        F: FnMut(&mut dyn Sql, Visibility) -> Result<T, E> + Send + 'static,
    {
        let viewer = self.viewer.clone();
        let look = move |sql: &mut dyn Sql| {
            let visibility = Visibility::of(sql, &viewer)?;
            work(sql, visibility)
        };
        self.pool.read(look).await
    }

    /// Runs a write with the viewer's permissions.
    pub(crate) async fn change<T, E, F>(&self, tx_mode: TxMode, mut work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: OperationFailure,
        F: FnMut(&mut Cx<'_>, Visibility) -> Result<T, E> + Send + 'static,
    {
        let viewer = self.viewer.clone();
        let change = move |cx: &mut Cx<'_>| {
            let visibility = Visibility::of(cx.sql, &viewer)?;
            work(cx, visibility)
        };
        self.pool.write(tx_mode, change).await
    }
}

impl<D> Clone for SqlStore<D> {
    fn clone(&self) -> Self {
        let (pool, viewer) = (self.pool.clone(), self.viewer.clone());
        let (liveness, full) = (self.liveness.clone(), self.last_claim_was_full.clone());
        Self { pool, viewer, liveness, last_claim_was_full: full, database: PhantomData }
    }
}

impl<D> fmt::Debug for SqlStore<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlStore").finish_non_exhaustive()
    }
}
