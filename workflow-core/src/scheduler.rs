//! Decides what a run does next: events go in, effects come out.
//!
//! A state machine without clock, lock or I/O, which knows neither values nor threads. The engine
//! reports what happened through methods such as [`ended`](Scheduler::ended), and calls
//! [`Scheduler::next`] until there are no more effects. A job counts as running once its
//! [`Effect::Launch`] was taken.

mod children;
mod effect;
mod ready;
mod restore;
mod rules;
mod stop;
#[cfg(test)]
mod tests;
mod time;

use std::collections::VecDeque;
use std::sync::Arc;

use crate::graph::{Graph, GroupState, JobPolicy, JobState};
use crate::job::{JobFlags, TimeoutKind};
use crate::sparse_map::SparseMap;

use children::{Child, Lane};
pub(crate) use effect::{Cause, Effect, End, Outcome, SkipReason, Timer};
use ready::Ready;
pub(crate) use restore::Recorded;
use time::AttemptTracker;

/// The phase of a job. Stored as a `u8` in its [`JobState`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Waiting,
    Ready,
    Running,
    Backoff,
    Completed,
    Failed,
    Skipped,
    Cancelled,
}

const PHASES: [Phase; 8] = [
    Phase::Waiting,
    Phase::Ready,
    Phase::Running,
    Phase::Backoff,
    Phase::Completed,
    Phase::Failed,
    Phase::Skipped,
    Phase::Cancelled,
];

impl JobState {
    #[inline]
    pub(crate) fn phase(&self) -> Phase {
        PHASES[(self.phase & 7) as usize]
    }

    #[inline]
    fn set_phase(&mut self, phase: Phase) {
        self.phase = phase as u8;
    }
}

/// Bits of [`JobState::seen`] and [`GroupState::seen`].
const SUCCESS: u8 = 1;
const FAILURE: u8 = 2;
/// Skipped by its own condition, or by that of a job before it.
const SKIP: u8 = 4;

/// Flags of jobs whose completion takes the slow path.
const SLOW_PATH: JobFlags = JobFlags::COMPENSATED
    .union(JobFlags::CHILD)
    .union(JobFlags::CONTAINER)
    .union(JobFlags::RETRIED)
    .union(JobFlags::TIMED);

/// The mode of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Working,
    /// A job failed for good, and the workflow stops on a failure.
    Stopping,
    Cancelling(Cause),
    Compensating,
    Finished,
}

/// Which attempts are made elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Delegated {
    None,
    /// Those of jobs with a task queue of their own.
    Queued,
    /// All except those that only wait for other jobs.
    All,
}

impl Delegated {
    /// The flags of a job with this policy.
    fn flags(self, flags: JobFlags, policy: Option<&JobPolicy>) -> JobFlags {
        match self {
            Self::All => flags.delegated(),
            Self::Queued if policy.is_some_and(|policy| policy.task_queue.is_some()) => {
                flags.handed_out()
            }
            Self::None | Self::Queued => flags,
        }
    }
}

/// The scheduling state of one run.
pub(crate) struct Scheduler {
    graph: Arc<Graph>,
    cells: Vec<JobState>,
    ready: Ready,
    effects: VecDeque<Effect>,
    /// The number of jobs that have not ended.
    open: u32,
    /// The number of running jobs that count against `max_parallel`.
    running: usize,
    max_parallel: usize,
    mode: Mode,
    failed: bool,
    /// Jobs that were started by jobs, with their parents and policies.
    children: SparseMap<u32, Child>,
    lanes: SparseMap<u32, Lane>,
    /// Completed jobs that have a compensation, oldest first.
    compensable: Vec<u32>,
    tracker: AttemptTracker,
    /// Skipped jobs whose successors were not notified yet.
    skipped: Vec<u32>,
    /// For jobs with a dependency that did not complete: that dependency, and its mark.
    blockers: SparseMap<u32, (u32, u8)>,
    /// For skipped jobs: the job that caused the skip.
    deciders: SparseMap<u32, u32>,
    /// The state of groups of which a member has ended.
    groups: SparseMap<u32, GroupState>,
    /// Which attempts are made elsewhere, with their timeouts and limits.
    delegated: Delegated,
}

