//! Workflow files as they are written: each type of the format is declared once, and from that
//! read, checked and described.
//!
//! Field names are those of torc where it has them, so that its files run unchanged. Knows what a
//! file says; refuses to know what runs.

mod check;
mod expand;
mod expression;
mod order;
mod parameters;
mod quantity;
mod template;
mod timezone;

use serde_json::{Map, Value as Json, json};

use crate::document::{
    Findings, Idle, Node, Read, Scalar, Spanned, Table, Value, choice, record, wrong_type,
};
use crate::job::{OnFailure, TriggerRule};

pub(crate) use check::{check, metadata};
pub(crate) use expand::{Expanded, expand};
pub(crate) use expression::{Expression, is_true};
pub(crate) use order::{Order, no_pattern, order, texts_of};
use parameters::{Axes, MAX_COPIES, fill, near_misses};
pub(crate) use quantity::{Memory, Time};
pub(crate) use template::{NamedKind, Part, Template};

/// A name or another text, and its place.
pub(crate) type Text = Spanned<Box<str>>;

record! {
    /// A workflow: its name, what is said about it, and its jobs.
    pub(crate) struct WorkflowSpec, "a workflow" {
        /// The workflow's name, 1 to 200 printable characters.
        name: Text,
        /// What the workflow is for.
        description: Option<Text>,
        /// The group that the workflow belongs to, lowercase with dashes.
        project: Option<Text>,
        /// The business area of the workflow.
        domain: Option<Text>,
        /// Free information about the workflow: a JSON object, or a string that holds one.
        metadata: Option<Spanned<Json>>,
        /// Who the workflow belongs to.
        user: Option<Text>,
        /// When the workflow is due: a cron expression, or `cron` and `timezone`.
        schedule: Option<Spanned<Schedule>>,
        /// The jobs.
        jobs: Jobs,
        /// Environment variables of every job.
        env: Table<Spanned<Scalar>>,
        /// Constants that stand for `{name}` in every text of the file.
        variables: Table<Spanned<Scalar>>,
        /// Parameters that jobs and files take over by `use_parameters`.
        parameters: Table<Spanned<Json>>,
        /// Files that jobs read and write.
        files: Vec<FileSpec>,
        /// Named data that jobs read and write.
        user_data: Vec<UserDataSpec>,
        /// Named amounts of what jobs need.
        resource_requirements: Vec<ResourceSpec>,
        /// Named rules for what to do when a job fails.
        failure_handlers: Vec<HandlerSpec>,
        /// Commands that run when something happens.
        actions: Vec<ActionSpec>,
        /// What a run does when a job fails for good. Default: `continue`.
        on_failure: Option<OnFailure>,
        /// How many jobs may run at once. Default: no limit but the machine's.
        max_parallel: Option<Spanned<u32>>,
        /// The longest that a run may take.
        timeout: Option<Spanned<Time>>,
        /// Named limits that jobs share, such as `db: 4`.
        limits: Table<Spanned<u32>>,
        /// Slurm: kept, not used.
        slurm_schedulers: Option<Idle<true>>,
        /// Slurm: kept, not used.
        slurm_defaults: Option<Idle<true>>,
        /// Kept, not used: peak memory and CPU time of each command are always in the report.
        resource_monitor: Option<Idle<false>>,
        /// Kept, not used: how another engine executes jobs.
        execution_config: Option<Idle<false>>,
        /// Kept, not used: another engine's status for failed jobs.
        use_pending_failed: Option<Idle<false>>,
        /// Kept, not used: an order among ready jobs of another engine.
        jobs_sort_method: Option<Idle<false>>,
        /// Kept, not used: whether another engine enforces resources.
        limit_resources: Option<Idle<false>>,
        /// Kept, not used: provenance records of another engine.
        enable_ro_crate: Option<Idle<false>>,
        /// Kept, not used: who may see the workflow in another engine.
        access_groups: Option<Idle<false>>,
        /// Slurm: kept, not used.
        compute_node_expiration_buffer_seconds: Option<Idle<true>>,
        /// Slurm: kept, not used.
        compute_node_wait_for_new_jobs_seconds: Option<Idle<true>>,
        /// Slurm: kept, not used.
        compute_node_ignore_workflow_completion: Option<Idle<true>>,
        /// Slurm: kept, not used.
        compute_node_wait_for_healthy_database_minutes: Option<Idle<true>>,
        /// Slurm: kept, not used.
        compute_node_min_time_for_new_jobs_seconds: Option<Idle<true>>,
        /// The address of this schema, by which editors find it.
        schema_address = "$schema": Option<SchemaAddress>,
    }
}

