//! A store in memory.

mod admission;
mod assets;
mod downstream;
mod files;
mod schedules;
mod sleep;
mod tasks;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use async_trait::async_trait;
use futures::stream::BoxStream;

use self::admission::{Admission, Conflict, Place};
use self::sleep::Sleep;
use self::tasks::Tasks;
use super::{
    Asleep, AssetStore, Backlog, BeginOutcome, ClaimRequest, ClaimedRun, DownstreamStore, Eviction,
    FileStore, HeldLeases, KeyScope, Lease, LimitWait, MOST_UNREAD_SIGNALS, Message, MessageKind,
    NewRun, Owner, OwnerId, QueueChanges, ScheduleId, ScheduleState, ScheduleStore,
    ScheduledWorkflow, SharedBy, Store, StoreError, StoredMaterialization, StoredRun, StoredWorker,
    TaskStore, WorkerId, WorkerReport, WorkflowLink, workers,
};
use crate::event::{Blocked, Event, EventKind, Status};
use crate::id::RunId;

/// The longest lifetime of an owner: one year.
const LONGEST_LIFETIME: Duration = Duration::from_secs(365 * 24 * 3600);

/// The time for which dead workers are listed.
const REMEMBERED: Duration = Duration::from_secs(3600);

/// A store in memory, for tests and for programs that list past runs but need not persist them.
///
/// ```
/// use std::sync::Arc;
/// use workflow_core::prelude::*;
/// use workflow_core::store::MemoryStore;
///
/// #[register_workflow(name = "answer")]
/// fn answer() -> u64 { 7 }
///
/// let store = Arc::new(MemoryStore::new());
/// let engine = Engine::builder().store(store.clone()).build();
/// let report = engine.run("answer").wait()?;
/// assert_eq!(store.runs(), [(report.id(), "answer".to_owned())]);
/// # Ok::<(), RunError>(())
/// ```
#[derive(Debug, Default)]
pub struct MemoryStore {
    state: Mutex<Runs>,
    changes: QueueChanges,
}

#[derive(Debug, Default)]
struct Runs {
    runs: BTreeMap<RunId, Row>,
    /// By idempotency key.
    keys: HashMap<(KeyScope, String), RunId>,
    /// The time until which each owner counts as alive.
    owners: HashMap<OwnerId, Instant>,
    messages: Vec<Message>,
    admission: Admission,
    workers: BTreeMap<WorkerId, Worker>,
    tasks: Tasks,
    schedules: HashMap<ScheduledWorkflow, (ScheduleId, ScheduleState)>,
    /// The records of assets, oldest first.
    materializations: Vec<StoredMaterialization>,
    /// The versions of the files that were handled, by name.
    files: HashMap<ScheduledWorkflow, BTreeMap<String, String>>,
    /// The ended runs that wait for the downstream workflow, by link.
    links: HashMap<WorkflowLink, BTreeSet<RunId>>,
}

#[derive(Debug)]
struct Worker {
    report: WorkerReport,
    since: SystemTime,
    last_heartbeat: SystemTime,
    heard: Instant,
    alive_until: Instant,
}

#[derive(Debug)]
struct Row {
    run: StoredRun,
    token: u64,
    events: Vec<Event>,
    /// The number of signals that were sent to it.
    signals: u64,
    place: Place,
    /// Present while it is evicted.
    sleep: Option<Sleep>,
}

impl MemoryStore {
    /// Creates an empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// The runs and the names of their workflows, oldest first.
    pub fn runs(&self) -> Vec<(RunId, String)> {
        let name = |(id, row): (&RunId, &Row)| (*id, row.run.workflow.name.clone());
        self.lock().runs.iter().map(name).collect()
    }

    /// Moves the clock of rate limits, debounce and evicted runs ahead, for tests that do not wait.
    pub fn advance(&self, by: Duration) {
        self.lock().admission.advance(by);
    }

