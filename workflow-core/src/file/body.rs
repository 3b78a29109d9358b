//! The work of the jobs of a file.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value as Json, json};

use super::invocation::Invocation;
use super::splice::{Refused, Script};
use super::{Shared, handler, registered};
use crate::command::{Command, CommandError, Exit, Usage};
use crate::job::{
    Body, Call, Condition, Handle, Input, Inputs, JobContext, JobError, JobOptions, Scope,
};
use crate::spec::{
    Expression, JobSpec, NamedKind, Part, Template, is_true, scripts_that_read, texts_of,
};
use crate::value::Type;
use crate::workflow::Flow;

/// What a job of a file leaves: `{"outputs": {..}}`, and of a command also how it ended.
pub(super) type Outcome = Json;

/// A job of a file in one run.
pub(super) struct Running<'s> {
    pub(super) shared: &'s Shared,
    pub(super) job: u32,
    pub(super) scope: &'s Scope,
    pub(super) invocation: &'s Invocation,
    pub(super) context: JobContext,
    /// Of each job that is read, its name and the input that it is.
    read: &'s [(String, u32)],
}

/// The call of a job of a file.
pub(super) fn call(
    shared: &Arc<Shared>,
    job: u32,
    flow: &Flow,
    input: Handle<Invocation>,
    mut options: JobOptions,
) -> Call<Outcome> {
    let mut inputs = Inputs::new();
    inputs.push(Input(input.at));
    let read: Arc<[(String, u32)]> = shared
        .read_jobs(job)
        .into_iter()
        .map(|(name, other)| {
            inputs.push(Input(flow.output_of::<Outcome>(other).at));
            (name, inputs.len() as u32 - 1)
        })
        .collect();
    if let Some(when) = shared.rest(job).and_then(|rest| rest.when.as_ref()) {
        let expression = Expression::condition(&shared.filled(job, &when.value));
        options.condition = Some(holds(shared, job, &read, expression));
    }
    let is_command = shared.command(job).is_some();
    let shared = Arc::clone(shared);
    let body = Body::future(move |scope| {
        let (shared, read) = (Arc::clone(&shared), Arc::clone(&read));
        async move {
            let outcome = Running::new(&shared, job, &scope, &read)?.run().await?;
            scope.put(outcome)
        }
    });
    let call = Call::<Json>::new("job", kind(), body, inputs).options(options).takes_context();
    // What only starts another run takes no place among the running.
    if is_command { call } else { call.container() }
}

/// The call that runs the commands of an action, in one shell that stops at the first failure.
pub(super) fn action(
    shared: &Arc<Shared>,
    action: usize,
    input: Handle<Invocation>,
    options: JobOptions,
) -> Call<Outcome> {
    let shared = Arc::clone(shared);
    let inputs = Inputs::from_iter([Input(input.at)]);
    let body = Body::future(move |scope: Scope| {
        let shared = Arc::clone(&shared);
        async move {
            let invocation = invocation(&scope)?;
            let context = JobContext::new(&scope);
            let commands = shared.spec.actions[action].commands.iter();
            let lines = commands.map(|text| shared.expanded.constant(&text.value));
            let script = lines.fold("set -e\n".to_owned(), |script, line| script + &line + "\n");
            let mut command = Command::new(script);
            command.cwd = Some(shared.folder.clone());
            let env = shared.spec.env.0.iter();
            command.env = env
                .map(|(name, value)| (name.value.to_string(), value.value.0.to_string()))
                .collect();
            let finished = invocation.shell(&shared, &context)?.run(&command, &context).await?;
            scope.put(serde_json::to_value(&finished).map_err(JobError::terminal)?)
        }
    });
    Call::<Json>::new("action", kind(), body, inputs).options(options).takes_context()
}

fn kind() -> Type {
    Type::opaque::<Json>().with_clone::<Json>().with_serialize::<Json>()
}

fn invocation(scope: &Scope) -> Result<&Invocation, JobError> {
    scope.get::<Invocation>(0).ok_or_else(JobError::no_input::<Invocation>)
}

