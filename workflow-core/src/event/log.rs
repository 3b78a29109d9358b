//! The record of a run in memory. Most runs are never read event by event: their frequent events
//! are packed into entries of sixteen bytes, and become an [`EventKind`] when somebody reads them.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde_json::{Map, Value as Json};

use super::{Event, EventKind, Failure, JobOrigin, Status};
use crate::scheduler::SkipReason;
use crate::sparse_map::SparseMap;

/// An event of a frequent kind, without what a [`JobLookup`] knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Frequent {
    RunStarted,
    RunCompleted,
    JobStarted { job: u32, attempt: u32 },
    JobCompleted { job: u32, attempt: u32 },
    JobSkipped { job: u32, reason: SkipReason },
}

/// One entry of the log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    /// Nanoseconds since the run began; negative for results of the run that this one retries.
    pub(crate) at: i64,
    /// The number of the job, or [`NO_JOB`].
    job: u32,
    /// A number in the low 29 bits, saturating, and its meaning in the high 3.
    packed: u32,
}

/// In place of the number of a job, for events of the run.
const NO_JOB: u32 = u32::MAX;

/// The meanings of the number in an entry.
mod meaning {
    /// None: the log has the event itself.
    pub(super) const WHOLE: u32 = 0;
    pub(super) const RUN_STARTED: u32 = 1;
    pub(super) const RUN_COMPLETED: u32 = 2;
    /// The number of the attempt that started.
    pub(super) const JOB_STARTED: u32 = 3;
    /// The number of the attempt that completed.
    pub(super) const JOB_COMPLETED: u32 = 4;
    /// The job because of which another was skipped.
    pub(super) const SKIPPED_FOR_JOB: u32 = 5;
    /// The reason why a job was skipped: an index into [`REASONS`](super::REASONS).
    pub(super) const SKIPPED: u32 = 6;
}

/// The reasons to skip a job that name no other job.
const REASONS: [SkipReason; 4] = [
    SkipReason::Upstream(None),
    SkipReason::Condition,
    SkipReason::Stopping,
    SkipReason::Cancelled,
];

const NUMBER_BITS: u32 = 29;
const LARGEST_NUMBER: u32 = (1 << NUMBER_BITS) - 1;

impl Entry {
    #[inline]
    fn new(at: i64, job: u32, meaning: u32, number: u32) -> Self {
        Self { at, job, packed: meaning << NUMBER_BITS | number.min(LARGEST_NUMBER) }
    }

    #[inline]
    fn pack(at: i64, event: Frequent) -> Self {
        match event {
            Frequent::RunStarted => Self::new(at, NO_JOB, meaning::RUN_STARTED, 0),
            Frequent::RunCompleted => Self::new(at, NO_JOB, meaning::RUN_COMPLETED, 0),
            Frequent::JobStarted { job, attempt } => {
                Self::new(at, job, meaning::JOB_STARTED, attempt)
            }
            Frequent::JobCompleted { job, attempt } => {
                Self::new(at, job, meaning::JOB_COMPLETED, attempt)
            }
            Frequent::JobSkipped { job, reason: SkipReason::Upstream(Some(root)) } => {
                Self::new(at, job, meaning::SKIPPED_FOR_JOB, root)
            }
            Frequent::JobSkipped { job, reason } => {
                let index = REASONS.iter().position(|known| *known == reason).unwrap_or_default();
                Self::new(at, job, meaning::SKIPPED, index as u32)
            }
        }
    }

    /// The event, if it is packed.
    fn unpack(&self) -> Option<Frequent> {
        let (job, number) = (self.job, self.packed & LARGEST_NUMBER);
        Some(match self.packed >> NUMBER_BITS {
            meaning::RUN_STARTED => Frequent::RunStarted,
            meaning::RUN_COMPLETED => Frequent::RunCompleted,
            meaning::JOB_STARTED => Frequent::JobStarted { job, attempt: number },
            meaning::JOB_COMPLETED => Frequent::JobCompleted { job, attempt: number },
            meaning::SKIPPED_FOR_JOB => {
                Frequent::JobSkipped { job, reason: SkipReason::Upstream(Some(number)) }
            }
            meaning::SKIPPED => Frequent::JobSkipped { job, reason: REASONS[number as usize] },
            _ => return None,
        })
    }
}

impl Frequent {
    /// The event without what a [`JobLookup`] knows; `None` if that would lose something.
    fn of(job: u32, kind: &EventKind) -> Option<Self> {
        match *kind {
            EventKind::RunStarted { retry_of: None } => Some(Self::RunStarted),
            EventKind::RunCompleted { output: None } => Some(Self::RunCompleted),
            EventKind::JobStarted { attempt, .. } => Some(Self::JobStarted { job, attempt }),
            EventKind::JobCompleted { attempt, output: None, .. } => {
                Some(Self::JobCompleted { job, attempt })
            }
            _ => None,
        }
    }

