//! Annotate a function, and it is a workflow.

extern crate self as workflow_core;

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
mod definition;
mod engine;
mod event;
mod graph;
mod id;
mod job;
pub mod registry;
mod retry;
mod run;
mod scheduler;
mod store;
mod value;
mod workflow;

pub use definition::{Definition, JobDefinition, Metadata, MetadataError};
pub use engine::{
    Clock, Engine, EngineBuilder, IntoWorkflow, LookupError, ManualClock, RunFuture, RunHandle,
    RunRequest, SystemClock, Timings,
};
pub use event::{Event, EventKind, Failure};
pub use graph::{Graph, GraphError};
pub use id::{JobName, NameError, RunId, RunIdError, WorkflowName};
pub use job::{
    Call, Each, Handle, Job, JobContext, JobError, JobErrorKind, JobFn, JobOptions, OnFailure,
    TimeoutKind, Timeouts, TriggerRule, WorkflowContext, call_job, closure, map,
};
pub use retry::RetryPolicy;
pub use run::{InputError, JobReport, OutputError, Report, Run, RunError, Status};
pub use store::{MemoryStore, Store, StoreError};
pub use value::{Type, ValueError};
pub use workflow::{Flow, FunctionWorkflow, OutputOf, Plan, PlanError, Workflow};
pub use workflow_macros::{job, register_workflow};

/// What a host that declares and runs workflows needs.
pub mod prelude {
    pub use crate::{
        Call, Each, Engine, Flow, Handle, Job, JobContext, JobError, Report, RetryPolicy, Run,
        RunError, Status, TriggerRule, Workflow, WorkflowContext, call_job, map, registry,
    };
    pub use workflow_macros::{job, register_workflow};
}
