//! The documents of the API, made from the catalog.

#[cfg(test)]
mod fixtures;
mod list;
mod record;
mod run;
mod schedule;
mod stall;
mod table;
pub(crate) mod time;
mod workflow;

pub(crate) use list::{Limit, Listed, PageQuery};
pub(crate) use record::{Attempt, Bar, Record};
pub(crate) use run::{Run, RunDocument, StartedRun};
pub(crate) use schedule::ScheduleDocument;
pub(crate) use table::{Preview, Table};
pub(crate) use workflow::{Workflow, WorkflowDocument};
