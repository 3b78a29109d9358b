//! Decides, and does nothing: what happened goes in, what is to be done comes out.
//!
//! A state machine without clock, lock or I/O. The engine tells it what happened, by methods named
//! after it, and asks [`Scheduler::next`] for what to do until there is nothing. A job counts as
//! running once its [`Effect::Launch`] was taken.

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

use crate::graph::{Graph, GroupCell, JobPolicy, JobState};
use crate::job::{JobFlags, TimeoutKind};
use crate::sparse_map::SparseMap;

use children::{Child, Lane};
pub(crate) use effect::{Cause, Effect, End, Outcome, SkipReason, Timer};
use ready::Ready;
pub(crate) use restore::Recorded;
use time::Clockwork;

/// Where a job stands. Kept as a `u8` in its [`Cell`].
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

/// Bits of [`Cell::seen`] and [`GroupCell::seen`].
const SUCCESS: u8 = 1;
const FAILURE: u8 = 2;
/// Skipped by its own condition, or by that of a job before it.
const SKIP: u8 = 4;

/// Flags of jobs whose completion takes the long way.
const INVOLVED: JobFlags = JobFlags::COMPENSATED
    .union(JobFlags::CHILD)
    .union(JobFlags::CONTAINER)
    .union(JobFlags::RETRIED)
    .union(JobFlags::TIMED);

/// What the run is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Working,
    /// A job failed for good and the workflow asks to stop then.
    Stopping,
    Cancelling(Cause),
    Undoing,
    Finished,
}

/// The state of one run.
pub(crate) struct Scheduler {
    graph: Arc<Graph>,
    cells: Vec<JobState>,
    ready: Ready,
    effects: VecDeque<Effect>,
    /// Jobs that have not ended.
    open: u32,
    /// Jobs that take a place among `max_parallel`.
    running: usize,
    max_parallel: usize,
    mode: Mode,
    failed: bool,
    /// Jobs of children: their parents, and what they ask for.
    children: SparseMap<u32, Child>,
    lanes: SparseMap<u32, Lane>,
    /// Completed jobs whose work can be taken back, oldest first.
    undoable: Vec<u32>,
    clockwork: Clockwork,
    /// Skipped jobs whose successors have not heard of it.
    skipped: Vec<u32>,
    /// Of jobs that wait for one that did not complete, that job and what became of it.
    blockers: SparseMap<u32, (u32, u8)>,
    /// The job that decided that another was skipped.
    deciders: SparseMap<u32, u32>,
    /// Groups of which a member has ended.
    groups: SparseMap<u32, GroupCell>,
}

impl Scheduler {
    /// A run of this graph, with its first jobs ready. `seed` feeds the jitter of retries.
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
            undoable: Vec::new(),
            clockwork: Clockwork::new(seed),
            skipped: Vec::new(),
            blockers: SparseMap::new(),
            deciders: SparseMap::new(),
            groups: SparseMap::new(),
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

