//! Actions: commands that run when something happens in the workflow.

use super::Text;
use crate::document::{Ignored, Spanned, choice, record};

record! {
    /// Commands that run when something happens.
    pub(crate) struct ActionSpec, "an action" {
        /// When the action runs.
        trigger_type: ActionTrigger,
        /// What the action does.
        action_type: Spanned<ActionKind>,
        /// The commands, one after another.
        commands: Vec<Text>,
        /// The jobs that `on_jobs_ready` and `on_jobs_complete` wait for.
        jobs: Vec<Text>,
        /// Patterns for names of jobs that they wait for.
        job_name_regexes: Vec<Text>,
        /// Slurm: accepted, not used.
        scheduler: Option<Ignored<true>>,
        /// Slurm: accepted, not used.
        scheduler_type: Option<Ignored<true>>,
        /// Slurm: accepted, not used.
        num_allocations: Option<Ignored<true>>,
        /// Slurm: accepted, not used.
        start_one_worker_per_node: Option<Ignored<true>>,
        /// Slurm: accepted, not used.
        max_parallel_jobs: Option<Ignored<true>>,
        /// Slurm: accepted, not used.
        persistent: Option<Ignored<true>>,
    }
}

choice! {
    /// When an action runs.
    pub(crate) enum ActionTrigger, "a trigger of actions" {
        /// Before the first job.
        WorkflowStart = "on_workflow_start",
        /// After the last job, however the run went.
        WorkflowComplete = "on_workflow_complete",
        /// When the jobs could start; before they do.
        JobsReady = "on_jobs_ready",
        /// When the jobs have ended.
        JobsComplete = "on_jobs_complete",
        /// Before the first job that this process runs.
        WorkerStart = "on_worker_start",
        /// After the last job that this process runs.
        WorkerComplete = "on_worker_complete",
    }
}

choice! {
    /// What an action does.
    pub(crate) enum ActionKind, "a type of action" {
        /// Runs commands.
        RunCommands = "run_commands",
        /// Requests machines from Slurm, which this engine does not do.
        ScheduleNodes = "schedule_nodes",
    }
}
