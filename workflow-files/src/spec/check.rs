//! Checks of a file beyond the shape of its fields.

use serde_json::{Map, Value as Json, json};
use workflow_cron::{Cron, zone};

use super::known::Known;
use super::{
    ActionKind, JobEntry, JobSpec, Schedule, Template, Text, Time, WorkflowSpec, flow_control,
};
use crate::command::Interpreter;
use crate::document::{Findings, Span, Spanned, WithPlaces};
use workflow_core::definition::{Metadata, MetadataError};
use workflow_core::id::WorkflowName;
use workflow_core::store::{DEFAULT_PREFIX, checked_queue_of};

/// Returns the metadata of the workflow, merged with the fields beside it.
pub(crate) fn metadata(spec: &WorkflowSpec, findings: &mut Findings) -> Metadata {
    let written = spec.metadata.as_ref().map(|written| read_metadata(written, findings));
    let written = written.unwrap_or_default();
    check_schedule(spec, &written, findings);
    let mut object = written.as_object().clone();
    let schedule = spec.schedule.as_ref().map(|schedule| &schedule.value);
    let cron = schedule.map(|schedule| &schedule.cron);
    let zone = schedule.and_then(|schedule| schedule.timezone.as_ref());
    let beside = [
        ("description", spec.description.as_ref()),
        ("project", spec.project.as_ref()),
        ("domain", spec.domain.as_ref()),
        ("owner", spec.user.as_ref().filter(|_| !object.contains_key("owner"))),
        ("schedule", cron),
        ("timezone", zone),
    ];
    for (key, text) in beside {
        let Some(text) = text else { continue };
        let value = Json::from(&*text.value);
        if let Some(other) = object.insert(key.to_owned(), value.clone())
            && other != value
        {
            findings
                .warning(text.span, format!("`{key}` is {value} here, and {other} in `metadata`"))
                .help("the field takes precedence; remove the one in `metadata`");
        }
    }
    if let Some(with_policy) = schedule.and_then(Schedule::to_object) {
        object.insert("schedule".to_owned(), with_policy);
    }
    flow_control::add_to(&mut object, spec, findings);
    match Metadata::new(Json::Object(object)) {
        Ok(metadata) => {
            check_domain(spec, &metadata, findings);
            metadata
        }
        Err(error) => {
            // Other invalid values have been reported.
            if !findings.has_errors() {
                let schedule = spec.schedule.as_ref().map(|schedule| schedule.span);
                let span = schedule.or(spec.metadata.as_ref().map(|written| written.span));
                findings.error(span.unwrap_or_default(), error.to_string());
            }
            Metadata::default()
        }
    }
}

/// Reads the metadata, without the keys whose values are invalid, which are reported.
fn read_metadata(written: &Spanned<WithPlaces>, findings: &mut Findings) -> Metadata {
    let WithPlaces { json, entries } = &written.value;
    let mut json = json.clone();
    loop {
        let error = match Metadata::new(json.clone()) {
            Ok(metadata) => return metadata,
            Err(error) => error,
        };
        let key = json.as_object().and_then(|object| cause(object, &error)).map(str::to_owned);
        let place = key.as_ref().and_then(|key| entries.iter().find(|(of, _)| **of == **key));
        let found =
            findings.error(place.map_or(written.span, |(_, span)| *span), error.to_string());
        if let Some(help) = metadata_cure(&error) {
            found.help(help);
        }
        match (key, json.as_object_mut()) {
            (Some(key), Some(object)) => drop(object.remove(&key)),
            _ => return Metadata::default(),
        }
    }
}

/// The key whose value alone is invalid for this reason.
fn cause<'j>(object: &'j Map<String, Json>, error: &MetadataError) -> Option<&'j str> {
    let alone = |key: &str, value: &Json| Metadata::new(json!({ key: value }));
    let mut causes = object.iter().filter(|(key, value)| alone(key, value).as_ref() == Err(error));
    causes.next().map(|(key, _)| &**key)
}

/// What to do about the error, if its text does not say so.
fn metadata_cure(error: &MetadataError) -> Option<String> {
    match error {
        MetadataError::Syntax(_) | MetadataError::NotAnObject(_) => {
            Some("write a map, or a string with a JSON object".to_owned())
        }
        MetadataError::WrongType { key: "tags", .. } => Some("write `tags: [a, b]`".to_owned()),
        MetadataError::WrongType { key: "schedule" | "triggers", .. } => None,
        MetadataError::WrongType { key, .. } => Some(format!("write `{key}: \"text\"`")),
        _ => None,
    }
}