    fn kind(self, lookup: &dyn JobLookup) -> EventKind {
        match self {
            Self::RunStarted => EventKind::RunStarted { retry_of: None },
            Self::RunCompleted => EventKind::RunCompleted { output: None },
            Self::JobStarted { job, attempt } => {
                EventKind::JobStarted { job: lookup.name(job), attempt, origin: lookup.origin(job) }
            }
            Self::JobCompleted { job, attempt } => {
                let annotations = lookup.annotations(job);
                EventKind::JobCompleted {
                    job: lookup.name(job),
                    attempt,
                    output: None,
                    annotations,
                }
            }
            Self::JobSkipped { job, reason } => {
                let reason = match reason {
                    SkipReason::Upstream(Some(job)) => {
                        format!("`{}` did not complete", lookup.name(job))
                    }
                    SkipReason::Upstream(None) => "none of its dependencies failed".to_owned(),
                    SkipReason::Condition => "its condition is false".to_owned(),
                    SkipReason::Stopping => "the run stopped after a failure".to_owned(),
                    SkipReason::Cancelled => "the run was cancelled".to_owned(),
                };
                EventKind::JobSkipped { job: lookup.name(job), reason }
            }
        }
    }
}

/// A lookup of the jobs that the log refers to by number.
pub(crate) trait JobLookup {
    fn name(&self, job: u32) -> String;
    /// The origin of a job that is not in the graph, in persisted runs.
    fn origin(&self, job: u32) -> Option<Box<JobOrigin>>;
    /// The annotations of the job's latest attempt.
    fn annotations(&self, job: u32) -> Map<String, Json>;
}

/// The entries of a run, in order.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) began: SystemTime,
    pub(crate) entries: Vec<Entry>,
    /// The events that are not packed, by the index of their entry.
    whole: SparseMap<usize, EventKind>,
}

impl Log {
    pub(crate) fn new(began: SystemTime, jobs: usize) -> Self {
        // Two entries for each job that runs once, and two for the run.
        let entries = Vec::with_capacity(2 * jobs + 2);
        Self { began, entries, whole: SparseMap::new() }
    }

    /// Moves the entries out, once the run has ended.
    pub(crate) fn take(&mut self) -> Self {
        let entries = std::mem::take(&mut self.entries);
        Self { began: self.began, entries, whole: std::mem::take(&mut self.whole) }
    }

    /// Adds an event that happened `at` nanoseconds after the run began. Allocates nothing.
    #[inline]
    pub(crate) fn push(&mut self, at: i64, event: Frequent) {
        self.entries.push(Entry::pack(at, event));
    }

    /// Adds any event, with the number of the job that it is about.
    pub(crate) fn push_event(&mut self, at: i64, job: Option<u32>, kind: EventKind) {
        let job = job.unwrap_or(NO_JOB);
        if let Some(event) = Frequent::of(job, &kind) {
            return self.push(at, event);
        }
        self.whole.insert(self.entries.len(), kind);
        self.entries.push(Entry::new(at, job, meaning::WHOLE, 0));
    }

    /// The entry as an event.
    pub(crate) fn event(&self, index: usize, lookup: &dyn JobLookup) -> Option<Event> {
        let entry = self.entries.get(index)?;
        let kind = match entry.unpack() {
            Some(event) => event.kind(lookup),
            None => self.whole.get(&index)?.clone(),
        };
        Some(Event { sequence: index as u64, at: self.time_at(entry.at), kind })
    }

    /// The time this many nanoseconds after the run began.
    pub(crate) fn time_at(&self, nanos: i64) -> SystemTime {
        let span = Duration::from_nanos(nanos.unsigned_abs());
        let time =
            if nanos < 0 { self.began.checked_sub(span) } else { self.began.checked_add(span) };
        time.unwrap_or(self.began)
    }

    /// When the latest attempt of a job started, in nanoseconds since the run began.
    pub(crate) fn start_of(&self, job: u32) -> Option<i64> {
        let is_its = |event| matches!(event, Frequent::JobStarted { job: of, .. } if of == job);
        let start = self.entries.iter().rev().find(|entry| entry.unpack().is_some_and(is_its))?;
        Some(start.at)
    }

    /// The output of a job, if it completed and the run is persisted.
    pub(crate) fn output_of(&self, job: u32) -> Option<Arc<Json>> {
        self.whole.iter().rev().find_map(|(index, kind)| match kind {
            EventKind::JobCompleted { output, .. } if self.entries[*index].job == job => {
                output.clone()
            }
            _ => None,
        })
    }

    /// The errors of attempts, each with the number of the job and whether it ended the job.
    pub(crate) fn failures(&self) -> impl Iterator<Item = (u32, bool, &Failure)> {
        self.whole.iter().filter_map(|(index, kind)| {
            let is_end = !matches!(kind, EventKind::AttemptFailed { .. });
            Some((self.entries[*index].job, is_end, kind.error()?))
        })
    }

