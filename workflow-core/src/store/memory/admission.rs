//! Admission of runs by their limits, and their order in the task queues.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Row, Runs};
use crate::flow_control::{OnConflict, RateVerdict};
use crate::id::RunId;
use crate::store::{LimitWait, Message, MessageKind, NewRun, SharedBy, StoredRun, Trigger};

/// What the store knows about limits, besides the runs.
#[derive(Debug, Default)]
pub(super) struct Admission {
    /// How far the clock was moved ahead.
    ahead: Duration,
    /// When the next run of each key is expected, by workflow and key.
    rates: HashMap<(String, String), i64>,
    /// The runs that have slots of each key, by workflow and key.
    holders: HashMap<(String, String), BTreeSet<RunId>>,
    /// The rank of the last run with a fairness key that was claimed, by task queue and priority.
    served: HashMap<(String, i32), i64>,
}

/// The place of a run among those that wait.
#[derive(Debug, Default)]
pub(super) struct Place {
    /// Whether its limits have let it begin.
    is_admitted: bool,
    /// The order among runs of one task queue and priority: a time, in nanoseconds since 1970.
    pub(super) rank: i64,
    /// When it was requested first, and when it may begin, if requests may still replace its input.
    debounce: Option<(i64, i64)>,
}

impl Place {
    /// Moves to the head of the queue, where the first waiting run has this rank, unless the own
    /// rank is lower.
    pub(super) fn go_first(&mut self, first: Option<i64>) {
        self.rank = first.map_or(self.rank, |first| first.min(self.rank));
    }
}

/// How the limits of a request affect its beginning.
pub(super) enum Conflict {
    /// Not at all.
    None,
    /// This run stands for it.
    Shares(RunId, SharedBy),
    /// It is recorded as cancelled, because of these runs.
    Refused(Vec<RunId>),
}

impl Admission {
    pub(super) fn advance(&mut self, by: Duration) {
        self.ahead += by;
    }

    /// Nanoseconds since 1970.
    pub(super) fn now(&self) -> i64 {
        nanos(SystemTime::now() + self.ahead)
    }
}

fn nanos(at: SystemTime) -> i64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

pub(super) fn duration(nanos: i64) -> Duration {
    Duration::from_nanos(nanos.max(0).unsigned_abs())
}

impl Runs {
    /// Applies the limits of a request that may affect other runs. The run does not exist yet.
    pub(super) fn settle_conflict(&mut self, new: &NewRun, has_events: bool) -> Conflict {
        if let Some(waiting) = self.debounced(new).filter(|_| !has_events) {
            self.replace(waiting, new);
            return Conflict::Shares(waiting, SharedBy::Debounce);
        }
        let Some(concurrency) = &new.flow_control.concurrency else { return Conflict::None };
        let limit = concurrency.limit as usize;
        let is_cancelled = |run: &RunId| {
            let cancels = |message: &Message| message.kind == MessageKind::Cancel;
            self.messages.iter().any(|message| message.run == *run && cancels(message))
        };
        let mut open: Vec<RunId> = self.open_with_key(new).map(|row| row.run.id).collect();
        if concurrency.on_conflict == OnConflict::CancelRunning {
            open.retain(|run| !is_cancelled(run));
        }
        if open.len() < limit {
            return Conflict::None;
        }
        match concurrency.on_conflict {
            OnConflict::Queue => Conflict::None,
            // What is retried is that run, and no other.
            OnConflict::Skip if new.trigger == Trigger::Retry => Conflict::None,
            OnConflict::Skip => match open.first() {
                Some(first) => Conflict::Shares(*first, SharedBy::Slot),
                None => Conflict::None,
            },
            OnConflict::CancelNew => Conflict::Refused(open),
            OnConflict::CancelRunning => {
                for run in &open[..=open.len() - limit] {
                    self.add_message(*run, MessageKind::Cancel);
                    self.wake(*run);
                }
                Conflict::None
            }
        }
    }

