//! The format of workflow files: each type is declared once, and is read, checked and described
//! from that declaration.
//!
//! Field names are those of torc where it has them, so that its files run unchanged. Knows what a
//! file says, not what runs.

mod actions;
mod check;
mod expand;
mod expression;
mod failure;
mod files;
mod flow_control;
mod job;
mod known;
mod order;
mod parameters;
mod quantity;
mod resources;
mod schedule;
mod size;
mod template;
mod unsupported;
mod workflow;

use serde_json::{Map, Value as Json, json};

use crate::document::{Read, Spanned};

pub(crate) use actions::{ActionKind, ActionSpec, ActionTrigger};
pub(crate) use check::{check, metadata};
pub(crate) use expand::{Expanded, Placed, expand};
pub use expression::{CompiledExpression, Expression, ExpressionError};
pub(crate) use expression::{JobRead, holds};
pub(crate) use failure::{HandlerSpec, RetrySpec, RuleSpec};
pub(crate) use files::{FileSpec, UserDataSpec};
pub(crate) use flow_control::{ConcurrencySpec, DebounceSpec, FairnessSpec, RateLimitSpec};
pub(crate) use job::{JobEntry, JobSpec, Jobs};
pub(crate) use order::{FileUses, Order, no_pattern, order};
pub(crate) use parameters::ParameterMode;
pub(crate) use quantity::{Memory, Time};
pub(crate) use resources::ResourceSpec;
pub(crate) use schedule::Schedule;
pub(crate) use size::check_size;
pub(crate) use template::{NamedKind, Part, Template};
pub(crate) use unsupported::{DynamicJobs, ParametersFile};
pub(crate) use workflow::WorkflowSpec;

use order::{scripts_that_read, texts_of};
use parameters::{ParameterGrid, near_misses, substitute};

/// A name or another text, and its place.
pub(crate) type Text = Spanned<Box<str>>;

/// The JSON Schema of workflow files (draft 2020-12).
pub(crate) fn schema() -> Json {
    let mut definitions = Map::new();
    let root = WorkflowSpec::schema(&mut definitions);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Workflow",
        "$ref": root["$ref"],
        "$defs": definitions,
    })
}