    /// The final status, and the reason why the run failed or was cancelled, if it was not by
    /// request.
    pub(crate) fn outcome(&self) -> (Status, Option<&str>) {
        let Some(last) = self.entries.last() else { return (Status::Failed, None) };
        match (last.unpack(), self.whole.get(&(self.entries.len() - 1))) {
            (Some(Frequent::RunCompleted), _) | (_, Some(EventKind::RunCompleted { .. })) => {
                (Status::Completed, None)
            }
            (_, Some(EventKind::RunCancelled)) => (Status::Cancelled, self.cancel_reason()),
            (_, Some(EventKind::RunFailed { reason })) => (Status::Failed, Some(reason)),
            _ => (Status::Failed, None),
        }
    }

    fn cancel_reason(&self) -> Option<&str> {
        self.whole.values().rev().find_map(|kind| match kind {
            EventKind::CancelRequested { reason } => Some(reason.as_deref()),
            _ => None,
        })?
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use serde_json::json;

    use super::*;

    /// Knows only the job 7.
    struct Seven;

    impl JobLookup for Seven {
        fn name(&self, job: u32) -> String {
            assert_eq!(job, 7);
            "seven".to_owned()
        }

        fn origin(&self, _: u32) -> Option<Box<JobOrigin>> {
            Some(Box::new(JobOrigin::Element { of: "all".to_owned(), index: 2 }))
        }

        fn annotations(&self, _: u32) -> Map<String, Json> {
            Map::from_iter([("rows".to_owned(), json!(3))])
        }
    }

    #[test]
    fn an_event_is_read_as_it_was_pushed() {
        let (at, job, attempt, annotations) =
            (UNIX_EPOCH, || "seven".to_owned(), 2, Seven.annotations(7));
        let output = Some(Arc::new(json!(1)));
        let of_job = [
            EventKind::JobStarted { job: job(), attempt, origin: Seven.origin(7) },
            EventKind::JobCompleted {
                job: job(),
                attempt,
                output: None,
                annotations: annotations.clone(),
            },
            EventKind::JobCompleted { job: job(), attempt, output: output.clone(), annotations },
            EventKind::JobSkipped { job: job(), reason: "no".to_owned() },
            EventKind::SleepStarted { job: job(), attempt, duration: Duration::ZERO, until: at },
        ];
        let of_run = [
            EventKind::RunStarted { retry_of: None },
            EventKind::RunStarted { retry_of: Some(crate::id::RunId::from_u128(1)) },
            EventKind::RunResumed { after_crash: true },
            EventKind::CancelRequested { reason: Some("no".to_owned()) },
            EventKind::RunCompleted { output: None },
            EventKind::RunCompleted { output },
        ];
        let mut log = Log::new(at, 0);
        of_job.iter().for_each(|kind| log.push_event(0, Some(7), kind.clone()));
        of_run.iter().for_each(|kind| log.push_event(0, None, kind.clone()));
        for (index, kind) in of_job.into_iter().chain(of_run).enumerate() {
            let event = log.event(index, &Seven).expect("it was pushed");
            assert_eq!((event.sequence, event.kind), (index as u64, kind));
        }
        assert_eq!(log.whole.len(), 7, "four are packed");
    }

    #[test]
    fn a_run_without_outputs_and_errors_is_packed() {
        let (at, job, attempt) = (UNIX_EPOCH, 7, 1);
        let mut log = Log::new(at, 1);
        log.push_event(0, None, EventKind::RunStarted { retry_of: None });
        log.push(1, Frequent::JobStarted { job, attempt });
        log.push(2, Frequent::JobCompleted { job, attempt });
        log.push_event(3, None, EventKind::RunCompleted { output: None });
        assert!(log.whole.is_empty());
        assert_eq!((log.start_of(job), log.outcome()), (Some(1), (Status::Completed, None)));
    }

    #[test]
    fn what_is_packed_is_unpacked_again() {
        assert_eq!(size_of::<Entry>(), 16);
        let largest = LARGEST_NUMBER;
        let reasons =
            REASONS.into_iter().chain([0, largest].map(|root| SkipReason::Upstream(Some(root))));
        let skips = reasons.map(|reason| Frequent::JobSkipped { job: 7, reason });
        let others = [
            Frequent::RunStarted,
            Frequent::RunCompleted,
            Frequent::JobStarted { job: 0, attempt: 1 },
            Frequent::JobCompleted { job: u32::MAX - 1, attempt: largest },
        ];
        for event in skips.chain(others) {
            assert_eq!(Entry::pack(-1, event).unpack(), Some(event));
        }
        let saturated = Entry::pack(0, Frequent::JobStarted { job: 0, attempt: u32::MAX });
        assert_eq!(saturated.unpack(), Some(Frequent::JobStarted { job: 0, attempt: largest }));
    }
}
