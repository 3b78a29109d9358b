//! Jobs of a file that run a registered job or another workflow.

use serde_json::{Map, Value as Json, json};

use super::Shared;
use super::body::{Outcome, Running};
use crate::document::{Findings, Span};
use crate::spec::{Expanded, Expression, JobRead, JobSpec, Part, Template, WorkflowSpec};
use crate::words::did_you_mean;
use workflow_core::engine::{needs_of, run_nested};
use workflow_core::job::{AttemptIo, Body, JobError, JobOptions, Need};
use workflow_core::json::Mismatch;
use workflow_core::registry::{self, JobEntry, RegisteredCall};
use workflow_core::value::{Type, ValueError, short};

/// Checks that jobs and workflows named in a file are registered, and that their inputs fit.
pub(super) fn check(spec: &WorkflowSpec, expanded: &Expanded, findings: &mut Findings) {
    for rest in spec.jobs.0.iter().filter_map(|entry| entry.rest.as_deref()) {
        if let Some(name) = rest.job.as_ref().filter(|name| !name.value.contains('{')) {
            match registry::job(&name.value) {
                Ok(entry) => check_with(entry, rest, findings),
                Err(error) => {
                    findings.error(name.span, error.to_string());
                }
            }
        }
        if let Some(name) = rest.workflow.as_ref().filter(|name| !name.value.contains('{'))
            && let Err(error) = registry::get(&name.value)
        {
            findings.error(name.span, error.to_string());
        }
    }
    check_reads(spec, expanded, findings);
}

/// Checks that registered jobs have the outputs that are read, as far as their types show.
fn check_reads(spec: &WorkflowSpec, expanded: &Expanded, findings: &mut Findings) {
    let registered = |job: u32| {
        let entry = &spec.jobs.0[expanded.jobs[job as usize].entry as usize];
        let name = entry.rest.as_ref()?.job.as_ref()?;
        registry::job(&expanded.substituted(job, &name.value)).ok()
    };
    for (number, job) in expanded.jobs.iter().enumerate().filter(|(_, job)| job.copy == 0) {
        let entry = &spec.jobs.0[job.entry as usize];
        let when = entry.rest.as_ref().and_then(|rest| rest.when.as_ref());
        let substituted = |text: &str| expanded.substituted(number as u32, text);
        let condition = when.and_then(|when| {
            Some((vec![Expression::condition(&substituted(&when.value)).ok()?], when.span))
        });
        let texts = expanded.texts_of(number as u32).iter();
        let texts = texts.filter(|(text, _)| text.contains("jobs"));
        let texts = texts.filter_map(|(text, span)| {
            let parts = Template::parse(&substituted(text)).ok()?.parts;
            let expressions = parts.into_iter().filter_map(|part| match part {
                Part::Expression(expression) => Some(expression),
                _ => None,
            });
            Some((expressions.collect(), *span))
        });
        for (expressions, within) in texts.chain(condition).collect::<Vec<_>>() {
            for expression in expressions {
                // An expression that tests for a value may read a missing one.
                if ["default", "defined"].iter().any(|word| expression.source().contains(word)) {
                    continue;
                }
                for read in expression.reads() {
                    let job = expanded.job_of.get(&*read.job).copied();
                    if let Some(entry) = job.and_then(registered) {
                        check_read(entry, read, within, findings);
                    }
                }
            }
        }
    }
}

fn check_read(entry: &JobEntry, read: &JobRead, within: Span, findings: &mut Findings) {
    let [outputs, output] = &*read.steps else { return };
    if outputs.name != "outputs" {
        return;
    }
    let left = Left::by(&(entry.output)());
    let (message, help) = match &left {
        Left::Unknown => return,
        Left::Value if output.name == "value" => return,
        Left::Keys(keys) if keys.contains(&output.name) => return,
        Left::Object if output.name != "value" => return,
        Left::Value => (
            format!("`{}` outputs a single value, which has no `{}`", read.job, output.name),
            "read `outputs.value`".to_owned(),
        ),
        Left::Object => (
            format!("`{}` outputs an object, which has no `value`", read.job),
            "read one of its keys: `outputs.name`".to_owned(),
        ),
        Left::Keys(keys) => (
            format!("`{}` outputs an object, which has no `{}`", read.job, output.name),
            did_you_mean(&output.name, keys.iter().map(String::as_str), || {
                format!("available: {}", keys.join(", "))
            }),
        ),
    };
    let place = findings.source().find_range(within, &read.written, output.place.clone());
    findings.error(place, message).help(help);
}

/// The readable outputs of a registered job.
enum Left {
    /// `outputs.value`.
    Value,
    /// These keys.
    Keys(Vec<String>),
    /// Unknown keys.
    Object,
    Unknown,
}

