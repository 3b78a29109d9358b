//! What is answered: documents, made from what the catalog has.

#[cfg(test)]
mod fixtures;
mod page;
mod record;
mod run;
mod stall;
pub(crate) mod time;
mod workflow;

pub(crate) use page::Listed;
pub(crate) use record::{Attempt, Bar, Record};
pub(crate) use run::{Run, RunDocument, Started};
pub(crate) use time::Limit;
pub(crate) use workflow::{Workflow, WorkflowDocument};
