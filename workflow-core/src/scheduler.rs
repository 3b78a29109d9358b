//! Decides, and does nothing: what happened goes in, what is to be done comes out.
//!
//! A state machine without clock, lock or I/O. The engine tells it what happened
//! ([`Scheduler::launched`] is implied by taking a [`Effect::Launch`]; the rest are methods named
//! after what happened) and asks [`Scheduler::next`] for what to do until there is nothing.

mod ready;
#[cfg(test)]
mod tests;
mod time;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::graph::{Cell, Graph, JobPolicy};
use crate::job::{OnFailure, TimeoutKind, Traits, TriggerRule};

use ready::Ready;
use time::Clockwork;

/// Something for the engine to do.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Effect {
    /// Start this attempt of a job.
    Launch { job: u32, attempt: u32 },
    /// Note that a job will not run.
    Skip { job: u32, reason: SkipReason },
    /// Note that the attempt failed and that another follows after the delay.
    Retry { job: u32, attempt: u32, delay: Duration },
    /// Note that a job's time for all attempts ran out while none was under way.
    Expire { job: u32 },
    /// Note that a job failed for good.
    Fail { job: u32, attempt: u32 },
    /// Call [`Scheduler::timer`] with this after the time.
    Arm { timer: Timer, after: Duration },
    /// Note that a job was stopped by request.
    Cancel { job: u32, attempt: u32 },
    /// Ask an attempt to stop.
    Interrupt { job: u32, attempt: u32, cause: Cause },
    /// Start what takes a job's work back, with [`Scheduler::append`].
    Undo { job: u32 },
    /// Note that the run has ended; nothing follows.
    Finish(Outcome),
}

/// How a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Completed,
    Failed,
    Cancelled,
    TimedOut,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Completed,
    /// Its condition did not hold.
    Declined,
    /// Another attempt may help.
    FailedRetryable,
    FailedTerminally,
    /// It stopped because it was asked to.
    Cancelled,
}

/// Why an attempt is asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    Cancelled,
    TimedOut(TimeoutKind),
}

/// Why a job will not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SkipReason {
    /// What it waits for did not end as its rule asks: the first job in whose wake it did not
    /// complete, or none, when the rule asks for a failure.
    Upstream(Option<u32>),
    /// Its condition did not hold.
    Condition,
    /// The run is stopping after a failure.
    Stopping,
    /// The run was cancelled.
    Cancelled,
}

/// What a timer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// The wait before an attempt.
    Backoff {
        job: u32,
        attempt: u32,
    },
    StartToClose {
        job: u32,
        attempt: u32,
    },
    ScheduleToClose {
        job: u32,
    },
    Heartbeat {
        job: u32,
        attempt: u32,
        beats: u64,
    },
    Run,
}

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

impl Cell {
    #[inline]
    pub(crate) fn phase(&self) -> Phase {
        PHASES[(self.phase & 7) as usize]
    }

    #[inline]
    fn set_phase(&mut self, phase: Phase) {
        self.phase = phase as u8;
    }
}

/// Bits of [`Cell::seen`].
const SUCCESS: u8 = 1;
const FAILURE: u8 = 2;
/// Skipped by its own condition, or by that of a job before it.
const SKIP: u8 = 4;

/// Traits whose completion takes the long way.
const INVOLVED: Traits = Traits::UNDOABLE
    .and(Traits::CHILD)
    .and(Traits::CONTAINER)
    .and(Traits::RETRIED)
    .and(Traits::TIMED);

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
    cells: Vec<Cell>,
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
    children: BTreeMap<u32, Child>,
    lanes: BTreeMap<u32, Lane>,
    /// Completed jobs whose work can be taken back, oldest first.
    undoable: Vec<u32>,
    clockwork: Clockwork,
    /// Skipped jobs whose successors have not heard of it.
    skipped: Vec<u32>,
    /// Of jobs that have heard of a bad end, the job that it began with.
    culprits: BTreeMap<u32, u32>,
}

/// The places that a parent has for its children.
#[derive(Default)]
struct Lane {
    taken: usize,
    waiting: VecDeque<u32>,
}