/// Checks that runs can wait in the task queue of the domain.
fn check_domain(spec: &WorkflowSpec, metadata: &Metadata, findings: &mut Findings) {
    let Err(error) = checked_queue_of(DEFAULT_PREFIX, metadata.domain()) else { return };
    let field = spec.domain.as_ref().map(|domain| domain.span);
    let span = field.or(spec.metadata.as_ref().map(|written| written.span));
    findings.error(span.unwrap_or_default(), format!("invalid domain: {error}"));
}

fn check_schedule(spec: &WorkflowSpec, metadata: &Metadata, findings: &mut Findings) {
    let own = spec.schedule.as_ref().map(|schedule| &schedule.value);
    let own_zone = own.and_then(|schedule| schedule.timezone.as_ref());
    let within = spec.metadata.as_ref().map_or(Span::default(), |written| written.span);
    if let Some(schedule) = own
        && let Err(error) = Cron::parse(&schedule.cron.value)
    {
        findings.error(schedule.cron.span, error.to_string());
    }
    if let Some(zone) = own_zone
        && let Err(cure) = zone::check(&zone.value)
    {
        findings.error(zone.span, no_timezone(&zone.value)).help(cure);
    }
    if let Some(text) = metadata.schedule().filter(|_| own.is_none())
        && let Err(error) = Cron::parse(text)
    {
        let span = findings.source().find(within, text);
        findings
            .warning(span, error.to_string())
            .help("`metadata` accepts any text, but only a cron expression makes a schedule");
    }
    if let Some(text) = metadata.timezone().filter(|_| own_zone.is_none())
        && let Err(cure) = zone::check(text)
    {
        let span = findings.source().find(within, text);
        findings.warning(span, no_timezone(text)).help(cure);
    }
}

fn no_timezone(name: &str) -> String {
    format!("`{name}` is not a time zone")
}

/// Checks everything that does not depend on what is registered.
pub(crate) fn check(spec: &WorkflowSpec, findings: &mut Findings) {
    if let Err(error) = WorkflowName::new(spec.name.value.to_string()) {
        findings.error(spec.name.span, format!("invalid workflow name: {error}"));
    }
    if let Some(project) = &spec.project {
        check_project(project, findings);
    }
    for (name, _) in &spec.env.0 {
        check_variable(name, findings);
    }
    check_positive(spec.max_parallel.as_ref(), "max_parallel", COUNT, findings);
    for (_, limit) in &spec.limits.0 {
        check_positive(Some(limit), "a limit", COUNT, findings);
    }
    check_positive(spec.timeout.as_ref(), "a timeout", TIME, findings);
    for needs in &spec.resource_requirements {
        check_positive(needs.runtime.as_ref(), "a runtime", TIME, findings);
    }
    let known = Known::of(spec);
    for job in &spec.jobs.0 {
        check_job(&known, job, findings);
    }
    let rules = spec.failure_handlers.iter().flat_map(|handler| &handler.rules);
    for script in rules.filter_map(|rule| rule.recovery_script.as_ref()) {
        check_interpreter(script, findings);
    }
    check_actions(spec, findings);
    warn_of_ignored(spec, findings);
}

fn check_project(project: &Text, findings: &mut Findings) {
    let of_project = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if project.value.is_empty() || !project.value.chars().all(of_project) {
        let mut better: String = project.value.to_lowercase();
        better = better
            .split(|c: char| !of_project(c))
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join("-");
        findings
            .warning(project.span, "project names are lowercase with dashes")
            .help(format!("write `{better}`"));
    }
}

fn check_variable(name: &Text, findings: &mut Findings) {
    if name.value.is_empty() || name.value.contains(['=', '\0']) {
        let message = format!("`{}` is not a valid name of an environment variable", name.value);
        findings.error(name.span, message).help("use letters, digits and `_`");
    }
}

/// The cure for a count of 0.
const COUNT: &str = "write 1 or more";
/// The cure for a duration of 0.
const TIME: &str = "write more than 0, such as `30s`, or remove it";

