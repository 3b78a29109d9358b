//! Checks that the files exist that jobs read and write.
//!
//! A file that a job writes is checked when that job has ended. A file that no job writes is
//! checked before the run starts, and again when a job that reads it starts.

use std::collections::HashSet;
use std::path::Path;

use super::Shared;
use super::body::Running;
use crate::spec::{ActionKind, ActionTrigger};
use workflow_core::job::JobError;

/// The most missing files in an error.
const MAX_NAMED: usize = 5;

impl Running<'_> {
    /// Checks the files that the job reads and no job writes.
    pub(super) fn check_inputs(&self) -> Result<(), JobError> {
        let files = self.shared.uses().unwritten.of(self.job);
        match self.missing(files)? {
            None => Ok(()),
            Some((name, path)) => Err(JobError::terminal(format!(
                "no job writes the file `{name}`, and `{path}` does not exist; create it, or let a \
                 job write it"
            ))),
        }
    }

    /// Checks the files that the job should have written.
    pub(super) fn check_outputs(&self) -> Result<(), JobError> {
        let files = self.shared.uses().written.of(self.job);
        match self.missing(files)? {
            None => Ok(()),
            Some((name, path)) => Err(JobError::terminal(format!(
                "the job did not write its output file `{name}`: `{path}` does not exist; write it, \
                 or remove it from the job's output files"
            ))),
        }
    }

    /// The name and the path of the first missing file.
    fn missing(&self, files: &[u32]) -> Result<Option<(&str, &str)>, JobError> {
        if files.is_empty() {
            return Ok(None);
        }
        let folder = self.folder(&self.known())?;
        let files = files.iter().map(|file| self.shared.file(*file));
        Ok(files.into_iter().find(|(_, path)| is_missing(&folder, path)))
    }
}

impl Shared {
    /// Describes the missing files that jobs read and no job writes; `None` if the run can start.
    pub(super) fn missing_inputs(&self) -> Option<String> {
        // A command that runs before all jobs may create them.
        let makes = |action: &crate::spec::ActionSpec| {
            let first = [ActionTrigger::WorkflowStart, ActionTrigger::WorkerStart];
            action.action_type.value == ActionKind::RunCommands
                && first.contains(&action.trigger_type)
        };
        if self.spec.actions.iter().any(makes) {
            return None;
        }
        let (mut known, mut missing) = (HashSet::new(), Vec::new());
        for job in 0..self.expanded.jobs.len() as u32 {
            let files = self.uses().unwritten.of(job);
            if files.is_empty() {
                continue;
            }
            let cwd = self.rest(job).and_then(|rest| rest.cwd.as_ref());
            let cwd = cwd.map(|cwd| self.substituted(job, &cwd.value));
            if cwd.as_ref().is_some_and(|cwd| cwd.contains("${")) {
                // The working directory is known when the job starts.
                continue;
            }
            let folder = cwd.map_or_else(|| self.folder.clone(), |cwd| self.folder.join(cwd));
            for file in files {
                let (name, path) = self.file(*file);
                if known.insert((folder.clone(), *file)) && is_missing(&folder, path) {
                    let path = folder.join(path);
                    missing.push((name, path.strip_prefix(".").unwrap_or(&path).to_owned()));
                }
            }
        }
        if missing.is_empty() {
            return None;
        }
        let named = missing.iter().take(MAX_NAMED);
        let mut text: Vec<_> = named
            .map(|(name, path)| {
                format!("no job writes the file `{name}`, and `{}` does not exist", path.display())
            })
            .collect();
        if missing.len() > MAX_NAMED {
            text.push(format!("{} more files are missing", missing.len() - MAX_NAMED));
        }
        Some(format!("{}; create what is missing, or let a job write it", text.join("; ")))
    }

    /// The paths of files that jobs read and no job writes, relative to the working directory.
    pub(super) fn unwritten_paths(&self) -> impl Iterator<Item = &str> {
        let jobs = 0..self.uses.get().map_or(0, |_| self.expanded.jobs.len() as u32);
        let files = jobs.flat_map(|job| self.uses().unwritten.of(job));
        files.map(|file| self.file(*file).1).filter(|path| !path.starts_with('/'))
    }

    /// The name and the path of a file.
    fn file(&self, number: u32) -> (&str, &str) {
        let (name, path) = &self.expanded.files.list[number as usize];
        (name, path)
    }
}

/// Whether a file is missing. Paths that only a shell can expand count as existing.
fn is_missing(folder: &Path, path: &str) -> bool {
    let of_shell = path.starts_with('~') || path.contains(['$', '`', '*', '?', '[']);
    !of_shell && folder.join(path).try_exists().is_ok_and(|is_there| !is_there)
}
