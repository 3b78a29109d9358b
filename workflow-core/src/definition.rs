//! Workflow definitions as plain data, for files and for programs that do not know the jobs at
//! compile time.
//!
//! A definition is not validated; [`Graph::compile`](crate::graph::Graph::compile) does that.

mod metadata;
mod schedule;
mod trigger;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::id::{JobName, NameError, WorkflowName};
use crate::job::{OnFailure, TriggerRule};

pub use metadata::{Metadata, MetadataError};
pub use schedule::ScheduleError;
pub use trigger::{
    AfterTrigger, AssetTrigger, EventTrigger, FileTrigger, RunEnd, SignatureScheme, TriggerError,
    WebhookTrigger,
};

/// A workflow as data: its name, its metadata, and the order between its jobs.
///
/// ```
/// use workflow_core::definition::Definition;
/// use workflow_core::graph::Graph;
///
/// let definition = Definition::new("etl")?
///     .job("extract", [])?
///     .job("load", ["extract"])?;
/// assert_eq!(Graph::compile(&definition)?.len(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Definition {
    /// The workflow's name.
    pub name: WorkflowName,
    /// The metadata.
    #[serde(default)]
    pub metadata: Metadata,
    /// The jobs, in any order.
    pub jobs: Vec<JobDefinition>,
    /// Groups of jobs that other jobs wait for, each as a list of indices into `jobs`.
    ///
    /// Jobs refer to groups by their indices in
    /// [`depends_on_groups`](JobDefinition::depends_on_groups).
    ///
    /// A group has the same effect as all the edges, at less cost: when a thousand jobs wait for a
    /// thousand others, it takes two thousand indices instead of a million names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Vec<u32>>,
    /// What a run does when a job fails for good.
    #[serde(default)]
    pub on_failure: OnFailure,
    /// The number of jobs of a run that may run at once. Default: no limit.
    #[serde(default)]
    pub max_parallel: Option<usize>,
    /// The timeout of a run. Default: no limit.
    #[serde(default)]
    pub timeout: Option<Duration>,
}

/// A job as data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct JobDefinition {
    /// The job's name, unique in the definition.
    pub name: JobName,
    /// The names of the jobs that it waits for.
    #[serde(default)]
    pub depends_on: Vec<String>,
    /// The groups whose jobs it waits for, as indices into [`Definition::groups`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on_groups: Vec<u32>,
    /// When the job starts, depending on how its dependencies ended.
    #[serde(default)]
    pub trigger: TriggerRule,
}

impl Definition {
    /// Creates a workflow without jobs.
    ///
    /// # Errors
    ///
    /// Fails when the name is invalid.
    pub fn new(name: &str) -> Result<Self, NameError> {
        Ok(Self {
            name: name.parse()?,
            metadata: Metadata::default(),
            jobs: Vec::new(),
            groups: Vec::new(),
            on_failure: OnFailure::default(),
            max_parallel: None,
            timeout: None,
        })
    }

    /// Adds a job that waits for those in `depends_on`.
    ///
    /// # Errors
    ///
    /// Fails when the name is invalid. Unknown names in `depends_on` are found by
    /// [`Graph::compile`](crate::graph::Graph::compile).
    pub fn job<'a>(
        mut self,
        name: &str,
        depends_on: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, NameError> {
        let depends_on = depends_on.into_iter().map(str::to_owned).collect();
        self.jobs.push(JobDefinition {
            name: name.parse()?,
            depends_on,
            depends_on_groups: Vec::new(),
            trigger: TriggerRule::default(),
        });
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_written_only_where_there_are_some() {
        let mut definition =
            Definition::new("etl").and_then(|etl| etl.job("load", [])).expect("names");
        let text = serde_json::to_string(&definition).expect("a definition is JSON");
        assert!(!text.contains("groups"), "{text}");
        assert_eq!(serde_json::from_str::<Definition>(&text).expect("the same"), definition);
        definition.groups.push(vec![0]);
        definition.jobs[0].depends_on_groups.push(0);
        let text = serde_json::to_string(&definition).expect("a definition is JSON");
        assert_eq!(serde_json::from_str::<Definition>(&text).expect("the same"), definition);
    }
}
