//! Calls without their output type: body, inputs and options, as plans and runs hold them.

use std::any::Any;
use std::borrow::Cow;
use std::sync::Arc;

use serde_json::Value as Json;

use super::attempt_io::{ChildInput, Services};
use super::bind::{Input, InputCount, Inputs};
use super::options::{JobOptions, TaskQueueError, TimeoutKind, TriggerRule, zero_timeout};
use super::{Body, BodyKind, JobError, JobFlags, Need, StateCheck, Unmet, UnmetReason};
use crate::id::check_name;
use crate::value::{Boxed, Type, ValueError};

/// The number of inputs that an argument binds, and the type of each, if it is known.
pub type Parameter = (InputCount, Option<Type>);

/// Parts that most calls do not have. They are apart, so that a call is small while it is moved.
#[derive(Default)]
pub(crate) struct UncommonOptions {
    /// What it needs from the engine.
    needs: Vec<Need>,
    /// The call for each element, of a map.
    mapped: Option<MappedCall>,
}

/// The call for each element of a list.
pub(crate) struct MappedCall {
    pub(crate) call: Arc<RawCall>,
    /// The source of each input of the call: the element, or an input of the map.
    pub(crate) inputs: Arc<[ChildInput]>,
    /// The type of the list, from that of an element.
    pub(crate) list: fn(Type) -> Type,
}

impl MappedCall {
    /// The list, which is the first input of the map, and those that the calls take from it.
    fn parameters(&self) -> Vec<Parameter> {
        let mut parameters = vec![(InputCount::One, None)];
        let kinds = self.call.input_types(self.inputs.len());
        for (input, kind) in self.inputs.iter().zip(kinds) {
            let (at, kind) = match input {
                ChildInput::Item(_) => (0, kind.map(self.list)),
                ChildInput::Parent(at) => (*at as usize, kind),
            };
            if parameters.len() <= at {
                parameters.resize(at + 1, (InputCount::One, None));
            }
            parameters[at].1 = kind;
        }
        parameters
    }
}

/// The jobs that can be found by the name of their function. The registry, which is above this
/// module, submits them.
pub(crate) struct RegisteredJobs {
    /// Whether the call is one of a registered job, with an input for each parameter. Another
    /// function may have the same name, and arguments may be constants.
    pub(crate) contain: fn(&RawCall) -> bool,
}

inventory::collect!(RegisteredJobs);

impl RegisteredJobs {
    /// Whether the call can be made in another process of the same program.
    pub(crate) fn contain(call: &RawCall) -> bool {
        inventory::iter::<Self>().any(|jobs| (jobs.contain)(call))
    }
}

/// A call without its output type.
pub(crate) struct RawCall {
    pub(crate) name: Cow<'static, str>,
    /// The name given by the caller instead.
    pub(crate) given: Option<String>,
    pub(crate) body: Body,
    pub(crate) inputs: Inputs,
    pub(crate) output: Type,
    /// The number and type of the inputs of each argument, for calls that know them.
    pub(crate) parameters: Option<fn() -> Vec<Parameter>>,
    /// Whether the body takes a context, so that it can be cancelled before it is dropped.
    pub(crate) takes_context: bool,
    /// Whether the body only waits for jobs that it starts, and so does not count as running.
    pub(crate) container: bool,
    pub(crate) uncommon: Option<Box<UncommonOptions>>,
    pub(crate) options: Option<Box<JobOptions>>,
}

impl RawCall {
    /// The flags of the body for the scheduler.
    pub(crate) fn flags(&self) -> JobFlags {
        JobFlags::WATCHES
            .when(self.takes_context)
            .union(JobFlags::CONTAINER.when(self.container))
            .union(JobFlags::BLOCKING.when(self.body.kind == BodyKind::OnThread))
    }

    /// Returns whether the job has a timeout.
    pub(crate) fn is_timed(&self) -> bool {
        self.options.as_ref().is_some_and(|options| options.timeouts.any())
    }

    /// Returns a timeout of the job, or of its compensation, that is zero.
    pub(crate) fn zero_timeout(&self) -> Option<TimeoutKind> {
        let options = self.options.as_ref()?;
        let compensation = || {
            options.compensation.as_ref().and_then(|compensation| compensation.call.zero_timeout())
        };
        options.timeouts.zero().or_else(compensation)
    }

    /// Checks that the job, and its compensation, can have the task queue that it names.
    pub(crate) fn check_queue(&self) -> Result<(), TaskQueueError> {
        let Some(options) = &self.options else { return Ok(()) };
        if let Some(compensation) = &options.compensation {
            compensation.call.check_queue()?;
        }
        match &options.task_queue {
            Some(queue) if self.container => Err(TaskQueueError::Waits(queue.clone())),
            Some(queue) => check_name(queue).map_err(TaskQueueError::Name),
            None => Ok(()),
        }
    }

    /// The name given by the caller, or else that of the function.
    fn given_name(&self) -> &str {
        self.given.as_deref().unwrap_or(&self.name)
    }

    /// Checks that the job can run as a child, which cannot wait for other jobs.
    pub(crate) fn check_child(&self) -> Result<(), JobError> {
        if let Some(timeout) = self.zero_timeout() {
            return Err(JobError::terminal(zero_timeout(Some(self.given_name()), timeout)));
        }
        if let Err(error) = self.check_queue() {
            return Err(JobError::terminal(format!("job `{}` {error}", self.given_name())));
        }
        let Some(options) = &self.options else { return Ok(()) };
        let options = [
            (options.condition.is_some(), "when"),
            (!options.after.is_empty(), "after"),
            (!options.after_groups.is_empty(), "after_group"),
            (options.trigger != TriggerRule::default(), "trigger"),
            (options.compensation.is_some(), "compensate"),
        ];
        match options.into_iter().find(|(is_set, _)| *is_set) {
            None => Ok(()),
            Some((_, option)) => Err(JobError::terminal(format!(
                "job `{}` has a `{option}`, which a job inside a map or `ctx.run` cannot have; \
                 set it on the map, or branch in the function",
                self.given_name()
            ))),
        }
    }

