//! Stores over a [`MemoryStore`](workflow_core::store::MemoryStore) in their field `store`, which
//! differ from it in some requests.

/// Implements `Store` with these methods, and passes all other requests on. The methods must
/// contain `begin`, `append`, `claim`, `renew`, `send` and `inbox`; after `only send`, the others of
/// these are passed on as well.
macro_rules! store_over_memory {
    ($store:ty, only send { $($methods:tt)* }) => {
        store_over_memory!($store {
            async fn begin(
                &self,
                run: NewRun,
                events: Vec<Event>,
            ) -> Result<BeginOutcome, StoreError> {
                self.store.begin(run, events).await
            }

            async fn append(&self, lease: &Lease, events: &[Event]) -> Result<(), StoreError> {
                self.store.append(lease, events).await
            }

            async fn claim(&self, owner: Owner, runs: &[RunId]) -> Result<Vec<Lease>, StoreError> {
                self.store.claim(owner, runs).await
            }

            async fn renew(
                &self,
                owner: Owner,
                leases: &[Lease],
            ) -> Result<Vec<Lease>, StoreError> {
                self.store.renew(owner, leases).await
            }

            async fn inbox(
                &self,
                owner: OwnerId,
                after: u64,
            ) -> Result<Vec<Message>, StoreError> {
                self.store.inbox(owner, after).await
            }

            $($methods)*
        });
    };
    ($store:ty { $($methods:tt)* }) => {
        #[async_trait::async_trait]
        impl workflow_core::store::Store for $store {
            $($methods)*

            async fn events(
                &self,
                run: RunId,
                from: u64,
                limit: usize,
            ) -> Result<Vec<Event>, StoreError> {
                self.store.events(run, from, limit).await
            }

            async fn persisted(
                &self,
                run: RunId,
                from: u64,
                limit: usize,
            ) -> Result<Vec<Event>, StoreError> {
                self.store.persisted(run, from, limit).await
            }

            async fn run(&self, run: RunId) -> Result<Option<StoredRun>, StoreError> {
                self.store.run(run).await
            }

            async fn abandoned(
                &self,
                after: Option<RunId>,
                limit: usize,
            ) -> Result<Vec<StoredRun>, StoreError> {
                self.store.abandoned(after, limit).await
            }

            fn task_store(&self) -> Option<&dyn workflow_core::store::TaskStore> {
                self.store.task_store()
            }

            async fn release(&self, leases: &[Lease]) -> Result<(), StoreError> {
                self.store.release(leases).await
            }

            async fn held(&self) -> Result<HeldLeases, StoreError> {
                self.store.held().await
            }

            async fn children(&self, run: RunId) -> Result<Vec<RunId>, StoreError> {
                self.store.children(run).await
            }

            async fn messages(&self, run: RunId) -> Result<Vec<Message>, StoreError> {
                self.store.messages(run).await
            }
        }
    };
}

pub(crate) use store_over_memory;