impl Left {
    /// The outputs of a job with this output type.
    fn by(kind: &Type) -> Self {
        if let Some(schema) = kind.schema() {
            return match (schema.get("type").and_then(Json::as_str), schema.get("properties")) {
                (Some("object"), Some(Json::Object(keys)))
                    if schema.get("additionalProperties").is_none_or(|more| *more == false) =>
                {
                    Self::Keys(keys.keys().cloned().collect())
                }
                (Some("object"), _) => Self::Object,
                (Some(_), _) => Self::Value,
                (None, _) => Self::Unknown,
            };
        }
        match kind.read(json!({})) {
            // Accepts any value, like a `serde_json::Value`.
            Ok(_) if kind.read(Json::Null).is_ok() => Self::Unknown,
            Ok(_) => Self::Object,
            Err(ValueError::Shape { reason, .. }) => match *reason {
                Mismatch::MissingField(field) if field == "value" => Self::Unknown,
                Mismatch::MissingField(_) => Self::Object,
                // The object itself: there is nothing in it.
                Mismatch::Unexpected { .. } => Self::Value,
                _ => Self::Unknown,
            },
            Err(_) => Self::Unknown,
        }
    }
}

/// Checks the input of a registered job, as far as it is known before the run.
fn check_with(entry: &JobEntry, rest: &JobSpec, findings: &mut Findings) {
    let with = rest.with.as_ref().map(|with| with.span);
    let span = with.or(rest.job.as_ref().map(|name| name.span)).unwrap_or_default();
    let Some(inputs) = entry.inputs else {
        let message = format!(
            "the job `{}` takes any number of inputs, which a file cannot provide",
            entry.name
        );
        findings.error(span, message);
        return;
    };
    let inputs = inputs();
    let names = || inputs.iter().map(|(name, _)| *name);
    let given = match rest.with.as_ref().map(|with| &with.value) {
        None => Map::new(),
        Some(Json::Object(given)) => given.clone(),
        Some(_) => {
            let message = format!(
                "`with` must be a map of the parameters: {}",
                names().collect::<Vec<_>>().join(", ")
            );
            findings.error(span, message);
            return;
        }
    };
    for name in given.keys().filter(|name| !names().any(|known| known == *name)) {
        let available = || format!("available: {}", names().collect::<Vec<_>>().join(", "));
        let help = did_you_mean(name, names(), available);
        let place = findings.source().find(span, name);
        findings
            .error(place, format!("the job `{}` has no parameter `{name}`", entry.name))
            .help(help);
    }
    for (name, kind) in &inputs {
        match given.get(*name) {
            Some(value) if has_places(value) => {}
            Some(value) => {
                if let Err(error) = kind.read(value.clone()) {
                    let place = findings.source().find(span, name);
                    findings.error(place, format!("the parameter `{name}` does not fit: {error}"));
                }
            }
            None if kind.read(Json::Null).is_ok() => {}
            None => {
                let message = format!(
                    "the job `{}` requires the parameter `{name}`, {}",
                    entry.name,
                    short(kind.name())
                );
                findings.error(span, message).help(format!("add `{name}:` under `with`"));
            }
        }
    }
}

fn has_places(value: &Json) -> bool {
    match value {
        Json::String(text) => text.contains('{'),
        Json::Array(items) => items.iter().any(has_places),
        Json::Object(entries) => entries.values().any(has_places),
        _ => false,
    }
}

/// Runs a job that names another workflow, as a run of its own, or a registered job by a name that
/// is known only at run time, as a job of this run.
pub(super) async fn run(running: &Running<'_>) -> Result<Outcome, JobError> {
    let rest = running.rest().ok_or_else(|| JobError::terminal("the job does nothing"))?;
    let known = running.known();
    let with = with(running, rest, &known)?;
    if let Some(name) = &rest.job {
        let registered = Registered::find(&running.text(&name.value, &known)?)?;
        return Ok(outcome(registered.0.run_as_child(running.scope, with).await?));
    }
    let Some(name) = &rest.workflow else {
        return Err(JobError::terminal("the job has no command, job or workflow"));
    };
    let name = running.text(&name.value, &known)?;
    let workflow = registry::get(&name).map_err(JobError::terminal)?.workflow();
    Ok(outcome(run_nested(running.scope, workflow, Some(with)).await?))
}

/// The interpolated value of `with`; null if there is none.
fn with(running: &Running<'_>, rest: &JobSpec, known: &Json) -> Result<Json, JobError> {
    rest.with.as_ref().map_or(Ok(Json::Null), |with| substituted(running, &with.value, known))
}

fn outcome(output: Json) -> Outcome {
    let outputs = match output {
        Json::Object(outputs) => outputs,
        other => Map::from_iter([("value".to_owned(), other)]),
    };
    json!({ "outputs": outputs })
}