fn check_positive<T: Default + PartialEq>(
    amount: Option<&Spanned<T>>,
    what: &str,
    help: &'static str,
    findings: &mut Findings,
) {
    if let Some(amount) = amount
        && amount.value == T::default()
    {
        findings.error(amount.span, format!("{what} of 0 lets nothing run")).help(help);
    }
}

fn check_job(known: &Known<'_>, job: &JobEntry, findings: &mut Findings) {
    let rest = job.rest.as_deref();
    let kinds = [
        ("command", job.command.as_ref()),
        ("job", rest.and_then(|rest| rest.job.as_ref())),
        ("workflow", rest.and_then(|rest| rest.workflow.as_ref())),
    ];
    let given: Vec<_> = kinds.iter().filter_map(|(name, text)| Some((*name, (*text)?))).collect();
    match given.as_slice() {
        // Such as a misspelled field.
        [] if findings.has_errors_in(job.span) => {}
        [] => {
            findings
                .error(job.name.span, format!("job `{}` does nothing", job.name.value))
                .help("give it a `command`, a registered `job`, or a `workflow`");
        }
        [(_, text)] if text.value.trim().is_empty() => {
            findings.error(text.span, "this is empty").help("write what the job runs");
        }
        [_] => {}
        [(first, one), (second, other), ..] => {
            findings
                .error(other.span, format!("a job has a `{first}` or a `{second}`, not both"))
                .also(one.span, "first here")
                .help("split it into two jobs");
        }
    }
    if let Some(command) = &job.command {
        check_interpreter(command, findings);
        let setup = rest.and_then(|rest| rest.invocation_script.as_ref());
        if let (Some(setup), Some(interpreter)) = (setup, foreign(&command.value)) {
            let name = interpreter.name();
            findings
                .error(setup.span, format!("this runs in the shell, and the command in `{name}`"))
                .also(command.span, "its first line names the interpreter")
                .help(format!("let the command call it: `{name} - <<'END'`, the script, `END`"));
        }
    }
    if let Some(rest) = rest {
        check_rest(known, job, rest, findings);
    }
}

/// The interpreter that the first line of a script names, unless it is a shell or a parameter.
fn foreign(script: &str) -> Option<Interpreter<'_>> {
    let is_foreign = |one: &Interpreter<'_>| !one.is_shell() && !one.name().contains('{');
    Interpreter::of(script).filter(is_foreign)
}

/// Checks that a script for another interpreter contains no `${{ .. }}`: only a shell can be given
/// values safely.
fn check_interpreter(script: &Text, findings: &mut Findings) {
    let Some(interpreter) = foreign(&script.value) else { return };
    let Ok(template) = Template::parse(&script.value) else { return };
    if let Some(expression) = template.expressions().next() {
        let span = findings.source().find(script.span, expression.source());
        findings
            .error(span, format!("a value cannot be put into a script of `{}`", interpreter.name()))
            .help(
                "pass it with `env`, and read the environment in the script, as \
                   `os.environ[\"NAME\"]` does in Python",
            );
    }
}

fn check_rest(known: &Known<'_>, job: &JobEntry, rest: &JobSpec, findings: &mut Findings) {
    if let Some(with) = &rest.with
        && job.command.is_some()
    {
        findings
            .error(with.span, "`with` is the input of a registered job; a command has none")
            .help("use `env`, `stdin`, or `${{ .. }}` in the command");
    }
    for (name, _) in &rest.env.0 {
        check_variable(name, findings);
    }
    check_positive(rest.timeout.as_ref(), "a timeout", TIME, findings);
    check_grace(rest, findings);
    if let Some(retry) = &rest.retry {
        if let Some(coefficient) = retry.backoff_coefficient.as_ref().filter(|c| c.value < 1.0) {
            findings
                .error(coefficient.span, "`backoff_coefficient` must be at least 1")
                .help("write 1.0 for equal waits, 2.0 for waits that double");
        }
        if let Some(jitter) = retry.jitter.as_ref().filter(|j| !(0.0..=1.0).contains(&j.value)) {
            findings
                .error(jitter.span, "`jitter` must be between 0.0 and 1.0")
                .help("write 0.2 to shorten each wait at random by up to a fifth");
        }
    }
    known.handlers.check(rest.failure_handler.as_ref(), findings);
    known.resources.check(rest.resource_requirements.as_ref(), findings);
    for limit in &rest.limits {
        known.limits.check(Some(limit), findings);
    }
    check_queue(rest, findings);
}

