//! Does what the scheduler decided, short of calling anyone.

use std::sync::Arc;

use serde_json::Value as Json;
use tracing::level_filters::LevelFilter;

use super::errands::{Notice, Then};
use super::{
    ActiveRun, Alert, Cause, Child, ChildFrame, ChildName, Claim, Detail, Effect, Entry, Errands,
    Failure, Held, HostsOwn, JobError, JobErrorKind, Outcome, Scope, State, TimeoutKind, Traits,
    What,
};

impl State {
    /// Does what the scheduler decided, short of calling anyone.
    #[cold]
    pub(super) fn perform(&mut self, run: &Arc<ActiveRun>, effect: Effect, errands: &mut Errands) {
        match effect {
            Effect::Launch { .. } => {}
            Effect::Skip { job, reason } => {
                self.give_back(job);
                self.note_with(What::JobSkipped, job, 0, Detail::Skip(reason));
            }
            Effect::Retry { job, attempt, delay } => {
                self.facts.remove(&job);
                if let Some(error) = self.errors.remove(&job) {
                    let failure = Failure::from(&error);
                    errands.hosts.push(HostsOwn::Error(error));
                    self.notice(run, job, attempt, &failure, Then::RetryIn(delay), errands);
                    let detail = Detail::Error { error: failure, retry_in: Some(delay) };
                    self.note_with(What::AttemptFailed, job, attempt, detail);
                }
            }
            Effect::Expire { job } => {
                let cause = Cause::TimedOut(TimeoutKind::ScheduleToClose);
                let error = self.stopped(run, job, cause, None);
                self.failed_with(job, error, errands);
            }
            Effect::Fail { job, attempt } => {
                self.note_bad_end(run, What::JobFailed, job, attempt, errands);
            }
            Effect::Cancel { job, attempt } => {
                self.note_bad_end(run, What::JobCancelled, job, attempt, errands);
            }
            Effect::Arm { timer, after } => self.arm(run, Alert::Scheduler(timer), after, errands),
            Effect::Interrupt { job, attempt, cause } => {
                // In a run that is lost, it may have been refused already.
                if self.scheduler.is_running(job, attempt) {
                    self.interrupt(run, job, attempt, cause, errands);
                }
            }
            Effect::Undo { job } => self.undo(run, job, errands),
            Effect::Finish(outcome) => self.finish(run, outcome, errands),
        }
    }

    fn note_bad_end(
        &mut self,
        run: &ActiveRun,
        what: What,
        job: u32,
        attempt: u32,
        errands: &mut Errands,
    ) {
        // It may have stood in line.
        self.give_back(job);
        let error = self.errors.remove(&job).unwrap_or_else(|| {
            JobError::of_kind(JobErrorKind::Cancelled, "stopped before it began")
        });
        let failure = Failure::from(&error);
        let then = if what == What::JobFailed { Then::Failed } else { Then::Cancelled };
        self.notice(run, job, attempt, &failure, then, errands);
        self.note_with(what, job, attempt, Detail::Error { error: failure, retry_in: None });
        self.tell(job, Err(error), errands);
    }

    /// Has the log of this program told of an attempt that failed, if anybody listens.
    fn notice(
        &self,
        run: &ActiveRun,
        job: u32,
        attempt: u32,
        failure: &Failure,
        then: Then,
        errands: &mut Errands,
    ) {
        // A run that its store does not keep ends with that.
        let is_lost = self.recorder.as_ref().is_some_and(|recorder| recorder.failed.is_some());
        if is_lost || LevelFilter::current() < LevelFilter::WARN {
            return;
        }
        let job = self.names.get(&run.plan.graph, job).into_owned();
        let notice = Notice { job, attempt, error: failure.to_string(), then };
        errands.hosts.push(HostsOwn::Notice(Box::new(notice)));
    }

    pub(super) fn tell(&mut self, job: u32, result: Result<(), JobError>, errands: &mut Errands) {
        let mut untold = Some(result);
        if let Some(mut child) = self.children.remove(&job) {
            if let Some((end, result)) = child.end.take().zip(untold.take())
                && let Some(Held::Tell(end, result)) = self.hold(Held::Tell(end, result))
            {
                errands.tell.push((end, result));
            }
            errands.hosts.push(HostsOwn::Child(child));
        }
        errands.hosts.extend(untold.and_then(Result::err).map(HostsOwn::Error));
    }

