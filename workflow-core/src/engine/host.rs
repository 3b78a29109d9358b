//! What a job may ask of the run that it belongs to.

use std::any::Any;
use std::borrow::Cow;
use std::sync::{Arc, Weak};
use std::task::Waker;
use std::time::Duration;

use futures::channel::oneshot;
use futures::future::BoxFuture;

use super::active::ActiveRun;
use super::backlog::Piece;
use super::state::Child;
use crate::id::RunId;
use crate::job::{ChildHandle, Host, NewChild, Printed, Token, Traits};
use crate::run::ChildName;

impl Host for ActiveRun {
    fn engine(&self) -> Arc<dyn Any + Send + Sync> {
        self.engine.clone()
    }

    fn run_id(&self) -> RunId {
        self.id
    }

    fn workflow_name(&self) -> String {
        self.workflow.name().to_string()
    }

    fn job_name(&self, job: u32) -> String {
        self.lock().names.get(&self.plan.graph, job).into_owned()
    }

    fn token(&self, job: u32, attempt: u32) -> Arc<Token> {
        let mut state = self.lock();
        let asked =
            !state.scheduler.is_running(job, attempt) || state.scheduler.asked(job).is_some();
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

    fn reserve_grace(&self, job: u32, attempt: u32, grace: Duration) -> bool {
        let mut state = self.lock();
        if !state.scheduler.is_running(job, attempt) || state.scheduler.asked(job).is_some() {
            return false;
        }
        let reserved = state.graces.entry(job).or_default();
        *reserved = grace.max(*reserved);
        true
    }

    fn note(&self, job: u32, attempt: u32, name: String, value: serde_json::Value) {
        let mut state = self.lock();
        if state.scheduler.is_running(job, attempt) {
            state.facts.entry(job).or_default().insert(name, value);
        }
    }

    fn print(&self, job: u32, attempt: u32, printed: Printed) {
        let capacity = self.engine.output_backlog;
        let mut state = self.lock();
        if capacity == 0 || !state.scheduler.is_running(job, attempt) {
            return;
        }
        // The outer run has another log.
        let outer =
            self.outer.as_ref().map(|outer| (outer, Printed { log: None, ..printed.clone() }));
        let (at, after) = (self.read_clock(), state.log.entries.len());
        let piece = Piece { job, attempt, at, after, printed };
        state.backlog.get_or_insert_default().push(piece, capacity);
        let listeners = std::mem::take(&mut state.listeners);
        drop(state);
        listeners.into_iter().for_each(Waker::wake);
        if let Some((outer, printed)) = outer {
            outer.show(printed);
        }
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.engine.time.sleep(&self.runtime, duration)
    }

    fn spawn(&self, parent: u32, children: Vec<NewChild>) -> Vec<ChildHandle> {
        let Some(run) = self.me.upgrade() else { return Vec::new() };
        let host: Weak<dyn Host> = self.me.clone();
        let mut handles = Vec::with_capacity(children.len());
        run.change(|state, _| {
            for NewChild { call, frame } in children {
                let (name, traits) = match frame.index {
                    Some(index) => {
                        (ChildName::Element { parent, index }, Traits::CHILD.and(Traits::ELEMENT))
                    }
                    None => {
                        (ChildName::Own(state.names.free_name(given_name(&call))), Traits::CHILD)
                    }
                };
                let (end, ended) = oneshot::channel();
                let child = Child { call, frame, end: Some(end) };
                let job = state.append(parent, child, traits, name);
                handles.push(ChildHandle { job, end: ended, host: host.clone(), ended: false });
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

fn given_name(call: &crate::job::RawCall) -> Cow<'static, str> {
    call.given.clone().map_or_else(|| call.name.clone(), Cow::Owned)
}