    /// The next thing to do; `None` until something happens.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<Effect> {
        if let Some(effect) = self.effects.pop_front() {
            return Some(effect);
        }
        while self.running < self.max_parallel
            && let Some(job) = self.ready.pop()
        {
            // A job may have been stopped while it stood in line.
            if self.phase(job) == Phase::Ready {
                return Some(self.launch(job));
            }
        }
        if self.open == 0 { self.wind_up() } else { None }
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
            attempt = self.clockwork.begin(job);
            if flags.intersects(JobFlags::TIMED) {
                self.arm_attempt(job, attempt);
            }
        }
        Effect::Launch { job, attempt }
    }

    /// The clock to be started next, if it is one of the attempt of the job that was launched last.
    pub(crate) fn next_clock(&mut self, job: u32) -> Option<Effect> {
        let is_its = self.effects.front().is_some_and(|effect| effect.is_clock_of(job));
        if is_its { self.effects.pop_front() } else { None }
    }

    /// Ends the run, or begins to take work back, once no job is open.
    #[cold]
    fn wind_up(&mut self) -> Option<Effect> {
        if self.mode == Mode::Finished {
            return None;
        }
        if self.failed && !matches!(self.mode, Mode::Cancelling(_)) {
            self.mode = Mode::Undoing;
            if let Some(job) = self.undoable.pop() {
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

    /// An attempt ended. Ignored when that attempt is not under way.
    #[inline]
    pub(crate) fn ended(&mut self, job: u32, attempt: u32, end: End) {
        let cell = &mut self.cells[job as usize];
        if cell.phase() != Phase::Running {
            return;
        }
        if end == End::Completed && !cell.flags.intersects(INVOLVED) {
            cell.set_phase(Phase::Completed);
            self.running -= 1;
            self.pass_on(job, SUCCESS);
        } else if self.clockwork.attempt(job) == attempt {
            self.ended_involved(job, attempt, end);
        }
    }

    fn ended_involved(&mut self, job: u32, attempt: u32, end: End) {
        if !self.cells[job as usize].flags.intersects(JobFlags::CONTAINER) {
            self.running -= 1;
        }
        let asked = self.clockwork.interrupted(job);
        match (end, asked) {
            (End::Completed, _) => {
                if self.cells[job as usize].flags.intersects(JobFlags::COMPENSATED) {
                    self.undoable.push(job);
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

    /// A job that stopped by request while its run goes on: a child nobody waits for any more,
    /// or one that gave up by itself, which is a failure.
    fn settle_cancelled(&mut self, job: u32) {
        self.settle(job, Phase::Cancelled, FAILURE);
        self.count_failure(job);
    }

    fn retry_or_fail(&mut self, job: u32, attempt: u32) {
        let stopping = matches!(self.mode, Mode::Stopping | Mode::Cancelling(_));
        let retried = self.cells[job as usize].flags.intersects(JobFlags::RETRIED) && !stopping;
        let policy = if retried { policy_of(&self.children, &self.graph, job) } else { None };
        match policy.and_then(|policy| policy.retry.delay(attempt, self.clockwork.chance())) {
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
            let attempt = self.clockwork.attempt(job);
            self.effects.push_back(Effect::Cancel { job, attempt });
        }
        self.clockwork.forget(job);
        if let Some(child) = self.children.remove(&job)
            && !was_waiting
        {
            self.leave_lane(child.parent);
        }
        self.lanes.remove(&job);
        self.pass_on(job, mark);
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
            && self.clockwork.schedule(job)
        {
            self.effects.push_back(Effect::Arm { timer: Timer::ScheduleToClose { job }, after });
        }
        self.ready.push(job, rank);
    }

    /// The engine has no place for a job that it was told to launch: it is not running after all,
    /// and the clocks of the attempt, which follow the launch, are not started. To be called
    /// before anything else is asked for.
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
            self.clockwork.unbegin(job);
            self.effects.retain(|effect| !effect.is_clock_of(job));
        }
    }

    /// The engine has a place for a job that was [held](Self::held). False when the job has
    /// ended in the meantime, and does not want it.
    pub(crate) fn released(&mut self, job: u32) -> bool {
        let wanted = self.cells[job as usize].phase() == Phase::Ready;
        if wanted {
            self.ready.push_front(job);
        }
        wanted
    }

    /// Why the attempt that is under way was asked to stop, if it was.
    #[inline]
    pub(crate) fn asked(&self, job: u32) -> Option<Cause> {
        self.clockwork.asked(job)
    }

    /// Where a job stands.
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

    /// How many jobs wait for nothing but a worker.
    #[inline]
    pub(crate) fn backlog(&self) -> usize {
        self.ready.len().min(self.max_parallel.saturating_sub(self.running))
    }

    /// How many jobs are running, without those that only wait for others.
    pub(crate) fn running(&self) -> usize {
        self.running
    }

    /// Launches nothing from now on. What has ended still leads to what it leads to.
    pub(crate) fn pause(&mut self) {
        self.max_parallel = 0;
    }

    /// Launches again.
    pub(crate) fn unpause(&mut self) {
        self.max_parallel = self.graph.settings.max_parallel.unwrap_or(usize::MAX);
    }

    /// What a job asks for, if anything.
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
