//! The state of one run of a file: its input, its folder, its shell.

use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock, PoisonError};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value as Json;

use crate::command::Shell;
use workflow_core::error_text::io_reason;
use workflow_core::job::{JobContext, JobError};
use workflow_core::value::Type;

/// One run of a file. It is the input of the run, so it lives as long as the run.
#[derive(Default)]
pub(super) struct Invocation {
    pub(super) input: Json,
    shell: OnceLock<Shell>,
    /// The retries that each rule of a failure handler has allowed for a job.
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
        let (run, folder) = context
            .run_id()
            .zip(context.run_folder())
            .ok_or_else(|| JobError::terminal("commands of a file can only run inside of a run"))?;
        let log = context.run_log().map(|(_, log)| log).transpose().map_err(JobError::terminal)?;
        if log.is_none() {
            // The process of the run, which writes the log, may be on another machine.
            std::fs::create_dir_all(&folder).map_err(|error| {
                let (folder, reason) = (folder.display(), io_reason(&error));
                JobError::retryable(format!(
                    "cannot create the folder of the run, `{folder}`: {reason}"
                ))
            })?;
        }
        let (name, run, folder) =
            (context.workflow_name(), run.to_string(), folder.display().to_string());
        Ok(self.shell.get_or_init(|| {
            let shell = Shell::new()
                .env("WORKFLOW_NAME", &*name)
                .env("WORKFLOW_RUN_ID", &*run)
                .env("WORKFLOW_RUN_DIR", &*folder)
                .env("TORC_WORKFLOW_ID", &*name)
                .env("TORC_RUN_ID", &*run)
                .env("TORC_OUTPUT_DIR", &*folder);
            match log {
                Some(log) => shell.log(log),
                None => shell,
            }
        }))
    }

    /// Counts a retry by a rule; returns false if the rule allows no more.
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
