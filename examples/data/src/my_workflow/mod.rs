//! The data workflow `my_workflow`: extracts records of Source X, cleans and enriches them, and
//! loads two tables.

pub mod assets;
pub mod ingestion;
pub mod transform;
pub mod workflow;

/// The name of the workflow and of its configuration.
pub const NAME: &str = "my_workflow";
