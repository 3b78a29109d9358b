//! Workflows from functions that draw graphs.

use std::any::Any;
use std::sync::{Arc, OnceLock};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Flow, Plan, PlanError, Workflow};
use crate::definition::Metadata;
use crate::guard;
use crate::id::{NameError, WorkflowName};
use crate::job::{Handle, JobError};
use crate::value::Type;

type Draw = Box<dyn Fn(&mut Flow) -> Result<(), JobError> + Send + Sync>;
type DrawFor =
    Box<dyn Fn(&mut Flow, &(dyn Any + Send + Sync)) -> Result<(), JobError> + Send + Sync>;

/// A workflow from a function that draws a graph, for workflows created at run time.
///
/// ```
/// use workflow_core::prelude::*;
/// use workflow_core::workflow::FunctionWorkflow;
///
/// #[job]
/// fn answer() -> u64 { 42 }
///
/// let workflow = FunctionWorkflow::new("at_run_time", |flow: &mut Flow| flow.job(answer()))?;
/// let report = Engine::default().run(workflow).wait()?;
/// assert_eq!(report.output::<u64>()?, 42);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct FunctionWorkflow {
    name: WorkflowName,
    metadata: Metadata,
    input: Option<Type>,
    output: Option<Type>,
    drawing: Drawing,
}

enum Drawing {
    /// Drawn once, at the first run.
    Once(Draw, OnceLock<Arc<Plan>>),
    /// Drawn for each run, because the graph depends on the input.
    PerInput(DrawFor),
}

impl FunctionWorkflow {
    /// Creates a workflow from a function that draws its graph, called once at the first run. It
    /// returns the output: `()` for none, a `Handle`, or a `Result` of either.
    ///
    /// # Errors
    ///
    /// Fails when the name is invalid.
    pub fn new<D: OutputOf>(
        name: &str,
        draw: impl Fn(&mut Flow) -> D + Send + Sync + 'static,
    ) -> Result<Self, NameError> {
        let draw: Draw = Box::new(move |flow| draw(flow).finish(flow));
        Ok(Self::drawn_once(name.parse()?, draw))
    }

    /// Creates a workflow with an input from a function that draws its graph, called once at the
    /// first run.
    ///
    /// ```
    /// use workflow_core::prelude::*;
    /// use workflow_core::workflow::FunctionWorkflow;
    ///
    /// #[job]
    /// fn double(number: u64) -> u64 { number * 2 }
    ///
    /// let workflow = FunctionWorkflow::with_input("doubles", |flow: &mut Flow, number: Handle<u64>| {
    ///     flow.job(double(number))
    /// })?;
    /// let report = Engine::default().run(workflow).input(4).wait()?;
    /// assert_eq!(report.output::<u64>()?, 8);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Fails when the name is invalid.
    pub fn with_input<I, D>(
        name: &str,
        draw: impl Fn(&mut Flow, Handle<I>) -> D + Send + Sync + 'static,
    ) -> Result<Self, NameError>
    where
        I: Serialize + DeserializeOwned + Send + Sync + 'static,
        D: OutputOf,
    {
        let draw: Draw = Box::new(move |flow| {
            let input = flow.input::<I>(input_type::<I>());
            draw(flow, input).finish(flow)
        });
        let workflow = Self::drawn_once(name.parse()?, draw);
        Ok(workflow.with_types(Some(input_type::<I>()), None))
    }

    /// Creates a workflow whose graph depends on its input, and is drawn for each run.
    ///
    /// # Errors
    ///
    /// Fails when the name is invalid.
    pub fn per_input<I, D>(
        name: &str,
        draw: impl Fn(&mut Flow, &I) -> D + Send + Sync + 'static,
    ) -> Result<Self, NameError>
    where
        I: Serialize + DeserializeOwned + Send + Sync + 'static,
        D: OutputOf,
    {
        let draw: DrawFor = Box::new(move |flow, input| match input.downcast_ref::<I>() {
            Some(input) => draw(flow, input).finish(flow),
            None => Err(JobError::terminal("the input has another type than the workflow's")),
        });
        let workflow = Self::drawn_per_input(name.parse()?, draw);
        Ok(workflow.with_types(Some(input_type::<I>()), None))
    }

