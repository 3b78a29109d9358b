//! Signals, durable sleeps and persisted values of a run. They outlive a crash like the outcomes of
//! jobs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::channel::oneshot;
use serde_json::Value as Json;

use super::{ActiveRun, Deferred, EventKind, RunState};
use crate::engine::durable::writer::Held;
use crate::sparse_map::SparseMap;

/// The longest recorded sleep, a hundred years, so that its end is a date that can be written.
const LONGEST_SLEEP: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// A run's signals and sleeps, and the values that its jobs persisted.
#[derive(Default)]
pub(in crate::engine) struct Signals {
    /// Signals that no job has received yet, oldest first.
    waiting: Vec<Signal>,
    /// Numbers of the store's messages that have arrived, of all kinds.
    arrived: BTreeSet<u64>,
    /// Jobs that wait for a signal.
    receivers: Vec<Receiver>,
    /// Jobs that sleep, with the ends of their sleeps.
    sleepers: SparseMap<u32, Vec<SystemTime>>,
    values: SparseMap<String, Json>,
    /// Recorded signals and sleeps of attempts that were running before the run was resumed.
    replayable: Vec<(u32, EventKind)>,
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
    /// Whether a job waits for a signal or for a sleep to end.
    fn is_awaited_by(&self, job: u32) -> bool {
        self.sleepers.contains_key(&job)
            || self.receivers.iter().any(|it| it.job == job && !it.receive.is_canceled())
    }

    /// Restores a recorded sleep, signal or value. Ignores other events.
    pub(in crate::engine) fn restore(&mut self, job: u32, kind: &EventKind) {
        match kind {
            EventKind::ValuePersisted { key, value, .. } => {
                self.values.insert(key.clone(), value.clone());
            }
            EventKind::SignalReceived { message, .. } => {
                self.arrived.extend(*message);
                self.replayable.push((job, kind.clone()));
            }
            EventKind::SleepStarted { .. } => self.replayable.push((job, kind.clone())),
            _ => {}
        }
    }

    /// Removes the oldest signal that a job waits for, and the job that has waited longest.
    fn take_match(&mut self) -> Option<(Receiver, Signal)> {
        self.receivers.retain(|receiver| !receiver.receive.is_canceled());
        let Self { receivers, waiting, .. } = self;
        let of = |name: &str| receivers.iter().position(|receiver| receiver.name == name);
        let mut signals = waiting.iter().enumerate();
        let (signal, receiver) = signals.find_map(|(at, it)| Some((at, of(&it.name)?)))?;
        Some((receivers.remove(receiver), waiting.remove(signal)))
    }

    /// Removes the first recorded event of this attempt in which `find` finds something.
    fn replay<T>(
        &mut self,
        job: u32,
        attempt: u32,
        find: impl Fn(&EventKind) -> Option<T>,
    ) -> Option<T> {
        let recorded = self.replayable.iter().enumerate();
        let mut of_attempt =
            recorded.filter(|(_, (of, kind))| (*of, kind.attempt()) == (job, Some(attempt)));
        let (at, found) = of_attempt.find_map(|(at, (_, kind))| Some((at, find(kind)?)))?;
        self.replayable.remove(at);
        Some(found)
    }
}

impl RunState {
    /// Records that a function sleeps, and returns the remaining time.
    pub(in crate::engine) fn start_sleep(
        &mut self,
        job: u32,
        attempt: u32,
        duration: Duration,
        now: SystemTime,
    ) -> Duration {
        let duration = duration.min(LONGEST_SLEEP);
        let recorded = |kind: &EventKind| match kind {
            EventKind::SleepStarted { duration: it, until, .. } => {
                (it.abs_diff(duration) < Duration::from_micros(1)).then_some(*until)
            }
            _ => None,
        };
        if let Some(until) = self.signals().replay(job, attempt, recorded) {
            // At most the full duration, because the clock may have been set back since.
            return until.duration_since(now).unwrap_or_default().min(duration);
        }
        let until = now.checked_add(duration).unwrap_or(now);
        self.record_job_event(job, |job| EventKind::SleepStarted { job, attempt, duration, until });
        duration
    }

    /// Registers a job that sleeps.
    pub(in crate::engine) fn add_sleeper(&mut self, job: u32, until: SystemTime) {
        self.signals().sleepers.entry(job).or_default().push(until);
    }

    /// Handles a sleep that has ended or was dropped.
    pub(in crate::engine) fn end_sleep(&mut self, job: u32, until: SystemTime) {
        let sleepers = &mut self.signals().sleepers;
        let Some(ends) = sleepers.get_mut(&job) else { return };
        if let Some(at) = ends.iter().position(|end| *end == until) {
            ends.swap_remove(at);
        }
        if ends.is_empty() {
            sleepers.remove(&job);
        }
    }

    /// The end of the sleep that ends first.
    pub(in crate::engine) fn first_wake(&self) -> Option<SystemTime> {
        let sleepers = self.signals.iter().flat_map(|signals| signals.sleepers.values());
        sleepers.flatten().min().copied()
    }

    /// Notes that a message of the store has arrived. Returns false if it had arrived before.
    pub(in crate::engine) fn note_message(&mut self, number: u64) -> bool {
        self.signals().arrived.insert(number)
    }

