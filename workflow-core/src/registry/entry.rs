//! Entries that are submitted at link time: workflows, jobs, and formats of workflows that are
//! data.

use std::any::Any;
use std::sync::Arc;

use serde_json::Value as Json;

use crate::engine::LookupError;
use crate::job::{
    Body, Call, Handle, InputRef, Inputs as CallInputs, JobError, JobOptions, fresh_owner,
};
use crate::value::Type;
use crate::workflow::{Flow, FunctionWorkflow, Workflow};

/// A place in the source code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Location {
    /// The file, as the compiler names it.
    pub file: &'static str,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1.
    pub column: u32,
}

impl Location {
    /// Creates a location.
    pub const fn new(file: &'static str, line: u32, column: u32) -> Self {
        Self { file, line, column }
    }

    #[track_caller]
    pub(super) fn caller() -> Self {
        let caller = std::panic::Location::caller();
        Self::new(caller.file(), caller.line(), caller.column())
    }
}

impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// The entry of a workflow with `#[register_workflow]`.
pub struct WorkflowEntry {
    /// The name, as written.
    pub name: &'static str,
    /// The metadata, as JSON text.
    pub metadata: &'static str,
    /// The location of the attribute.
    pub location: Location,
    /// The module of the function.
    pub module: &'static str,
    /// The input's type.
    pub input: Option<fn() -> Type>,
    /// The output's type, if it is known before the graph is drawn.
    pub output: Option<fn() -> Type>,
    /// The function that draws the graph.
    pub draw: Draw,
}

/// A workflow that a module of this crate adds to the registry. It is above this module.
pub(crate) struct Provided {
    /// Creates the workflow, with the place that errors name; `None` if this program has no use for
    /// it.
    pub(crate) workflow: fn() -> Option<(FunctionWorkflow, Location)>,
}

inventory::collect!(Provided);

/// The function that draws the graph of a registered workflow.
#[derive(Clone, Copy)]
pub enum Draw {
    /// Draws one graph for all inputs.
    Once(fn(&mut Flow) -> Result<(), JobError>),
    /// Draws a graph for each run, depending on its input.
    PerInput(fn(&mut Flow, &(dyn Any + Send + Sync)) -> Result<(), JobError>),
}

inventory::collect!(WorkflowEntry);

/// The entry of a job with `#[job]`.
pub struct JobEntry {
    /// The name: the function's, or the one given with `name = ..`.
    pub name: &'static str,
    /// The business domain whose workflows use the job; `None` for a job that all domains share.
    pub domain: Option<&'static str>,
    /// The first paragraph of the function's documentation.
    pub description: Option<&'static str>,
    /// The location of the attribute.
    pub location: Location,
    /// The module of the function.
    pub module: &'static str,
    /// The inputs: the name and type of each parameter. `None` if one of them takes any number of
    /// values, and so cannot be passed by name.
    pub inputs: Option<fn() -> Inputs>,
    /// The output's type.
    pub output: fn() -> Type,
    /// The options of the attribute: retries, timeouts, limits.
    pub options: fn() -> JobOptions,
    /// Adds the job to a flow, with handles of its inputs in order. Returns `None` if the number or
    /// types of the handles do not match, and for a job whose inputs have no names.
    pub add: fn(&mut Flow, &[Erased]) -> Option<Erased>,
}

impl JobEntry {
    /// Whether the job is of this domain, or shared by all domains.
    pub fn serves(&self, domain: &str) -> bool {
        self.domain.is_none_or(|own| own == domain)
    }
}

/// The names and types of a job's parameters.
pub(super) type Inputs = Vec<(&'static str, Type)>;

inventory::collect!(JobEntry);

/// A type-erased handle.
#[derive(Clone, Copy)]
pub struct Erased {
    at: InputRef,
    kind: Type,
}

impl Erased {
    /// Erases the type of a handle.
    pub fn new<T: Send + Sync + 'static>(handle: Handle<T>) -> Self {
        Self { at: handle.at, kind: Type::opaque::<T>() }
    }

    /// Creates a placeholder for a parameter whose value comes later.
    pub(super) fn parameter(owner: u32, index: u32, kind: Type) -> Self {
        Self { at: InputRef { owner, index }, kind }
    }

    /// Returns the handle if it is of type `T`.
    pub fn typed<T: 'static>(self) -> Option<Handle<T>> {
        self.kind.is::<T>().then(|| Handle::new(self.at))
    }
}

/// Adds a call to a flow and erases the type of its handle.
pub fn add_erased<T: Send + Sync + 'static>(flow: &mut Flow, call: Call<T>) -> Option<Erased> {
    if let Some(caught) = flow.caught() {
        *caught = Some(call.raw);
        return Some(Erased {
            at: InputRef { owner: fresh_owner(), index: 0 },
            kind: Type::opaque::<T>(),
        });
    }
    Some(Erased::new(flow.job(call)))
}

/// Returns the options that a function sets on a call.
pub fn options_of(set: fn(Call<()>) -> Call<()>) -> JobOptions {
    let body = Body::future(|_| async { Ok(()) });
    let call = set(Call::new("", Type::opaque::<()>(), body, CallInputs::new()));
    call.raw.options.map(|options| *options).unwrap_or_default()
}

/// A format of [`WorkflowSnapshot::source`](crate::store::WorkflowSnapshot::source). A crate with
/// workflows that are data submits one, so that engines can resume their stored runs.
///
/// ```
/// use workflow_core::registry::SourceFormat;
/// # use std::sync::Arc;
/// # use workflow_core::Workflow;
/// # use workflow_core::engine::LookupError;
/// # fn read(source: &serde_json::Value) -> Result<Arc<dyn Workflow>, LookupError> {
/// #     Err("unknown".into())
/// # }
///
/// workflow_core::registry::inventory::submit! {
///     SourceFormat { key: "my_diagram", read }
/// }
/// ```
pub struct SourceFormat {
    /// The only key of the source, which is a JSON object.
    pub key: &'static str,
    /// The function that reads a workflow from its source.
    pub read: fn(&Json) -> Result<Arc<dyn Workflow>, LookupError>,
}

inventory::collect!(SourceFormat);

impl SourceFormat {
    /// Returns the format of a source; `None` if this program does not have it.
    pub fn of(source: &Json) -> Option<&'static Self> {
        inventory::iter::<Self>().find(|format| source.get(format.key).is_some())
    }
}
