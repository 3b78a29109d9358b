//! Failure handlers of commands.

use super::Shared;
use super::body::Running;
use crate::command::{Command, CommandError, Shell};
use crate::spec::{HandlerSpec, ResourceSpec, RuleSpec, Text};
use workflow_core::job::{JobError, JobErrorKind};

/// Applies the first rule for the exit code, which decides whether the job is retried and what runs
/// before; returns the error that the job fails with.
pub(super) async fn handle(
    running: &Running<'_>,
    shell: &Shell,
    command: &Command,
    error: JobError,
) -> JobError {
    let Some(handler) = running.shared.handler(running.job) else { return error };
    let Some(code) = exit_code(&error) else { return error };
    let rules = handler.rules.iter().enumerate();
    let Some((number, rule)) = rules.into_iter().find(|(_, rule)| is_for(rule, code)) else {
        // The job may still be retried by its own policy.
        let has_policy = running.rest().is_some_and(|rest| rest.retry.is_some());
        return if has_policy { error } else { terminal(error) };
    };
    if !running.invocation.may_retry(running.job, number, rule.max_retries.unwrap_or(3)) {
        return terminal(error);
    }
    let Some(script) = &rule.recovery_script else { return error };
    let recovered = recover(running, shell, command, script, code).await;
    match recovered {
        Ok(()) => error,
        Err(failed) => JobError::terminal(format!(
            "{}; then the recovery script failed: {}",
            error.chain(),
            failed.chain()
        )),
    }
}

fn exit_code(error: &JobError) -> Option<i32> {
    match error.downcast_ref()? {
        CommandError::Exit { exit, .. } => exit.code(),
        _ => None,
    }
}

fn is_for(rule: &RuleSpec, code: i32) -> bool {
    rule.match_all_exit_codes && code != 0 || rule.exit_codes.contains(&code)
}

fn terminal(error: JobError) -> JobError {
    JobError::of_kind(JobErrorKind::Terminal, error.into_error())
}

async fn recover(
    running: &Running<'_>,
    shell: &Shell,
    failed: &Command,
    script: &Text,
    code: i32,
) -> Result<(), JobError> {
    let mut command = running.command(script, None, shell)?;
    command.cwd.clone_from(&failed.cwd);
    command.env.push(("WORKFLOW_EXIT_CODE".to_owned(), code.to_string()));
    command.env.push(("TORC_RETURN_CODE".to_owned(), code.to_string()));
    shell.run(&command, &running.context).await.map(drop)
}

impl Shared {
    /// The failure handler of a job.
    pub(super) fn handler(&self, job: u32) -> Option<&HandlerSpec> {
        let name = self.rest(job)?.failure_handler.as_ref()?;
        let name = self.substituted(job, &name.value);
        self.expanded.handler(&self.spec, &name)
    }

    /// The resources that a job needs.
    pub(super) fn resources(&self, job: u32) -> Option<&ResourceSpec> {
        let name = self.rest(job)?.resource_requirements.as_ref()?;
        let name = self.substituted(job, &name.value);
        self.expanded.resources(&self.spec, &name)
    }
}
