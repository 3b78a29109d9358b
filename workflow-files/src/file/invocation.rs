//! What belongs to one run of a file: its input, its folder, its shell.

use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock, PoisonError};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value as Json;

use crate::command::Shell;
use workflow_core::job::{JobContext, JobError};
use workflow_core::value::Type;

/// One run of a file. It is the run's input, and so lives as long as the run does.
#[derive(Default)]
pub(super) struct Invocation {
    pub(super) input: Json,
    shell: OnceLock<Shell>,
    /// How often each rule of a failure handler has let a job try again.
    retries: Mutex<BTreeMap<(u32, usize), u32>>,
}

impl Invocation {
    pub(super) fn kind() -> Type {
        Type::opaque::<Self>().with_serialize::<Self>().with_deserialize::<Self>()
    }

    /// The shell of the run, made at the first use.
    pub(super) fn shell(&self, context: &JobContext) -> Result<&Shell, JobError> {
        if let Some(shell) = self.shell.get() {
            return Ok(shell);
        }
        let (run, (folder, log)) = context
            .run_id()
            .zip(context.run_log())
            .ok_or_else(|| JobError::terminal("the commands of a file run in a run only"))?;
        let log = log.map_err(JobError::terminal)?;
        let (name, run, folder) =
            (context.workflow_name(), run.to_string(), folder.display().to_string());
        Ok(self.shell.get_or_init(|| {
            Shell::new()
                .env("WORKFLOW_NAME", &*name)
                .env("WORKFLOW_RUN_ID", &*run)
                .env("WORKFLOW_RUN_DIR", &*folder)
                .env("TORC_WORKFLOW_ID", &*name)
                .env("TORC_RUN_ID", &*run)
                .env("TORC_OUTPUT_DIR", &*folder)
                .log(log)
        }))
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