struct Child {
    parent: u32,
    policy: Option<JobPolicy>,
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
            children: BTreeMap::new(),
            lanes: BTreeMap::new(),
            undoable: Vec::new(),
            clockwork: Clockwork::new(seed),
            skipped: Vec::new(),
            culprits: BTreeMap::new(),
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
        let traits = cell.traits;
        if !traits.has(Traits::CONTAINER) {
            self.running += 1;
        }
        let mut attempt = 1;
        if traits.has(Traits::RETRIED.and(Traits::TIMED)) {
            attempt = self.clockwork.begin(job);
            if traits.has(Traits::TIMED) {
                self.arm_attempt(job, attempt);
            }
        }
        Effect::Launch { job, attempt }
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
                return Some(Effect::Undo { job });
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
        if end == End::Completed && !cell.traits.has(INVOLVED) {
            cell.set_phase(Phase::Completed);
            self.running -= 1;
            self.pass_on(job, SUCCESS);
        } else if self.clockwork.attempt(job) == attempt {
            self.ended_involved(job, attempt, end);
        }
    }

    fn ended_involved(&mut self, job: u32, attempt: u32, end: End) {
        if !self.cells[job as usize].traits.has(Traits::CONTAINER) {
            self.running -= 1;
        }
        let asked = self.clockwork.interrupted(job);
        match (end, asked) {
            (End::Completed, _) => {
                if self.cells[job as usize].traits.has(Traits::UNDOABLE) {
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
        let retried = self.cells[job as usize].traits.has(Traits::RETRIED) && !stopping;
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
        if self.cells[job as usize].traits.has(Traits::ELEMENT) {
            self.stop_siblings(job);
        }
        self.settle(job, Phase::Failed, FAILURE);
        self.count_failure(job);
    }

    /// Starts no more of the jobs that are of use only together with one that has failed.
    fn stop_siblings(&mut self, job: u32) {
        let Some(parent) = self.children.get(&job).map(|child| child.parent) else { return };
        let unstarted = |scheduler: &Self, job: u32| {
            matches!(scheduler.phase(job), Phase::Waiting | Phase::Ready | Phase::Backoff)
        };
        let siblings = self.children.iter().filter(|(_, child)| child.parent == parent);
        let mut siblings: Vec<u32> = siblings.map(|(sibling, _)| *sibling).collect();
        siblings.retain(|sibling| *sibling != job && unstarted(self, *sibling));
        siblings.sort_unstable();
        if let Some(lane) = self.lanes.get_mut(&parent) {
            lane.waiting.clear();
        }
        for sibling in siblings {
            self.settle(sibling, Phase::Cancelled, FAILURE);
        }
    }

    /// A job of the graph has failed, and with it the run.
    fn count_failure(&mut self, job: u32) {
        if self.cells[job as usize].traits.has(Traits::CHILD.and(Traits::UNDO)) {
            return;
        }
        self.failed = true;
        if self.graph.settings.on_failure == OnFailure::Stop && self.mode == Mode::Working {
            self.mode = Mode::Stopping;
            self.skip_unstarted(SkipReason::Stopping);
        }
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

    /// Whether a child may start, as far as its parent's concurrency limit goes; else it waits.
    fn enter_lane(&mut self, parent: u32, job: u32) -> bool {
        let limit =
            policy_of(&self.children, &self.graph, parent).map_or(0, |policy| policy.concurrency);
        if limit == 0 || limit == usize::MAX {
            return true;
        }
        let lane = self.lanes.entry(parent).or_default();
        if lane.taken < limit {
            lane.taken += 1;
            return true;
        }
        lane.waiting.push_back(job);
        false
    }

    fn leave_lane(&mut self, parent: u32) {
        let Some(lane) = self.lanes.get_mut(&parent) else { return };
        while let Some(job) = lane.waiting.pop_front() {
            if self.cells[job as usize].phase() == Phase::Waiting {
                self.make_ready(job);
                return;
            }
        }
        lane.taken -= 1;
    }

    /// Tells the jobs that wait for `job` what became of it.
    #[inline]
    fn pass_on(&mut self, job: u32, mark: u8) {
        self.tell(job, mark);
        if !self.skipped.is_empty() {
            self.tell_skipped();
        }
    }

    #[inline]
    fn tell(&mut self, job: u32, mark: u8) {
        self.open -= 1;
        let (start, end) = self.graph.successor_range(job);
        for at in start..end {
            let successor = self.graph.successors[at];
            self.hear(successor, job, mark);
        }
    }

    /// Jobs that are skipped tell theirs, and so on: a loop, so that depth costs no stack.
    fn tell_skipped(&mut self) {
        while let Some(job) = self.skipped.pop() {
            // Skipped for a failure counts as failed, skipped for a condition as skipped.
            let failure = self.cells[job as usize].seen & FAILURE != 0;
            self.tell(job, if failure { FAILURE } else { SKIP });
        }
    }

    #[inline]
    fn hear(&mut self, job: u32, from: u32, mark: u8) {
        let cell = &mut self.cells[job as usize];
        cell.pending -= 1;
        cell.seen |= mark;
        if cell.seen != SUCCESS || cell.traits.rule() != TriggerRule::AllSuccess {
            if mark != SUCCESS {
                let root = self.culprits.get(&from).copied().unwrap_or(from);
                self.culprits.entry(job).or_insert(root);
            }
            self.apply_rule(job);
        } else if cell.pending == 0 && cell.phase() == Phase::Waiting {
            match self.mode {
                Mode::Working => self.make_ready(job),
                _ => self.apply_rule(job),
            }
        }
    }

    #[cold]
    fn apply_rule(&mut self, job: u32) {
        let cell = self.cells[job as usize];
        if cell.phase() != Phase::Waiting {
            return;
        }
        // A job is skipped only when all that it waits for has ended, so that what comes after
        // it, and cleans up, comes after that as well.
        let all = cell.pending == 0;
        let (good, bad) = (cell.seen & SUCCESS != 0, cell.seen & FAILURE != 0);
        let start = match cell.traits.rule() {
            TriggerRule::AllSuccess => all && cell.seen & (FAILURE | SKIP) == 0,
            TriggerRule::AllDone | TriggerRule::Always => all,
            TriggerRule::OneSuccess => good,
            TriggerRule::OneFailed => bad,
            TriggerRule::NoneFailed => all && !bad,
        };
        match self.refusal(cell.traits) {
            Some(reason) if all => self.skip(job, reason),
            None if start => self.make_ready(job),
            None if all => self.skip(job, SkipReason::Upstream(self.culprits.get(&job).copied())),
            Some(_) | None => {}
        }
    }

    /// Why nothing new may start, if so.
    fn refusal(&self, traits: Traits) -> Option<SkipReason> {
        if traits.rule() == TriggerRule::Always {
            return None;
        }
        match self.mode {
            Mode::Stopping => Some(SkipReason::Stopping),
            Mode::Cancelling(_) => Some(SkipReason::Cancelled),
            Mode::Working | Mode::Undoing | Mode::Finished => None,
        }
    }

    /// Marks a job as skipped; [`Self::tell_skipped`] tells the others.
    fn skip(&mut self, job: u32, reason: SkipReason) {
        self.cells[job as usize].set_phase(Phase::Skipped);
        self.effects.push_back(Effect::Skip { job, reason });
        self.skipped.push(job);
    }

    #[inline]
    fn make_ready(&mut self, job: u32) {
        let cell = &mut self.cells[job as usize];
        cell.set_phase(Phase::Ready);
        let traits = cell.traits;
        if traits.has(Traits::TIMED.and(Traits::RANKED)) {
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

    /// The engine has no place for a job that it was told to launch: it is not running after all.
    pub(crate) fn held(&mut self, job: u32) {
        let cell = &mut self.cells[job as usize];
        if cell.phase() != Phase::Running {
            return;
        }
        cell.set_phase(Phase::Ready);
        if !cell.traits.has(Traits::CONTAINER) {
            self.running -= 1;
        }
        self.clockwork.unbegin(job);
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

    /// A running job starts another, which waits for nothing. Returns its number.
    pub(crate) fn append(&mut self, parent: u32, traits: Traits, policy: Option<JobPolicy>) -> u32 {
        let job = self.cells.len() as u32;
        self.cells.push(Cell { pending: 0, traits, phase: Phase::Waiting as u8, seen: 0 });
        self.children.insert(job, Child { parent, policy });
        self.open += 1;
        // Cleaning up may go on while the run stops; a child's parent is asked to stop itself.
        let refused = self.refusal(self.cells[parent as usize].traits).is_some();
        if refused && !traits.has(Traits::UNDO) {
            self.settle(job, Phase::Cancelled, FAILURE);
        } else if traits.has(Traits::UNDO) || self.enter_lane(parent, job) {
            self.make_ready(job);
        }
        job
    }

    /// The number that [`Self::append`] will give next.
    pub(crate) fn next_number(&self) -> u32 {
        self.cells.len() as u32
    }

    /// Stops one job, whether it runs or not.
    pub(crate) fn cancel_job(&mut self, job: u32) {
        match self.cells[job as usize].phase() {
            Phase::Running => self.interrupt(job, Cause::Cancelled),
            Phase::Waiting | Phase::Ready | Phase::Backoff => {
                self.settle(job, Phase::Cancelled, FAILURE);
            }
            _ => {}
        }
    }

    /// Someone asked the run to stop.
    pub(crate) fn cancel(&mut self, cause: Cause) {
        match self.mode {
            Mode::Finished | Mode::Cancelling(_) => return,
            // The run has failed already; what is left of taking work back is given up.
            Mode::Undoing => {}
            Mode::Working | Mode::Stopping => self.mode = Mode::Cancelling(cause),
        }
        self.undoable.clear();
        for job in 0..self.cells.len() as u32 {
            let cell = self.cells[job as usize];
            if cell.phase() == Phase::Running && cell.traits.rule() != TriggerRule::Always {
                self.interrupt(job, cause);
            }
        }
        self.skip_unstarted(SkipReason::Cancelled);
    }

    /// Skips what is ready. What waits is skipped when that which it waits for has ended.
    fn skip_unstarted(&mut self, reason: SkipReason) {
        self.ready.clear();
        for job in 0..self.cells.len() as u32 {
            let cell = self.cells[job as usize];
            let always = cell.traits.rule() == TriggerRule::Always;
            match cell.phase() {
                Phase::Ready if always => self.ready.push(job, 0),
                Phase::Waiting | Phase::Ready | Phase::Backoff
                    if cell.traits.has(Traits::CHILD.and(Traits::UNDO)) =>
                {
                    self.settle(job, Phase::Cancelled, FAILURE);
                }
                Phase::Backoff => {
                    let attempt = self.clockwork.attempt(job);
                    self.effects.push_back(Effect::Fail { job, attempt });
                    self.settle(job, Phase::Failed, FAILURE);
                }
                Phase::Ready => {
                    self.skip(job, reason);
                    self.tell_skipped();
                }
                _ => {}
            }
        }
    }

    fn interrupt(&mut self, job: u32, cause: Cause) {
        let attempt = self.clockwork.attempt(job);
        if self.clockwork.interrupt(job, cause) {
            self.effects.push_back(Effect::Interrupt { job, attempt, cause });
        }
    }

    /// Why the attempt that is under way was asked to stop, if it was.
    #[inline]
    pub(crate) fn asked(&self, job: u32) -> Option<Cause> {
        self.clockwork.asked(job)
    }

    /// Where a job stands.
    pub(crate) fn phase(&self, job: u32) -> Phase {
        self.cells[job as usize].phase()
    }

    pub(crate) fn traits(&self, job: u32) -> Traits {
        self.cells[job as usize].traits
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
        self.ready.len().min(self.max_parallel - self.running)
    }

    /// What a job asks for, if anything.
    pub(crate) fn policy(&self, job: u32) -> Option<&JobPolicy> {
        policy_of(&self.children, &self.graph, job)
    }
}

fn policy_of<'a>(
    children: &'a BTreeMap<u32, Child>,
    graph: &'a Graph,
    job: u32,
) -> Option<&'a JobPolicy> {
    match children.get(&job) {
        Some(child) => child.policy.as_ref(),
        None => graph.policies.get(&job),
    }
}
