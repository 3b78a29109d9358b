//! The index of registered workflows and jobs.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, OnceLock, PoisonError, RwLock};

use serde_json::Value as Json;

use super::described::Described;
use super::entry::Provided;
use super::{Draw, JobEntry, Location, WorkflowEntry};
use crate::definition::{Metadata, MetadataError};
use crate::id::{NameError, WorkflowName, nearest, normalize_name};
use crate::store::{DEFAULT_PREFIX, checked_queue_of};
use crate::workflow::{FunctionWorkflow, Workflow};

/// A registered workflow, described without running anything. Cheap to clone.
#[derive(Clone)]
pub struct Entry(Arc<Registered>);

struct Registered {
    workflow: Arc<dyn Workflow>,
    location: Location,
}

impl Entry {
    /// The name.
    pub fn name(&self) -> &str {
        self.0.workflow.name().as_str()
    }

    /// The metadata.
    pub fn metadata(&self) -> &Metadata {
        self.0.workflow.metadata()
    }

    /// The description.
    pub fn description(&self) -> Option<&str> {
        self.metadata().description()
    }

    /// The business area.
    pub fn domain(&self) -> Option<&str> {
        self.metadata().domain()
    }

    /// The project that the workflow belongs to.
    pub fn project(&self) -> Option<&str> {
        self.metadata().project()
    }

    /// The schedule, as a cron expression.
    pub fn schedule(&self) -> Option<&str> {
        self.metadata().schedule()
    }

    /// The version.
    pub fn version(&self) -> Option<&str> {
        self.metadata().version()
    }

    /// The place of the registration.
    pub fn location(&self) -> Location {
        self.0.location
    }

    /// The name of the input's type; `None` if the workflow takes no input.
    pub fn input_type(&self) -> Option<&'static str> {
        self.0.workflow.input().map(|kind| kind.name())
    }

    /// The name of the output's type, if it is known before the graph is drawn.
    pub fn output_type(&self) -> Option<&'static str> {
        self.0.workflow.output().map(|kind| kind.name())
    }

    /// The JSON Schema of the input, if its type has one. Needs the feature `schema`.
    pub fn input_schema(&self) -> Option<Json> {
        self.0.workflow.input()?.schema()
    }

    /// The JSON Schema of the output, if its type has one. Needs the feature `schema`.
    pub fn output_schema(&self) -> Option<Json> {
        self.0.workflow.output()?.schema()
    }

    /// The workflow itself.
    pub fn workflow(&self) -> Arc<dyn Workflow> {
        Arc::clone(&self.0.workflow)
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("name", &self.name())
            .field("location", &format_args!("{}", self.location()))
            .finish_non_exhaustive()
    }
}

/// The workflows registered at link time.
type Linked = HashMap<WorkflowName, Entry>;

fn linked() -> Result<&'static Linked, RegistryError> {
    static LINKED: OnceLock<Result<Linked, RegistryError>> = OnceLock::new();
    let linked = LINKED.get_or_init(|| link(inventory::iter::<WorkflowEntry>()));
    linked.as_ref().map_err(Clone::clone)
}

fn link(entries: impl Iterator<Item = &'static WorkflowEntry>) -> Result<Linked, RegistryError> {
    let mut linked: Linked = HashMap::new();
    let declared = entries.map(|entry| Ok((declared(entry)?, entry.location)));
    let provided = inventory::iter::<Provided>().filter_map(|provided| (provided.workflow)());
    for found in declared.chain(provided.map(Ok)) {
        let (workflow, location) = found?;
        let workflow = Arc::new(workflow);
        let name = workflow.name().clone();
        if let Some(other) = linked.get(&name) {
            return Err(duplicate("workflow", name.as_str(), other.location(), location));
        }
        linked.insert(name, Entry(Arc::new(Registered { workflow, location })));
    }
    Ok(linked)
}

/// Creates the error for two registrations of one name, in source order, because the order of the
/// linker is arbitrary.
fn duplicate(what: &'static str, name: &str, one: Location, other: Location) -> RegistryError {
    let key = |place: &Location| (place.file, place.line, place.column);
    let (first, second) = if key(&one) <= key(&other) { (one, other) } else { (other, one) };
    RegistryError::Duplicate { what, name: name.to_owned(), first, second }
}

/// The workflow that an attribute declares.
fn declared(entry: &WorkflowEntry) -> Result<FunctionWorkflow, RegistryError> {
    let location = entry.location;
    let name =
        WorkflowName::new(entry.name).map_err(|error| RegistryError::Name { location, error })?;
    let metadata = entry.metadata.parse::<Metadata>().map_err(|error| RegistryError::Metadata {
        name: entry.name.to_owned(),
        location,
        error,
    })?;
    check_domain(entry.name, &metadata, location)?;
    let (input, output) = (entry.input.map(|kind| kind()), entry.output.map(|kind| kind()));
    let workflow = match entry.draw {
        Draw::Once(draw) => FunctionWorkflow::drawn_once(name, Box::new(draw)),
        Draw::PerInput(draw) => FunctionWorkflow::drawn_per_input(name, Box::new(draw)),
    };
    Ok(workflow.with_metadata(metadata).with_types(input, output))
}

/// Checks that runs of a workflow can wait in the task queue of its domain. An engine with a longer
/// prefix checks it again when a run begins.
fn check_domain(name: &str, metadata: &Metadata, location: Location) -> Result<(), RegistryError> {
    let invalid = |error| RegistryError::Domain { name: name.to_owned(), location, error };
    checked_queue_of(DEFAULT_PREFIX, metadata.domain()).map(drop).map_err(invalid)
}

