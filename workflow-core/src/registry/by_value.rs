//! Calls of registered jobs with JSON values in place of handles.

use std::sync::Arc;

use serde_json::Value as Json;

use super::entry::{Erased, Inputs, JobEntry};
use crate::job::{
    AttemptIo, Body, BodyKind, ChildFrame, ChildInput, Item, JobError, JobOptions, Need, NewChild,
    RawCall, RegisteredJobs, fresh_owner,
};
use crate::value::Type;
use crate::workflow::Flow;

/// The call of a registered job with JSON inputs, for workflows that are data.
pub struct RegisteredCall {
    call: RawCall,
    /// The names and types of the parameters.
    parameters: Inputs,
    /// The parameter of each input of the call.
    inputs: Arc<[ChildInput]>,
}

inventory::submit! {
    RegisteredJobs {
        contain: |call| {
            let registered = super::job(&call.name).ok().and_then(|job| job.call());
            registered.is_some_and(|job| job.calls_same_function(call))
        },
    }
}

impl JobEntry {
    /// Creates a call of the job; `None` if its inputs have no names.
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
    /// Takes the job's own options, which the caller sets on the job that calls this one. `None`
    /// the second time.
    pub fn take_options(&mut self) -> Option<JobOptions> {
        self.call.options.take().map(|options| *options)
    }

    /// The needs of the job.
    pub fn needs(&self) -> Vec<Need> {
        self.call.needs().to_vec()
    }

    /// Whether the job only waits for jobs that it starts, and so does not count as running.
    pub fn is_container(&self) -> bool {
        self.call.container
    }

    /// Converts into the body of a job that runs this one in its place, with its own name, context
    /// and attempts.
    ///
    /// `begin` is called first and returns the inputs: an object with a value for each parameter.
    /// `end` is called after the job has completed, and converts its output.
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

    /// Runs the job as a child of the job with this `io`, and returns its output. `with` is an
    /// object with a value for each parameter.
    ///
    /// # Errors
    ///
    /// Fails with the job's error, when a value does not fit its parameter, and outside of a run.
    pub async fn run_as_child(self, io: &AttemptIo, with: Json) -> Result<Json, JobError> {
        self.call.check_child()?;
        let frame = Arc::new(self.frame(io, &with)?);
        let output = self.call.output;
        let child = NewChild { call: Arc::new(self.call), frame: Arc::clone(&frame), asked: with };
        let services = io.services();
        if let Some(services) = &services {
            child.call.check_state(&**services)?;
        }
        let child = services.and_then(|services| services.spawn(io.job, vec![child]).pop());
        let outside = || JobError::terminal("a registered job that a file calls needs an engine");
        child.ok_or_else(outside)?.await?;
        written(output, &frame)
    }

    /// Whether this call and another one call the same function, each parameter with one input.
    pub(crate) fn calls_same_function(&self, other: &RawCall) -> bool {
        self.call.name == other.name
            && self.call.body.function_type() == other.body.function_type()
            && other.parameter_types().is_some_and(|types| types.len() == self.parameters.len())
    }

    /// Returns the call and its frame, with a value for each parameter in order.
    ///
    /// # Errors
    ///
    /// Fails when a value does not fit its parameter.
    pub(crate) fn with_values(self, values: &[Json]) -> Result<(RawCall, ChildFrame), JobError> {
        let names = self.parameters.iter().map(|(name, _)| (*name).to_owned());
        let with = names.zip(values.iter().cloned()).collect::<serde_json::Map<_, _>>();
        let frame = self.frame(&AttemptIo::detached(), &Json::Object(with))?;
        Ok((self.call, frame))
    }

    /// Creates the frame of the job as a child of the job with this `io`.
    fn frame(&self, io: &AttemptIo, with: &Json) -> Result<ChildFrame, JobError> {
        let values = self.parameters.iter().map(|(name, kind)| {
            let value = kind.read(with.get(name).cloned().unwrap_or_default());
            value.map_err(|error| {
                JobError::terminal(format!("invalid value for parameter `{name}`: {error}"))
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

/// Writes the output in a frame as JSON; null if there is none.
fn written(kind: Type, frame: &ChildFrame) -> Result<Json, JobError> {
    let output = kind.write_from(&*frame.output, frame.row);
    output.unwrap_or(Ok(Json::Null)).map_err(JobError::terminal)
}