    /// Keeps what an attempt failed with until the scheduler has decided what follows.
    pub(super) fn failed_with(&mut self, job: u32, error: JobError, errands: &mut Errands) {
        let earlier = self.errors.insert(job, error);
        errands.hosts.extend(earlier.map(HostsOwn::Error));
    }

    /// Starts what takes the work of a job back.
    fn undo(&mut self, run: &Arc<ActiveRun>, of: u32, errands: &mut Errands) {
        let Some(undo) = run.plan.extras.get(&of).and_then(|extras| extras.undo.as_ref()) else {
            return;
        };
        let frame = ChildFrame {
            parent: Scope::graph(Arc::clone(&run.slots), of, 1),
            inputs: Arc::clone(&undo.inputs),
            item: crate::job::Item::Projected { index: 0, project: undo.output },
            output: Arc::from(undo.call.output.outbox(1)),
            row: 0,
            index: None,
            timed: undo.call.is_timed(),
        };
        let child = Child { call: Arc::clone(&undo.call), frame: Arc::new(frame), end: None };
        let name = ChildName::Undo { of };
        match self.claim(of, &name, None) {
            Claim::Recorded(job) => self.answer(of, job, child, Traits::UNDO, errands),
            Claim::New | Claim::Unexpected => {
                self.append(of, child, Traits::UNDO, name, false);
            }
        }
    }

    /// Adds a job that was started by another, and returns its number.
    pub(in crate::engine) fn append(
        &mut self,
        parent: u32,
        child: Child,
        as_what: Traits,
        name: ChildName,
        parked: bool,
    ) -> u32 {
        let traits = child.call.traits().and(as_what);
        let (policy, traits) = match &child.call.options {
            Some(options) => crate::workflow::policy(options, traits),
            None => (None, traits),
        };
        self.names.children.push(name);
        let job = self.scheduler.next_number();
        self.children.insert(job, child);
        if parked {
            return self.scheduler.append_parked(parent, traits, policy);
        }
        self.scheduler.append(parent, traits, policy)
    }

    fn finish(&mut self, run: &Arc<ActiveRun>, outcome: Outcome, errands: &mut Errands) {
        self.read_at = run.read_clock();
        match outcome {
            Outcome::Completed => match self.output_on_record(run) {
                Some(output) => {
                    let detail = Detail::Output(output);
                    self.note_with(What::RunCompleted, u32::MAX, 0, detail);
                }
                None => self.note(What::RunCompleted, u32::MAX, 0),
            },
            Outcome::Cancelled => self.note(What::RunCancelled, u32::MAX, 0),
            Outcome::Failed => {
                let reason = Detail::Reason(self.first_failure(run));
                self.note_with(What::RunFailed, u32::MAX, 0, reason);
            }
            Outcome::TimedOut => {
                let limit = run.plan.graph.settings.timeout.unwrap_or_default();
                let reason = Detail::Reason(format!("the run took longer than {limit:?} (run)"));
                self.note_with(What::RunFailed, u32::MAX, 0, reason);
            }
        }
        errands.drop.extend(self.clear_alarms());
        errands.finished = self.is_recorded();
        errands.wake.extend(self.driver.take());
    }

    /// The output of the job whose output is the workflow's, in a run that is kept.
    fn output_on_record(&self, run: &ActiveRun) -> Option<Arc<Json>> {
        self.recorder.as_ref()?;
        let (source, _) = run.plan.output?;
        let job = run.plan.wiring.outputs.iter().position(|output| *output == source)? as u32;
        let is_its = |entry: &Entry| entry.job == job && entry.what() == What::JobCompleted;
        self.log.output(self.log.entries.iter().rposition(is_its)?)
    }

    /// Which job's failure failed the run, in words.
    fn first_failure(&self, run: &ActiveRun) -> String {
        let jobs = run.plan.graph.len() as u32;
        let bad = |what| matches!(what, What::JobFailed | What::JobCancelled);
        let mut entries = self.log.entries.iter().enumerate();
        let first = entries.find(|(_, entry)| bad(entry.what()) && entry.job < jobs);
        match first.and_then(|(index, entry)| Some((entry.job, self.log.failure(index)?))) {
            Some((job, error)) => {
                format!("job `{}` failed: {error}", self.names.get(&run.plan.graph, job))
            }
            None => "a job failed".to_owned(),
        }
    }
}
