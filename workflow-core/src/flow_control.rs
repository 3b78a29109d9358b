//! Flow control of a workflow: how many of its runs are in progress, how often they begin, and in
//! which order. Stores enforce it, for all processes that share the store.
//!
//! Knows neither stores nor queues.

mod key;
mod period;
mod rate;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::json;

pub use key::LimitKeyError;
pub(crate) use period::deserialize as duration;
pub use rate::RateVerdict;

/// The flow control of a workflow, or of one of its runs.
///
/// Each part has a key, a text with places such as `${{ input.customer }}`. When a run is requested,
/// its input replaces the places. Runs of the workflow with the same key share the limit. The
/// empty key, which is the default, is shared by all runs of the workflow.
///
/// ```
/// use workflow_core::prelude::*;
/// use workflow_core::flow_control::{Concurrency, OnConflict};
/// use workflow_core::store::MemoryStore;
///
/// // At most one run for each customer at once, and 200 runs in a second.
/// #[register_workflow(
///     name = "charge",
///     concurrency(key = "${{ input.customer }}", limit = 1, on_conflict = "queue"),
///     rate_limit(limit = 200, per = "1s"),
/// )]
/// fn charge(order: serde_json::Value) -> String { format!("charged {}", order["customer"]) }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = Engine::builder().store(MemoryStore::new()).build();
/// let order = serde_json::json!({ "customer": "ann" });
/// engine.run("charge").input(&order).wait()?;
///
/// // A request may have other limits than its workflow.
/// let limit = Concurrency::new(3).key("${{ input.customer }}").on_conflict(OnConflict::Skip);
/// engine.run("charge").input(&order).concurrency(limit).wait()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct FlowControl {
    /// How many runs are in progress at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<Concurrency>,
    /// How many runs begin in a period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<RateLimit>,
    /// Which requests share one run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub debounce: Option<Debounce>,
    /// Which runs take turns in their task queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fairness: Option<Fairness>,
}

/// The most runs with the same key that are in progress at once.
///
/// A run is in progress from the moment when an engine claims it until it ends. If its engine dies,
/// the run keeps its slot until another engine has finished it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Concurrency {
    /// The key. Default: empty, for all runs of the workflow.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// The most runs, at least 1.
    pub limit: u32,
    /// What happens to a run beyond the limit. Default: it waits.
    #[serde(default)]
    pub on_conflict: OnConflict,
}

/// What happens to a run beyond a [`Concurrency`] limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnConflict {
    /// It waits until a slot is free, by priority and age.
    #[default]
    Queue,
    /// It waits, and the oldest runs of the key are cancelled to make room for it.
    CancelRunning,
    /// It is recorded as cancelled, with the reason. Runs that wait count, too.
    CancelNew,
    /// No run is recorded: the request returns the oldest run of the key. Runs that wait count, too. A
    /// retry waits as with [`Queue`](Self::Queue).
    Skip,
}

/// The most runs with the same key that begin in a period.
///
/// Runs begin evenly spaced, as a leaky bucket lets them pass: the generic cell rate algorithm of
/// ITU-T I.371. In no period do more runs begin than the limit. Runs beyond it wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct RateLimit {
    /// The key. Default: empty, for all runs of the workflow.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// The most runs in a period, at least 1.
    pub limit: u32,
    /// The length of the period, 1 ms to 366 days.
    #[serde(with = "period")]
    pub per: Duration,
}

/// Requests of a user with the same key in quick succession share one run: the first begins it, and
/// each later one replaces its input and returns its ID.
///
/// The run begins when `delay` has passed without another request, at the latest when `max_delay`
/// has passed since the first one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Debounce {
    /// The key. Default: empty, for all runs of the workflow.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// The time without another request after which the run begins, 1 ms to 366 days.
    #[serde(with = "period")]
    pub delay: Duration,
    /// The longest time between the first request and the beginning. Default: ten times the delay.
    #[serde(default, with = "period::option", skip_serializing_if = "Option::is_none")]
    pub max_delay: Option<Duration>,
}