    /// The number of messages of the store that have arrived.
    pub(in crate::engine) fn messages(&self) -> u64 {
        self.signals.as_ref().map_or(0, |signals| signals.arrived.len() as u64)
    }

    /// Registers a job that waits for a signal.
    pub(in crate::engine) fn await_signal(
        &mut self,
        job: u32,
        attempt: u32,
        name: String,
        deferred: &mut Deferred,
    ) -> oneshot::Receiver<Json> {
        let (receive, received) = oneshot::channel();
        let recorded = |kind: &EventKind| match kind {
            EventKind::SignalReceived { signal, payload, .. } => {
                (*signal == name).then(|| payload.clone())
            }
            _ => None,
        };
        if let Some(payload) = self.signals().replay(job, attempt, recorded) {
            deferred.signal.push((receive, payload));
            return received;
        }
        let awaited = name.clone();
        self.signals().receivers.push(Receiver { job, attempt, name, receive });
        self.deliver_signals(deferred);
        let waits = |it: &Receiver| (it.job, it.attempt, &it.name) == (job, attempt, &awaited);
        if self.signals().receivers.iter().any(waits) {
            self.record_job_event(job, |job| EventKind::SignalAwaited {
                job,
                attempt,
                signal: awaited,
            });
        }
        received
    }

    /// Handles a signal that arrived.
    pub(in crate::engine) fn receive_signal(
        &mut self,
        name: String,
        payload: Json,
        message: Option<u64>,
        deferred: &mut Deferred,
    ) {
        if message.is_some_and(|number| !self.note_message(number)) {
            return;
        }
        let waiting = &mut self.signals().waiting;
        let at = waiting.partition_point(|earlier| earlier.message <= message);
        waiting.insert(at, Signal { name, payload, message });
        self.deliver_signals(deferred);
    }

    /// Delivers signals to the jobs that wait for them, both in order.
    fn deliver_signals(&mut self, deferred: &mut Deferred) {
        while let Some((receiver, signal)) = self.signals().take_match() {
            let Receiver { job, attempt, receive, .. } = receiver;
            let Signal { name: signal, payload, message } = signal;
            self.record_job_event(job, |job| {
                let payload = payload.clone();
                EventKind::SignalReceived { job, attempt, signal, payload, message }
            });
            if let Some(Held::Signal(receive, payload)) = self.hold(Held::Signal(receive, payload))
            {
                deferred.signal.push((receive, payload));
            }
        }
    }

    /// Takes the signals that an attempt received before the run was resumed, in order.
    pub(in crate::engine) fn take_recorded_signals(
        &mut self,
        job: u32,
        attempt: u32,
    ) -> Vec<(String, Json)> {
        let Some(signals) = &mut self.signals else { return Vec::new() };
        let received = |kind: &EventKind| match kind {
            EventKind::SignalReceived { signal, payload, .. } => {
                Some((signal.clone(), payload.clone()))
            }
            _ => None,
        };
        std::iter::from_fn(|| signals.replay(job, attempt, received)).collect()
    }

    /// Persists a value under a key. Returns false if the attempt has ended.
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
            self.record_job_event(job, |job| EventKind::ValuePersisted { job, key, value });
        }
        running
    }

    /// The persisted value of a key.
    pub(in crate::engine) fn persisted_value(&self, key: &str) -> Option<Json> {
        self.signals.as_ref()?.values.get(key).cloned()
    }

    /// All persisted values, by key.
    pub(in crate::engine) fn persisted_values(&self) -> BTreeMap<String, Json> {
        let values = self.signals.iter().flat_map(|signals| signals.values.iter());
        values.map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    /// The names of the signals for which jobs wait, sorted.
    pub(in crate::engine) fn awaited_signals(&self) -> Vec<String> {
        let receivers = self.signals.iter().flat_map(|signals| &signals.receivers);
        let waiting = receivers.filter(|receiver| !receiver.receive.is_canceled());
        let names: BTreeSet<String> = waiting.map(|receiver| receiver.name.clone()).collect();
        names.into_iter().collect()
    }

    /// The signals that no job has received yet, oldest first, with their payloads.
    pub(in crate::engine) fn waiting_signals(&self) -> Vec<(String, Json)> {
        let waiting = self.signals.iter().flat_map(|signals| &signals.waiting);
        waiting.map(|signal| (signal.name.clone(), signal.payload.clone())).collect()
    }

    fn signals(&mut self) -> &mut Signals {
        self.signals.get_or_insert_default()
    }

    /// Whether a job waits for a signal or for a sleep to end.
    pub(in crate::engine) fn waits_for_signal_or_sleep(&self, job: u32) -> bool {
        self.signals.as_ref().is_some_and(|signals| signals.is_awaited_by(job))
    }
}

impl ActiveRun {
    /// Delivers a signal to the job that waits for it, or stores it until one does.
    pub(in crate::engine) fn signal(
        self: &Arc<Self>,
        name: String,
        payload: Json,
        message: Option<u64>,
    ) {
        self.change(|state, deferred| state.receive_signal(name, payload, message, deferred));
    }
}
