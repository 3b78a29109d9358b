//! How workflows that are data are read back from what a store kept of them.

use std::sync::Arc;

use serde_json::Value as Json;

use crate::engine::LookupError;
use crate::workflow::Workflow;

/// A format of [`WorkflowSnapshot::source`](crate::WorkflowSnapshot::source): a crate that has
/// workflows which are data submits one, and engines take up their stored runs.
///
/// ```
/// use workflow_core::registry::SourceFormat;
/// # use std::sync::Arc;
/// # use workflow_core::{LookupError, Workflow};
/// # fn read(source: &serde_json::Value) -> Result<Arc<dyn Workflow>, LookupError> {
/// #     Err("unknown".into())
/// # }
///
/// workflow_core::registry::inventory::submit! {
///     SourceFormat { key: "my_diagram", read }
/// }
/// ```
pub struct SourceFormat {
    /// The one key of the object that the source is.
    pub key: &'static str,
    /// Reads the workflow from the source.
    pub read: fn(&Json) -> Result<Arc<dyn Workflow>, LookupError>,
}

inventory::collect!(SourceFormat);

impl SourceFormat {
    /// The format of a source; `None` when this program has none for it.
    pub fn of(source: &Json) -> Option<&'static Self> {
        inventory::iter::<Self>().find(|format| source.get(format.key).is_some())
    }
}