    /// The run whose input this request replaces.
    fn debounced(&self, new: &NewRun) -> Option<RunId> {
        let wanted = new.flow_control.debounce.as_ref()?;
        if new.parent.is_some() {
            return None;
        }
        let is_same = |row: &&Row| {
            let debounce = row.run.flow_control.debounce.as_ref();
            row.run.workflow.name == new.workflow.name
                && row.run.user == new.user
                && debounce.is_some_and(|debounce| debounce.key == wanted.key)
                && row.run.owner.is_none()
                && self.delay(row).is_some()
        };
        self.runs.values().find(is_same).map(|row| row.run.id)
    }

    fn replace(&mut self, waiting: RunId, new: &NewRun) {
        let now = self.admission.now();
        let Some(row) = self.runs.get_mut(&waiting) else { return };
        row.run.input.clone_from(&new.input);
        row.run.workflow.clone_from(&new.workflow);
        row.run.flow_control.clone_from(&new.flow_control);
        if let (Some((first, due)), Some(debounce)) =
            (&mut row.place.debounce, &new.flow_control.debounce)
        {
            *due = (now + length(debounce.delay)).min(*first + length(debounce.longest_delay()));
        }
    }

    /// Unfinished runs that share the concurrency key of a request, oldest first.
    fn open_with_key<'a>(&'a self, new: &'a NewRun) -> impl Iterator<Item = &'a Row> {
        let key = new.flow_control.concurrency.as_ref().map(|limit| &limit.key);
        self.runs.values().filter(move |row| {
            let limit = row.run.flow_control.concurrency.as_ref();
            !row.run.status.is_final()
                && row.run.workflow.name == new.workflow.name
                && limit.map(|limit| &limit.key) == key
        })
    }

    /// The place of a new run.
    pub(super) fn place(&self, new: &NewRun) -> Place {
        let now = self.admission.now();
        let debounce = new.flow_control.debounce.as_ref().filter(|_| new.parent.is_none());
        Place {
            is_admitted: !new.flow_control.has_limits(),
            rank: self.rank(new),
            debounce: debounce.map(|debounce| (now, now + length(debounce.delay))),
        }
    }

    /// The rank of a new run: start-time fair queueing among fairness keys. A run of a key comes
    /// after the last one that waits; the first one comes after the run that was claimed last.
    fn rank(&self, new: &NewRun) -> i64 {
        let requested = nanos(new.created_at);
        let Some(fairness) = &new.flow_control.fairness else { return requested };
        let cost = fairness.cost();
        let waiting = || {
            self.runs.values().filter(|row| {
                row.run.task_queue == new.task_queue
                    && row.run.priority == new.priority
                    && row.is_queued()
                    && self.is_abandoned(row)
            })
        };
        let key = |row: &Row| row.run.flow_control.fairness.as_ref().map(|it| it.key.clone());
        let own = waiting().filter(|row| key(row).as_ref() == Some(&fairness.key));
        let last = own.map(|row| row.place.rank).max().map(|last| last + cost);
        let head = waiting().min_by_key(|row| (row.place.rank, row.run.id));
        let served = self.admission.served.get(&(new.task_queue.clone(), new.priority));
        let start = match head {
            None => requested,
            Some(head) if head.run.flow_control.fairness.is_none() => head.place.rank,
            Some(head) => served.map_or(0, |served| served + cost).max(head.place.rank),
        };
        start.max(last.unwrap_or(start))
    }

