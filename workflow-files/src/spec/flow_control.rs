//! Flow control of the runs of a workflow.

use serde_json::{Map, Value as Json, json};
use workflow_core::flow_control::FlowControl;

use super::{Text, Time, WorkflowSpec};
use crate::document::{Choice as _, Findings, Span, Spanned, choice, record};

choice! {
    /// What happens to a run beyond a limit.
    pub(crate) enum Conflict, "an action on conflict" {
        /// It waits.
        Queue = "queue",
        /// It waits, and the oldest runs of the key are cancelled.
        CancelRunning = "cancel_running",
        /// It is recorded as cancelled.
        CancelNew = "cancel_new",
        /// No run begins; the request returns the oldest run of the key.
        Skip = "skip",
    }
}

record! {
    /// The most runs with the same key that are in progress at once.
    pub(crate) struct ConcurrencySpec, "a concurrency limit" {
        /// The key, with values of the run's input: `${{ input.customer }}`. Default: all runs.
        key: Option<Text>,
        /// The most runs, at least 1.
        limit: Spanned<u32>,
        /// What happens to a run beyond the limit. Default: `queue`.
        on_conflict: Option<Conflict>,
    }
}

record! {
    /// The most runs with the same key that begin in a period.
    pub(crate) struct RateLimitSpec, "a rate limit" {
        /// The key, with values of the run's input: `${{ input.customer }}`. Default: all runs.
        key: Option<Text>,
        /// The most runs in a period, at least 1.
        limit: Spanned<u32>,
        /// The length of the period.
        per: Time,
    }
}

record! {
    /// Requests in quick succession that share one run.
    pub(crate) struct DebounceSpec, "a debounce" {
        /// The key, with values of the run's input: `${{ input.page }}`. Default: all runs.
        key: Option<Text>,
        /// The time without another request after which the run begins.
        delay: Time,
        /// The longest time between the first request and the beginning. Default: ten delays.
        max_delay: Option<Time>,
    }
}

record! {
    /// Keys whose runs take turns in their task queue.
    pub(crate) struct FairnessSpec, "a fairness key" {
        /// The key, with values of the run's input: `${{ input.tenant }}`.
        key: Text,
        /// How many runs of the key begin for one of a key with the weight 1. Default: 1.
        weight: Option<u32>,
    }
}

/// Adds the flow control to the metadata, where programs read it, and reports invalid values.
pub(super) fn add_to(object: &mut Map<String, Json>, spec: &WorkflowSpec, findings: &mut Findings) {
    let mut valid = true;
    for (part, span, value) in parts(spec) {
        let alone = Map::from_iter([(part.to_owned(), value.clone())]);
        if let Err(error) = FlowControl::read(&alone) {
            valid = false;
            findings.error(span, error.reason).help(help(part));
        }
        if let Some(other) = object.insert(part.to_owned(), value.clone())
            && other != value
        {
            findings
                .warning(span, format!("`{part}` is also in `metadata`, with another value"))
                .help("the field takes precedence; remove the one in `metadata`");
        }
    }
    if valid
        && let Some((_, span, _)) = parts(spec).first()
        && let Err(error) = FlowControl::read(object)
    {
        findings.error(*span, error.to_string()).help(help(error.part));
    }
}

fn parts(spec: &WorkflowSpec) -> Vec<(&'static str, Span, Json)> {
    let mut parts = Vec::new();
    if let Some(Spanned { value: limit, span }) = &spec.concurrency {
        let mut value = json!({ "limit": limit.limit.value });
        if let Some(key) = &limit.key {
            value["key"] = (&*key.value).into();
        }
        if let Some(conflict) = limit.on_conflict {
            value["on_conflict"] = conflict.as_str().into();
        }
        parts.push(("concurrency", *span, value));
    }
    if let Some(Spanned { value: limit, span }) = &spec.rate_limit {
        let mut value = json!({ "limit": limit.limit.value, "per": seconds(limit.per) });
        if let Some(key) = &limit.key {
            value["key"] = (&*key.value).into();
        }
        parts.push(("rate_limit", *span, value));
    }
    if let Some(Spanned { value: debounce, span }) = &spec.debounce {
        let mut value = json!({ "delay": seconds(debounce.delay) });
        if let Some(key) = &debounce.key {
            value["key"] = (&*key.value).into();
        }
        if let Some(longest) = debounce.max_delay {
            value["max_delay"] = seconds(longest);
        }
        parts.push(("debounce", *span, value));
    }
    if let Some(Spanned { value, span }) = &spec.singleton {
        parts.push(("singleton", *span, (*value).into()));
    }
    if let Some(Spanned { value: fairness, span }) = &spec.fairness {
        let mut value = json!({ "key": &*fairness.key.value });
        if let Some(weight) = fairness.weight {
            value["weight"] = weight.into();
        }
        parts.push(("fairness", *span, value));
    }
    parts
}

pub(super) fn seconds(time: Time) -> Json {
    let Time(length) = time;
    match length.subsec_nanos() {
        0 => length.as_secs().into(),
        _ => length.as_secs_f64().into(),
    }
}

fn help(part: &str) -> &'static str {
    match part {
        "concurrency" => "write `{ key: \"${{ input.customer }}\", limit: 1 }`",
        "rate_limit" => "write `{ limit: 200, per: 1s }`",
        "debounce" => "write `{ key: \"${{ input.page }}\", delay: 5s, max_delay: 1m }`",
        "singleton" => "`concurrency: { limit: 1, on_conflict: skip }` is the same",
        _ => "write `{ key: \"${{ input.tenant }}\" }`",
    }
}