fn check_queue(rest: &JobSpec, findings: &mut Findings) {
    let Some(queue) = &rest.task_queue else { return };
    if let Some(workflow) = &rest.workflow {
        findings
            .error(queue.span, "a job that runs a workflow cannot have a `task_queue`")
            .also(workflow.span, "the jobs of this workflow can")
            .help("remove it, and set it on the jobs of that workflow");
    } else if let Err(error) = WorkflowName::new(queue.value.to_string()) {
        findings.error(queue.span, format!("invalid task queue: {error}"));
    }
}

fn check_grace(rest: &JobSpec, findings: &mut Findings) {
    let Some(grace) = &rest.grace else { return };
    if let Some(workflow) = &rest.workflow {
        findings
            .error(grace.span, "a job that runs a workflow cannot have a `grace`")
            .also(workflow.span, "the run of this workflow ends when its jobs have")
            .help("remove it");
    } else if rest.supports_termination == Some(false) {
        findings
            .error(grace.span, "`grace` contradicts `supports_termination: false`")
            .help("remove one of them: a job that is killed at once has no time to stop");
    } else if grace.value == Time::default() {
        findings
            .error(grace.span, "a `grace` of 0 leaves no time to stop")
            .help("write more than 0, or `supports_termination: false`");
    }
}

fn check_actions(spec: &WorkflowSpec, findings: &mut Findings) {
    for action in &spec.actions {
        let runs = action.action_type.value == ActionKind::RunCommands;
        for command in action.commands.iter().filter(|command| command.value.contains("${{")) {
            let span = findings.source().find(command.span, "${{");
            findings
                .error(span, "the commands of an action cannot contain `${{ .. }}`")
                .help("use a job instead, which waits for the jobs that it reads");
        }
        for command in &action.commands {
            if let Some(interpreter) = foreign(&command.value) {
                let name = interpreter.name();
                findings
                    .error(command.span, "the commands of an action run in the shell")
                    .help(format!("call the interpreter: `{name} - <<'END'`, the script, `END`"));
            }
        }
        if runs && action.commands.is_empty() {
            findings
                .error(action.action_type.span, "this action has no `commands`")
                .help("add `commands:`, a list");
        }
        let about_jobs = matches!(
            action.trigger_type,
            super::ActionTrigger::JobsReady | super::ActionTrigger::JobsComplete
        );
        if about_jobs && action.jobs.is_empty() && action.job_name_regexes.is_empty() {
            findings
                .error(action.action_type.span, "this action names no jobs")
                .help("add `jobs` or `job_name_regexes`");
        }
    }
}

/// Warns once about the fields for Slurm, and once about those that only other engines use.
fn warn_of_ignored(spec: &WorkflowSpec, findings: &mut Findings) {
    let jobs = spec.jobs.0.iter().filter_map(|job| job.rest.as_deref());
    let actions = spec.actions.iter();
    let schedules =
        actions.clone().filter(|one| one.action_type.value == ActionKind::ScheduleNodes);
    let schedules = schedules.map(|one| ("schedule_nodes", one.action_type.span, "Slurm"));
    let fields: Vec<_> = spec
        .ignored_fields()
        .chain(jobs.flat_map(JobSpec::ignored_fields))
        .chain(spec.files.iter().flat_map(super::FileSpec::ignored_fields))
        .chain(spec.resource_requirements.iter().flat_map(super::ResourceSpec::ignored_fields))
        .chain(schedules)
        .chain(actions.flat_map(super::ActionSpec::ignored_fields))
        .collect();
    for owner in ["Slurm", ""] {
        let own = fields.iter().filter(|(_, _, of)| *of == owner);
        let mut names: Vec<String> = Vec::new();
        for (name, ..) in own.clone() {
            let name = format!("`{name}`");
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let Some((_, first, _)) = own.min_by_key(|(_, at, _)| at.start) else { continue };
        let names = names.join(", ");
        let _ = match owner {
            "Slurm" => findings
                .warning(*first, format!("nothing is submitted to Slurm: {names} without effect"))
                .help("the jobs run on this machine"),
            _ => findings.warning(*first, format!("these fields have no effect here: {names}")),
        };
    }
}
