//! A data platform with one workflow. Each workflow is a module, with its configuration, its dbt
//! models and its dashboard in the same folder.

pub mod my_workflow;