record! {
    /// A job: a shell command, a registered job, or another workflow.
    pub(crate) struct JobSpec, "a job" {
        /// The job's name, unique in the workflow; may hold parameters: `train_{i:03d}`.
        name: Text,
        /// The shell command that the job runs.
        command: Option<Text>,
        /// The registered job that the job runs.
        job: Option<Text>,
        /// The registered workflow that the job runs.
        workflow: Option<Text>,
        /// The input of `job` or `workflow`.
        with: Option<Spanned<Json>>,
        /// What the job is for.
        description: Option<Text>,
        /// The jobs that this one waits for.
        depends_on: Vec<Text>,
        /// Patterns for names of jobs that this one waits for.
        depends_on_regexes: Vec<Text>,
        /// What must have become of them. Default: `all_success`.
        trigger: Option<TriggerRule>,
        /// Runs the job only when this holds: `${{ jobs.count.outputs.rows > 0 }}`.
        when: Option<Text>,
        /// Environment variables of the command.
        env: Table<Spanned<Scalar>>,
        /// The directory in which the command runs. Default: the workflow file's.
        cwd: Option<Text>,
        /// What the command reads from its standard input. Default: nothing.
        stdin: Option<Text>,
        /// The longest that one attempt may take.
        timeout: Option<Spanned<Time>>,
        /// When and how often the job is tried again. Default: never.
        retry: Option<RetrySpec>,
        /// Among jobs that are ready, the highest starts first. Default: 0.
        priority: Option<i32>,
        /// The named limits of the workflow that the job counts against.
        limits: Vec<Text>,
        /// The outputs that later jobs may read; checked when the job has ended.
        outputs: Vec<Text>,
        /// A command that runs before `command`, in the same shell.
        invocation_script: Option<Text>,
        /// The `failure_handlers` entry that decides when the job fails.
        failure_handler: Option<Text>,
        /// The `resource_requirements` entry that the job needs.
        resource_requirements: Option<Text>,
        /// Whether the job is skipped when one that it waits for fails. Default: true.
        cancel_on_blocking_job_failure: Option<bool>,
        /// Whether the job is asked to end before it is killed. Default: true.
        supports_termination: Option<bool>,
        /// The files that the job reads: it waits for the jobs that write them.
        input_files: Vec<Text>,
        /// Patterns for names of files that the job reads.
        input_file_regexes: Vec<Text>,
        /// The files that the job writes.
        output_files: Vec<Text>,
        /// Patterns for names of files that the job writes.
        output_file_regexes: Vec<Text>,
        /// The named data that the job reads: it waits for the jobs that write it.
        input_user_data: Vec<Text>,
        /// Patterns for names of data that the job reads.
        input_user_data_regexes: Vec<Text>,
        /// The named data that the job writes.
        output_user_data: Vec<Text>,
        /// Patterns for names of data that the job writes.
        output_user_data_regexes: Vec<Text>,
        /// Makes a job for each value, or combination of values.
        parameters: Table<Spanned<Json>>,
        /// How several parameters combine. Default: `product`.
        parameter_mode: Option<ParameterMode>,
        /// Parameters of the workflow that the job takes over.
        use_parameters: Vec<Text>,
        /// Slurm: kept, not used.
        scheduler: Option<Idle<true>>,
        /// Kept, not used: where another engine runs the job.
        labels: Option<Idle<false>>,
        /// Kept, not used: output is always in the run's log.
        stdio: Option<Idle<false>>,
    }
}

record! {
    /// A file that jobs read or write.
    pub(crate) struct FileSpec, "a file" {
        /// The name by which jobs speak of the file.
        name: Text,
        /// Where the file is; relative to the directory of the job.
        path: Text,
        /// Makes a file for each value, or combination of values.
        parameters: Table<Spanned<Json>>,
        /// How several parameters combine. Default: `product`.
        parameter_mode: Option<ParameterMode>,
        /// Parameters of the workflow that the file takes over.
        use_parameters: Vec<Text>,
        /// Kept, not used: the file's name in provenance records.
        identifier: Option<Idle<false>>,
    }
}

record! {
    /// Named data that jobs read or write.
    pub(crate) struct UserDataSpec, "user data" {
        /// The name by which jobs speak of the data.
        name: Text,
        /// The data.
        data: Option<Spanned<Json>>,
        /// Whether the data is of no use after the run.
        is_ephemeral: bool,
        /// Makes an entry for each value, or combination of values.
        parameters: Table<Spanned<Json>>,
        /// How several parameters combine. Default: `product`.
        parameter_mode: Option<ParameterMode>,
        /// Parameters of the workflow that the data takes over.
        use_parameters: Vec<Text>,
    }
}

