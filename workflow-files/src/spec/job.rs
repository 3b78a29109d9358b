//! Jobs.

use serde_json::{Map, Value as Json, json};

use super::{DynamicJobs, ParameterMode, ParametersFile, RetrySpec, Text, Time};
use crate::document::{
    Findings, Ignored, Node, Read, Scalar, Spanned, Table, Value, Verbatim, record,
};
use workflow_core::job::{OnFailure, TriggerRule};

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
        /// The trigger rule: which outcomes of these jobs start this one. Default: `all_success`.
        trigger: Option<TriggerRule>,
        /// Runs the job only when this holds: `${{ jobs.count.outputs.rows > 0 }}`.
        when: Option<Text>,
        /// Environment variables of the command.
        env: Table<Spanned<Scalar>>,
        /// The folder in which the command runs. Default: the workflow file's.
        cwd: Option<Text>,
        /// What the command reads from its standard input. Default: nothing.
        stdin: Option<Text>,
        /// The timeout of one attempt.
        timeout: Option<Spanned<Time>>,
        /// How long the job may take to stop when it is cancelled. Default: 10 s for a command, and
        /// what a registered job asks for.
        grace: Option<Spanned<Time>>,
        /// When and how often the job is retried. Default: never.
        retry: Option<RetrySpec>,
        /// Among jobs that are ready, the highest starts first. Default: 0.
        priority: Option<i32>,
        /// The named limits of the workflow that the job counts against.
        limits: Vec<Text>,
        /// The task queue whose workers run the job, such as those of machines with a GPU. Default:
        /// the process of the run.
        task_queue: Option<Text>,
        /// The outputs that later jobs may read. The job fails when it does not write one of them.
        outputs: Vec<Text>,
        /// A command that runs before `command`, in the same shell.
        invocation_script: Option<Text>,
        /// The `failure_handlers` entry that decides when the job fails.
        failure_handler: Option<Text>,
        /// The `resource_requirements` entry that the job needs.
        resource_requirements: Option<Text>,
        /// Whether the job is skipped when one that it waits for fails. Default: true.
        cancel_on_blocking_job_failure: Option<bool>,
        /// Whether the job gets a signal to stop before it is killed. Default: true.
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
        parameters: Table<Spanned<Verbatim>>,
        /// How several parameters combine. Default: `product`.
        parameter_mode: Option<ParameterMode>,
        /// Shared parameters of the workflow that the job uses.
        use_parameters: Vec<Text>,
        /// Slurm: accepted, not used.
        scheduler: Option<Ignored<true>>,
        /// Accepted, not used: where another engine runs the job.
        label: Option<Ignored<false>>,
        /// Not supported: a file whose rows are copies.
        parameters_file: Option<ParametersFile>,
        /// Not supported: jobs that are added while the workflow runs.
        dynamic_jobs: Option<DynamicJobs>,
        /// Accepted, not used: output is always in the run's log.
        stdio: Option<Ignored<false>>,
    }
}

/// The jobs of a file. Plain ones take little memory: a file may have a hundred thousand.
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

/// The fields of a plain job.
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
