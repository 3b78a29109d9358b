//! What stands in the texts of a job: places filled in, values of other jobs handed over, the
//! command that comes of it.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value as Json, json};

use super::Shared;
use super::body::{Outcome, Running};
use super::splice::{Refused, Script};
use crate::command::Command;
use crate::job::JobError;
use crate::spec::{Expression, NamedKind, Part, Template, scripts_that_read, texts_of};

impl Running<'_> {
    /// What expressions may read.
    pub(super) fn known(&self) -> Json {
        let jobs = self.read.iter().map(|(name, input)| {
            let outcome = self.scope.get::<Outcome>(*input);
            let outputs = outcome.and_then(|outcome| outcome.get("outputs")).cloned();
            let known =
                json!({ "completed": outcome.is_some(), "outputs": outputs.unwrap_or(json!({})) });
            (name.clone(), known)
        });
        json!({ "input": self.invocation.input, "jobs": jobs.collect::<Map<_, _>>() })
    }

    /// The command with everything filled in.
    pub(super) fn command(&self, text: &str) -> Result<Command, JobError> {
        let known = self.known();
        let mut script = Script::default();
        if let Some(setup) = self.rest().and_then(|rest| rest.invocation_script.as_ref()) {
            self.splice(&mut script, &setup.value, &known)?;
            script.push(" ");
        }
        self.splice(&mut script, text, &known)?;
        let (text, values) = script.finish();
        let mut command = Command::new(text);
        command.env = self.environment(&known)?;
        command.env.extend(values);
        command.cwd = Some(self.folder(&known)?);
        if let Some(rest) = self.rest() {
            let stdin = rest.stdin.as_ref().map(|stdin| self.text(&stdin.value, &known));
            command.stdin = stdin.transpose()?;
            if rest.supports_termination == Some(false) {
                command.grace = Duration::ZERO;
            } else if let Some(grace) = &rest.grace {
                command.grace = grace.value.0;
            }
        }
        Ok(command)
    }

    fn folder(&self, known: &Json) -> Result<PathBuf, JobError> {
        let cwd = self.rest().and_then(|rest| rest.cwd.as_ref());
        let cwd = cwd.map(|cwd| self.text(&cwd.value, known)).transpose()?;
        Ok(cwd.map_or_else(|| self.shared.folder.clone(), |cwd| self.shared.folder.join(cwd)))
    }

    fn environment(&self, known: &Json) -> Result<Vec<(String, String)>, JobError> {
        let context = &self.context;
        let (name, attempt) = (context.job_name(), context.attempt().to_string());
        let folder = std::path::absolute(&self.shared.folder).map_err(JobError::from)?;
        let mut variables = vec![
            ("WORKFLOW_JOB".to_owned(), name.clone()),
            ("WORKFLOW_ATTEMPT".to_owned(), attempt.clone()),
            ("WORKFLOW_IDEMPOTENCY_KEY".to_owned(), context.idempotency_key()),
            ("TORC_JOB_ID".to_owned(), (self.job + 1).to_string()),
            ("TORC_JOB_NAME".to_owned(), name),
            ("TORC_ATTEMPT_ID".to_owned(), attempt),
            ("TORC_WORKFLOW_SUBMISSION_DIR".to_owned(), folder.display().to_string()),
        ];
        let own = self.rest().into_iter().flat_map(|rest| &rest.env.0);
        for (name, value) in self.shared.spec.env.0.iter().chain(own) {
            variables.push((name.value.to_string(), self.text(&value.value.0, known)?));
        }
        Ok(variables)
    }

    /// A text that is no script, with everything filled in.
    pub(super) fn text(&self, written: &str, known: &Json) -> Result<String, JobError> {
        self.shared.text(&self.shared.filled(self.job, written), known)
    }

    fn splice(&self, script: &mut Script, written: &str, known: &Json) -> Result<(), JobError> {
        for part in self.template(written)?.parts {
            match part {
                Part::Text(part) => script.push(&part),
                Part::Named { kind, name, .. } => script.push(&self.shared.named(kind, &name)),
                Part::Expression(expression) => {
                    let value = expression.evaluate(known).map_err(JobError::terminal)?;
                    script
                        .push_value(shown(&value))
                        .map_err(|refused| cannot_stand(expression.source(), &refused))?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn template(&self, written: &str) -> Result<Template, JobError> {
        template(&self.shared.filled(self.job, written))
    }
}

fn template(text: &str) -> Result<Template, JobError> {
    Template::parse(text).map_err(|error| JobError::terminal(error.message))
}

fn cannot_stand(expression: &str, refused: &Refused) -> JobError {
    let reason = match refused {
        Refused::Literal => {
            "stands in a here-document whose end is quoted, where nothing can be put in safely; \
             hand it over with `env`, or do not quote the end"
        }
        Refused::NoNumber => {
            "stands in arithmetic, which the shell evaluates, and is no integer; publish an \
             integer, or compute with another program"
        }
    };
    JobError::terminal(format!("`${{{{ {expression} }}}}` {reason}"))
}

/// A value as it stands in a text: strings as they are, everything else as JSON.
pub(super) fn shown(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Null => String::new(),
        other => other.to_string(),
    }
}

impl Shared {
    /// A text with parameters and constants filled in.
    pub(super) fn filled(&self, job: u32, written: &str) -> String {
        self.expanded.filled(job, written)
    }

    /// The path of a file, or data as JSON.
    fn named(&self, kind: NamedKind, name: &str) -> String {
        match kind {
            NamedKind::File => {
                let files = &self.expanded.files;
                let number = files.number_of.get(name);
                number.map_or_else(String::new, |number| files.list[*number as usize].1.to_string())
            }
            NamedKind::Data => self.expanded.data_of(&self.spec, name).to_string(),
        }
    }

    /// A text whose parameters are filled in, with names and expressions filled in as well.
    pub(super) fn text(&self, written: &str, known: &Json) -> Result<String, JobError> {
        let mut text = String::new();
        for part in template(written)?.parts {
            match part {
                Part::Text(part) => text.push_str(&part),
                Part::Named { kind, name, .. } => text.push_str(&self.named(kind, &name)),
                Part::Expression(expression) => {
                    text.push_str(&shown(&expression.evaluate(known).map_err(JobError::terminal)?))
                }
            }
        }
        Ok(text)
    }

    /// The jobs whose outcomes stand in the texts of a job, by the names that they are read by.
    pub(super) fn read_jobs(&self, job: u32) -> Vec<(String, u32)> {
        let entry = &self.spec.jobs.0[self.expanded.jobs[job as usize].entry as usize];
        let scripts = self.handler(job).into_iter().flat_map(scripts_that_read);
        let texts = texts_of(entry).chain(scripts).filter(|(text, _)| text.contains("${{"));
        let templates = texts.filter_map(|(text, _)| Template::parse(&self.filled(job, text)).ok());
        let templates: Vec<_> = templates.collect();
        let when = self.rest(job).and_then(|rest| rest.when.as_ref());
        let when = when.and_then(|when| Expression::condition(&self.filled(job, &when.value)).ok());
        let mut known = HashSet::new();
        let mut read = Vec::new();
        for expression in templates.iter().flat_map(Template::expressions).chain(when.as_ref()) {
            for name in expression.jobs() {
                if let Some(other) = self.expanded.job_of.get(name.as_str())
                    && known.insert(name.clone())
                {
                    read.push((name.clone(), *other));
                }
            }
        }
        read
    }
}
