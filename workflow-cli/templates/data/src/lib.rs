//! The data workflow `{{ crate_name }}`: reads records, cleans them, and writes a table.

pub mod assets;
pub mod ingestion;
pub mod transform;
pub mod workflow;