impl Scheduler {
    /// The graph of the run.
    pub(crate) fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Creates a run of this graph, with its first jobs ready. `seed` is for the jitter of retries.
    pub(crate) fn new(graph: Arc<Graph>, seed: u64) -> Self {
        let cells = graph.cells.clone();
        let settings = graph.settings;
        let mut scheduler = Self {
            open: cells.len() as u32,
            ready: Ready::new(&graph),
            cells,
            effects: VecDeque::new(),
            running: 0,
            max_parallel: settings.max_parallel.unwrap_or(usize::MAX),
            mode: Mode::Working,
            failed: false,
            children: SparseMap::new(),
            lanes: SparseMap::new(),
            compensable: Vec::new(),
            tracker: AttemptTracker::new(seed),
            skipped: Vec::new(),
            blockers: SparseMap::new(),
            deciders: SparseMap::new(),
            groups: SparseMap::new(),
            delegated: Delegated::None,
            graph,
        };
        if let Some(after) = settings.timeout {
            scheduler.effects.push_back(Effect::Arm { timer: Timer::Run, after });
        }
        // Kahn's order puts the jobs that wait for nothing first.
        let first = scheduler.cells.iter().take_while(|cell| cell.pending == 0).count();
        (0..first as u32).for_each(|job| scheduler.make_ready(job));
        scheduler
    }

    /// Leaves the attempts of all jobs, except those that only wait for other jobs, to somebody
    /// else, with their timeouts and limits. Retries stay here.
    pub(crate) fn delegate_attempts(&mut self) {
        self.delegated = Delegated::All;
        for cell in &mut self.cells {
            cell.flags = cell.flags.delegated();
        }
    }

    /// Leaves the attempts of jobs with a task queue of their own to its workers, with their timeouts
    /// and limits. Retries stay here.
    pub(crate) fn hand_out_queued(&mut self) {
        self.delegated = Delegated::Queued;
        for (job, policy) in &self.graph.policies {
            let cell = &mut self.cells[*job as usize];
            cell.flags = self.delegated.flags(cell.flags, Some(policy));
        }
    }

    /// The task queue whose workers make the attempts of a job; `None` if its run makes them.
    pub(crate) fn handed_out(&self, job: u32) -> Option<&Arc<str>> {
        match self.delegated {
            Delegated::Queued if self.flags(job).intersects(JobFlags::LIMITED) => {
                self.policy(job)?.task_queue.as_ref()
            }
            _ => None,
        }
    }

    /// Whether somebody else makes the attempts of a job.
    pub(crate) fn is_elsewhere(&self, job: u32) -> bool {
        match self.delegated {
            Delegated::None => false,
            Delegated::Queued => self.handed_out(job).is_some(),
            Delegated::All => !self.flags(job).intersects(JobFlags::CONTAINER),
        }
    }