/// Interpolates the texts of a value. A text that is a single expression becomes its value, of any
/// type.
fn substituted(running: &Running<'_>, value: &Json, known: &Json) -> Result<Json, JobError> {
    Ok(match value {
        Json::String(text) => match running.template(text)?.parts.as_slice() {
            [crate::spec::Part::Expression(expression)] => {
                expression.evaluate(known).map_err(JobError::terminal)?
            }
            _ => Json::String(running.text(text, known)?),
        },
        Json::Array(items) => {
            items.iter().map(|item| substituted(running, item, known)).collect::<Result<_, _>>()?
        }
        Json::Object(entries) => {
            let entries = entries
                .iter()
                .map(|(key, value)| Ok((key.clone(), substituted(running, value, known)?)));
            Json::Object(entries.collect::<Result<_, JobError>>()?)
        }
        other => other.clone(),
    })
}

/// A text of a job, if it is known without the run.
fn constant(shared: &Shared, job: u32, text: &str) -> Option<String> {
    let parts = Template::parse(&shared.substituted(job, text)).ok()?.parts;
    let text = |part: Part| match part {
        Part::Text(text) => Some(text),
        Part::Named { .. } | Part::Expression(_) => None,
    };
    parts.into_iter().map(text).collect()
}

/// The requirements of the workflow that a job names, if the name is known without the run.
pub(super) fn needs_of_workflow(shared: &Shared, job: u32) -> Option<Need> {
    let name = constant(shared, job, &shared.rest(job)?.workflow.as_ref()?.value)?;
    Some(needs_of(name))
}

/// A registered job that runs inside of a job of a file.
pub(super) struct Registered(RegisteredCall);

impl Registered {
    fn find(name: &str) -> Result<Self, JobError> {
        let entry = registry::job(name).map_err(JobError::terminal)?;
        entry.call().map(Self).ok_or_else(|| {
            JobError::terminal(format!("the job `{}` cannot be run from a file", entry.name))
        })
    }

    /// The registered job that a job names, if the name is known without the run.
    pub(super) fn of(shared: &Shared, job: u32) -> Option<Self> {
        let name = constant(shared, job, &shared.rest(job)?.job.as_ref()?.value)?;
        // A job whose name is not registered fails.
        Self::find(&name).ok()
    }

    /// The requirements of the job to the engine.
    pub(super) fn needs(&self) -> Vec<Need> {
        self.0.needs()
    }

    /// The options of the job: those of the file, and else those of the registered job.
    pub(super) fn options(&mut self, rest: &JobSpec, mut options: JobOptions) -> JobOptions {
        let Some(own) = self.0.take_options() else { return options };
        if rest.retry.is_none() {
            options.retry = own.retry.or(options.retry);
        }
        if rest.priority.is_none() {
            options.priority = own.priority;
        }
        options.task_queue = options.task_queue.or(own.task_queue);
        let limits = &mut options.timeouts;
        limits.start_to_close = limits.start_to_close.or(own.timeouts.start_to_close);
        limits.schedule_to_close = limits.schedule_to_close.or(own.timeouts.schedule_to_close);
        limits.heartbeat = limits.heartbeat.or(own.timeouts.heartbeat);
        options.grace = options.grace.or(own.grace);
        let is_new = |(name, _): &(String, usize)| options.limits.iter().all(|(it, _)| it != name);
        let limits: Vec<_> = own.limits.into_iter().filter(is_new).collect();
        options.limits.extend(limits);
        options
    }

    /// The body of a job of a file that runs this one.
    pub(super) fn into_body(
        self,
        begin: impl Fn(&AttemptIo) -> Result<Json, JobError> + Send + Sync + 'static,
        end: impl Fn(&AttemptIo) -> Result<(), JobError> + Send + Sync + 'static,
    ) -> Body {
        self.0.into_body(begin, move |scope, output| {
            end(scope)?;
            Ok(outcome(output))
        })
    }

    pub(super) fn is_container(&self) -> bool {
        self.0.is_container()
    }
}

/// The inputs of a registered job, from the job of the file.
pub(super) fn inputs(running: &Running<'_>) -> Result<Json, JobError> {
    let rest = running.rest().ok_or_else(|| JobError::terminal("the job does nothing"))?;
    with(running, rest, &running.known())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_tells_which_outputs_a_job_has() {
        let left = |schema: fn() -> Json| Left::by(&Type::opaque::<u8>().with_schema(schema));
        let keys = left(|| json!({ "type": "object", "properties": { "cups": {} } }));
        assert!(matches!(keys, Left::Keys(keys) if keys == ["cups"]));
        let open = || json!({ "type": "object", "properties": {}, "additionalProperties": true });
        assert!(matches!(left(open), Left::Object));
        assert!(matches!(left(|| json!({ "type": "integer" })), Left::Value));
        assert!(matches!(left(|| json!(true)), Left::Unknown));
    }
}
