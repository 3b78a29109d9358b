//! The [`Services`] that a run provides to its jobs. Each locks the run, and does as little as
//! possible under the lock. What the answers are used for is not known here.

use std::any::Any;
use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use futures::channel::oneshot;
use futures::future::BoxFuture;
use serde_json::Value as Json;

use super::active::ActiveRun;
use super::durable::replay::Claim;
use super::events::Piece;
use super::output::pieces;
use super::state::{Child, Deferred, RunState, wake_all};
use crate::id::RunId;
use crate::job::{
    ChildHandle, Delivery, JobContext, JobError, JobFlags, NewChild, Printed, Services, States,
    Token,
};
use crate::run::{CalledJob, ChildName};
use crate::run_log::{LogError, OutputStream, RunLog};

impl Services for ActiveRun {
    fn engine(&self) -> Arc<dyn Any + Send + Sync> {
        self.engine.clone()
    }

    fn inherited(&self, job: u32) -> Arc<dyn Any + Send + Sync> {
        let lenders = self.lock().lenders(job);
        self.limits.inside(self, lenders)
    }

    fn states(&self) -> &States {
        &self.engine.states
    }

    fn run_id(&self) -> RunId {
        self.id
    }

    fn workflow_name(&self) -> String {
        self.workflow.name().to_string()
    }

    fn user(&self) -> Option<Arc<str>> {
        self.user.clone()
    }

    fn scheduled_for(&self) -> Option<SystemTime> {
        self.scheduled_for.as_deref().copied()
    }

    fn job_name(&self, job: u32) -> String {
        self.lock().names.get(&self.plan.graph, job).into_owned()
    }

    fn token(&self, job: u32, attempt: u32) -> Arc<Token> {
        let mut state = self.lock();
        if !state.scheduler.is_running(job, attempt) {
            return Arc::new(Token::already_set());
        }
        let asked = state.scheduler.stop_cause(job).is_some();
        let token = Arc::clone(state.tokens.entry(job).or_default());
        drop(state);
        if asked {
            token.set();
        }
        token
    }

    fn heartbeat(&self, job: u32, attempt: u32) {
        self.lock().scheduler.heartbeat(job, attempt);
    }

    fn deliver(&self, job: u32, attempt: u32) -> Delivery {
        let mut state = self.lock();
        if state.is_due(self.now())
            && let Some(run) = self.me.upgrade()
        {
            drop(state);
            // The timer may have gone off without having been polled since.
            run.change(|state, deferred| state.fire_due(&run, deferred));
            state = self.lock();
        }
        state.deliver(job, attempt)
    }

    fn reserve_grace(&self, job: u32, attempt: u32, grace: Duration) -> bool {
        let mut state = self.lock();
        if !state.scheduler.is_running(job, attempt) || state.scheduler.stop_cause(job).is_some() {
            return false;
        }
        let reserved = state.graces.entry(job).or_default();
        *reserved = grace.max(*reserved);
        true
    }

    fn annotate(&self, job: u32, attempt: u32, name: String, value: serde_json::Value) {
        let mut state = self.lock();
        if state.scheduler.is_running(job, attempt) {
            state.annotations.entry(job).or_default().insert(name, value);
        }
    }

    fn print(&self, job: u32, attempt: u32, stream: OutputStream, text: &str) {
        if !self.lock().scheduler.is_running(job, attempt) {
            return;
        }
        for piece in pieces(text) {
            let log = self.log_output(job, attempt, stream, piece);
            self.show(job, attempt, Printed { stream, text: piece.to_owned(), log });
        }
    }

    fn folder(&self) -> Option<PathBuf> {
        Some(self.output.as_deref()?.folder.clone())
    }

    fn log(&self) -> Option<(PathBuf, Result<RunLog, Arc<LogError>>)> {
        let output = self.output.as_deref()?;
        Some((output.folder.clone(), output.log()))
    }

    fn show(&self, job: u32, attempt: u32, printed: Printed) {
        let capacity = self.engine.output_backlog;
        let mut state = self.lock();
        if !state.scheduler.is_running(job, attempt) {
            return;
        }
        if let Some(outer) = &self.outer {
            drop(state);
            // The outer run has its own log.
            outer.print(printed.stream, &printed.text);
            state = self.lock();
        }
        if capacity == 0 {
            return;
        }
        let (at, after) = (self.read_clock(), state.log.entries.len());
        let piece = Piece { job, attempt, at, after, printed };
        state.backlog.get_or_insert_default().push(piece, capacity);
        let listeners = std::mem::take(&mut state.listeners);
        drop(state);
        wake_all(listeners);
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        ActiveRun::sleep(self, duration)
    }

