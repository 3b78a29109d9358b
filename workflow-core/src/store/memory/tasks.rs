//! Attempts of jobs that wait for the workers of a task queue of their own.

use std::collections::BTreeMap;
use std::time::SystemTime;

use async_trait::async_trait;
use serde_json::Value as Json;

use super::{MemoryStore, Runs};
use crate::event::{Event, EventKind};
use crate::id::RunId;
use crate::run_log::OutputStream;
use crate::store::{
    ClaimRequest, ClaimedTask, HeldTask, Lease, NewTask, Owner, OwnerId, StoreError, StoredTask,
    TaskAnswer, TaskEnd, TaskError, TaskKey, TaskLease, TaskProgress, TaskStore,
};

/// The tasks of all runs, by their numbers.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    rows: BTreeMap<u64, Row>,
    last: u64,
}

#[derive(Debug)]
struct Row {
    task: NewTask,
    opened_at: SystemTime,
    owner: Option<OwnerId>,
    token: u64,
    deaths: u32,
    is_stopped: bool,
    persisted: BTreeMap<String, Json>,
    output: Vec<(OutputStream, String)>,
    end: Option<TaskEnd>,
}

impl Row {
    fn key(&self) -> &TaskKey {
        &self.task.key
    }

    fn is_of(&self, run: RunId, job: &str) -> bool {
        self.key().run == run && self.key().job == job
    }

    fn end(&mut self, end: TaskEnd) {
        (self.end, self.owner) = (Some(end), None);
    }
}

impl Runs {
    fn check_lease(&self, lease: &Lease) -> Result<(), StoreError> {
        let run = lease.run;
        let row = self.runs.get(&run).ok_or(StoreError::NoRun { run })?;
        if row.holds(lease) { Ok(()) } else { Err(StoreError::LeaseLost { run }) }
    }

    /// Removes the tasks of attempts whose end is recorded. Returns whether there were some.
    pub(super) fn remove_ended_tasks(&mut self, run: RunId, events: &[Event]) -> bool {
        if self.tasks.rows.is_empty() {
            return false;
        }
        let before = self.tasks.rows.len();
        for event in events {
            let kind = &event.kind;
            if kind.run_status().is_some_and(|status| status.is_final()) {
                self.tasks.rows.retain(|_, row| row.key().run != run);
            } else if let Some(job) = kind.job()
                && (kind.ends_job() || matches!(kind, EventKind::AttemptFailed { .. }))
            {
                self.tasks.rows.retain(|_, row| !row.is_of(run, job));
            }
        }
        self.tasks.rows.len() < before
    }

    /// The queues of the waiting tasks, and when these were opened.
    pub(super) fn waiting_tasks(&self) -> Vec<(String, SystemTime)> {
        let rows = self.tasks.rows.values().filter(|row| self.waits(row));
        rows.map(|row| (row.task.queue.clone(), row.opened_at)).collect()
    }

    fn waits(&self, row: &Row) -> bool {
        row.end.is_none() && !row.is_stopped && !self.is_alive(row.owner)
    }

    /// The task of this lease, unless it is lost.
    fn held(&mut self, lease: &TaskLease) -> Result<&mut Row, TaskError> {
        let row = self.tasks.rows.get_mut(&lease.task);
        let row = row.filter(|row| row.owner == Some(lease.owner) && row.token == lease.token);
        row.ok_or(TaskError::Lost { task: lease.task })
    }
}

#[async_trait]
impl TaskStore for MemoryStore {
    async fn open_task(&self, lease: &Lease, task: &NewTask) -> Result<(), StoreError> {
        let mut state = self.lock();
        state.check_lease(lease)?;
        if state.tasks.rows.values().any(|row| *row.key() == task.key) {
            return Ok(());
        }
        let Tasks { rows, last } = &mut state.tasks;
        rows.retain(|_, row| !row.is_of(task.key.run, &task.key.job));
        *last += 1;
        let row = Row {
            task: task.clone(),
            opened_at: SystemTime::now(),
            owner: None,
            token: 0,
            deaths: 0,
            is_stopped: false,
            persisted: BTreeMap::new(),
            output: Vec::new(),
            end: None,
        };
        rows.insert(*last, row);
        drop(state);
        self.changes.announce();
        Ok(())
    }

