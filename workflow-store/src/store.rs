//! A handle on either database, for whom it answers to.

use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex};

use crate::db::sql::Sql;
use crate::exec::connection_pool::Crew;
use crate::exec::operation::{Company, Cx, OperationFailure};
use crate::liveness::Liveness;
use crate::visibility::{Sight, Viewer};

/// A kind of database. Implemented by this crate only.
#[doc(hidden)]
pub trait Database: fmt::Debug + Send + Sync + 'static {}

/// A store on a database: see the names for each, [`SqliteStore`](crate::SqliteStore) and
/// [`PostgresStore`](crate::PostgresStore).
///
/// Cloning it gives another handle on the same store. When the last one is dropped, what was
/// asked for is done, and the connections are closed.
pub struct SqlStore<D> {
    pub(crate) crew: Arc<Crew>,
    /// Whom this handle answers to.
    pub(crate) viewer: Viewer,
    /// What this process has seen of the owners of runs.
    pub(crate) liveness: Arc<Mutex<Liveness>>,
    database: PhantomData<D>,
}

impl<D: Database> SqlStore<D> {
    pub(crate) fn with_crew(crew: Crew) -> Self {
        let (crew, liveness) = (Arc::new(crew), Arc::default());
        Self { crew, viewer: Viewer::All, liveness, database: PhantomData }
    }

    /// Another handle, for this viewer.
    pub(crate) fn for_viewer(&self, viewer: Viewer) -> Self {
        Self { viewer, ..self.clone() }
    }

    /// Reads what the viewer sees.
    pub(crate) async fn look<T, E, F>(&self, mut work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: OperationFailure,
        F: FnMut(&mut dyn Sql, Sight) -> Result<T, E> + Send + 'static,
    {
        let viewer = self.viewer.clone();
        let look = move |sql: &mut dyn Sql| {
            let sight = Sight::of(sql, &viewer)?;
            work(sql, sight)
        };
        self.crew.read(look).await
    }

    /// Changes what the viewer may.
    pub(crate) async fn change<T, E, F>(&self, company: Company, mut work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: OperationFailure,
        F: FnMut(&mut Cx<'_>, Sight) -> Result<T, E> + Send + 'static,
    {
        let viewer = self.viewer.clone();
        let change = move |cx: &mut Cx<'_>| {
            let sight = Sight::of(cx.sql, &viewer)?;
            work(cx, sight)
        };
        self.crew.write(company, change).await
    }
}

impl<D> Clone for SqlStore<D> {
    fn clone(&self) -> Self {
        let (crew, viewer) = (self.crew.clone(), self.viewer.clone());
        Self { crew, viewer, liveness: self.liveness.clone(), database: PhantomData }
    }
}

impl<D> fmt::Debug for SqlStore<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlStore").finish_non_exhaustive()
    }
}
