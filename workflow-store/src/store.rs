//! The trait of the engine, on either database.

use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use workflow_core::{
    Begun, Event, HeldLeases, Lease, Message, MessageKind, NewRun, Owner, OwnerId, RunId, Store,
    StoreError, StoredRun,
};

use crate::db::sql::{Sql, SqlError};
use crate::exec::connection_pool::Crew;
use crate::exec::operation::{Company, Cx, OperationFailure};
use crate::liveness::Liveness;
use crate::runs::{self, Admission, Appended, Beginning};
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

    /// Ends the leases of owners that have stopped, and returns those that are alive although
    /// their lease is over by the clock of the database.
    async fn judge_owners(&self) -> Result<Vec<OwnerId>, SqlError> {
        let liveness = self.liveness.clone();
        let judged = self.crew.read_vital(move |sql| runs::judge(sql, &liveness)).await?;
        if !judged.stopped.is_empty() {
            let expire = move |cx: &mut Cx<'_>| runs::expire(cx.sql, &judged.stopped);
            self.crew.write(Company::Shared, expire).await?;
        }
        Ok(judged.protected)
    }

    /// Sees to it that this is no handle of a user, which drives no runs.
    fn check_engine(&self) -> Result<(), StoreError> {
        match &self.viewer {
            Viewer::All | Viewer::Staff(_) => Ok(()),
            Viewer::User(user) => Err(StoreError::Unusable(
                format!(
                    "what user `{user}` sees of a store drives no runs; give the engine the store"
                )
                .into(),
            )),
        }
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

#[async_trait]
impl<D: Database> Store for SqlStore<D> {
    async fn begin(&self, mut run: NewRun, events: Vec<Event>) -> Result<Begun, StoreError> {
        if let Viewer::User(user) = &self.viewer {
            if run.owner.is_some() {
                self.check_engine()?;
            }
            run.user = Some(user.clone());
        }
        let new = Arc::new(Beginning::new(run, &events)?);
        Ok(self
            .change(Company::Shared, move |cx, sight| {
                runs::begin(cx, sight, &new, Admission::Active)
            })
            .await?)
    }

    async fn append(&self, lease: &Lease, events: &[Event]) -> Result<(), StoreError> {
        self.check_engine()?;
        let new = Arc::new(Appended::new(lease, events)?);
        Ok(self.crew.write(Company::Shared, move |cx| runs::append(cx, &new)).await?)
    }

    async fn events(&self, run: RunId, from: u64, limit: usize) -> Result<Vec<Event>, StoreError> {
        Ok(self.look(move |sql, sight| runs::events(sql, sight, run, from, limit)).await?)
    }

    async fn run(&self, run: RunId) -> Result<Option<StoredRun>, StoreError> {
        Ok(self.look(move |sql, sight| runs::run(sql, sight, run)).await?)
    }

    async fn orphans(
        &self,
        after: Option<RunId>,
        limit: usize,
    ) -> Result<Vec<StoredRun>, StoreError> {
        self.check_engine()?;
        let protected = self.judge_owners().await?;
        Ok(self.crew.read_vital(move |sql| runs::orphans(sql, &protected, after, limit)).await?)
    }

    async fn claim(&self, owner: Owner, runs: &[RunId]) -> Result<Vec<Lease>, StoreError> {
        self.check_engine()?;
        let (runs, liveness) = (runs.to_vec(), self.liveness.clone());
        let claim = move |cx: &mut Cx<'_>| runs::claim(cx, &liveness, owner, &runs);
        Ok(self.crew.write(Company::Alone, claim).await?)
    }

    async fn release(&self, leases: &[Lease]) -> Result<(), StoreError> {
        self.check_engine()?;
        let leases = leases.to_vec();
        Ok(self.crew.write(Company::Shared, move |cx| runs::release(cx, &leases)).await?)
    }

    async fn renew(&self, owner: Owner, leases: &[Lease]) -> Result<Vec<Lease>, StoreError> {
        self.check_engine()?;
        let leases = leases.to_vec();
        Ok(self.crew.write(Company::Shared, move |cx| runs::renew(cx, owner, &leases)).await?)
    }

    async fn held(&self) -> Result<HeldLeases, StoreError> {
        self.check_engine()?;
        let liveness = self.liveness.clone();
        Ok(self.crew.read_vital(move |sql| runs::held(sql, &liveness)).await?)
    }

    async fn children(&self, run: RunId) -> Result<Vec<RunId>, StoreError> {
        self.check_engine()?;
        Ok(self.crew.read_vital(move |sql| runs::children(sql, run)).await?)
    }

    async fn send(&self, run: RunId, message: MessageKind) -> Result<u64, StoreError> {
        let body = crate::rows::event::write(&message)?;
        let is_signal = matches!(message, MessageKind::Signal { .. });
        let sent = self
            .change(Company::Shared, move |cx, sight| runs::send(cx, sight, run, &body, is_signal));
        Ok(sent.await?)
    }

    async fn inbox(&self, owner: OwnerId, after: u64) -> Result<Vec<Message>, StoreError> {
        self.check_engine()?;
        Ok(self.crew.read_vital(move |sql| runs::inbox(sql, owner, after)).await?)
    }

    async fn messages(&self, run: RunId) -> Result<Vec<Message>, StoreError> {
        Ok(self.look(move |sql, sight| runs::messages(sql, sight, run)).await?)
    }
}