    fn lock(&self) -> MutexGuard<'_, Runs> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Runs {
    /// Returns the run with the same idempotency key.
    fn repeated(&self, new: &NewRun, events: &[Event]) -> Result<Option<&StoredRun>, StoreError> {
        let Some(key) = &new.idempotency_key else { return Ok(None) };
        let run = self.keys.get(&(new.key_scope(), key.clone()));
        let Some(Row { run, events: theirs, .. }) = run.and_then(|run| self.runs.get(run)) else {
            return Ok(None);
        };
        new.check_repeats(events.first(), run, theirs.first()).map(|()| Some(run))
    }

    fn is_alive(&self, owner: Option<OwnerId>) -> bool {
        owner.is_some_and(|owner| self.alive_for(owner).is_some())
    }

    /// Returns for how much longer the owner counts as alive; `None` if it is dead.
    fn alive_for(&self, owner: OwnerId) -> Option<Duration> {
        let left = self.owners.get(&owner)?.checked_duration_since(Instant::now())?;
        Some(left).filter(|left| *left > Duration::ZERO)
    }

    /// The first runs after this one that meet a condition.
    fn first(
        &self,
        after: Option<RunId>,
        limit: usize,
        condition: impl Fn(&Row) -> bool,
    ) -> Vec<StoredRun> {
        let rows = self.runs.values().filter(|row| Some(row.run.id) > after && condition(row));
        rows.take(limit).map(|row| row.run.clone()).collect()
    }

    fn is_abandoned(&self, row: &Row) -> bool {
        !row.run.status.is_final() && !self.is_alive(row.run.owner)
    }

    fn abandoned_of(&self, runs: &[RunId]) -> Vec<RunId> {
        let is_abandoned =
            |run: &&RunId| self.runs.get(run).is_some_and(|row| self.is_abandoned(row));
        runs.iter().filter(is_abandoned).copied().collect()
    }

    /// Makes `owner` the owner of these runs.
    fn claim(&mut self, owner: Owner, runs: &[RunId]) -> Vec<Lease> {
        let claim = |run: &RunId| {
            let row = self.runs.get_mut(run)?;
            row.run.owner = Some(owner.id);
            row.sleep = None;
            row.token += 1;
            Some(Lease { run: *run, owner: owner.id, token: row.token })
        };
        runs.iter().filter_map(claim).collect()
    }

    /// Adds a message. The run is not woken.
    fn add_message(&mut self, run: RunId, kind: MessageKind) -> u64 {
        let number = self.messages.len() as u64 + 1;
        if let (MessageKind::Signal { .. }, Some(row)) = (&kind, self.runs.get_mut(&run)) {
            row.signals += 1;
        }
        self.messages.push(Message { number, run, kind });
        number
    }

    fn keep_alive(&mut self, owner: Owner) {
        let until = Instant::now() + owner.lifetime.min(LONGEST_LIFETIME);
        self.owners.entry(owner.id).and_modify(|old| *old = until.max(*old)).or_insert(until);
    }
}

impl Row {
    /// The number of signals that no job has received. Events are only counted if it may matter.
    fn unread_signals(&self) -> u64 {
        if self.signals < MOST_UNREAD_SIGNALS {
            return self.signals;
        }
        let is_received = |event: &&Event| matches!(event.kind, EventKind::SignalReceived { .. });
        self.signals.saturating_sub(self.events.iter().filter(is_received).count() as u64)
    }

    /// A run without events that nobody has claimed.
    fn new(run: StoredRun) -> Self {
        Self { run, token: 0, events: Vec::new(), signals: 0, place: Place::default(), sleep: None }
    }

    fn holds(&self, lease: &Lease) -> bool {
        self.run.owner == Some(lease.owner) && self.token == lease.token
    }

