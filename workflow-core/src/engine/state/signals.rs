//! What outlives a crash besides jobs: sleeps, signals, and values under keys.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::channel::oneshot;
use serde_json::Value as Json;

use super::{ActiveRun, Deferred, EntryDetail, EntryKind, RunState};
use crate::engine::durable::writer::Held;
use crate::sparse_map::SparseMap;

/// What is on record ends on a day that can be written down: after a hundred years.
const LONGEST_SLEEP: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// A run's signals and sleeps, and the values that its jobs kept.
#[derive(Default)]
pub(in crate::engine) struct Signals {
    /// Signals that nobody has received, oldest first.
    waiting: Vec<Signal>,
    /// Messages of the store that have come.
    heard: BTreeSet<u64>,
    /// Jobs that wait for a signal.
    receivers: Vec<Receiver>,
    /// Jobs that sleep, and how often.
    sleepers: SparseMap<u32, usize>,
    values: SparseMap<String, Json>,
    /// What attempts under way had received and slept before the run was taken up again.
    past: Vec<(u32, u32, EntryDetail)>,
}

struct Signal {
    name: String,
    payload: Json,
    message: Option<u64>,
}

struct Receiver {
    job: u32,
    attempt: u32,
    name: String,
    receive: oneshot::Sender<Json>,
}

impl Signals {
    /// Whether a job waits for something that is not a job.
    fn is_awaited_by(&self, job: u32) -> bool {
        self.sleepers.contains_key(&job)
            || self.receivers.iter().any(|it| it.job == job && !it.receive.is_canceled())
    }

    /// What is on record: a sleep, a signal, or a value.
    pub(in crate::engine) fn restore(&mut self, job: u32, attempt: u32, detail: EntryDetail) {
        match detail {
            EntryDetail::Kept { key, value } => drop(self.values.insert(key, value)),
            detail => {
                if let EntryDetail::Signal { message: Some(number), .. } = detail {
                    self.heard.insert(number);
                }
                self.past.push((job, attempt, detail));
            }
        }
    }

    /// Takes out the oldest signal that somebody waits for, and who has waited longest.
    fn match_up(&mut self) -> Option<(Receiver, Signal)> {
        self.receivers.retain(|receiver| !receiver.receive.is_canceled());
        let Self { receivers, waiting, .. } = self;
        let of = |name: &str| receivers.iter().position(|receiver| receiver.name == name);
        let mut signals = waiting.iter().enumerate();
        let (signal, receiver) = signals.find_map(|(at, it)| Some((at, of(&it.name)?)))?;
        Some((receivers.remove(receiver), waiting.remove(signal)))
    }

    /// Takes out what is on record of this attempt and like this.
    fn replay(
        &mut self,
        job: u32,
        attempt: u32,
        like: impl Fn(&EntryDetail) -> bool,
    ) -> Option<EntryDetail> {
        let same = |(of, number, detail): &(u32, u32, EntryDetail)| {
            (*of, *number) == (job, attempt) && like(detail)
        };
        let at = self.past.iter().position(same)?;
        Some(self.past.remove(at).2)
    }
}

impl RunState {
    /// Notes that a function sleeps, and returns how long it still has to.
    pub(in crate::engine) fn sleeps(
        &mut self,
        job: u32,
        attempt: u32,
        duration: Duration,
        now: SystemTime,
    ) -> Duration {
        let duration = duration.min(LONGEST_SLEEP);
        *self.signals().sleepers.entry(job).or_insert(0) += 1;
        let same = |detail: &EntryDetail| matches!(detail, EntryDetail::Sleep { duration: it, .. } if it.abs_diff(duration) < Duration::from_micros(1));
        if let Some(EntryDetail::Sleep { until, .. }) = self.signals().replay(job, attempt, same) {
            // The clock may have been set back since: a sleep is no longer than it was to be.
            return until.duration_since(now).unwrap_or_default().min(duration);
        }
        let until = now.checked_add(duration).unwrap_or(now);
        self.note_with(
            EntryKind::SleepStarted,
            job,
            attempt,
            EntryDetail::Sleep { duration, until },
        );
        duration
    }

