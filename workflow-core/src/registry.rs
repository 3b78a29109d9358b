//! The registry of the workflows and jobs of this program, by name.
//!
//! The attributes submit entries at link time. They are indexed at the first use and then found in
//! constant time. Programs can add workflows at run time with [`register`], and change their
//! metadata with [`describe`].
//!
//! The linker drops a crate that a program depends on but never mentions, and its registrations
//! with it. Add `use that_crate as _;` to prevent that.

mod by_value;
mod described;
mod entry;
mod index;
mod listing;

use std::sync::{Arc, OnceLock};

use crate::definition::Metadata;
use crate::engine::{Engine, IntoWorkflow, LookupError, RunRequest};
use crate::job::{Call, Handle};
use crate::workflow::Workflow;

pub use by_value::RegisteredCall;
#[cfg(feature = "assets")]
pub(crate) use entry::Provided;
pub use entry::{
    Draw, Erased, JobEntry, Location, SourceFormat, WorkflowEntry, add_erased, options_of,
};
pub use index::{Entry, RegistryError};
#[doc(no_inline)]
pub use inventory;
pub use listing::{Jobs, Listing};

/// Requests a run of the workflow of this name, on the program's engine.
///
/// Await it, or call [`wait`](RunRequest::wait) or [`start`](RunRequest::start).
///
/// ```
/// use workflow_core::prelude::*;
///
/// #[register_workflow(name = "welcome")]
/// async fn welcome(name: String) -> Result<String, JobError> { Ok(format!("hello {name}")) }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let greeting: String = registry::run("welcome").input("Ada").wait()?.output()?;
/// assert_eq!(greeting, "hello Ada");
/// # Ok(())
/// # }
/// ```
pub fn run(name: &str) -> RunRequest {
    engine().run(name)
}

/// Returns the workflow of this name.
///
/// # Errors
///
/// Fails when there is none; the error suggests the most similar name. Also fails when the registry
/// is invalid, because two workflows have the same name or a name is invalid.
pub fn get(name: &str) -> Result<Entry, RegistryError> {
    index::get(name)
}

/// Lists all workflows, sorted by name. The list can be filtered.
///
/// ```
/// use workflow_core::prelude::*;
///
/// #[register_workflow(name = "sales", metadata = { "domain": "sales", "team": { "size": 3 } })]
/// fn sales() {}
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// for entry in registry::list()?.domain("sales").metadata("team.size", 3) {
///     println!("{} at {}", entry.name(), entry.location());
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// Fails when the registry is invalid.
pub fn list() -> Result<Listing, RegistryError> {
    index::all().map(Listing::new)
}

/// Returns the job of this name.
///
/// # Errors
///
/// Fails when there is none, with the most similar name, and when two jobs have this name.
pub fn job(name: &str) -> Result<&'static JobEntry, RegistryError> {
    index::job(name)
}

/// Lists all jobs, sorted by name. Only jobs that are looked up by name need unique names, so a
/// name may appear twice.
///
/// ```
/// use workflow_core::prelude::*;
///
/// #[job(domain = "booking")]
/// fn reserve_seat() {}
///
/// #[job(domain = "payment")]
/// fn charge_card() {}
///
/// #[job]
/// fn send_email() {}
///
/// // The jobs of a domain, and those that all domains share.
/// let jobs = registry::jobs().filter(|job| job.serves("booking"));
/// let names: Vec<_> = jobs.map(|job| job.name).collect();
/// assert!(names.contains(&"reserve_seat") && names.contains(&"send_email"));
/// assert!(!names.contains(&"charge_card"));
/// ```
pub fn jobs() -> Jobs {
    Jobs::new()
}

/// Registers a workflow at run time.
///
/// # Errors
///
/// Fails when the name is taken; the error names both places. Also fails when the domain is not a
/// valid name.
#[track_caller]
pub fn register(workflow: impl Workflow) -> Result<Entry, RegistryError> {
    index::add(Arc::new(workflow), Location::caller())
}

/// Replaces the metadata of a registered workflow, and returns it with the new metadata.
///
/// A host does so when it starts, before it lists, schedules or runs workflows: entries that it has
/// already keep what they had. The crate `workflow-config` describes workflows by their
/// configurations.
///
/// ```
/// use workflow_core::definition::Metadata;
/// use workflow_core::prelude::*;
///
/// #[register_workflow(name = "described", metadata = { "owner": "data", "schedule": "0 3 * * *" })]
/// fn described() {}
///
/// let metadata: Metadata = r#"{ "owner": "data", "schedule": "30 4 * * *" }"#.parse()?;
/// registry::describe("described", metadata)?;
/// assert_eq!(registry::get("described")?.schedule(), Some("30 4 * * *"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// Fails when no workflow has this name, and when the domain is not a valid name.
pub fn describe(name: &str, metadata: Metadata) -> Result<Entry, RegistryError> {
    index::describe(name, metadata)
}

/// Returns the engine that [`run`] uses: the one passed to [`set_engine`], or a default one.
pub fn engine() -> &'static Engine {
    ENGINE.get_or_init(Engine::default)
}

/// Sets the engine that [`run`] uses, before its first use.
///
/// # Errors
///
/// Returns the engine if one has been set or used already.
pub fn set_engine(engine: Engine) -> Result<(), Engine> {
    ENGINE.set(engine)
}

static ENGINE: OnceLock<Engine> = OnceLock::new();

/// Creates a job that runs a workflow as a child workflow.
///
/// Input and output are converted through JSON. The child is a separate run on the same engine;
/// cancelling the job cancels it.
///
/// To draw a graph into another without a separate run, call its function with the outer `Flow`.
///
/// ```
/// use workflow_core::prelude::*;
///
/// #[register_workflow(name = "double")]
/// fn double(number: u64) -> u64 { number * 2 }
///
/// #[register_workflow(name = "quadruple")]
/// fn quadruple(flow: &mut Flow, number: Handle<u64>) -> Handle<u64> {
///     let doubled = flow.job(registry::call::<_, u64>("double", number));
///     flow.job(registry::call("double", doubled).name("double_again"))
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let number: u64 = registry::run("quadruple").input(3).wait()?.output()?;
/// assert_eq!(number, 12);
/// # Ok(())
/// # }
/// ```
pub fn call<I, O>(name: &str, input: Handle<I>) -> Call<O>
where
    I: serde::Serialize + Send + Sync + 'static,
    O: serde::de::DeserializeOwned + serde::Serialize + Clone + Send + Sync + 'static,
{
    crate::engine::call_workflow(name.to_owned(), name.to_owned(), input)
}

impl IntoWorkflow for &str {
    fn into_workflow(self) -> Result<Arc<dyn Workflow>, LookupError> {
        Ok(get(self)?.workflow())
    }
}

impl IntoWorkflow for String {
    fn into_workflow(self) -> Result<Arc<dyn Workflow>, LookupError> {
        self.as_str().into_workflow()
    }
}

impl IntoWorkflow for &Entry {
    fn into_workflow(self) -> Result<Arc<dyn Workflow>, LookupError> {
        Ok(self.workflow())
    }
}
