//! What a writer knows without asking.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use serde_json::Value as Json;
use workflow_core::{Metadata, NewRun, Owner, OwnerId, RunId, Status, Waiting};

use crate::db::sql::{Sql, SqlError, SqlKind};
use crate::rows::beginning::DefinitionIds;

/// What a writer knows. All of it may be forgotten at any time, and is when a transaction fails.
#[derive(Default)]
pub(crate) struct WriteCache {
    definitions: HashMap<String, Vec<Known>>,
    /// When each owner was last written down as alive, by the monotonic clock and by the time of
    /// day: the one stands still while the machine sleeps, the other may be set.
    alive: HashMap<OwnerId, (Instant, SystemTime)>,
    /// The names of users that have rows.
    users: HashSet<String>,
    runs: HashMap<RunId, RunMemo>,
    /// The runs of the transaction at hand.
    touched: Vec<RunId>,
    /// Numbers for the rows of runs, taken beforehand.
    numbers: Vec<i64>,
    /// Runs of transactions of which nobody knows whether they were committed.
    uncertain: HashSet<RunId>,
}

/// A definition that the database has.
struct Known {
    /// By which number the workflow was asked for, if by one.
    asked: Option<i64>,
    /// Whose run it was, where that decides which workflow it joined.
    owner: Option<String>,
    graph: Arc<Json>,
    source: Option<Arc<Json>>,
    fingerprint: Arc<str>,
    metadata: Metadata,
    ids: DefinitionIds,
}

/// A run that this process drives.
#[derive(Debug, Clone)]
pub(crate) struct RunMemo {
    pub(crate) row: i64,
    pub(crate) workflow: i64,
    pub(crate) owner: OwnerId,
    pub(crate) token: u64,
    pub(crate) events: u64,
    pub(crate) status: Status,
    /// When it began to run, in microseconds.
    pub(crate) begun_at: Option<i64>,
    /// The jobs that have begun and not ended.
    pub(crate) jobs: HashMap<Box<str>, JobMemo>,
    /// Whether one of them may wait for something.
    pub(crate) may_wait: bool,
    /// Whether the database says that the run waits.
    pub(crate) is_told_waiting: bool,
}

/// A job that has begun and not ended.
#[derive(Debug, Clone)]
pub(crate) struct JobMemo {
    /// When its attempt began, in microseconds.
    pub(crate) started_at: i64,
    /// Under which name it counts, if not its own.
    pub(crate) counts_as: Option<Box<str>>,
    /// The job that waits for this one.
    pub(crate) parent: Option<Box<str>>,
    /// The signal that it waits for.
    pub(crate) signal: Option<Box<Waiting>>,
    /// Its latest sleep.
    pub(crate) sleep: Option<Box<Waiting>>,
    /// Whether an attempt is under way, as far as is known: not before the next attempt, nor since
    /// the run was taken up again.
    pub(crate) is_under_way: bool,
}

impl JobMemo {
    /// Its attempt is not under way any more.
    pub(crate) fn interrupt(&mut self) {
        (self.signal, self.sleep, self.is_under_way) = (None, None, false);
    }
}

/// How many runs, names and definitions of a name are remembered at most.
const MOST_RUNS: usize = 50_000;
const MOST_NAMES: usize = 10_000;
const MOST_DEFINITIONS: usize = 8;

impl WriteCache {
    /// A transaction begins.
    pub(crate) fn start(&mut self) {
        self.touched.clear();
    }

    /// The transaction at hand writes to this run.
    pub(crate) fn touch(&mut self, run: RunId) {
        self.touched.push(run);
    }

    /// Nobody knows whether the transaction at hand was committed.
    pub(crate) fn mark_uncertain(&mut self) {
        self.uncertain.extend(self.touched.drain(..));
    }

    /// Whether what is asked for the run may have been done already.
    pub(crate) fn is_uncertain(&self, run: RunId) -> bool {
        self.uncertain.contains(&run)
    }

    pub(crate) fn clear(&mut self) {
        self.definitions.clear();
        self.alive.clear();
        self.users.clear();
        self.runs.clear();
    }

    /// What is known of the workflow of a run.
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
        known.push(Known {
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

    /// Whether the owner is written down as alive for another half of its lifetime.
    pub(crate) fn is_alive(&self, owner: Owner) -> bool {
        self.alive.get(&owner.id).is_some_and(|(at, time_of_day)| {
            let passed = SystemTime::now().duration_since(*time_of_day);
            at.elapsed() < owner.lifetime / 2
                && passed.is_ok_and(|passed| passed < owner.lifetime / 2)
        })
    }

    /// The owner was written down at this moment.
    pub(crate) fn know_alive(&mut self, owner: Owner, at: Instant) {
        // Read later than `at`, by a moment that is nothing to half of a lease.
        self.alive.insert(owner.id, (at, SystemTime::now()));
    }

    /// Takes out what is known of a run. What changes it puts it back.
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

    /// A number that no row of a run has. PostgreSQL only.
    pub(crate) fn run_number(&mut self, sql: &mut dyn Sql) -> Result<i64, SqlError> {
        if self.numbers.is_empty() {
            for row in sql.query(NUMBERS, &[])?.iter().rev() {
                self.numbers.push(row.int(0)?);
            }
        }
        self.numbers.pop().ok_or_else(|| {
            SqlError::new(SqlKind::Unusable, "the sequence of `workflows_workflowrun` is gone")
        })
    }

    pub(crate) fn forget_run(&mut self, run: RunId) {
        self.runs.remove(&run);
        self.uncertain.remove(&run);
    }
}

/// Whose workflow the run joins: that of a file, asked for by name, is its user's.
fn joining_owner(run: &NewRun) -> Option<&str> {
    let is_by_owner = run.workflow_id.is_none() && run.workflow.source.is_some();
    run.user.as_deref().filter(|_| is_by_owner)
}

const NUMBERS: &str = "SELECT nextval(pg_get_serial_sequence('workflows_workflowrun', 'id')) \
    FROM generate_series(1, 200)";
