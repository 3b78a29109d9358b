//! Rows of workflows, written by runs and the catalog: unique names and slugs, versions, the search
//! index. Knows no runs and no requests of the catalog.

pub(crate) mod insert;
pub(crate) mod name;
mod new_workflow;
pub(crate) mod search_index;
pub(crate) mod slug;
pub(crate) mod version;

pub use new_workflow::{NewWorkflow, WorkflowSource};