/// Runs with different keys take turns in their task queue, however many runs each key has.
///
/// Runs of a key keep their order. Runs without fairness are one flow, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Fairness {
    /// The key, such as `${{ input.tenant }}`.
    pub key: String,
    /// How many runs of the key begin for one of a key with the weight 1. 1 to 1,000, default 1.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub weight: u32,
}

/// Why a flow control is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{part}`: {reason}")]
pub struct FlowControlError {
    /// The part with the fault: `concurrency`, `rate_limit`, `debounce`, `singleton` or `fairness`.
    pub part: &'static str,
    /// What is wrong, and the cure.
    pub reason: String,
}

/// The keys of a workflow's metadata that define its flow control.
pub const KEYS: [&str; 5] = ["concurrency", "rate_limit", "debounce", "singleton", "fairness"];

const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);
const MOST_CHARACTERS: usize = 255;

impl FlowControl {
    /// Reads the keys `concurrency`, `rate_limit`, `debounce`, `singleton` and `fairness` of the
    /// metadata of a workflow.
    ///
    /// # Errors
    ///
    /// Fails when a value is invalid, and when both `singleton` and `concurrency` are given.
    pub fn read(metadata: &Map<String, Json>) -> Result<Self, FlowControlError> {
        let mut concurrency: Option<Concurrency> = part(metadata, "concurrency")?;
        if part::<bool>(metadata, "singleton")?.unwrap_or(false) {
            if concurrency.is_some() {
                let reason = "it stands for `concurrency: {limit: 1, on_conflict: skip}`; remove \
                              it or `concurrency`";
                return Err(FlowControlError { part: "singleton", reason: reason.to_owned() });
            }
            concurrency = Some(Concurrency::singleton());
        }
        let control = Self {
            concurrency,
            rate_limit: part(metadata, "rate_limit")?,
            debounce: part(metadata, "debounce")?,
            fairness: part(metadata, "fairness")?,
        };
        control.check().map(|()| control)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether runs may have to wait, or share a run. Fairness only orders them.
    pub fn has_limits(&self) -> bool {
        self.concurrency.is_some() || self.rate_limit.is_some() || self.debounce.is_some()
    }

    /// Returns this flow control, with parts that are missing here taken from another one.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            concurrency: self.concurrency.or(other.concurrency),
            rate_limit: self.rate_limit.or(other.rate_limit),
            debounce: self.debounce.or(other.debounce),
            fairness: self.fairness.or(other.fairness),
        }
    }

    /// Replaces the places of all keys by values of a run's input.
    ///
    /// # Errors
    ///
    /// Fails when the input has no such value, or one that is neither a text, a number nor a
    /// boolean.
    pub fn resolve(&self, input: Option<&Json>) -> Result<Self, FlowControlError> {
        let mut control = self.clone();
        for (part, key) in control.keys_mut() {
            *key = key::resolve(key, input)
                .map_err(|error| FlowControlError { part, reason: error.to_string() })?;
        }
        Ok(control)
    }

    /// Checks the values.
    ///
    /// # Errors
    ///
    /// Fails when one is out of its range, or a key is not well-formed.
    pub fn check(&self) -> Result<(), FlowControlError> {
        let fail = |part, reason: String| Err(FlowControlError { part, reason });
        let limits = [
            ("concurrency", self.concurrency.as_ref().map(|part| part.limit)),
            ("rate_limit", self.rate_limit.as_ref().map(|part| part.limit)),
        ];
        for (part, limit) in limits {
            if limit == Some(0) {
                return fail(part, "`limit` is 0, so no run could begin; use 1 or more".to_owned());
            }
        }
        let lengths = [
            ("rate_limit", "per", self.rate_limit.as_ref().map(|part| part.per)),
            ("debounce", "delay", self.debounce.as_ref().map(|part| part.delay)),
            ("debounce", "max_delay", self.debounce.as_ref().and_then(|part| part.max_delay)),
        ];
        for (part, name, length) in lengths {
            let range = Duration::from_millis(1)..=LONGEST;
            if length.is_some_and(|length| !range.contains(&length)) {
                return fail(part, format!("`{name}` must be from 1 ms to 366 days"));
            }
        }
        if let Some(Debounce { delay, max_delay: Some(max_delay), .. }) = &self.debounce
            && max_delay < delay
        {
            let reason = "`max_delay` is shorter than `delay`; make it at least as long";
            return fail("debounce", reason.to_owned());
        }
        if let Some(fairness) = &self.fairness
            && !(1..=1000).contains(&fairness.weight)
        {
            return fail("fairness", "`weight` must be from 1 to 1,000".to_owned());
        }
        self.clone().keys_mut().into_iter().try_for_each(|(part, key)| {
            key::check(key).map_err(|error| FlowControlError { part, reason: error.to_string() })
        })
    }

    fn keys_mut(&mut self) -> Vec<(&'static str, &mut String)> {
        let keys = [
            ("concurrency", self.concurrency.as_mut().map(|part| &mut part.key)),
            ("rate_limit", self.rate_limit.as_mut().map(|part| &mut part.key)),
            ("debounce", self.debounce.as_mut().map(|part| &mut part.key)),
            ("fairness", self.fairness.as_mut().map(|part| &mut part.key)),
        ];
        keys.into_iter().filter_map(|(part, key)| Some((part, key?))).collect()
    }
}