    fn append(&mut self, events: &[Event]) -> Result<(), StoreError> {
        let run = self.run.id;
        let mut status = self.run.status;
        let mut blocked = self.run.blocked.clone();
        for (wanted, event) in (self.events.len() as u64..).zip(events) {
            if event.sequence != wanted {
                return Err(StoreError::Gap { run, wanted, found: event.sequence });
            }
            if let Some(next) = event.kind.run_status() {
                let changed = status.check_change(next);
                changed.map_err(|error| StoreError::Transition { run, error })?;
                status = next;
            }
            blocked = Blocked::after(blocked, &event.kind);
        }
        self.run.blocked = blocked;
        self.events.extend_from_slice(events);
        self.run.events = self.events.len() as u64;
        self.run.status = status;
        Ok(())
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn begin(&self, run: NewRun, events: Vec<Event>) -> Result<BeginOutcome, StoreError> {
        run.check_key()?;
        let mut state = self.lock();
        let id = run.id;
        if let Some(existing) = state.repeated(&run, &events)? {
            return Ok(BeginOutcome::Existing(Box::new(existing.clone()), SharedBy::Key));
        }
        if state.runs.contains_key(&id) {
            return Err(StoreError::Exists { run: id });
        }
        let mut check = Row::new(StoredRun::begun(run.clone(), Status::Pending, 0));
        check.append(&events)?;
        let refused = match state.settle_conflict(&run, !events.is_empty()) {
            Conflict::None => Vec::new(),
            Conflict::Refused(holders) => {
                let user = |run: &RunId| state.runs.get(run).and_then(|row| row.run.user.clone());
                run.refused_events(&events, holders.iter().map(|run| (*run, user(run))))
            }
            Conflict::Shares(existing, by) => {
                let row = state.runs.get(&existing).ok_or(StoreError::NoRun { run: existing })?;
                return Ok(BeginOutcome::Existing(Box::new(row.run.clone()), by));
            }
        };
        // A run with limits waits until a claim admits it.
        let owner = run.owner.filter(|_| !run.flow_control.has_limits());
        let place = state.place(&run);
        let run = StoredRun::begun(NewRun { owner, ..run }, Status::Pending, 0);
        let mut row = Row { token: u64::from(owner.is_some()), place, ..Row::new(run) };
        row.append(&events)?;
        row.append(&refused)?;
        if let Some(key) = row.run.idempotency_key.clone() {
            state.keys.insert((row.run.key_scope(), key), id);
        }
        state.runs.insert(id, row);
        state.add_ended(id);
        if !refused.is_empty() {
            return Ok(BeginOutcome::Cancelled);
        }
        let lease = owner.map(|owner| {
            state.keep_alive(owner);
            Lease { run: id, owner: owner.id, token: 1 }
        });
        drop(state);
        if lease.is_none() {
            self.changes.announce();
        }
        Ok(BeginOutcome::New(lease))
    }

    async fn append(&self, lease: &Lease, events: &[Event]) -> Result<(), StoreError> {
        let run = lease.run;
        let mut state = self.lock();
        let row = state.runs.get_mut(&run).ok_or(StoreError::NoRun { run })?;
        if !row.holds(lease) {
            return Err(StoreError::LeaseLost { run });
        }
        let was_open = !row.run.status.is_final();
        row.append(events)?;
        let parent = row.run.parent.as_ref().filter(|_| row.run.status.is_final());
        let parent = parent.map(|parent| parent.run);
        let ends_tasks = state.remove_ended_tasks(run, events);
        let frees_slot = state.free(run);
        if was_open {
            state.add_ended(run);
        }
        let wakes_parent = parent.is_some_and(|parent| state.wake(parent));
        drop(state);
        if frees_slot || wakes_parent || ends_tasks {
            self.changes.announce();
        }
        Ok(())
    }

    async fn events(&self, run: RunId, from: u64, limit: usize) -> Result<Vec<Event>, StoreError> {
        let state = self.lock();
        let events = state.runs.get(&run).map(|row| row.events.as_slice()).unwrap_or_default();
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        Ok(events.iter().skip(from).take(limit).cloned().collect())
    }

    async fn run(&self, run: RunId) -> Result<Option<StoredRun>, StoreError> {
        Ok(self.lock().runs.get(&run).map(|row| row.run.clone()))
    }

    async fn abandoned(
        &self,
        after: Option<RunId>,
        limit: usize,
    ) -> Result<Vec<StoredRun>, StoreError> {
        let state = self.lock();
        Ok(state.first(after, limit, |row| state.is_abandoned(row)))
    }

    async fn claim(&self, owner: Owner, runs: &[RunId]) -> Result<Vec<Lease>, StoreError> {
        let mut state = self.lock();
        let abandoned = state.abandoned_of(runs);
        state.keep_alive(owner);
        let admitted: Vec<RunId> = abandoned.into_iter().filter(|run| state.admit(*run)).collect();
        Ok(state.claim(owner, &admitted))
    }

    async fn claim_without_limits(
        &self,
        owner: Owner,
        runs: &[RunId],
    ) -> Result<Vec<Lease>, StoreError> {
        let mut state = self.lock();
        let abandoned = state.abandoned_of(runs);
        state.keep_alive(owner);
        Ok(state.claim(owner, &abandoned))
    }

    async fn claim_next(
        &self,
        owner: Owner,
        request: &ClaimRequest,
    ) -> Result<Vec<ClaimedRun>, StoreError> {
        let mut state = self.lock();
        state.keep_alive(owner);
        state.wake_due();
        let rows = state
            .runs
            .values()
            .filter(|row| state.is_abandoned(row) && row.is_queued() && request.wants(&row.run));
        let mut waiting: Vec<_> = rows.map(|row| (row.place.rank, row.run.clone())).collect();
        request.sort(&mut waiting);
        let mut claimed = Vec::new();
        for (_, run) in waiting {
            if claimed.len() == request.limit {
                break;
            }
            if !state.admit(run.id) {
                continue;
            }
            state.note_served(run.id);
            let leases = state.claim(owner, &[run.id]);
            claimed.extend(leases.into_iter().map(|lease| ClaimedRun { lease, run: run.clone() }));
        }
        Ok(claimed)
    }

    fn enforces_limits(&self) -> bool {
        true
    }

    async fn waits_for(&self, run: RunId) -> Result<Option<LimitWait>, StoreError> {
        let state = self.lock();
        Ok(state.runs.get(&run).and_then(|row| state.limit_of(row)))
    }

    async fn next_due(&self) -> Result<Option<Duration>, StoreError> {
        let state = self.lock();
        Ok([state.next_due(), state.next_wake()].into_iter().flatten().min())
    }

    async fn release(&self, leases: &[Lease]) -> Result<(), StoreError> {
        let mut state = self.lock();
        for lease in leases {
            if let Some(row) = state.runs.get_mut(&lease.run)
                && row.holds(lease)
            {
                row.run.owner = None;
            }
        }
        drop(state);
        self.changes.announce();
        Ok(())
    }

    fn evicts(&self) -> bool {
        true
    }

    async fn evict(&self, evictions: &[Eviction]) -> Result<Vec<RunId>, StoreError> {
        let mut state = self.lock();
        let evicted = evictions.iter().filter(|eviction| state.evict(eviction));
        Ok(evicted.map(|eviction| eviction.run.lease.run).collect())
    }

    async fn asleep(&self, run: RunId) -> Result<Option<Asleep>, StoreError> {
        Ok(self.lock().asleep(run))
    }

    async fn stranded(
        &self,
        after: Option<RunId>,
        limit: usize,
    ) -> Result<Vec<StoredRun>, StoreError> {
        let state = self.lock();
        Ok(state.first(after, limit, |row| state.is_stranded(row)))
    }

    fn task_store(&self) -> Option<&dyn TaskStore> {
        Some(self)
    }

    fn schedule_store(&self) -> Option<&dyn ScheduleStore> {
        Some(self)
    }

    fn asset_store(&self) -> Option<&dyn AssetStore> {
        Some(self)
    }

    fn file_store(&self) -> Option<&dyn FileStore> {
        Some(self)
    }

    fn downstream_store(&self) -> Option<&dyn DownstreamStore> {
        Some(self)
    }

    async fn backlogs(&self) -> Result<Vec<Backlog>, StoreError> {
        let state = self.lock();
        let waiting = state.runs.values().filter(|row| state.is_abandoned(row) && row.is_queued());
        Ok(workers::count(waiting.map(|row| row.run.clone()), state.waiting_tasks()))
    }

    fn queue_changes(&self) -> BoxStream<'static, ()> {
        self.changes.subscribe()
    }

