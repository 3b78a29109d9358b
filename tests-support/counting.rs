//! A store that wraps another and counts calls, as a host may write one.

use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use workflow_core::event::Event;
use workflow_core::id::RunId;
use workflow_core::store::{
    BeginOutcome, HeldLeases, Lease, Message, MessageKind, NewRun, Owner, OwnerId, Store,
    StoreError, StoredRun, WorkflowSnapshot,
};
use workflow_store::{
    Accounts, ApiToken, Catalog, CatalogError, Imported, MatchedBy, NewSession, NewToken, NewUser,
    NewWorkflow, Page, Retention, RunDetails, RunQuery, RunSummary, Session, Statistics,
    StatusCounts, StatusReport, StoredWorkflow, Timeline, Usage, User, UserChange, UserQuery,
    Viewer, WorkflowChange, WorkflowQuery, WorkflowVersion,
};

/// Counts calls of the wrapped store and of all handles made from it.
#[derive(Clone)]
pub(crate) struct Counting {
    inner: Arc<dyn Catalog>,
    calls: Arc<Mutex<BTreeMap<&'static str, u64>>>,
}

impl Counting {
    pub(crate) fn new(inner: Arc<dyn Catalog>) -> Self {
        Self { inner, calls: Arc::default() }
    }

    /// The number of calls of a method.
    pub(crate) fn calls(&self, method: &str) -> u64 {
        let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.get(method).copied().unwrap_or(0)
    }

    fn count(&self, method: &'static str) {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        *calls.entry(method).or_default() += 1;
    }
}

/// Implements a trait by counting and forwarding. Each method: its name, its arguments, their
/// types, and what it returns.
macro_rules! forward {
    ($trait:ident { $($own:item)* } $($name:ident($($arg:ident),*) [$($types:tt)*] -> [$($out:tt)*];)*) => {
        #[async_trait]
        impl $trait for Counting {
            $($own)*
            $(async fn $name(&self, $($types)*) -> $($out)* {
                self.count(stringify!($name));
                self.inner.$name($($arg),*).await
            })*
        }
    };
}

forward! { Store {}
    begin(run, events) [run: NewRun, events: Vec<Event>] -> [Result<BeginOutcome, StoreError>];
    append(lease, events) [lease: &Lease, events: &[Event]] -> [Result<(), StoreError>];
    events(run, from, limit) [run: RunId, from: u64, limit: usize] -> [Result<Vec<Event>, StoreError>];
    persisted(run, from, limit) [run: RunId, from: u64, limit: usize] -> [Result<Vec<Event>, StoreError>];
    run(run) [run: RunId] -> [Result<Option<StoredRun>, StoreError>];
    abandoned(after, limit) [after: Option<RunId>, limit: usize] -> [Result<Vec<StoredRun>, StoreError>];
    claim(owner, runs) [owner: Owner, runs: &[RunId]] -> [Result<Vec<Lease>, StoreError>];
    release(leases) [leases: &[Lease]] -> [Result<(), StoreError>];
    renew(owner, leases) [owner: Owner, leases: &[Lease]] -> [Result<Vec<Lease>, StoreError>];
    held() [] -> [Result<HeldLeases, StoreError>];
    children(run) [run: RunId] -> [Result<Vec<RunId>, StoreError>];
    send(run, message) [run: RunId, message: MessageKind] -> [Result<u64, StoreError>];
    inbox(owner, after) [owner: OwnerId, after: u64] -> [Result<Vec<Message>, StoreError>];
    messages(run) [run: RunId] -> [Result<Vec<Message>, StoreError>];
}

forward! { Accounts {}
    users(query) [query: UserQuery] -> [Result<Page<User>, CatalogError>];
    user(name) [name: &str] -> [Result<Option<User>, CatalogError>];
    add_user(new) [new: NewUser] -> [Result<User, CatalogError>];
    change_user(name, change) [name: &str, change: UserChange] -> [Result<User, CatalogError>];
    delete_user(name) [name: &str] -> [Result<u64, CatalogError>];
    has_accounts() [] -> [Result<bool, CatalogError>];
    add_token(new) [new: NewToken] -> [Result<ApiToken, CatalogError>];
    tokens(user) [user: Option<&str>] -> [Result<Vec<ApiToken>, CatalogError>];
    token(digest) [digest: [u8; 32]] -> [Result<Option<(ApiToken, User)>, CatalogError>];
    revoke_token(id, user) [id: i64, user: Option<&str>] -> [Result<bool, CatalogError>];
    add_session(new) [new: NewSession] -> [Result<(), CatalogError>];
    session(digest) [digest: [u8; 32]] -> [Result<Option<(Session, User)>, CatalogError>];
    end_session(digest) [digest: [u8; 32]] -> [Result<(), CatalogError>];
    end_sessions(user) [user: &str] -> [Result<(), CatalogError>];
    remove_expired() [] -> [Result<u64, CatalogError>];
}

forward! { Catalog {
        fn seen_by(&self, viewer: Viewer) -> Arc<dyn Catalog> {
            self.count("seen_by");
            Arc::new(Self { inner: self.inner.seen_by(viewer), calls: self.calls.clone() })
        }
    }
    workflows(query) [query: WorkflowQuery] -> [Result<Page<StoredWorkflow>, CatalogError>];
    find_workflow(which) [which: &str] -> [Result<(StoredWorkflow, MatchedBy), CatalogError>];
    sync_registered(workflows) [workflows: &[WorkflowSnapshot]] -> [Result<(), CatalogError>];
    create_workflow(new) [new: NewWorkflow] -> [Result<StoredWorkflow, CatalogError>];
    update_workflow(which, change) [which: &str, change: WorkflowChange]
        -> [Result<StoredWorkflow, CatalogError>];
    versions(which, after, limit) [which: &str, after: Option<String>, limit: Option<usize>]
        -> [Result<Page<WorkflowVersion>, CatalogError>];
    version(which, version) [which: &str, version: i64] -> [Result<WorkflowVersion, CatalogError>];
    count_runs(which) [which: &str] -> [Result<u64, CatalogError>];
    delete_workflow(which) [which: &str] -> [Result<u64, CatalogError>];
    runs(query) [query: RunQuery] -> [Result<Page<RunSummary>, CatalogError>];
    run_details(run) [run: RunId] -> [Result<RunDetails, CatalogError>];
    find_run(which) [which: &str] -> [Result<RunId, CatalogError>];
    report_run(run, report) [run: RunId, report: StatusReport] -> [Result<RunSummary, CatalogError>];
    timeline(since, span, workflow) [since: SystemTime, span: Duration, workflow: Option<i64>]
        -> [Result<Timeline, CatalogError>];
    status_counts() [] -> [Result<StatusCounts, CatalogError>];
    usage() [] -> [Result<Usage, CatalogError>];
    statistics(which) [which: Option<&str>] -> [Result<Vec<Statistics>, CatalogError>];
    prune(retention) [retention: Retention] -> [Result<u64, CatalogError>];
    prune_when_due(retentions, every) [retentions: &[Retention], every: Duration]
        -> [Result<Option<u64>, CatalogError>];
    export(which, out) [which: Option<&str>, out: &mut (dyn Write + Send)]
        -> [Result<(), CatalogError>];
    import(lines) [lines: &mut (dyn BufRead + Send)] -> [Result<Imported, CatalogError>];
}
