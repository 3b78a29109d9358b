//! Jobs of a file that run a registered job, or another workflow.

use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use super::body::{Outcome, Running};
use crate::definition::Metadata;
use crate::document::Findings;
use crate::engine::run_nested;
use crate::id::{WorkflowName, nearest};
use crate::job::JobError;
use crate::registry::{self, JobEntry};
use crate::spec::{JobSpec, WorkflowSpec};
use crate::value::short;
use crate::workflow::{Flow, Plan, PlanError, Workflow};

/// Checks that what the jobs of a file name is registered, and that their inputs fit.
pub(super) fn check(spec: &WorkflowSpec, findings: &mut Findings) {
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
}

/// Checks the input of a registered job as far as it is known before the run.
fn check_with(entry: &JobEntry, rest: &JobSpec, findings: &mut Findings) {
    let with = rest.with.as_ref().map(|with| with.span);
    let span = with.or(rest.job.as_ref().map(|name| name.span)).unwrap_or_default();
    let Some(inputs) = entry.inputs else {
        let message = format!(
            "the job `{}` takes any number of inputs, which a file cannot give",
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
                "`with` is a map of the parameters: {}",
                names().collect::<Vec<_>>().join(", ")
            );
            findings.error(span, message);
            return;
        }
    };
    for name in given.keys().filter(|name| !names().any(|known| known == *name)) {
        let help = match nearest(name, names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("it has: {}", names().collect::<Vec<_>>().join(", ")),
        };
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
                    "the job `{}` needs the parameter `{name}`, {}",
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

/// Runs a registered job or workflow as a run of its own.
pub(super) async fn run(running: &Running<'_>) -> Result<Outcome, JobError> {
    let rest = running.rest().ok_or_else(|| JobError::terminal("the job does nothing"))?;
    let known = running.known();
    let with = match &rest.with {
        Some(with) => filled(running, &with.value, &known)?,
        None => Json::Null,
    };
    let output = if let Some(name) = &rest.job {
        let name = running.text(&name.value, &known)?;
        let entry = registry::job(&name).map_err(JobError::terminal)?;
        let workflow: Arc<dyn Workflow> = Arc::new(Single::new(entry, &with)?);
        run_nested(running.scope, workflow, None).await?
    } else if let Some(name) = &rest.workflow {
        let name = running.text(&name.value, &known)?;
        let workflow = registry::get(&name).map_err(JobError::terminal)?.workflow();
        run_nested(running.scope, workflow, Some(with)).await?
    } else {
        return Err(JobError::terminal("the job has neither a command nor a job nor a workflow"));
    };
    let outputs = match output {
        Json::Object(outputs) => outputs,
        other => Map::from_iter([("value".to_owned(), other)]),
    };
    Ok(json!({ "outputs": outputs }))
}

/// A value with all places in its texts filled in; a text that is one place alone becomes the
/// value itself, whatever its type.
fn filled(running: &Running<'_>, value: &Json, known: &Json) -> Result<Json, JobError> {
    Ok(match value {
        Json::String(text) => match running.template(text)?.parts.as_slice() {
            [crate::spec::Part::Expression(expression)] => {
                expression.evaluate(known).map_err(JobError::terminal)?
            }
            _ => Json::String(running.text(text, known)?),
        },
        Json::Array(items) => {
            items.iter().map(|item| filled(running, item, known)).collect::<Result<_, _>>()?
        }
        Json::Object(entries) => {
            let entries = entries
                .iter()
                .map(|(key, value)| Ok((key.clone(), filled(running, value, known)?)));
            Json::Object(entries.collect::<Result<_, JobError>>()?)
        }
        other => other.clone(),
    })
}

/// A workflow of one registered job.
struct Single {
    name: WorkflowName,
    metadata: Metadata,
    plan: Arc<Plan>,
}

impl Single {
    fn new(entry: &JobEntry, with: &Json) -> Result<Self, JobError> {
        let inputs = entry.inputs.map(|inputs| inputs()).unwrap_or_default();
        let mut flow = Flow::new();
        let mut handles = Vec::with_capacity(inputs.len());
        for (name, kind) in inputs {
            let value = kind.read(with.get(name).cloned().unwrap_or_default());
            let value = value.map_err(|error| {
                JobError::terminal(format!("the parameter `{name}` does not fit: {error}"))
            })?;
            handles.push(registry::constant(&mut flow, value, kind));
        }
        let output = (entry.add)(&mut flow, &handles).ok_or_else(|| {
            JobError::terminal(format!("the job `{}` cannot be run from a file", entry.name))
        })?;
        registry::set_output(&mut flow, output);
        Ok(Self {
            name: WorkflowName::new(entry.name).map_err(JobError::terminal)?,
            metadata: Metadata::default(),
            plan: Arc::new(flow.plan().map_err(JobError::terminal)?),
        })
    }
}

impl Workflow for Single {
    fn name(&self) -> &WorkflowName {
        &self.name
    }

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn plan(&self, _: Option<&(dyn std::any::Any + Send + Sync)>) -> Result<Arc<Plan>, PlanError> {
        Ok(Arc::clone(&self.plan))
    }
}
