//! What belongs to one run of a file: its input, its folder, its shell.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value as Json;

use super::Shared;
use crate::command::{RunLog, Shell};
use crate::job::{JobContext, JobError};
use crate::value::Type;

/// One run of a file. It is the run's input, and so lives as long as the run does.
#[derive(Default)]
pub(super) struct Invocation {
    pub(super) input: Json,
    shell: OnceLock<Result<Shell, String>>,
    /// How often each rule of a failure handler has let a job try again.
    retries: Mutex<BTreeMap<(u32, usize), u32>>,
}

impl Invocation {
    pub(super) fn kind() -> Type {
        Type::opaque::<Self>().with_serialize::<Self>().with_deserialize::<Self>()
    }

    /// The shell of the run, made with the run's folder at the first use.
    pub(super) fn shell(&self, shared: &Shared, context: &JobContext) -> Result<&Shell, JobError> {
        let made = self.shell.get_or_init(|| {
            let run = context.run_id().map_or_else(|| "detached".to_owned(), |id| id.to_string());
            // Commands run elsewhere: to them a relative path would be another.
            let folder = std::path::absolute(shared.runs_dir.join(&run))
                .map_err(|error| format!("the folder of the run has no path: {error}"))?;
            std::fs::create_dir_all(&folder).map_err(|error| {
                format!("the folder `{}` of the run cannot be made: {error}", folder.display())
            })?;
            let log = RunLog::open(log_in(&folder)).map_err(|error| error.to_string())?;
            Ok(Shell::new()
                .env("WORKFLOW_NAME", context.workflow_name())
                .env("WORKFLOW_RUN_ID", &run)
                .env("WORKFLOW_RUN_DIR", folder.display().to_string())
                .env("TORC_WORKFLOW_ID", context.workflow_name())
                .env("TORC_RUN_ID", &run)
                .env("TORC_OUTPUT_DIR", folder.display().to_string())
                .log(log))
        });
        made.as_ref().map_err(|reason| JobError::terminal(reason.clone()))
    }

    /// Counts one more retry by a rule; false when it has let the job try again often enough.
    pub(super) fn may_retry(&self, job: u32, rule: usize, limit: u32) -> bool {
        let mut retries = self.retries.lock().unwrap_or_else(PoisonError::into_inner);
        let count = retries.entry((job, rule)).or_insert(0);
        let may = *count < limit;
        *count += u32::from(may);
        may
    }
}

/// The log in the folder of a run.
pub(super) fn log_in(folder: &Path) -> PathBuf {
    folder.join("output.log")
}

impl<'de> Deserialize<'de> for Invocation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self { input: Json::deserialize(deserializer)?, ..Self::default() })
    }
}

impl Serialize for Invocation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.input.serialize(serializer)
    }
}