    async fn report_worker(&self, report: &WorkerReport) -> Result<(), StoreError> {
        let (now, report) = (SystemTime::now(), report.clone());
        let heard = Instant::now();
        let alive_until = heard + report.lifetime.min(LONGEST_LIFETIME);
        let mut state = self.lock();
        let since = state.workers.get(&report.id).map_or(now, |worker| worker.since);
        let worker = Worker { since, last_heartbeat: now, heard, alive_until, report };
        state.workers.insert(worker.report.id, worker);
        Ok(())
    }

    async fn forget_worker(&self, worker: WorkerId) -> Result<(), StoreError> {
        self.lock().workers.remove(&worker);
        Ok(())
    }

    async fn workers(&self) -> Result<Option<Vec<StoredWorker>>, StoreError> {
        let (now, mut state) = (Instant::now(), self.lock());
        state.workers.retain(|_, worker| now < worker.alive_until + REMEMBERED);
        let mut workers: Vec<_> = state
            .workers
            .values()
            .map(|worker| StoredWorker {
                report: worker.report.clone(),
                since: worker.since,
                last_heartbeat: worker.last_heartbeat,
                silent_for: now - worker.heard,
                is_alive: now < worker.alive_until,
            })
            .collect();
        workers.sort_by_key(|worker| (worker.since, worker.report.id));
        Ok(Some(workers))
    }

