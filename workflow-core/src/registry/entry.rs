//! What the attributes leave behind in the program: one entry for each workflow and each job.

use std::any::Any;
use std::sync::Arc;

use serde_json::Value as Json;

use crate::engine::LookupError;
use crate::job::{Call, Handle, InputRef, JobError, fresh_owner};
use crate::value::Type;
use crate::workflow::{Flow, Workflow};

/// A place in the source.
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
    /// A place in the source.
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

/// A workflow as `#[register_workflow]` leaves it behind.
pub struct WorkflowEntry {
    /// The name, as it was written.
    pub name: &'static str,
    /// The metadata, as the text of a JSON object.
    pub metadata: &'static str,
    /// Where the attribute is.
    pub location: Location,
    /// The module of the function.
    pub module: &'static str,
    /// The input's type.
    pub input: Option<fn() -> Type>,
    /// The output's type, where it is known before drawing.
    pub output: Option<fn() -> Type>,
    /// Draws the graph.
    pub draw: Draw,
}

/// How a registered workflow is drawn.
#[derive(Clone, Copy)]
pub enum Draw {
    /// Once, whatever the input.
    Once(fn(&mut Flow) -> Result<(), JobError>),
    /// For every run, by its input.
    PerInput(fn(&mut Flow, &(dyn Any + Send + Sync)) -> Result<(), JobError>),
}

inventory::collect!(WorkflowEntry);

/// A job as `#[job]` leaves it behind.
pub struct JobEntry {
    /// The name: the function's, or the one given with `name = ..`.
    pub name: &'static str,
    /// Where the attribute is.
    pub location: Location,
    /// The module of the function.
    pub module: &'static str,
    /// The inputs: each parameter's name and type. `None` when one of them cannot be given by
    /// name, because it takes any number of values.
    pub inputs: Option<fn() -> Inputs>,
    /// The output's type.
    pub output: fn() -> Type,
    /// Adds the job to a flow, with handles of its inputs in order. `None` when their number or
    /// their types are not those of the inputs, and for a job whose inputs have no names.
    pub add: fn(&mut Flow, &[Erased]) -> Option<Erased>,
}

/// The names of a job's parameters, and their types.
pub(super) type Inputs = Vec<(&'static str, Type)>;

inventory::collect!(JobEntry);

/// A handle whose type has been set aside.
#[derive(Clone, Copy)]
pub struct Erased {
    at: InputRef,
    kind: Type,
}

impl Erased {
    /// Sets the type of a handle aside.
    pub fn new<T: Send + Sync + 'static>(handle: Handle<T>) -> Self {
        Self { at: handle.at, kind: Type::opaque::<T>() }
    }

    /// What stands for a parameter whose value comes later.
    pub(super) fn parameter(owner: u32, index: u32, kind: Type) -> Self {
        Self { at: InputRef { owner, index }, kind }
    }

    /// The handle, if it is of type `T`.
    pub fn typed<T: 'static>(self) -> Option<Handle<T>> {
        self.kind.is::<T>().then(|| Handle::new(self.at))
    }
}

/// Adds a call to a flow and sets the type of its handle aside.
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

/// A format of [`WorkflowSnapshot::source`](crate::WorkflowSnapshot::source): a crate that has
/// workflows which are data submits one, and engines take up their stored runs.
///
/// ```
/// use workflow_core::registry::SourceFormat;
/// # use std::sync::Arc;
/// # use workflow_core::{LookupError, Workflow};
/// # fn read(source: &serde_json::Value) -> Result<Arc<dyn Workflow>, LookupError> {
/// #     Err("unknown".into())
/// # }
///
/// workflow_core::registry::inventory::submit! {
///     SourceFormat { key: "my_diagram", read }
/// }
/// ```
pub struct SourceFormat {
    /// The one key of the object that the source is.
    pub key: &'static str,
    /// Reads the workflow from the source.
    pub read: fn(&Json) -> Result<Arc<dyn Workflow>, LookupError>,
}

inventory::collect!(SourceFormat);

impl SourceFormat {
    /// The format of a source; `None` when this program has none for it.
    pub fn of(source: &Json) -> Option<&'static Self> {
        inventory::iter::<Self>().find(|format| source.get(format.key).is_some())
    }
}