/// The workflows registered or described at run time. One that is described takes the place of the
/// linked one.
static ADDED: LazyLock<RwLock<HashMap<String, Entry>>> = LazyLock::new(RwLock::default);
static ANY_ADDED: AtomicBool = AtomicBool::new(false);

fn added() -> std::sync::RwLockReadGuard<'static, HashMap<String, Entry>> {
    ADDED.read().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn get(name: &str) -> Result<Entry, RegistryError> {
    let linked = linked()?;
    let name = &*normalize_name(name);
    if ANY_ADDED.load(Ordering::Acquire)
        && let Some(entry) = added().get(name)
    {
        return Ok(entry.clone());
    }
    if let Some(entry) = linked.get(name) {
        return Ok(entry.clone());
    }
    let all = all()?;
    let nearest = nearest(name, all.iter().map(Entry::name)).map(str::to_owned);
    let known = all.len();
    Err(RegistryError::Unknown { what: "workflow", name: name.to_owned(), nearest, known })
}

pub(super) fn all() -> Result<Vec<Entry>, RegistryError> {
    let added = added();
    let linked = linked()?.values().filter(|entry| !added.contains_key(entry.name()));
    let mut all: Vec<Entry> = linked.chain(added.values()).cloned().collect();
    all.sort_by(|one, other| one.name().cmp(other.name()));
    Ok(all)
}

pub(super) fn add(workflow: Arc<dyn Workflow>, location: Location) -> Result<Entry, RegistryError> {
    let name = workflow.name().to_string();
    check_domain(&name, workflow.metadata(), location)?;
    let mut added = ADDED.write().unwrap_or_else(PoisonError::into_inner);
    if let Some(other) = linked()?.get(name.as_str()).or_else(|| added.get(&name)) {
        return Err(duplicate("workflow", &name, other.location(), location));
    }
    let entry = Entry(Arc::new(Registered { workflow, location }));
    added.insert(name, entry.clone());
    ANY_ADDED.store(true, Ordering::Release);
    Ok(entry)
}

pub(super) fn describe(name: &str, metadata: Metadata) -> Result<Entry, RegistryError> {
    let entry = get(name)?;
    check_domain(name, &metadata, entry.location())?;
    let workflow = Arc::new(Described { workflow: entry.workflow(), metadata });
    let entry = Entry(Arc::new(Registered { workflow, location: entry.location() }));
    let mut added = ADDED.write().unwrap_or_else(PoisonError::into_inner);
    added.insert(entry.name().to_owned(), entry.clone());
    ANY_ADDED.store(true, Ordering::Release);
    Ok(entry)
}

/// The jobs by name. Two jobs of one name are an error only for a lookup of that name.
fn jobs() -> &'static HashMap<&'static str, Result<&'static JobEntry, RegistryError>> {
    type Jobs = HashMap<&'static str, Result<&'static JobEntry, RegistryError>>;
    static JOBS: OnceLock<Jobs> = OnceLock::new();
    JOBS.get_or_init(|| {
        let mut jobs: Jobs = HashMap::new();
        for entry in inventory::iter::<JobEntry>() {
            let found = match jobs.get(entry.name) {
                None => Ok(entry),
                Some(Ok(other)) => {
                    Err(duplicate("job", entry.name, other.location, entry.location))
                }
                Some(Err(error)) => Err(error.clone()),
            };
            jobs.insert(entry.name, found);
        }
        jobs
    })
}

pub(super) fn job(name: &str) -> Result<&'static JobEntry, RegistryError> {
    jobs().get(name).cloned().unwrap_or_else(|| {
        Err(RegistryError::Unknown {
            what: "job",
            name: name.to_owned(),
            nearest: nearest(name, jobs().keys().copied()).map(str::to_owned),
            known: jobs().len(),
        })
    })
}

/// The error of a lookup or a registration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// There is no workflow or job of this name.
    #[error("no {what} `{name}`{}", cure(.nearest.as_deref(), *.known))]
    Unknown {
        /// `workflow` or `job`.
        what: &'static str,
        /// The name of the lookup.
        name: String,
        /// The most similar registered name.
        nearest: Option<String>,
        /// The number of registered workflows or jobs.
        known: usize,
    },
    /// Two registrations share a name.
    #[error("two {what}s are named `{name}`: at {first} and at {second}; rename one of them")]
    Duplicate {
        /// `workflow` or `job`.
        what: &'static str,
        /// The name.
        name: String,
        /// The first place.
        first: Location,
        /// The second place.
        second: Location,
    },
    /// A name is invalid.
    #[error("invalid name of the workflow registered at {location}: {error}")]
    Name {
        /// The place.
        location: Location,
        /// The reason.
        error: NameError,
    },
    /// Metadata is invalid.
    #[error("workflow `{name}` at {location}: {error}")]
    Metadata {
        /// The workflow's name.
        name: String,
        /// The place.
        location: Location,
        /// The reason.
        error: MetadataError,
    },
    /// The domain, or the task queue that follows from it, has no valid name.
    #[error("workflow `{name}` at {location}: invalid domain: {error}")]
    Domain {
        /// The workflow's name.
        name: String,
        /// The place.
        location: Location,
        /// The reason.
        error: NameError,
    },
}

/// What to do about an unknown name. The linker drops crates that nothing mentions.
fn cure(nearest: Option<&str>, known: usize) -> String {
    match nearest {
        _ if known == 0 => {
            ": this program registers none; run it with a program that does".to_owned()
        }
        Some(name) => format!("; did you mean `{name}`?"),
        None => {
            "; if its crate is linked but never mentioned, add `use that_crate as _;`".to_owned()
        }
    }
}