impl Concurrency {
    /// At most this many runs of the workflow at once.
    pub fn new(limit: u32) -> Self {
        Self { key: String::new(), limit, on_conflict: OnConflict::Queue }
    }

    /// One run of the workflow at once: a request returns the run that is there.
    pub fn singleton() -> Self {
        Self::new(1).on_conflict(OnConflict::Skip)
    }

    /// Sets the key whose runs share the limit.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = key.into();
        self
    }

    /// Sets what happens to a run beyond the limit.
    #[must_use]
    pub fn on_conflict(mut self, on_conflict: OnConflict) -> Self {
        self.on_conflict = on_conflict;
        self
    }
}

impl RateLimit {
    /// At most this many runs of the workflow in each period.
    pub fn new(limit: u32, per: Duration) -> Self {
        Self { key: String::new(), limit, per }
    }

    /// Sets the key whose runs share the limit.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = key.into();
        self
    }
}

impl Debounce {
    /// Begins a run when this time has passed without another request.
    pub fn new(delay: Duration) -> Self {
        Self { key: String::new(), delay, max_delay: None }
    }

    /// Sets the key whose requests share a run.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = key.into();
        self
    }

    /// Sets the longest time between the first request and the beginning of the run.
    #[must_use]
    pub fn max_delay(mut self, max_delay: Duration) -> Self {
        self.max_delay = Some(max_delay);
        self
    }

    /// The longest time between the first request and the beginning of the run.
    pub fn longest_delay(&self) -> Duration {
        self.max_delay.unwrap_or(self.delay.saturating_mul(10))
    }
}

impl Fairness {
    /// Runs with this key take turns with those of others.
    pub fn new(key: impl Into<String>) -> Self {
        Self { key: key.into(), weight: 1 }
    }

    /// Sets how many runs of the key begin for one of a key with the weight 1.
    #[must_use]
    pub fn weight(mut self, weight: u32) -> Self {
        self.weight = weight;
        self
    }

    /// The distance in rank between two waiting runs of the key, in nanoseconds: ranks are times.
    pub fn cost(&self) -> i64 {
        1_000_000 / i64::from(self.weight.clamp(1, 1000))
    }
}

fn part<T: serde::de::DeserializeOwned>(
    metadata: &Map<String, Json>,
    part: &'static str,
) -> Result<Option<T>, FlowControlError> {
    let Some(value) = metadata.get(part) else { return Ok(None) };
    let fail = |error: json::ShapeError| FlowControlError { part, reason: error.to_string() };
    json::from_value(value.clone()).map(Some).map_err(fail)
}

fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_one(weight: &u32) -> bool {
    *weight == 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(metadata: Json) -> Result<FlowControl, String> {
        let object = metadata.as_object().expect("an object");
        FlowControl::read(object).map_err(|error| error.to_string())
    }

    #[test]
    fn every_part_is_read_and_written_back() {
        let metadata = json!({
            "concurrency": { "key": "${{ input.a }}", "limit": 2, "on_conflict": "cancel_new" },
            "rate_limit": { "limit": 200, "per": "1s" },
            "debounce": { "key": "k", "delay": 5, "max_delay": "1m 30s" },
            "fairness": { "key": "${{ input.tenant }}", "weight": 3 },
            "owner": "web",
        });
        let control = read(metadata).expect("valid");
        let debounce = control.debounce.as_ref().expect("given");
        assert_eq!(debounce.delay, Duration::from_secs(5));
        assert_eq!(debounce.longest_delay(), Duration::from_secs(90));
        let written = serde_json::to_value(&control).expect("JSON");
        assert_eq!(serde_json::from_value::<FlowControl>(written).expect("the same"), control);
        assert!(read(json!({ "owner": "web" })).expect("valid").is_empty());
    }

    #[test]
    fn a_singleton_is_a_limit_of_one() {
        let control = read(json!({ "singleton": true })).expect("valid");
        assert_eq!(control.concurrency, Some(Concurrency::singleton()));
        assert!(read(json!({ "singleton": false })).expect("valid").is_empty());
    }

    #[test]
    fn faults_name_their_part_and_the_cure() {
        let errors = [
            json!({ "concurrency": { "limit": 0 } }),
            json!({ "concurrency": { "limit": "many" } }),
            json!({ "concurrency": { "limit": 1, "on_conflict": "wait" } }),
            json!({ "concurrency": { "limit": 1, "kei": "a" } }),
            json!({ "concurrency": { "limit": 1 }, "singleton": true }),
            json!({ "concurrency": { "limit": 1, "key": "${{ jobs.a }}" } }),
            json!({ "concurrency": { "limit": 1, "key": "${{ input.a" } }),
            json!({ "rate_limit": { "limit": 1, "per": "soon" } }),
            json!({ "rate_limit": { "limit": 1, "per": "0s" } }),
            json!({ "rate_limit": { "limit": 1 } }),
            json!({ "debounce": { "delay": "5s", "max_delay": "1s" } }),
            json!({ "fairness": { "key": "a", "weight": 0 } }),
            json!({ "singleton": "yes" }),
        ];
        let expected = [
            "`concurrency`: `limit` is 0, so no run could begin; use 1 or more",
            "`concurrency`: `limit`: expected a non-negative integer, found the string \"many\"",
            "`concurrency`: `on_conflict`: unknown choice `wait`; available: queue, cancel_running, \
             cancel_new, skip",
            "`concurrency`: `kei`: unknown field `kei`; did you mean `key`?",
            "`singleton`: it stands for `concurrency: {limit: 1, on_conflict: skip}`; remove it or \
             `concurrency`",
            "`concurrency`: the key has `${{ jobs.a }}`, but only the input has values before a run \
             begins; write `${{ input.name }}`",
            "`concurrency`: the key `${{ input.a` has `${{` without `}}`; write `${{ input.name }}`",
            "`rate_limit`: `per`: \"soon\" is not a duration; write `500ms`, `90s`, `1h 30m`, or a \
             number of seconds",
            "`rate_limit`: `per` must be from 1 ms to 366 days",
            "`rate_limit`: the field `per` is missing",
            "`debounce`: `max_delay` is shorter than `delay`; make it at least as long",
            "`fairness`: `weight` must be from 1 to 1,000",
            "`singleton`: expected `true` or `false`, found the string \"yes\"",
        ];
        assert_eq!(errors.map(|fault| read(fault).expect_err("invalid")), expected);
    }

    #[test]
    fn parts_of_a_request_come_before_those_of_its_workflow() {
        let workflow = read(json!({ "singleton": true, "fairness": { "key": "a" } })).expect("ok");
        let request =
            FlowControl { concurrency: Some(Concurrency::new(3)), ..FlowControl::default() };
        let both = request.or(workflow);
        assert_eq!(both.concurrency, Some(Concurrency::new(3)));
        assert_eq!(both.fairness, Some(Fairness::new("a")));
    }
}
