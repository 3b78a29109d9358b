//! The workflow `{{ crate_name }}`.

pub mod workflow;