    async fn stop_task(&self, lease: &Lease, task: &TaskKey) -> Result<(), StoreError> {
        let mut state = self.lock();
        state.check_lease(lease)?;
        let mut rows = state.tasks.rows.iter();
        let open = rows.find(|(_, row)| row.end.is_none() && row.key() == task);
        let Some((number, row)) = open else { return Ok(()) };
        let (number, is_held) = (*number, state.is_alive(row.owner));
        if let Some(row) = state.tasks.rows.get_mut(&number) {
            row.is_stopped = true;
            if !is_held {
                row.end(TaskEnd::Cancelled);
            }
        }
        drop(state);
        self.changes.announce();
        Ok(())
    }

    async fn task_answers(&self, owner: OwnerId) -> Result<Vec<TaskAnswer>, StoreError> {
        let mut state = self.lock();
        let Runs { tasks, runs, .. } = &mut *state;
        let mine = |row: &&mut Row| {
            let run = runs.get(&row.key().run);
            run.is_some_and(|run| run.run.owner == Some(owner))
                && (row.end.is_some() || !row.output.is_empty())
        };
        let answers = tasks.rows.values_mut().filter(mine).map(|row| TaskAnswer {
            key: row.key().clone(),
            output: std::mem::take(&mut row.output),
            end: row.end.clone(),
        });
        Ok(answers.collect())
    }

    async fn claim_tasks(
        &self,
        owner: Owner,
        request: &ClaimRequest,
    ) -> Result<Vec<ClaimedTask>, StoreError> {
        let mut state = self.lock();
        state.keep_alive(owner);
        let mut waiting: Vec<_> = state
            .tasks
            .rows
            .iter()
            .filter(|(_, row)| state.waits(row) && request.queues.contains(&row.task.queue))
            .filter_map(|(number, row)| {
                let run = &state.runs.get(&row.key().run)?.run;
                let order = request.order(&row.task.queue, run.priority);
                let is_wanted = !request.except.contains(&run.workflow.name);
                is_wanted.then(|| (order, *number, run.clone()))
            })
            .collect();
        waiting.sort_by_key(|(order, number, _)| (*order, *number));
        let claimed = waiting.into_iter().take(request.limit).filter_map(|(_, number, run)| {
            let row = state.tasks.rows.get_mut(&number)?;
            row.deaths += u32::from(row.owner.is_some());
            (row.owner, row.token) = (Some(owner.id), row.token + 1);
            Some(ClaimedTask {
                lease: TaskLease { task: number, owner: owner.id, token: row.token },
                attempt: row.task.attempt.clone(),
                persisted: row.persisted.clone(),
                deaths: row.deaths,
                run,
            })
        });
        Ok(claimed.collect())
    }

    async fn held_tasks(&self, owner: OwnerId) -> Result<Vec<HeldTask>, StoreError> {
        let state = self.lock();
        let held = state.tasks.rows.iter().filter(|(_, row)| row.owner == Some(owner));
        let held = held.map(|(task, row)| HeldTask {
            lease: TaskLease { task: *task, owner, token: row.token },
            is_stopped: row.is_stopped,
        });
        Ok(held.collect())
    }

    async fn report_task(
        &self,
        lease: &TaskLease,
        progress: &TaskProgress,
    ) -> Result<(), TaskError> {
        let mut state = self.lock();
        let row = state.held(lease)?;
        row.persisted.extend(progress.persisted.clone());
        row.output.extend(progress.output.iter().cloned());
        drop(state);
        self.changes.announce();
        Ok(())
    }

    async fn end_task(
        &self,
        lease: &TaskLease,
        progress: &TaskProgress,
        outcome: &Json,
    ) -> Result<(), TaskError> {
        let mut state = self.lock();
        let row = state.held(lease)?;
        row.output.extend(progress.output.iter().cloned());
        row.end(TaskEnd::Outcome(outcome.clone()));
        drop(state);
        self.changes.announce();
        Ok(())
    }

    async fn release_tasks(&self, leases: &[TaskLease]) -> Result<(), StoreError> {
        let mut state = self.lock();
        for lease in leases {
            if let Ok(row) = state.held(lease) {
                row.owner = None;
            }
        }
        drop(state);
        self.changes.announce();
        Ok(())
    }

    async fn tasks(&self, run: RunId) -> Result<Vec<StoredTask>, StoreError> {
        let state = self.lock();
        let of_run = |row: &&Row| row.key().run == run && row.end.is_none();
        let stored = state.tasks.rows.values().filter(of_run).map(|row| StoredTask {
            key: row.key().clone(),
            queue: row.task.queue.clone(),
            opened_at: row.opened_at,
            owner: row.owner,
            is_owner_alive: state.is_alive(row.owner),
        });
        Ok(stored.collect())
    }
}