record! {
    /// What a job needs of the machine.
    pub(crate) struct ResourceSpec, "resource requirements" {
        /// The name by which jobs ask for this.
        name: Text,
        /// How many processors. Default: 1.
        num_cpus: Option<Spanned<u32>>,
        /// How many graphics processors. Default: 0.
        num_gpus: Option<u32>,
        /// How many machines; more than one needs a cluster. Default: 1.
        num_nodes: Option<u32>,
        /// How much memory: `512m`, `2g`. Units are powers of 1,024.
        memory: Option<Spanned<Memory>>,
        /// The longest that the job may take, as an ISO 8601 duration: `PT30M`.
        runtime: Option<Spanned<Time>>,
        /// Slurm: kept, not used.
        step_nodes: Option<Idle<true>>,
    }
}

record! {
    /// What to do when a job fails, by its exit code.
    pub(crate) struct HandlerSpec, "a failure handler" {
        /// The name by which jobs ask for this.
        name: Text,
        /// The rules; the first that matches holds.
        rules: Vec<RuleSpec>,
    }
}

record! {
    /// What to do when a job fails with one of these exit codes.
    pub(crate) struct RuleSpec, "a rule of a failure handler" {
        /// The exit codes.
        exit_codes: Vec<i32>,
        /// Whether the rule is for every exit code but 0.
        match_all_exit_codes: bool,
        /// A command that runs before the job is tried again.
        recovery_script: Option<Text>,
        /// How often the job is tried again. Default: 3.
        max_retries: Option<u32>,
    }
}

record! {
    /// Commands that run when something happens.
    pub(crate) struct ActionSpec, "an action" {
        /// When the action runs.
        trigger_type: ActionTrigger,
        /// What the action does.
        action_type: Spanned<ActionKind>,
        /// The commands, one after another.
        commands: Vec<Text>,
        /// The jobs that `on_jobs_ready` and `on_jobs_complete` look at.
        jobs: Vec<Text>,
        /// Patterns for names of jobs that they look at.
        job_name_regexes: Vec<Text>,
        /// Slurm: kept, not used.
        scheduler: Option<Idle<true>>,
        /// Slurm: kept, not used.
        scheduler_type: Option<Idle<true>>,
        /// Slurm: kept, not used.
        num_allocations: Option<Idle<true>>,
        /// Slurm: kept, not used.
        start_one_worker_per_node: Option<Idle<true>>,
        /// Slurm: kept, not used.
        max_parallel_jobs: Option<Idle<true>>,
        /// Slurm: kept, not used.
        persistent: Option<Idle<true>>,
    }
}

record! {
    /// When and how often a failed job is tried again.
    pub(crate) struct RetrySpec, "a retry policy" {
        /// How many attempts there may be; 0 means without limit. Default: 1.
        maximum_attempts: Option<u32>,
        /// The wait after the first failed attempt. Default: 1 s.
        initial_interval: Option<Time>,
        /// What each wait is multiplied by to give the next. Default: 2.0; at least 1.
        backoff_coefficient: Option<Spanned<f64>>,
        /// The longest wait. Default: 100 times the initial interval.
        maximum_interval: Option<Time>,
        /// The share of a wait, 0.0 to 1.0, that chance may take off. Default: 0.2.
        jitter: Option<Spanned<f64>>,
        /// Error types that end the job at once.
        non_retryable_errors: Vec<Box<str>>,
    }
}

choice! {
    /// How several parameters combine.
    pub(crate) enum ParameterMode, "a parameter mode" {
        /// Each value of one with each of the others.
        Product = "product",
        /// The first of all, the second of all, and so on.
        Zip = "zip",
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
        /// Asks Slurm for machines, which this engine does not.
        ScheduleNodes = "schedule_nodes",
    }
}

/// Where editors find the schema of the file; of no use to anybody else.
#[derive(Debug, Clone)]
pub(crate) struct SchemaAddress;

impl Read for SchemaAddress {
    const WANTED: &'static str = <Box<str>>::WANTED;
    const IDLE: bool = true;

    fn read(node: &Node, findings: &mut Findings) -> Option<Self> {
        <Box<str>>::read(node, findings).map(|_| Self)
    }

    fn schema(definitions: &mut Map<String, Json>) -> Json {
        <Box<str>>::schema(definitions)
    }
}

/// A cron expression and its time zone.
#[derive(Debug, Clone)]
pub(crate) struct Schedule {
    pub(crate) cron: Text,
    pub(crate) timezone: Option<Text>,
}

