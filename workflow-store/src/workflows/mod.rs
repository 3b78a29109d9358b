//! Rows of workflows, as runs and the catalog write them: added under a free name and slug, with
//! their versions and what they are found by. Knows no runs and no requests of the catalog.

pub(crate) mod insert;
pub(crate) mod name;
mod new_workflow;
pub(crate) mod search_index;
pub(crate) mod slug;
pub(crate) mod version;

pub use new_workflow::{NewWorkflow, Source};