    pub(crate) fn drawn_once(name: WorkflowName, draw: Draw) -> Self {
        let drawing = Drawing::Once(draw, OnceLock::new());
        Self { name, metadata: Metadata::default(), input: None, output: None, drawing }
    }

    pub(crate) fn drawn_per_input(name: WorkflowName, draw: DrawFor) -> Self {
        let drawing = Drawing::PerInput(draw);
        Self { name, metadata: Metadata::default(), input: None, output: None, drawing }
    }

    /// Sets the metadata.
    #[must_use]
    pub fn with_metadata(mut self, metadata: Metadata) -> Self {
        self.metadata = metadata;
        self
    }

    /// Sets the types of input and output.
    #[must_use]
    pub(crate) fn with_types(mut self, input: Option<Type>, output: Option<Type>) -> Self {
        (self.input, self.output) = (input, output);
        self
    }
}

pub(super) fn input_type<I: Serialize + DeserializeOwned + Send + Sync + 'static>() -> Type {
    Type::opaque::<I>().with_serialize::<I>().with_deserialize::<I>()
}

/// Draws a graph. `output` is the type of its output, if it is known.
fn draw_plan(
    output: Option<Type>,
    draw: impl FnOnce(&mut Flow) -> Result<(), JobError>,
) -> Result<Arc<Plan>, PlanError> {
    let mut flow = Flow::new();
    let error = match guard::call(|| draw(&mut flow)) {
        Ok(Ok(())) => {
            if let Some(kind) = output {
                flow.describe_output(kind);
            }
            return flow.plan().map(Arc::new);
        }
        Ok(Err(error)) => PlanError::Draw(error.written_down()),
        Err(panic) => PlanError::Panicked(panic),
    };
    // The unfinished flow owns values of the host, whose destructors may panic.
    guard::discard(flow);
    Err(error)
}

impl Workflow for FunctionWorkflow {
    fn name(&self) -> &WorkflowName {
        &self.name
    }

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn input(&self) -> Option<Type> {
        self.input
    }

    fn output(&self) -> Option<Type> {
        self.output
    }

    fn plan(&self, input: Option<&(dyn Any + Send + Sync)>) -> Result<Arc<Plan>, PlanError> {
        match (&self.drawing, input) {
            (Drawing::Once(draw, drawn), _) => match drawn.get() {
                Some(plan) => Ok(Arc::clone(plan)),
                None => {
                    let plan = draw_plan(self.output, draw)?;
                    Ok(Arc::clone(drawn.get_or_init(|| plan)))
                }
            },
            (Drawing::PerInput(draw), Some(input)) => {
                draw_plan(self.output, |flow| draw(flow, input))
            }
            (Drawing::PerInput(_), None) => Err(PlanError::NoInput),
        }
    }
}

/// The return type of a function that draws a graph: nothing, the handle of the workflow's output,
/// or a `Result` of either.
#[diagnostic::on_unimplemented(
    message = "a function that draws a graph cannot return `{Self}`",
    note = "return nothing, a `Handle`, or a `Result` of either"
)]
pub trait OutputOf {
    /// Sets the output of the flow.
    ///
    /// # Errors
    ///
    /// Fails when the function failed.
    fn finish(self, flow: &mut Flow) -> Result<(), JobError>;
}

impl OutputOf for () {
    fn finish(self, _: &mut Flow) -> Result<(), JobError> {
        Ok(())
    }
}

impl<T: Send + Sync + 'static> OutputOf for Handle<T> {
    fn finish(self, flow: &mut Flow) -> Result<(), JobError> {
        flow.output(self);
        Ok(())
    }
}

impl<D: OutputOf, E: Into<JobError>> OutputOf for Result<D, E> {
    fn finish(self, flow: &mut Flow) -> Result<(), JobError> {
        self.map_err(Into::into)?.finish(flow)
    }
}