impl Read for Schedule {
    const WANTED: &'static str = "a cron expression, or a map of `cron` and `timezone`";

    fn read(node: &Node, findings: &mut Findings) -> Option<Self> {
        match node.value {
            Value::Text(_) => Some(Self { cron: Read::read(node, findings)?, timezone: None }),
            Value::Map(_) => {
                let ScheduleSpec { cron, timezone } = Read::read(node, findings)?;
                Some(Self { cron, timezone })
            }
            _ => {
                wrong_type(node, Self::WANTED, findings);
                None
            }
        }
    }

    fn schema(definitions: &mut Map<String, Json>) -> Json {
        json!({ "anyOf": [{ "type": "string" }, ScheduleSpec::schema(definitions)] })
    }
}

record! {
    /// When a workflow is due.
    struct ScheduleSpec, "a schedule" {
        /// A cron expression of five fields: minute, hour, day of month, month, day of week.
        cron: Text,
        /// The time zone, by its name in the IANA database: `Europe/Berlin`. Default: UTC.
        timezone: Option<Text>,
    }
}

/// The jobs of a file, the plain ones kept small: a file may have a hundred thousand.
#[derive(Debug, Clone, Default)]
pub(crate) struct Jobs(pub(crate) Vec<JobEntry>);

/// A job of a file.
#[derive(Debug, Clone)]
pub(crate) struct JobEntry {
    pub(crate) name: Text,
    pub(crate) command: Option<Text>,
    pub(crate) depends_on: Box<[Text]>,
    /// Where the job is in the file.
    pub(crate) span: crate::document::Span,
    /// Everything else, where there is more than the above.
    pub(crate) rest: Option<Box<JobSpec>>,
}

/// What a plain job has.
const PLAIN: [&str; 3] = ["name", "command", "depends_on"];

impl Read for Jobs {
    const WANTED: &'static str = "a list of jobs";

    fn read(node: &Node, findings: &mut Findings) -> Option<Self> {
        let Value::List(items) = &node.value else {
            findings
                .error(node.span, format!("expected a list of jobs, found {}", node.kind()))
                .help("begin each job with `- name:`");
            return None;
        };
        if items.is_empty() {
            findings
                .error(node.span, "the workflow has no jobs")
                .help("add one: `- name: hello`, and below it `command: echo hello`");
        }
        let jobs = items.iter().filter_map(|item| JobEntry::read(item, findings));
        let mut list = Vec::with_capacity(items.len());
        list.extend(jobs);
        Some(Self(list))
    }

    fn schema(definitions: &mut Map<String, Json>) -> Json {
        json!({ "type": "array", "minItems": 1, "items": JobSpec::schema(definitions) })
    }
}

impl JobEntry {
    fn read(node: &Node, findings: &mut Findings) -> Option<Self> {
        let mut spec = JobSpec::read(node, findings)?;
        let name = spec.name.clone();
        let (command, depends_on) = (spec.command.take(), std::mem::take(&mut spec.depends_on));
        let is_plain = match &node.value {
            Value::Map(entries) => entries.iter().all(|(key, _)| PLAIN.contains(&&*key.text)),
            _ => false,
        };
        let rest = (!is_plain).then(|| Box::new(spec));
        Some(Self { name, command, depends_on: depends_on.into(), span: node.span, rest })
    }
}

macro_rules! read_words {
    ($kind:ty, $what:literal, [$($variant:ident = $word:literal),+]) => {
        impl Read for $kind {
            const WANTED: &'static str = $what;

            fn read(node: &Node, findings: &mut Findings) -> Option<Self> {
                let words = [$(($word, Self::$variant)),+];
                crate::document::word(node, $what, &words, findings)
            }

            fn schema(_: &mut Map<String, Json>) -> Json {
                json!({ "enum": [$($word),+] })
            }
        }
    };
}

read_words!(
    TriggerRule,
    "a trigger rule",
    [
        AllSuccess = "all_success",
        AllDone = "all_done",
        OneSuccess = "one_success",
        OneFailed = "one_failed",
        NoneFailed = "none_failed",
        Always = "always"
    ]
);
read_words!(OnFailure, "an `on_failure` rule", [Continue = "continue", Stop = "stop"]);

/// The JSON Schema of workflow files (draft 2020-12).
pub(crate) fn schema() -> Json {
    let mut definitions = Map::new();
    let root = WorkflowSpec::schema(&mut definitions);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Workflow",
        "$ref": root["$ref"],
        "$defs": definitions,
    })
}
