//! The workflow: the fields at the top of a file.

use serde_json::{Map, Value as Json};

use super::{
    ActionSpec, ConcurrencySpec, DebounceSpec, DynamicJobs, FairnessSpec, FileSpec, HandlerSpec,
    Jobs, ParametersFile, RateLimitSpec, ResourceSpec, Schedule, Text, Time, UserDataSpec,
};
use crate::document::{
    Findings, Ignored, Node, Read, Scalar, Spanned, Table, Verbatim, WithPlaces, record,
};
use workflow_core::job::OnFailure;

record! {
    /// A workflow: its name, its metadata and its jobs.
    pub(crate) struct WorkflowSpec, "a workflow" {
        /// The workflow's name, 1 to 200 printable characters.
        name: Text,
        /// What the workflow is for.
        description: Option<Text>,
        /// The group that the workflow belongs to, lowercase with dashes.
        project: Option<Text>,
        /// The business area of the workflow.
        domain: Option<Text>,
        /// Free information about the workflow: a JSON object, or a string with one.
        metadata: Option<Spanned<WithPlaces>>,
        /// The owner of the workflow.
        user: Option<Text>,
        /// When the workflow runs: a cron expression, or `cron` and `timezone`.
        schedule: Option<Spanned<Schedule>>,
        /// The most runs with the same key that are in progress at once.
        concurrency: Option<Spanned<ConcurrencySpec>>,
        /// The most runs with the same key that begin in a period.
        rate_limit: Option<Spanned<RateLimitSpec>>,
        /// Lets requests in quick succession share one run.
        debounce: Option<Spanned<DebounceSpec>>,
        /// Whether at most one run is in progress: a request returns the run that is there.
        singleton: Option<Spanned<bool>>,
        /// Lets runs with different keys take turns in their task queue.
        fairness: Option<Spanned<FairnessSpec>>,
        /// The jobs.
        jobs: Jobs,
        /// Environment variables of every job. They may read the input of the run, but not jobs.
        env: Table<Spanned<Scalar>>,
        /// Constants that replace `{name}` in every text of the file.
        variables: Table<Spanned<Scalar>>,
        /// Parameters that jobs and files share by `use_parameters`.
        parameters: Table<Spanned<Verbatim>>,
        /// Files that jobs read and write.
        files: Vec<FileSpec>,
        /// Named data that jobs read and write.
        user_data: Vec<UserDataSpec>,
        /// Named resource requirements of jobs.
        resource_requirements: Vec<ResourceSpec>,
        /// Named rules for what to do when a job fails.
        failure_handlers: Vec<HandlerSpec>,
        /// Commands that run when something happens.
        actions: Vec<ActionSpec>,
        /// What a run does when a job has failed. Default: `continue`.
        on_failure: Option<OnFailure>,
        /// The most jobs that run at once. Default: one for each processor.
        max_parallel: Option<Spanned<u32>>,
        /// The timeout of a run.
        timeout: Option<Spanned<Time>>,
        /// Named limits that jobs share, such as `db: 4`.
        limits: Table<Spanned<u32>>,
        /// Not supported: jobs that are added while the workflow runs.
        dynamic_jobs: Option<DynamicJobs>,
        /// Not supported: a file whose rows are copies.
        parameters_file: Option<ParametersFile>,
        /// Slurm: accepted, not used.
        slurm_schedulers: Option<Ignored<true>>,
        /// Slurm: accepted, not used.
        slurm_defaults: Option<Ignored<true>>,
        /// Accepted, not used: the report always has the CPU time of each command, and the peak memory
        /// of commands that run long enough to be measured.
        resource_monitor: Option<Ignored<false>>,
        /// Accepted, not used: how another engine executes jobs.
        execution_config: Option<Ignored<false>>,
        /// Accepted, not used: another engine's status for failed jobs.
        use_pending_failed: Option<Ignored<false>>,
        /// Accepted, not used: an order among ready jobs of another engine.
        jobs_sort_method: Option<Ignored<false>>,
        /// Accepted, not used: whether another engine enforces resources.
        limit_resources: Option<Ignored<false>>,
        /// Accepted, not used: provenance records of another engine.
        enable_ro_crate: Option<Ignored<false>>,
        /// Accepted, not used: who may see the workflow in another engine.
        access_groups: Option<Ignored<false>>,
        /// Slurm: accepted, not used.
        compute_node_expiration_buffer_seconds: Option<Ignored<true>>,
        /// Slurm: accepted, not used.
        compute_node_wait_for_new_jobs_seconds: Option<Ignored<true>>,
        /// Slurm: accepted, not used.
        compute_node_ignore_workflow_completion: Option<Ignored<true>>,
        /// Slurm: accepted, not used.
        compute_node_wait_for_healthy_database_minutes: Option<Ignored<true>>,
        /// Slurm: accepted, not used.
        compute_node_min_time_for_new_jobs_seconds: Option<Ignored<true>>,
        /// The address of this schema, for editors.
        schema_address = "$schema": Option<SchemaAddress>,
    }
}

/// The address of the schema, for editors only.
#[derive(Debug, Clone)]
pub(crate) struct SchemaAddress;

impl Read for SchemaAddress {
    const WANTED: &'static str = <Box<str>>::WANTED;
    const IGNORED: bool = true;

    fn read(node: &Node, findings: &mut Findings) -> Option<Self> {
        <Box<str>>::read(node, findings).map(|_| Self)
    }

    fn schema(definitions: &mut Map<String, Json>) -> Json {
        <Box<str>>::schema(definitions)
    }
}