    /// A sleep has ended, or is not awaited any more.
    pub(in crate::engine) fn slept(&mut self, job: u32) {
        if let Some(count) = self.signals().sleepers.get_mut(&job) {
            *count -= 1;
            if *count == 0 {
                self.signals().sleepers.remove(&job);
            }
        }
    }

    /// A job waits for a signal.
    pub(in crate::engine) fn awaits(
        &mut self,
        job: u32,
        attempt: u32,
        name: String,
        deferred: &mut Deferred,
    ) -> oneshot::Receiver<Json> {
        let (receive, received) = oneshot::channel();
        let same = |detail: &EntryDetail| matches!(detail, EntryDetail::Signal { name: it, .. } if *it == name);
        if let Some(EntryDetail::Signal { payload, .. }) = self.signals().replay(job, attempt, same)
        {
            deferred.signal.push((receive, payload));
            return received;
        }
        let awaited = name.clone();
        self.signals().receivers.push(Receiver { job, attempt, name, receive });
        self.hand_out(deferred);
        let waits = |it: &Receiver| (it.job, it.attempt, &it.name) == (job, attempt, &awaited);
        if self.signals().receivers.iter().any(waits) {
            self.note_with(EntryKind::SignalAwaited, job, attempt, EntryDetail::Awaited(awaited));
        }
        received
    }

    /// A signal has come.
    pub(in crate::engine) fn signalled(
        &mut self,
        name: String,
        payload: Json,
        message: Option<u64>,
        deferred: &mut Deferred,
    ) {
        if message.is_some_and(|number| !self.signals().heard.insert(number)) {
            return;
        }
        let waiting = &mut self.signals().waiting;
        let at = waiting.partition_point(|earlier| earlier.message <= message);
        waiting.insert(at, Signal { name, payload, message });
        self.hand_out(deferred);
    }

    /// Brings signals and those who wait for them together, each in order.
    fn hand_out(&mut self, deferred: &mut Deferred) {
        while let Some((receiver, signal)) = self.signals().match_up() {
            let Receiver { job, attempt, receive, .. } = receiver;
            let Signal { name, payload, message } = signal;
            let detail = EntryDetail::Signal { name, payload: payload.clone(), message };
            self.note_with(EntryKind::SignalReceived, job, attempt, detail);
            if let Some(Held::Signal(receive, payload)) = self.hold(Held::Signal(receive, payload))
            {
                deferred.signal.push((receive, payload));
            }
        }
    }

    /// Keeps a value under a key; false when the attempt has ended.
    pub(in crate::engine) fn persist_value(
        &mut self,
        job: u32,
        attempt: u32,
        key: String,
        value: Json,
    ) -> bool {
        let running = self.scheduler.is_running(job, attempt);
        if running {
            self.signals().values.insert(key.clone(), value.clone());
            self.note_with(EntryKind::ValueKept, job, attempt, EntryDetail::Kept { key, value });
        }
        running
    }

    /// The value that was kept under a key.
    pub(in crate::engine) fn persisted_value(&self, key: &str) -> Option<Json> {
        self.signals.as_ref()?.values.get(key).cloned()
    }

    fn signals(&mut self) -> &mut Signals {
        self.signals.get_or_insert_default()
    }

    /// Whether a job waits for something that is not a job.
    pub(in crate::engine) fn awaits_mail(&self, job: u32) -> bool {
        self.signals.as_ref().is_some_and(|signals| signals.is_awaited_by(job))
    }
}

impl ActiveRun {
    /// Brings a signal to the job that waits for it, or keeps it for one that will.
    pub(in crate::engine) fn signal(
        self: &Arc<Self>,
        name: String,
        payload: Json,
        message: Option<u64>,
    ) {
        self.change(|state, deferred| state.signalled(name, payload, message, deferred));
    }
}