    /// Returns the next effect, or `None` until something happens.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<Effect> {
        if let Some(effect) = self.effects.pop_front() {
            return Some(effect);
        }
        while self.running < self.max_parallel
            && let Some(job) = self.ready.pop()
        {
            // A job may have been stopped while it was ready.
            if self.phase(job) == Phase::Ready {
                return Some(self.launch(job));
            }
        }
        if self.open == 0 { self.finish() } else { None }
    }

    #[inline]
    fn launch(&mut self, job: u32) -> Effect {
        let cell = &mut self.cells[job as usize];
        cell.set_phase(Phase::Running);
        let flags = cell.flags;
        if !flags.intersects(JobFlags::CONTAINER) {
            self.running += 1;
        }
        let mut attempt = 1;
        if flags.intersects(JobFlags::RETRIED.union(JobFlags::TIMED)) {
            attempt = self.tracker.begin(job);
            if flags.intersects(JobFlags::TIMED) {
                self.arm_attempt(job, attempt);
            }
        }
        Effect::Launch { job, attempt }
    }

    /// Returns the next timer to arm, if it belongs to the attempt of this job, which was launched
    /// last.
    pub(crate) fn next_clock(&mut self, job: u32) -> Option<Effect> {
        let is_its = self.effects.front().is_some_and(|effect| effect.is_clock_of(job));
        if is_its { self.effects.pop_front() } else { None }
    }

    /// Ends the run, or starts the next compensation, once no job is open.
    #[cold]
    fn finish(&mut self) -> Option<Effect> {
        if self.mode == Mode::Finished {
            return None;
        }
        if self.failed && !matches!(self.mode, Mode::Cancelling(_)) {
            self.mode = Mode::Compensating;
            if let Some(job) = self.compensable.pop() {
                return Some(Effect::Compensate { job });
            }
        }
        let outcome = match self.mode {
            Mode::Cancelling(Cause::TimedOut(_)) => Outcome::TimedOut,
            Mode::Cancelling(Cause::Cancelled) => Outcome::Cancelled,
            _ if self.failed => Outcome::Failed,
            _ => Outcome::Completed,
        };
        self.mode = Mode::Finished;
        Some(Effect::Finish(outcome))
    }

    /// Reports the end of an attempt. Ignored if that attempt is not running.
    #[inline]
    pub(crate) fn ended(&mut self, job: u32, attempt: u32, end: End) {
        let cell = &mut self.cells[job as usize];
        if cell.phase() != Phase::Running {
            return;
        }
        if end == End::Completed && !cell.flags.intersects(SLOW_PATH) {
            cell.set_phase(Phase::Completed);
            self.running -= 1;
            self.propagate(job, SUCCESS);
        } else if self.tracker.attempt(job) == attempt {
            self.ended_on_slow_path(job, attempt, end);
        }
    }

    fn ended_on_slow_path(&mut self, job: u32, attempt: u32, end: End) {
        if !self.cells[job as usize].flags.intersects(JobFlags::CONTAINER) {
            self.running -= 1;
        }
        let stop_cause = self.tracker.interrupted(job);
        match (end, stop_cause) {
            (End::Completed, _) => {
                if self.cells[job as usize].flags.intersects(JobFlags::COMPENSATED) {
                    self.compensable.push(job);
                }
                self.settle(job, Phase::Completed, SUCCESS);
            }
            (End::Declined, _) => {
                self.effects.push_back(Effect::Skip { job, reason: SkipReason::Condition });
                self.settle(job, Phase::Skipped, SKIP);
            }
            (
                End::FailedRetryable | End::Cancelled,
                Some(Cause::Cancelled | Cause::TimedOut(TimeoutKind::Run)),
            ) => self.settle(job, Phase::Cancelled, FAILURE),
            (
                End::FailedRetryable | End::Cancelled,
                Some(Cause::TimedOut(TimeoutKind::ScheduleToClose)),
            ) => self.fail(job, attempt),
            (End::Cancelled, None) => self.settle_cancelled(job),
            (End::FailedRetryable | End::Cancelled, _) => self.retry_or_fail(job, attempt),
            (End::FailedTerminally, _) => self.fail(job, attempt),
        }
    }

    /// Settles a job that was cancelled while its run continues: a child that nobody waits for any
    /// more, or a job that gave up by itself, which counts as a failure.
    fn settle_cancelled(&mut self, job: u32) {
        self.settle(job, Phase::Cancelled, FAILURE);
        self.count_failure(job);
    }

    fn retry_or_fail(&mut self, job: u32, attempt: u32) {
        let stopping = matches!(self.mode, Mode::Stopping | Mode::Cancelling(_));
        let retried = self.cells[job as usize].flags.intersects(JobFlags::RETRIED) && !stopping;
        let policy = if retried { policy_of(&self.children, &self.graph, job) } else { None };
        match policy.and_then(|policy| policy.retry.delay(attempt, self.tracker.next_random())) {
            Some(delay) => {
                self.cells[job as usize].set_phase(Phase::Backoff);
                self.effects.push_back(Effect::Retry { job, attempt, delay });
                let timer = Timer::Backoff { job, attempt: attempt + 1 };
                self.effects.push_back(Effect::Arm { timer, after: delay });
            }
            None => self.fail(job, attempt),
        }
    }

    fn fail(&mut self, job: u32, attempt: u32) {
        self.effects.push_back(Effect::Fail { job, attempt });
        if self.cells[job as usize].flags.intersects(JobFlags::ELEMENT) {
            self.stop_siblings(job);
        }
        self.settle(job, Phase::Failed, FAILURE);
        self.count_failure(job);
    }

    fn settle(&mut self, job: u32, phase: Phase, mark: u8) {
        let was_waiting = self.phase(job) == Phase::Waiting;
        self.cells[job as usize].set_phase(phase);
        if phase == Phase::Cancelled {
            let attempt = self.tracker.attempt(job);
            self.effects.push_back(Effect::Cancel { job, attempt });
        }
        self.tracker.forget(job);
        if let Some(child) = self.children.remove(&job)
            && !was_waiting
        {
            self.leave_lane(child.parent);
        }
        self.lanes.remove(&job);
        self.propagate(job, mark);
    }

    #[inline]
    fn make_ready(&mut self, job: u32) {
        let cell = &mut self.cells[job as usize];
        cell.set_phase(Phase::Ready);
        let flags = cell.flags;
        if flags.intersects(JobFlags::TIMED.union(JobFlags::RANKED)) {
            self.make_ready_with_policy(job);
        } else {
            self.ready.push(job, 0);
        }
    }

    fn make_ready_with_policy(&mut self, job: u32) {
        let policy = policy_of(&self.children, &self.graph, job);
        let rank = policy.map_or(0, |policy| policy.priority);
        if let Some(after) = policy.and_then(|policy| policy.timeouts.schedule_to_close)
            && self.tracker.schedule(job)
        {
            self.effects.push_back(Effect::Arm { timer: Timer::ScheduleToClose { job }, after });
        }
        self.ready.push(job, rank);
    }

    /// Takes back the launch of a job that must wait for places. The timers of the attempt, which
    /// follow the launch, are not armed. To be called before the next effect is taken.
    pub(crate) fn held(&mut self, job: u32) {
        let cell = &mut self.cells[job as usize];
        if cell.phase() != Phase::Running {
            return;
        }
        cell.set_phase(Phase::Ready);
        if !cell.flags.intersects(JobFlags::CONTAINER) {
            self.running -= 1;
        }
        let flags = cell.flags;
        if flags.intersects(JobFlags::RETRIED.union(JobFlags::TIMED)) {
            self.tracker.unbegin(job);
            self.effects.retain(|effect| !effect.is_clock_of(job));
        }
    }

    /// Makes a [held](Self::held) job ready again. Returns false if the job has ended in the
    /// meantime.
    pub(crate) fn released(&mut self, job: u32) -> bool {
        let wanted = self.cells[job as usize].phase() == Phase::Ready;
        if wanted {
            self.ready.push_front(job);
        }
        wanted
    }

    /// Returns why the running attempt must stop, if it must.
    #[inline]
    pub(crate) fn stop_cause(&self, job: u32) -> Option<Cause> {
        self.tracker.stop_cause(job)
    }

    /// Returns the phase of a job.
    #[inline]
    pub(crate) fn phase(&self, job: u32) -> Phase {
        self.cells[job as usize].phase()
    }

    #[inline]
    pub(crate) fn flags(&self, job: u32) -> JobFlags {
        self.cells[job as usize].flags
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.mode == Mode::Finished
    }

    pub(crate) fn is_cancelling(&self) -> bool {
        matches!(self.mode, Mode::Cancelling(_))
    }

    /// Returns how many jobs wait only for a worker.
    #[inline]
    pub(crate) fn backlog(&self) -> usize {
        self.ready.len().min(self.max_parallel.saturating_sub(self.running))
    }

    /// Returns how many jobs are running, without containers, which only wait for other jobs.
    pub(crate) fn running(&self) -> usize {
        self.running
    }

    /// Whether nothing can be launched until a job or a timer ends.
    pub(crate) fn only_waits(&self) -> bool {
        self.open > 0
            && self.effects.is_empty()
            && self.backlog() == 0
            && !matches!(self.mode, Mode::Cancelling(_) | Mode::Finished)
    }

    /// Stops launching jobs. Ends of jobs still have their other consequences.
    pub(crate) fn pause(&mut self) {
        self.max_parallel = 0;
    }

    /// Resumes launching jobs.
    pub(crate) fn unpause(&mut self) {
        self.max_parallel = self.graph.settings.max_parallel.unwrap_or(usize::MAX);
    }

    /// Returns the policy of a job, if it has one.
    pub(crate) fn policy(&self, job: u32) -> Option<&JobPolicy> {
        policy_of(&self.children, &self.graph, job)
    }
}

fn policy_of<'a>(
    children: &'a SparseMap<u32, Child>,
    graph: &'a Graph,
    job: u32,
) -> Option<&'a JobPolicy> {
    match children.get(&job) {
        Some(child) => child.policy.as_ref(),
        None => graph.policies.get(&job),
    }
}
