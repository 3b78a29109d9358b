//! Failure policies: retries, and rules by exit code.

use super::{Text, Time};
use crate::document::{Spanned, record};

record! {
    /// When and how often a failed job is retried.
    pub(crate) struct RetrySpec, "a retry policy" {
        /// How many attempts there may be; 0 means without limit. Default: 1.
        maximum_attempts: Option<u32>,
        /// The wait after the first failed attempt. Default: 1 s.
        initial_interval: Option<Time>,
        /// The factor from each wait to the next. Default: 2.0; at least 1.
        backoff_coefficient: Option<Spanned<f64>>,
        /// The longest wait. Default: 100 times the initial interval.
        maximum_interval: Option<Time>,
        /// The share of a wait, 0.0 to 1.0, by which it is shortened at random. Default: 0.2.
        jitter: Option<Spanned<f64>>,
        /// Error types that end the job at once.
        non_retryable_errors: Vec<Box<str>>,
    }
}

record! {
    /// What to do when a job fails, by its exit code.
    pub(crate) struct HandlerSpec, "a failure handler" {
        /// The name by which jobs refer to this entry.
        name: Text,
        /// The rules; the first that matches applies.
        rules: Vec<RuleSpec>,
    }
}

record! {
    /// What to do when a job fails with one of these exit codes.
    pub(crate) struct RuleSpec, "a rule of a failure handler" {
        /// The exit codes.
        exit_codes: Vec<i32>,
        /// Whether the rule applies to every exit code but 0.
        match_all_exit_codes: bool,
        /// A command that runs before the job is retried. The job waits for the jobs that the
        /// command reads.
        recovery_script: Option<Text>,
        /// The number of retries. Default: 3.
        max_retries: Option<u32>,
    }
}