    fn sleep_durably(&self, job: u32, attempt: u32, duration: Duration) -> BoxFuture<'static, ()> {
        let Some(run) = self.me.upgrade() else { return self.sleep(duration) };
        let (mut remaining, now) = (duration, self.time_of_day());
        run.change(|state, _| remaining = state.start_sleep(job, attempt, duration, now));
        let sleep = self.sleep(remaining);
        let until = now.checked_add(remaining).unwrap_or(now);
        let guard = SleepGuard { run: self.me.clone(), job, until };
        run.lock().add_sleeper(job, until);
        Box::pin(async move {
            let _guard = guard;
            sleep.await;
        })
    }

    fn wait_signal(&self, job: u32, attempt: u32, name: String) -> oneshot::Receiver<Json> {
        let mut received = None;
        if let Some(run) = self.me.upgrade() {
            run.change(|state, deferred| {
                received = Some(state.await_signal(job, attempt, name, deferred));
            });
        }
        // Without a run, nobody sends a signal.
        received.unwrap_or_else(|| oneshot::channel().1)
    }

    fn await_run(&self, job: u32, run: Option<RunId>) {
        let awaited = &mut self.lock().awaited_runs;
        match run {
            Some(run) => drop(awaited.insert(job, run)),
            None => drop(awaited.remove(&job)),
        }
    }

    fn persist_value(&self, job: u32, attempt: u32, key: String, value: Json) -> bool {
        let mut persisted = false;
        if let Some(run) = self.me.upgrade() {
            run.change(|state, _| persisted = state.persist_value(job, attempt, key, value));
        }
        persisted
    }

    fn persisted_value(&self, key: &str) -> Option<Json> {
        self.lock().persisted_value(key)
    }

    fn check_under_way(&self, job: u32, attempt: u32) -> Result<(), JobError> {
        self.lock().check_under_way(job, attempt)
    }

    fn level(&self) -> u32 {
        self.level
    }

    fn callers(&self) -> Vec<String> {
        let mut callers = vec![self.workflow.name().to_string()];
        callers.extend(self.outer.as_deref().map(JobContext::callers).unwrap_or_default());
        callers
    }

    fn is_persisted(&self) -> bool {
        ActiveRun::is_persisted(self)
    }

    fn is_lost(&self) -> bool {
        ActiveRun::is_lost(self)
    }

    fn spawn(&self, parent: u32, children: Vec<NewChild>) -> Vec<ChildHandle> {
        let Some(run) = self.me.upgrade() else { return Vec::new() };
        let services: Weak<dyn Services> = self.me.clone();
        let mut handles = Vec::with_capacity(children.len());
        run.change(|state, deferred| {
            for child in children {
                let (job, end) = state.start_child(&run, parent, child, deferred);
                handles.push(ChildHandle { job, end, services: services.clone(), ended: false });
            }
        });
        handles
    }

    fn abandon(&self, job: u32) {
        if let Some(run) = self.me.upgrade() {
            run.change(|state, _| state.scheduler.cancel_job(job));
        }
    }
}

/// Reports to the run when a sleep ends or is dropped.
struct SleepGuard {
    run: Weak<ActiveRun>,
    job: u32,
    until: SystemTime,
}

impl Drop for SleepGuard {
    fn drop(&mut self) {
        if let Some(run) = self.run.upgrade() {
            run.lock().end_sleep(self.job, self.until);
        }
    }
}

impl RunState {
    /// Checks that an attempt is still running, for a context that may have outlived it.
    fn check_under_way(&self, job: u32, attempt: u32) -> Result<(), JobError> {
        if self.scheduler.is_running(job, attempt) {
            return Ok(());
        }
        let over = self.scheduler.is_finished() || self.scheduler.is_cancelling();
        Err(if over { JobError::no_engine() } else { JobError::attempt_over() })
    }

    /// Starts a job that another job calls. Returns its number, or `None` if it is refused, and the
    /// receiver of its result.
    fn start_child(
        &mut self,
        run: &ActiveRun,
        parent: u32,
        child: NewChild,
        deferred: &mut Deferred,
    ) -> (Option<u32>, oneshot::Receiver<Result<(), JobError>>) {
        let NewChild { call, frame, asked } = child;
        let (end, ended) = oneshot::channel();
        let attempt = frame.parent.attempt;
        let given = called_name(&call);
        if let Err(over) = self.check_under_way(parent, attempt) {
            deferred.answer(Child { call, frame, end: Some(end) }, Err(over));
            return (None, ended);
        }
        let child = Child { call, frame, end: Some(end) };
        let (name, flags, call) = match child.frame.index {
            Some(index) => {
                let flags = JobFlags::CHILD.union(JobFlags::ELEMENT);
                (ChildName::Element { parent, index }, flags, None)
            }
            None => {
                let call = self.recorder.is_some().then(|| {
                    let (by, job, input) = (parent, given.clone(), asked);
                    CalledJob { by, attempt, job, input }
                });
                (ChildName::Own(given), JobFlags::CHILD, call)
            }
        };
        let claim = self.claim(parent, &name, call.as_ref());
        if let Claim::Recorded(job) = claim {
            self.answer(parent, job, child, flags, deferred);
            self.start_new_calls(parent);
            return (Some(job), ended);
        }
        let name = match name {
            ChildName::Own(given) => ChildName::Own(self.names.free_name(&run.plan.graph, given)),
            name => name,
        };
        let number = self.scheduler.next_number();
        if let Some(call) = call {
            self.names.calls.insert(number, call);
        }
        let parked = matches!(claim, Claim::Unexpected);
        let job = self.append(parent, child, flags, name, parked);
        if parked {
            self.hold_call(parent, job);
        }
        (Some(job), ended)
    }
}

fn called_name(call: &crate::job::RawCall) -> Cow<'static, str> {
    call.given.clone().map_or_else(|| call.name.clone(), Cow::Owned)
}
