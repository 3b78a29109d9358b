//! The texts of a job with parameters substituted and expressions interpolated, and the command
//! that they make.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value as Json, json};

use super::Shared;
use super::body::{Outcome, Running};
use super::interpolate::{Interpreter, Refusal, Refused, Script, is_integer};
use crate::command::{Command, Shell};
use crate::document::{Scalar, SourceText, Span, Spanned, Table};
use crate::spec::{Expression, NamedKind, Part, Template, Text};
use workflow_core::event::format_time;
use workflow_core::job::JobError;

impl Running<'_> {
    /// The values that expressions may read.
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

    /// Builds a command of the job, which reads this stdin.
    pub(super) fn command(
        &self,
        text: &Text,
        stdin: Option<&Text>,
        shell: &Shell,
    ) -> Result<Command, JobError> {
        let known = self.known();
        let mut script = Interpolation::new(self.shared);
        if let Some(setup) = self.rest().and_then(|rest| rest.invocation_script.as_ref()) {
            self.interpolate(&mut script, setup, &known)?;
            script.push(" ");
        }
        self.interpolate(&mut script, text, &known)?;
        let mut env = self.context_variables()?;
        let own = self.rest().map(|rest| &rest.env);
        let substituted = |text: &str| self.shared.substituted(self.job, text);
        for table in [&self.shared.spec.env].into_iter().chain(own) {
            script.hold_table(table, &substituted, &known, &mut env)?;
        }
        let stdin =
            stdin.map(|stdin| script.hold_stdin(stdin, &substituted, &known)).transpose()?;
        let written = substituted(&text.value);
        let interpreter = Interpreter::of(&written, shell.is_bash());
        let (text, values) = script.finish(&interpreter)?;
        let mut command = Command::new(text);
        command.env = env;
        command.env.extend(values);
        command.cwd = Some(self.folder(&known)?);
        command.stdin = stdin;
        if let Some(rest) = self.rest() {
            if rest.supports_termination == Some(false) {
                command.grace = Duration::ZERO;
            } else if let Some(grace) = &rest.grace {
                command.grace = grace.value.0;
            }
        }
        Ok(command)
    }

    /// The working directory of the job.
    pub(super) fn folder(&self, known: &Json) -> Result<PathBuf, JobError> {
        let cwd = self.rest().and_then(|rest| rest.cwd.as_ref());
        let cwd = cwd.map(|cwd| self.text(&cwd.value, known)).transpose()?;
        Ok(cwd.map_or_else(|| self.shared.folder.clone(), |cwd| self.shared.folder.join(cwd)))
    }

    /// Environment variables about the run.
    fn context_variables(&self) -> Result<Vec<(String, String)>, JobError> {
        let context = &self.context;
        let (name, attempt) = (context.job_name(), context.attempt().to_string());
        let folder = std::path::absolute(&self.shared.folder).map_err(JobError::from)?;
        // Set in any case: the engine may itself run in a command of a scheduled run.
        let scheduled_for = context.scheduled_for().map(format_time).unwrap_or_default();
        Ok(vec![
            ("WORKFLOW_JOB".to_owned(), name.clone()),
            ("WORKFLOW_ATTEMPT".to_owned(), attempt.clone()),
            ("WORKFLOW_IDEMPOTENCY_KEY".to_owned(), context.idempotency_key()),
            ("WORKFLOW_SCHEDULED_FOR".to_owned(), scheduled_for),
            ("TORC_JOB_ID".to_owned(), (self.job + 1).to_string()),
            ("TORC_JOB_NAME".to_owned(), name),
            ("TORC_ATTEMPT_ID".to_owned(), attempt),
            ("TORC_WORKFLOW_SUBMISSION_DIR".to_owned(), folder.display().to_string()),
        ])
    }

    /// Interpolates a text that is not a script.
    pub(super) fn text(&self, written: &str, known: &Json) -> Result<String, JobError> {
        self.shared.text(&self.shared.substituted(self.job, written), known)
    }

    fn interpolate(
        &self,
        script: &mut Interpolation<'_>,
        written: &Text,
        known: &Json,
    ) -> Result<(), JobError> {
        let template = self.template(&written.value)?;
        for (nth, part) in template.numbered() {
            match part {
                Part::Text(part) => script.push(part),
                Part::Named { kind, name, .. } => script.push(&self.shared.named(*kind, name)),
                Part::Expression(expression) => {
                    let value = expression.evaluate(known).map_err(JobError::terminal)?;
                    script.push_value(value_text(&value), expression, written.span, nth);
                }
            }
        }
        Ok(())
    }

    pub(super) fn template(&self, written: &str) -> Result<Template, JobError> {
        template(&self.shared.substituted(self.job, written))
    }
}

fn template(text: &str) -> Result<Template, JobError> {
    Template::parse(text).map_err(|error| JobError::terminal(error.message))
}

/// A script during interpolation, with the expressions of its values.
pub(super) struct Interpolation<'s> {
    shared: &'s Shared,
    script: Script,
    values: Vec<WrittenExpression>,
    held: Vec<WrittenExpression>,
}

/// An expression of a file.
struct WrittenExpression {
    source: String,
    /// The span of its text.
    within: Span,
    /// Its number among the expressions of the text, from 0.
    nth: usize,
}

impl<'s> Interpolation<'s> {
    pub(super) fn new(shared: &'s Shared) -> Self {
        Self { shared, script: Script::default(), values: Vec::new(), held: Vec::new() }
    }

