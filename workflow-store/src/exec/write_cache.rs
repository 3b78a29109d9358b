//! The cache of the writer, which saves reads.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use serde_json::Value as Json;
use workflow_core::Status;
use workflow_core::definition::Metadata;
use workflow_core::event::{JobOrigin, Waiting};
use workflow_core::id::RunId;
use workflow_core::store::{NewRun, Owner, OwnerId};

use crate::db::sql::{Sql, SqlError, SqlKind};
use crate::rows::beginning::DefinitionIds;

/// What the writer knows without reading. It may be cleared at any time, and is when a transaction
/// fails.
#[derive(Default)]
pub(crate) struct WriteCache {
    definitions: HashMap<String, Vec<CachedDefinition>>,
    /// When each owner was last persisted as alive, by the monotonic clock, which stops while the
    /// machine sleeps, and by the wall clock, which may be adjusted.
    alive: HashMap<OwnerId, (Instant, SystemTime)>,
    /// The names of users that have rows.
    users: HashSet<String>,
    runs: HashMap<RunId, RunMemo>,
    /// The runs of the current transaction.
    touched: Vec<RunId>,
    /// Reserved numbers for rows of runs.
    numbers: Vec<i64>,
    /// Runs of transactions that may or may not have been committed.
    uncertain: HashSet<RunId>,
}

/// A definition in the database.
struct CachedDefinition {
    /// The number by which the workflow was requested, if any.
    asked: Option<i64>,
    /// The owner of the run, if it decides which workflow the run joined.
    owner: Option<String>,
    graph: Arc<Json>,
    source: Option<Arc<Json>>,
    fingerprint: Arc<str>,
    metadata: Metadata,
    ids: DefinitionIds,
}

/// A run that this process executes.
#[derive(Debug, Clone)]
pub(crate) struct RunMemo {
    pub(crate) row: i64,
    pub(crate) workflow: i64,
    pub(crate) owner: OwnerId,
    pub(crate) token: u64,
    pub(crate) events: u64,
    pub(crate) status: Status,
    /// When it started, in microseconds.
    pub(crate) begun_at: Option<i64>,
    /// Whether it has limits, with its key of a concurrency limit.
    pub(crate) limits: Option<Option<Box<str>>>,
    /// Whether another run started it.
    pub(crate) is_child: bool,
    /// Whether it may have tasks.
    pub(crate) has_tasks: bool,
    /// The running jobs.
    pub(crate) jobs: HashMap<Box<str>, JobMemo>,
    /// Whether one of them may be waiting.
    pub(crate) may_wait: bool,
    /// Whether the run is waiting according to the database.
    pub(crate) is_recorded_waiting: bool,
}

/// A running job.
#[derive(Debug, Clone)]
pub(crate) struct JobMemo {
    /// When its attempt started, in microseconds.
    pub(crate) started_at: i64,
    /// The name in statistics, if not its own.
    pub(crate) counts_as: Option<Box<str>>,
    /// The job that is waiting for this one.
    pub(crate) parent: Option<Box<str>>,
    /// The signal that it is waiting for.
    pub(crate) signal: Option<Box<Waiting>>,
    /// Its last sleep.
    pub(crate) sleep: Option<Box<Waiting>>,
    /// Whether an attempt is known to be running: not between attempts, and not after the run was
    /// recovered.
    pub(crate) is_under_way: bool,
}

impl JobMemo {
    /// A job whose attempt has started.
    pub(crate) fn new(started_at: i64, origin: Option<&JobOrigin>) -> Self {
        let (counts_as, parent) = match origin {
            Some(JobOrigin::Called { by, job, .. }) => (Some(job), Some(by)),
            Some(JobOrigin::Element { of, .. }) => (Some(of), Some(of)),
            _ => (None, None),
        };
        let [counts_as, parent] = [counts_as, parent].map(|name| Some(name?.as_str().into()));
        Self { started_at, counts_as, parent, signal: None, sleep: None, is_under_way: true }
    }

    /// Records that its attempt has ended.
    pub(crate) fn interrupt(&mut self) {
        (self.signal, self.sleep, self.is_under_way) = (None, None, false);
    }
}

/// The most cached runs, names and definitions of a name.
const MOST_RUNS: usize = 50_000;
const MOST_NAMES: usize = 10_000;
const MOST_DEFINITIONS: usize = 8;

impl WriteCache {
    /// Starts a transaction.
    pub(crate) fn start(&mut self) {
        self.touched.clear();
    }

    /// Records that the current transaction writes to this run.
    pub(crate) fn touch(&mut self, run: RunId) {
        self.touched.push(run);
    }

    /// Records that the current transaction may or may not have been committed.
    pub(crate) fn mark_uncertain(&mut self) {
        self.uncertain.extend(self.touched.drain(..));
    }

