//! Reads `run_results.json`, which dbt writes when it ends, and writes the one that selects nodes.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::json;
use workflow_core::json::{self, JsonError};

use crate::node::NodeStatus;

/// What a run of dbt built: the output of the job `run_results`, and of the workflow.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BuildSummary {
    /// The number of dbt processes of this run; 1 unless it was resumed or jobs were retried.
    pub processes: usize,
    /// The invocation ID of the last process.
    pub invocation: Option<String>,
    /// How long the last process ran, in seconds, from `run_results.json`. `None` if dbt did not
    /// write that, or if another dbt has overwritten it.
    pub seconds: Option<f64>,
    /// How many nodes ended with each status, including those of earlier processes.
    pub statuses: BTreeMap<NodeStatus, u64>,
}

/// The results of one process.
#[derive(Debug)]
pub(crate) struct RunResults {
    pub(crate) invocation: String,
    pub(crate) seconds: f64,
    pub(crate) results: Vec<RunResult>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct RunResult {
    pub(crate) unique_id: String,
    pub(crate) status: NodeStatus,
    #[serde(default)]
    pub(crate) message: Option<String>,
}

#[derive(Deserialize)]
struct Raw {
    metadata: Metadata,
    results: Vec<RunResult>,
    elapsed_time: f64,
}

#[derive(Deserialize)]
struct Metadata {
    invocation_id: String,
}

/// The name of the file, in the target folder and in a folder with the state of an earlier run.
pub(crate) const FILE: &str = "run_results.json";

impl RunResults {
    /// Reads the file; `None` if there is none.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>, ResultsError> {
        let text = match fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            text => text.map_err(|source| ResultsError::Read { path: path.to_owned(), source })?,
        };
        let raw: Raw = json::parse(&text)
            .map_err(|error| ResultsError::Json { path: path.to_owned(), error: error.into() })?;
        let (invocation, seconds) = (raw.metadata.invocation_id, raw.elapsed_time);
        Ok(Some(Self { invocation, seconds, results: raw.results }))
    }

    /// Checks that the log agrees with all statuses but `skipped`, and that no hook failed.
    pub(crate) fn check(
        &self,
        statuses: &HashMap<String, NodeStatus>,
        is_node: impl Fn(&str) -> bool,
    ) -> Result<(), ResultsError> {
        for result in &self.results {
            let (id, status) = (result.unique_id.clone(), result.status);
            if !is_node(&id) {
                if !status.is_success() {
                    let message = result.message.clone().unwrap_or_default();
                    return Err(ResultsError::Hook { id, status, message });
                }
                continue;
            }
            match statuses.get(&id) {
                Some(logged) if *logged == status => {}
                // With `fail_fast`, dbt writes this for all nodes without a result, and does not log
                // it. A node that ends while dbt stops is one of them; its end is in the log.
                _ if status == NodeStatus::Skipped => {}
                logged => {
                    let logged = logged.map_or("nothing", |status| status.as_str());
                    return Err(ResultsError::Disagree { id, status, logged });
                }
            }
        }
        Ok(())
    }
}

/// Writes the state from which `--select result:error` selects exactly these nodes.
///
/// dbt has no selector for unique IDs, and names are ambiguous: `shop.orders` is a model and also
/// each model in the folder `orders`.
pub(crate) fn write_selection<'a>(
    folder: &Path,
    nodes: impl IntoIterator<Item = &'a str>,
) -> io::Result<()> {
    let result = |id: &str| {
        json!({"unique_id": id, "status": "error", "timing": [], "thread_id": "", "message": null,
            "execution_time": 0.0, "adapter_response": {}, "failures": null, "compiled": null,
            "compiled_code": null, "relation_name": null, "batch_results": null})
    };
    let results: Vec<_> = nodes.into_iter().map(result).collect();
    let selection = json!({
        "metadata": {"dbt_schema_version": "https://schemas.getdbt.com/dbt/run-results/v6.json",
            "dbt_version": "1.8.0", "generated_at": "1970-01-01T00:00:00Z",
            "invocation_id": null, "env": {}},
        "results": results, "elapsed_time": 0.0, "args": {}});
    fs::write(folder.join(FILE), selection.to_string())
}

/// What is wrong with the results of a process of dbt.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ResultsError {
    /// The file cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// The file has another format.
    #[error("`{}` is not what dbt writes: {error}", path.display())]
    Json { path: PathBuf, error: Box<JsonError> },
    /// A hook of the project failed.
    #[error("the hook `{id}` ended with {status}: {message}; correct it in dbt_project.yml")]
    Hook { id: String, status: NodeStatus, message: String },
    /// The log and the results differ.
    #[error(
        "run_results.json has {status} for `{id}`, and the dbt log has {logged}; run the node \
         again, and report this with both files"
    )]
    Disagree { id: String, status: NodeStatus, logged: &'static str },
}