    async fn renew(&self, owner: Owner, leases: &[Lease]) -> Result<Vec<Lease>, StoreError> {
        let mut state = self.lock();
        state.keep_alive(owner);
        let held = |lease: &&Lease| state.runs.get(&lease.run).is_some_and(|row| row.holds(lease));
        Ok(leases.iter().filter(|lease| !held(lease)).copied().collect())
    }

    async fn held(&self) -> Result<HeldLeases, StoreError> {
        let state = self.lock();
        let open = state.runs.values().filter(|row| !row.run.status.is_final());
        let left = open.filter_map(|row| state.alive_for(row.run.owner?));
        Ok(left.fold(HeldLeases::default(), |held, left| HeldLeases {
            runs: held.runs + 1,
            expires_in: held.expires_in.max(left),
        }))
    }

    async fn children(&self, run: RunId) -> Result<Vec<RunId>, StoreError> {
        let state = self.lock();
        let is_child = |row: &&Row| {
            !row.run.status.is_final()
                && row.run.parent.as_ref().is_some_and(|parent| parent.run == run)
        };
        Ok(state.runs.values().filter(is_child).map(|row| row.run.id).collect())
    }

    async fn send(&self, run: RunId, kind: MessageKind) -> Result<u64, StoreError> {
        kind.check()?;
        let mut state = self.lock();
        let row = state.runs.get(&run).ok_or(StoreError::NoRun { run })?;
        let status = row.run.status;
        if status.is_final() {
            return Err(StoreError::Ended { run, status });
        }
        if matches!(kind, MessageKind::Signal { .. }) {
            if row.run.workflow.is_external() {
                return Err(StoreError::External { run });
            }
            if row.unread_signals() >= MOST_UNREAD_SIGNALS {
                return Err(StoreError::TooManySignals { run });
            }
        }
        let number = state.add_message(run, kind);
        let wakes = state.wake(run);
        drop(state);
        if wakes {
            self.changes.announce();
        }
        Ok(number)
    }

    async fn inbox(&self, owner: OwnerId, after: u64) -> Result<Vec<Message>, StoreError> {
        let state = self.lock();
        let mine = |message: &&Message| {
            state.runs.get(&message.run).is_some_and(|row| row.run.owner == Some(owner))
        };
        let from = usize::try_from(after).unwrap_or(usize::MAX);
        Ok(state.messages.iter().skip(from).filter(mine).cloned().collect())
    }

    async fn messages(&self, run: RunId) -> Result<Vec<Message>, StoreError> {
        let state = self.lock();
        Ok(state.messages.iter().filter(|message| message.run == run).cloned().collect())
    }
}