    /// Whether an operation on the run may have been committed already.
    pub(crate) fn is_uncertain(&self, run: RunId) -> bool {
        self.uncertain.contains(&run)
    }

    pub(crate) fn clear(&mut self) {
        self.definitions.clear();
        self.alive.clear();
        self.users.clear();
        self.runs.clear();
    }

    /// The cached definition of the workflow of a run.
    pub(crate) fn definition(&self, run: &NewRun) -> Option<DefinitionIds> {
        let of = &run.workflow;
        let known = self.definitions.get(&of.name)?.iter().find(|known| {
            let same_source = match (&known.source, &of.source) {
                (Some(one), Some(other)) => Arc::ptr_eq(one, other),
                (None, None) => true,
                _ => false,
            };
            known.asked == run.workflow_id
                && known.owner.as_deref() == joining_owner(run)
                && same_source
                && Arc::ptr_eq(&known.graph, &of.graph)
                && known.fingerprint == of.fingerprint
                && known.metadata == of.metadata
        });
        known.map(|known| known.ids)
    }

    pub(crate) fn know_definition(&mut self, run: &NewRun, ids: DefinitionIds) {
        let of = &run.workflow;
        if self.definitions.len() >= MOST_NAMES {
            self.definitions.clear();
        }
        let known = self.definitions.entry(of.name.clone()).or_default();
        if known.len() >= MOST_DEFINITIONS {
            known.remove(0);
        }
        known.push(CachedDefinition {
            asked: run.workflow_id,
            owner: joining_owner(run).map(str::to_owned),
            graph: of.graph.clone(),
            source: of.source.clone(),
            fingerprint: of.fingerprint.clone(),
            metadata: of.metadata.clone(),
            ids,
        });
    }

    pub(crate) fn knows_user(&self, name: &str) -> bool {
        self.users.contains(name)
    }

    pub(crate) fn know_user(&mut self, name: &str) {
        if self.users.contains(name) {
            return;
        }
        if self.users.len() >= MOST_NAMES {
            self.users.clear();
        }
        self.users.insert(name.to_owned());
    }

    /// Whether the owner is persisted as alive for at least half of its lease.
    pub(crate) fn is_alive(&self, owner: Owner) -> bool {
        self.alive.get(&owner.id).is_some_and(|(at, time_of_day)| {
            let passed = SystemTime::now().duration_since(*time_of_day);
            at.elapsed() < owner.lifetime / 2
                && passed.is_ok_and(|passed| passed < owner.lifetime / 2)
        })
    }

    /// Records that the owner was persisted as alive at this moment.
    pub(crate) fn know_alive(&mut self, owner: Owner, at: Instant) {
        // Read a little later than `at`, which is negligible compared to half of a lease.
        self.alive.insert(owner.id, (at, SystemTime::now()));
    }

    /// Takes a run out of the cache. The operation that changes it puts it back.
    pub(crate) fn take_run(&mut self, run: RunId) -> Option<RunMemo> {
        self.runs.remove(&run)
    }

    pub(crate) fn know_run(&mut self, run: RunId, memo: RunMemo) {
        if memo.status.is_final() {
            return;
        }
        if self.runs.len() >= MOST_RUNS {
            self.runs.clear();
        }
        self.runs.insert(run, memo);
    }

    /// Records that a run has tasks.
    pub(crate) fn know_tasks(&mut self, run: RunId) {
        if let Some(memo) = self.runs.get_mut(&run) {
            memo.has_tasks = true;
        }
    }

    /// An unused number for a row of a run. PostgreSQL only.
    pub(crate) fn run_number(&mut self, sql: &mut dyn Sql) -> Result<i64, SqlError> {
        if self.numbers.is_empty() {
            for row in sql.query(NUMBERS, &[])?.iter().rev() {
                self.numbers.push(row.int(0)?);
            }
        }
        self.numbers.pop().ok_or_else(|| {
            SqlError::new(
                SqlKind::Unusable,
                "the sequence of `workflows_workflowrun` does not exist",
            )
        })
    }

    pub(crate) fn forget_run(&mut self, run: RunId) {
        self.runs.remove(&run);
        self.uncertain.remove(&run);
    }
}

/// The owner of the workflow that the run joins: a file requested by name belongs to its user.
fn joining_owner(run: &NewRun) -> Option<&str> {
    let is_by_owner = run.workflow_id.is_none() && run.workflow.source.is_some();
    run.user.as_deref().filter(|_| is_by_owner)
}

const NUMBERS: &str = "SELECT nextval(pg_get_serial_sequence('workflows_workflowrun', 'id')) \
    FROM generate_series(1, 200)";
