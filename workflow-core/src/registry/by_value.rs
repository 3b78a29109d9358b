//! A registered job, called with JSON values in place of handles.

use std::sync::Arc;

use serde_json::Value as Json;

use super::entry::{Erased, Inputs, JobEntry};
use crate::job::{
    AttemptIo, Body, BodyKind, ChildFrame, ChildInput, Item, JobError, JobOptions, Need, NewChild,
    RawCall, fresh_owner,
};
use crate::value::Type;
use crate::workflow::Flow;

/// The call of a registered job whose inputs are JSON values: how a workflow that is data runs jobs
/// in Rust.
pub struct RegisteredCall {
    call: RawCall,
    /// The names of the parameters, and their types.
    parameters: Inputs,
    /// Which parameter each input of the call is.
    inputs: Arc<[ChildInput]>,
}

impl JobEntry {
    /// The call of the job; `None` when its inputs have no names.
    pub fn call(&self) -> Option<RegisteredCall> {
        let parameters = self.inputs?();
        let owner = fresh_owner();
        let handles =
            (0..).zip(&parameters).map(|(index, (_, kind))| Erased::parameter(owner, index, *kind));
        let mut flow = Flow::catching();
        (self.add)(&mut flow, &handles.collect::<Vec<_>>())?;
        let call = flow.caught()?.take()?;
        let inputs = call.split_inputs(owner, &mut crate::job::Inputs::new()).into();
        Some(RegisteredCall { call, parameters, inputs })
    }
}

impl RegisteredCall {
    /// What the job asks for by itself. The caller sets it on the job that calls this one; it is
    /// given out once.
    pub fn take_options(&mut self) -> Option<JobOptions> {
        self.call.options.take().map(|options| *options)
    }

    /// What the job needs of the engine.
    pub fn needs(&self) -> Vec<Need> {
        self.call.needs.clone()
    }

    /// Whether the job only waits for jobs that it starts, and takes no place among the running.
    pub fn is_container(&self) -> bool {
        self.call.container
    }

    /// The body of a job that runs this one in its place: with its own name, context and attempts.
    ///
    /// `begin` comes before it and gives its inputs, an object with a value for each parameter.
    /// `end` comes after it has completed, and makes the output of what it returned.
    pub fn into_body<O: Send + Sync + 'static>(
        self,
        begin: impl Fn(&AttemptIo) -> Result<Json, JobError> + Send + Sync + 'static,
        end: impl Fn(&AttemptIo, Json) -> Result<O, JobError> + Send + Sync + 'static,
    ) -> Body {
        let work = Arc::new((self, begin, end));
        if work.0.call.body.kind == BodyKind::OnThread {
            return Body::blocking(move |io| {
                let (called, begin, end) = &*work;
                let frame = Arc::new(called.frame(io, &begin(io)?)?);
                called.call.body.call(AttemptIo::child(Arc::clone(&frame), io.job, io.attempt))?;
                io.put(end(io, called.output(&frame)?)?)
            });
        }
        Body::future(move |io| {
            let work = Arc::clone(&work);
            async move {
                let (called, begin, end) = &*work;
                let frame = Arc::new(called.frame(&io, &begin(&io)?)?);
                let inner = AttemptIo::child(Arc::clone(&frame), io.job, io.attempt);
                called.call.body.run(inner).await?;
                io.put(end(&io, called.output(&frame)?)?)
            }
        })
    }

    /// Runs the job as a job of its own, inside of the one that the scope belongs to, and returns
    /// its output. `with` is an object with a value for each parameter.
    ///
    /// # Errors
    ///
    /// Fails with the job's error, when a value does not fit its parameter, and outside of a run.
    pub async fn run_as_child(self, io: &AttemptIo, with: Json) -> Result<Json, JobError> {
        self.call.check_child()?;
        let frame = Arc::new(self.frame(io, &with)?);
        let output = self.call.output;
        let child = NewChild { call: Arc::new(self.call), frame: Arc::clone(&frame), asked: with };
        let host = io.services();
        if let Some(host) = &host {
            child.call.check_state(host.states())?;
        }
        let child = host.and_then(|host| host.spawn(io.job, vec![child]).pop());
        let outside = || JobError::terminal("a registered job of a file needs an engine");
        child.ok_or_else(outside)?.await?;
        written(output, &frame)
    }

    /// The surroundings of the job, inside of a job that gives it these inputs.
    fn frame(&self, io: &AttemptIo, with: &Json) -> Result<ChildFrame, JobError> {
        let values = self.parameters.iter().map(|(name, kind)| {
            let value = kind.read(with.get(name).cloned().unwrap_or_default());
            value.map_err(|error| {
                JobError::terminal(format!("the parameter `{name}` does not fit: {error}"))
            })
        });
        Ok(ChildFrame {
            parent: io.clone(),
            inputs: Arc::clone(&self.inputs),
            item: Item::Values(values.collect::<Result<_, _>>()?),
            output: self.call.output.child_outputs(1).into(),
            row: 0,
            index: None,
            timed: self.call.is_timed(),
        })
    }

    fn output(&self, frame: &ChildFrame) -> Result<Json, JobError> {
        written(self.call.output, frame)
    }
}

/// What a job has left in its frame, as JSON; null where it left nothing.
fn written(kind: Type, frame: &ChildFrame) -> Result<Json, JobError> {
    let output = kind.write_from(&*frame.output, frame.row);
    output.unwrap_or(Ok(Json::Null)).map_err(JobError::terminal)
}