    /// Admits a run that is about to be claimed, if its limits allow that.
    pub(super) fn admit(&mut self, run: RunId) -> bool {
        let Some(row) = self.runs.get(&run) else { return false };
        if row.place.is_admitted {
            return true;
        }
        if self.limit_of(row).is_some() {
            return false;
        }
        let now = self.admission.now();
        if let Some(rate) = &row.run.flow_control.rate_limit {
            let key = (row.run.workflow.name.clone(), rate.key.clone());
            let next = self.admission.rates.get(&key).copied();
            if let RateVerdict::Begin(next) = rate.verdict(next, now) {
                self.admission.rates.insert(key, next);
            }
        }
        if let Some(key) = concurrency_key(&row.run) {
            self.admission.holders.entry(key).or_default().insert(run);
        }
        if let Some(row) = self.runs.get_mut(&run) {
            (row.place.is_admitted, row.place.debounce) = (true, None);
        }
        true
    }

    /// Frees the slot of a run that has ended. Returns whether it may have had one.
    pub(super) fn free(&mut self, run: RunId) -> bool {
        let ended = self.runs.get(&run).filter(|row| row.run.status.is_final());
        let Some(key) = ended.and_then(|row| concurrency_key(&row.run)) else { return false };
        if let Some(holders) = self.admission.holders.get_mut(&key) {
            holders.remove(&run);
            if holders.is_empty() {
                self.admission.holders.remove(&key);
            }
        }
        true
    }

    /// Records that a waiting run was claimed from its queue.
    pub(super) fn note_served(&mut self, run: RunId) {
        if let Some(row) = self.runs.get(&run)
            && row.run.flow_control.fairness.is_some()
        {
            let place = (row.run.task_queue.clone(), row.run.priority);
            self.admission.served.insert(place, row.place.rank);
        }
    }

    /// The time for which requests may still replace the input of a run.
    fn delay(&self, row: &Row) -> Option<i64> {
        let (_, due) = row.place.debounce.filter(|_| !row.run.status.is_final())?;
        Some(due - self.admission.now()).filter(|left| *left > 0)
    }

    /// The limit that a run waits for.
    pub(super) fn limit_of(&self, row: &Row) -> Option<LimitWait> {
        let control = &row.run.flow_control;
        if row.place.is_admitted || row.run.status.is_final() {
            return None;
        }
        if let (Some(of), Some(left)) = (&control.debounce, self.delay(row)) {
            return Some(LimitWait::Debounce { of: of.clone(), begins_in: duration(left) });
        }
        if let Some(of) = &control.concurrency {
            let key = (row.run.workflow.name.clone(), of.key.clone());
            let holders = self.admission.holders.get(&key);
            if let Some(holders) = holders.filter(|holders| holders.len() >= of.limit as usize) {
                let holders = holders.iter().copied().collect();
                return Some(LimitWait::Concurrency { of: of.clone(), holders, hidden: 0 });
            }
        }
        self.rate_of(row)
    }

    fn rate_of(&self, row: &Row) -> Option<LimitWait> {
        let of = row.run.flow_control.rate_limit.as_ref()?;
        let now = self.admission.now();
        let key = (row.run.workflow.name.clone(), of.key.clone());
        match of.verdict(self.admission.rates.get(&key).copied(), now) {
            RateVerdict::Begin(_) => None,
            RateVerdict::Wait(until) => {
                Some(LimitWait::Rate { of: of.clone(), next_in: duration(until - now) })
            }
        }
    }

    /// The time until a run may begin that waits for a time.
    pub(super) fn next_due(&self) -> Option<Duration> {
        let is_waiting = |row: &&Row| !row.place.is_admitted && !row.run.status.is_final();
        let times = self.runs.values().filter(is_waiting).filter_map(|row| {
            if let Some(left) = self.delay(row) {
                return Some(duration(left));
            }
            match self.rate_of(row)? {
                LimitWait::Rate { next_in, .. } => Some(next_in),
                _ => None,
            }
        });
        times.min()
    }
}

pub(super) fn length(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX / 4)
}

fn concurrency_key(run: &StoredRun) -> Option<(String, String)> {
    let limit = run.flow_control.concurrency.as_ref()?;
    Some((run.workflow.name.clone(), limit.key.clone()))
}