fn holds(
    shared: &Arc<Shared>,
    job: u32,
    read: &Arc<[(String, u32)]>,
    expression: Result<Expression, String>,
) -> Condition {
    let (shared, read) = (Arc::clone(shared), Arc::clone(read));
    Condition(Box::new(move |scope| {
        let expression =
            expression.as_ref().map_err(|reason| JobError::terminal(reason.clone()))?;
        let running = Running::new(&shared, job, scope, &read)?;
        let value = expression.evaluate(&running.known()).map_err(JobError::terminal)?;
        Ok(is_true(&value))
    }))
}

impl<'s> Running<'s> {
    fn new(
        shared: &'s Shared,
        job: u32,
        scope: &'s Scope,
        read: &'s [(String, u32)],
    ) -> Result<Self, JobError> {
        let invocation = invocation(scope)?;
        Ok(Self { shared, job, scope, invocation, context: JobContext::new(scope), read })
    }

    async fn run(&self) -> Result<Outcome, JobError> {
        match self.shared.command(self.job) {
            Some(command) => self.run_command(command).await,
            None => registered::run(self).await,
        }
    }

    async fn run_command(&self, text: &str) -> Result<Outcome, JobError> {
        let command = self.command(text)?;
        let shell = self.invocation.shell(self.shared, &self.context)?;
        let finished = match shell.run(&command, &self.context).await {
            Ok(finished) => finished,
            Err(error) => {
                if let Some(CommandError::Exit { exit, usage, .. }) = error.downcast_ref() {
                    self.note(*exit, usage);
                }
                return Err(handler::handle(self, shell, &command, error).await);
            }
        };
        self.note(finished.exit, &finished.usage);
        let missing = self.rest().into_iter().flat_map(|rest| &rest.outputs);
        for name in missing {
            if !finished.outputs.contains_key(&*name.value) {
                return Err(JobError::terminal(format!(
                    "the output `{}` was not published; write `{}=..` to \"$WORKFLOW_OUTPUT\"",
                    name.value, name.value
                )));
            }
        }
        serde_json::to_value(&finished).map_err(JobError::terminal)
    }

    /// Tells the report how a command ended, and what it took.
    fn note(&self, exit: Exit, usage: &Usage) {
        if let Some(code) = exit.code() {
            self.context.note("exit_code", code);
        }
        if let Some(signal) = exit.signal() {
            self.context.note("signal", signal);
        }
        if let Some(peak) = usage.peak_memory_bytes {
            self.context.note("peak_memory_bytes", peak);
        }
        self.context.note("cpu_seconds", usage.cpu_time.as_secs_f64());
        if usage.dropped_output_bytes > 0 {
            self.context.note("dropped_output_bytes", usage.dropped_output_bytes);
        }
    }

    pub(super) fn rest(&self) -> Option<&'s JobSpec> {
        self.shared.rest(self.job)
    }

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
        let mut text = String::new();
        for part in self.template(written)?.parts {
            match part {
                Part::Text(part) => text.push_str(&part),
                Part::Named { kind, name, .. } => text.push_str(&self.shared.named(kind, &name)),
                Part::Expression(expression) => {
                    text.push_str(&shown(&expression.evaluate(known).map_err(JobError::terminal)?))
                }
            }
        }
        Ok(text)
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
        let filled = self.shared.filled(self.job, written);
        Template::parse(&filled).map_err(|error| JobError::terminal(error.message))
    }
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
    pub(super) fn rest(&self, job: u32) -> Option<&JobSpec> {
        let entry = self.expanded.jobs[job as usize].entry;
        self.spec.jobs.0[entry as usize].rest.as_deref()
    }

    pub(super) fn command(&self, job: u32) -> Option<&str> {
        let entry = self.expanded.jobs[job as usize].entry;
        self.spec.jobs.0[entry as usize].command.as_ref().map(|command| &*command.value)
    }

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

    /// The jobs whose outcomes stand in the texts of a job, by the names that they are read by.
    fn read_jobs(&self, job: u32) -> Vec<(String, u32)> {
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