    pub(super) fn push(&mut self, text: &str) {
        self.script.push(text);
    }

    fn push_value(&mut self, value: String, expression: &Expression, within: Span, nth: usize) {
        self.script.push_value(value);
        self.values.push(WrittenExpression { source: expression.source().to_owned(), within, nth });
    }

    /// Interpolates a table of environment variables, and records those that contain values.
    pub(super) fn hold_table(
        &mut self,
        table: &Table<Spanned<Scalar>>,
        substituted: &dyn Fn(&str) -> String,
        known: &Json,
        variables: &mut Vec<(String, String)>,
    ) -> Result<(), JobError> {
        for (name, written) in &table.0 {
            let hold = |script: &mut Script| script.hold(&name.value);
            let value = self.held(&substituted(&written.value.0), written.span, known, hold)?;
            variables.push((name.value.to_string(), value));
        }
        Ok(())
    }

    /// Interpolates the stdin of the script, and records whether it contains values.
    fn hold_stdin(
        &mut self,
        written: &Text,
        substituted: &dyn Fn(&str) -> String,
        known: &Json,
    ) -> Result<String, JobError> {
        self.held(&substituted(&written.value), written.span, known, Script::hold_stdin)
    }

    /// Interpolates a text that the script does not contain but may read; `hold` declares it to the
    /// script if one of its values is not an integer.
    fn held(
        &mut self,
        text: &str,
        within: Span,
        known: &Json,
        hold: impl FnOnce(&mut Script),
    ) -> Result<String, JobError> {
        let mut not_integer = None;
        let text = self.shared.interpolate(&template(text)?, known, |nth, expression, value| {
            if !is_integer(value) {
                not_integer.get_or_insert((nth, expression.source().to_owned()));
            }
        })?;
        if let Some((nth, source)) = not_integer {
            hold(&mut self.script);
            self.held.push(WrittenExpression { source, within, nth });
        }
        Ok(text)
    }

    /// Returns the script and the variables with its values.
    ///
    /// # Errors
    ///
    /// Fails for the first value that a shell might run, with its place and a cure.
    pub(super) fn finish(
        self,
        interpreter: &Interpreter,
    ) -> Result<(String, Vec<(String, String)>), JobError> {
        match self.script.finish(interpreter) {
            Ok(substituted) => Ok((substituted.text, substituted.variables)),
            Err(refused) => Err(self.refusal(&refused)),
        }
    }

    fn refusal(&self, refused: &Refused) -> JobError {
        let written = match refused.what {
            Refusal::Value(number) => &self.values[number],
            Refusal::Held(number) => &self.held[number],
        };
        let cure = match refused.may_be_in_env() {
            true => "use `| int`, or pass it by `env:` and quote the variable",
            false => "use `| int`",
        };
        let place = written.place(&self.shared.source);
        JobError::terminal(format!(
            "{place}: `${{{{ {} }}}}` {}, and is not an integer; {cure}",
            written.source, refused.reason
        ))
    }
}

impl WrittenExpression {
    /// File, line and column.
    fn place(&self, source: &SourceText) -> String {
        let text = source.slice(self.within);
        let opened = text.match_indices("${{").map(|(at, _)| at);
        let own = opened.filter(|at| !text[..*at].ends_with('$')).nth(self.nth);
        let at = self.within.start + own.unwrap_or(0) as u32;
        let (line, column) = source.line_and_column(at);
        format!("{}:{line}:{column}", source.name())
    }
}

/// The text of a value: strings unchanged, everything else as JSON.
pub(super) fn value_text(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Null => String::new(),
        other => other.to_string(),
    }
}

impl Shared {
    /// A text with its parameters and constants substituted.
    pub(super) fn substituted(&self, job: u32, written: &str) -> String {
        self.expanded.substituted(job, written)
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

    /// Interpolates the names and expressions of a text whose parameters are substituted.
    pub(super) fn text(&self, written: &str, known: &Json) -> Result<String, JobError> {
        self.interpolate(&template(written)?, known, |_, _, _| {})
    }

    /// Interpolates a template; `see` gets each expression with its number and the text of its
    /// value.
    fn interpolate(
        &self,
        template: &Template,
        known: &Json,
        mut see: impl FnMut(usize, &Expression, &str),
    ) -> Result<String, JobError> {
        let mut text = String::new();
        for (nth, part) in template.numbered() {
            match part {
                Part::Text(part) => text.push_str(part),
                Part::Named { kind, name, .. } => text.push_str(&self.named(*kind, name)),
                Part::Expression(expression) => {
                    let value = expression.evaluate(known).map_err(JobError::terminal)?;
                    let value = value_text(&value);
                    see(nth, expression, &value);
                    text.push_str(&value);
                }
            }
        }
        Ok(text)
    }

    /// The jobs that the texts of a job read, with the names in the texts.
    pub(super) fn read_jobs(&self, job: u32) -> Vec<(String, u32)> {
        let scripts = self.expanded.scripts_of(&self.spec, job);
        let texts = self.expanded.texts_of(job).iter().chain(scripts);
        let texts = texts.filter(|(text, _)| text.contains("${{"));
        let templates =
            texts.filter_map(|(text, _)| Template::parse(&self.substituted(job, text)).ok());
        let templates: Vec<_> = templates.collect();
        let when = self.rest(job).and_then(|rest| rest.when.as_ref());
        let when =
            when.and_then(|when| Expression::condition(&self.substituted(job, &when.value)).ok());
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