    /// Checks that the engine of a run can run the job as a child.
    ///
    /// # Errors
    ///
    /// Fails when the engine lacks state that the job takes, or cannot provide another parameter.
    pub(crate) fn check_state(&self, services: &dyn Services) -> Result<(), JobError> {
        if self.needs().is_empty() {
            return Ok(());
        }
        let (workflow, states) = (services.workflow_name(), services.states());
        let mut check = StateCheck::new(states);
        self.needs().iter().for_each(|need| check.look(&workflow, self.given_name(), need));
        let Some(Unmet { job, why, .. }) = check.unmet.pop() else { return Ok(()) };
        Err(match why {
            UnmetReason::State(state) => JobError::missing_state(&job, state, &states.names()),
            UnmetReason::Parameter(error) => JobError::terminal(error),
        })
    }

    /// Writes the items that a function passes to the job as JSON: null for none, an array for
    /// several.
    ///
    /// # Errors
    ///
    /// Fails when one has no JSON form.
    pub(crate) fn write_items(
        &self,
        inputs: &[ChildInput],
        items: &[Boxed],
    ) -> Result<Json, JobError> {
        let kinds = self.input_types(inputs.len());
        let mut written: Vec<Option<Json>> = vec![None; items.len()];
        for (input, kind) in inputs.iter().zip(&kinds) {
            if let (ChildInput::Item(item), Some(kind)) = (input, kind) {
                let item = *item as usize;
                written[item] = match kind.write(&*items[item]) {
                    Err(error @ ValueError::Panicked { .. }) => {
                        return Err(JobError::of_value(error));
                    }
                    written => written.ok().or_else(|| text(&*items[item])),
                };
            }
        }
        let mut written = written.into_iter().zip(items).map(|(written, item)| {
            let unit = || item.is::<()>().then_some(Json::Null);
            written.or_else(unit).ok_or_else(|| self.unwritable())
        });
        match items.len() {
            0 => Ok(Json::Null),
            1 => written.next().unwrap_or(Ok(Json::Null)),
            _ => written.collect(),
        }
    }

    /// What it needs from the engine.
    pub(crate) fn needs(&self) -> &[Need] {
        self.uncommon.as_deref().map(|uncommon| uncommon.needs.as_slice()).unwrap_or_default()
    }

    pub(crate) fn add_need(&mut self, need: Need) {
        self.uncommon.get_or_insert_default().needs.push(need);
    }

    pub(crate) fn set_mapped(&mut self, mapped: MappedCall) {
        self.uncommon.get_or_insert_default().mapped = Some(mapped);
    }

    /// The parameters of its function, or of a map; empty if they are unknown.
    fn all_parameters(&self) -> Vec<Parameter> {
        if let Some(mapped) = self.uncommon.as_ref().and_then(|uncommon| uncommon.mapped.as_ref()) {
            return mapped.parameters();
        }
        self.parameters.map(|parameters| parameters()).unwrap_or_default()
    }

    /// The types of the parameters, if each is bound to one input and they are known.
    pub(crate) fn parameter_types(&self) -> Option<Vec<Type>> {
        let one = |(count, kind): &Parameter| kind.filter(|_| *count == InputCount::One);
        // Without parameters there is nothing to pass.
        let parameters = self.all_parameters();
        (parameters.len() == self.inputs.0.len()).then_some(())?;
        parameters.iter().map(one).collect()
    }

    /// The type of each input, if it is known. A list argument takes the inputs that the other
    /// arguments do not; with several list arguments the types are unknown.
    fn input_types(&self, inputs: usize) -> Vec<Option<Type>> {
        let parameters = self.all_parameters();
        let count = |count| parameters.iter().filter(|(of, _)| *of == count).count();
        let rest = match count(InputCount::Any) {
            0 | 1 => inputs.saturating_sub(count(InputCount::One)),
            _ => return vec![None; inputs],
        };
        let types = parameters.iter().flat_map(|(count, kind)| {
            let count = match count {
                InputCount::Zero => 0,
                InputCount::One => 1,
                InputCount::Any => rest,
            };
            std::iter::repeat_n(*kind, count)
        });
        types.collect()
    }

    fn unwritable(&self) -> JobError {
        JobError::terminal(format!(
            "the store cannot record the input of `{}`, which was called with `ctx.run`; in a \
             persisted run, call `#[job]` functions with values of their parameters' types, which \
             must implement `serde::Serialize`",
            self.name
        ))
    }

    /// Separates the items of `owner` from inputs of the surrounding graph, which are added to
    /// `outer`.
    pub(crate) fn split_inputs(&self, owner: u32, outer: &mut Inputs) -> Vec<ChildInput> {
        let mut split = |input: &Input| {
            if input.0.owner == owner {
                return ChildInput::Item(input.0.index);
            }
            ChildInput::Parent(outer.push(*input))
        };
        self.inputs.0.iter().map(&mut split).collect()
    }
}

/// Writes a `&'static str`, which fits a parameter `&str` but is not a `String`.
fn text(item: &(dyn Any + Send + Sync)) -> Option<Json> {
    item.downcast_ref::<&'static str>().map(|text| Json::from(*text))
}
