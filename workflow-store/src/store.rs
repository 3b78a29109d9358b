//! The trait of the engine, on either database.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use async_trait::async_trait;
use workflow_core::{
    Begun, Event, Lease, Message, MessageKind, NewRun, Owner, OwnerId, RunId, Store, StoreError,
    StoredRun,
};

use crate::crew::Crew;
use crate::operation::Company;
use crate::runs::{self, Appended, Beginning};

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
    database: PhantomData<D>,
}

impl<D: Database> SqlStore<D> {
    pub(crate) fn with_crew(crew: Crew) -> Self {
        Self { crew: Arc::new(crew), database: PhantomData }
    }
}

impl<D> Clone for SqlStore<D> {
    fn clone(&self) -> Self {
        Self { crew: self.crew.clone(), database: PhantomData }
    }
}

impl<D> fmt::Debug for SqlStore<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlStore").finish_non_exhaustive()
    }
}

#[async_trait]
impl<D: Database> Store for SqlStore<D> {
    async fn begin(&self, run: NewRun, events: Vec<Event>) -> Result<Begun, StoreError> {
        let new = Arc::new(Beginning::new(run, &events)?);
        Ok(self.crew.write(Company::Shared, move |cx| runs::begin(cx, &new)).await?)
    }

    async fn append(&self, lease: &Lease, events: &[Event]) -> Result<(), StoreError> {
        let new = Arc::new(Appended::new(lease, events)?);
        Ok(self.crew.write(Company::Shared, move |cx| runs::append(cx, &new)).await?)
    }

    async fn events(&self, run: RunId, from: u64, limit: usize) -> Result<Vec<Event>, StoreError> {
        Ok(self.crew.read(move |sql| runs::events(sql, run, from, limit)).await?)
    }

    async fn run(&self, run: RunId) -> Result<Option<StoredRun>, StoreError> {
        Ok(self.crew.read(move |sql| Ok(runs::run(sql, run)?)).await?)
    }

    async fn orphans(
        &self,
        after: Option<RunId>,
        limit: usize,
    ) -> Result<Vec<StoredRun>, StoreError> {
        Ok(self.crew.read(move |sql| runs::orphans(sql, after, limit)).await?)
    }

    async fn claim(&self, owner: Owner, runs: &[RunId]) -> Result<Vec<Lease>, StoreError> {
        let runs = runs.to_vec();
        Ok(self.crew.write(Company::Alone, move |cx| runs::claim(cx, owner, &runs)).await?)
    }

    async fn release(&self, leases: &[Lease]) -> Result<(), StoreError> {
        let leases = leases.to_vec();
        Ok(self.crew.write(Company::Shared, move |cx| runs::release(cx, &leases)).await?)
    }

    async fn renew(&self, owner: Owner, leases: &[Lease]) -> Result<Vec<Lease>, StoreError> {
        let leases = leases.to_vec();
        Ok(self.crew.write(Company::Shared, move |cx| runs::renew(cx, owner, &leases)).await?)
    }

    async fn send(&self, run: RunId, message: MessageKind) -> Result<u64, StoreError> {
        let body = runs::write_json(&message)?;
        Ok(self.crew.write(Company::Shared, move |cx| runs::send(cx, run, &body)).await?)
    }

    async fn inbox(&self, owner: OwnerId, after: u64) -> Result<Vec<Message>, StoreError> {
        Ok(self.crew.read(move |sql| runs::inbox(sql, owner, after)).await?)
    }

    async fn messages(&self, run: RunId) -> Result<Vec<Message>, StoreError> {
        Ok(self.crew.read(move |sql| runs::messages(sql, run)).await?)
    }
}
