//! The bodies of the jobs of a file.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::interpolate::Interpreter;
use super::invocation::Invocation;
use super::job_texts::Interpolation;
use super::registered::Registered;
use super::{Shared, handler, registered};
use crate::command::{Command, CommandError, Exit, ResourceUsage};
use crate::spec::{self, Expression, JobSpec, Text};
use workflow_core::job::{AttemptIo, Body, Call, Handle, Inputs, JobContext, JobError, JobOptions};
use workflow_core::value::Type;
use workflow_core::workflow::Flow;

/// The output of a job of a file: `{"outputs": {..}}`, and for a command also how it ended.
pub(super) type Outcome = Json;

/// A running job of a file.
pub(super) struct Running<'s> {
    pub(super) shared: &'s Shared,
    pub(super) job: u32,
    pub(super) scope: &'s AttemptIo,
    pub(super) invocation: &'s Invocation,
    pub(super) context: JobContext,
    /// The names of the jobs that it reads, with the numbers of its inputs.
    pub(super) read: &'s [(String, u32)],
}

/// Builds the call of a job of a file.
pub(super) fn call(
    shared: &Arc<Shared>,
    job: u32,
    flow: &Flow,
    input: Handle<Invocation>,
    mut options: JobOptions,
) -> Call<Outcome> {
    let mut inputs = Inputs::new();
    inputs.push(input.into());
    let read: Arc<[(String, u32)]> = shared
        .read_jobs(job)
        .into_iter()
        .map(|(name, other)| (name, inputs.push(flow.output_of::<Outcome>(other).into())))
        .collect();
    if let Some(when) = shared.rest(job).and_then(|rest| rest.when.as_ref()) {
        let expression = Expression::condition(&shared.substituted(job, &when.value));
        options.set_condition(holds(shared, job, &read, expression));
    }
    if let (Some(mut registered), Some(rest)) = (Registered::of(shared, job), shared.rest(job)) {
        let options = registered.options(rest, options);
        let (is_container, needs) = (registered.is_container(), registered.needs());
        let shared = Arc::clone(shared);
        let work = (shared, read);
        let end = work.clone();
        let begin = move |scope: &AttemptIo| {
            let running = Running::new(&work.0, job, scope, &work.1)?;
            running.check_inputs()?;
            registered::inputs(&running)
        };
        let end =
            move |scope: &AttemptIo| Running::new(&end.0, job, scope, &end.1)?.check_outputs();
        let body = registered.into_body(begin, end);
        let call = Call::<Json>::new("job", kind(), body, inputs).options(options).takes_context();
        let call = call.requiring(needs);
        return if is_container { call.container() } else { call };
    }
    let is_command = shared.command(job).is_some();
    let needs = registered::needs_of_workflow(shared, job);
    let shared = Arc::clone(shared);
    let body = Body::future(move |scope| {
        let (shared, read) = (Arc::clone(&shared), Arc::clone(&read));
        async move {
            let outcome = Running::new(&shared, job, &scope, &read)?.run().await?;
            scope.put(outcome)
        }
    });
    let call = Call::<Json>::new("job", kind(), body, inputs).options(options).takes_context();
    let call = call.requiring(needs);
    // A job that only starts another run or job does not count as running.
    if is_command { call } else { call.container() }
}

/// Builds the call that runs the commands of an action, in one shell that stops at the first
/// failure.
pub(super) fn action(
    shared: &Arc<Shared>,
    action: usize,
    input: Handle<Invocation>,
    options: JobOptions,
) -> Call<Outcome> {
    let shared = Arc::clone(shared);
    let inputs = Inputs::from_iter([input.into()]);
    let body = Body::future(move |scope: AttemptIo| {
        let shared = Arc::clone(&shared);
        async move {
            let invocation = invocation(&scope)?;
            let context = JobContext::new(&scope);
            let commands = shared.spec.actions[action].commands.iter();
            let lines = commands.map(|text| shared.expanded.constant(&text.value));
            let lines = lines.fold("set -e\n".to_owned(), |script, line| script + &line + "\n");
            let mut script = Interpolation::new(&shared);
            script.push(&lines);
            let known = json!({ "input": invocation.input, "jobs": {} });
            let (mut env, substituted) = (Vec::new(), |text: &str| shared.expanded.constant(text));
            script.hold_table(&shared.spec.env, &substituted, &known, &mut env)?;
            let shell = invocation.shell(&context)?;
            let (text, _) = script.finish(&Interpreter::of("", shell.is_bash()))?;
            let mut command = Command::new(text);
            command.cwd = Some(shared.folder.clone());
            command.env = env;
            let finished = shell.run(&command, &context).await?;
            scope.put(serde_json::to_value(&finished).map_err(JobError::terminal)?)
        }
    });
    Call::<Json>::new("action", kind(), body, inputs).options(options).takes_context()
}

fn kind() -> Type {
    Type::opaque::<Json>().with_clone::<Json>().with_serialize::<Json>().with_deserialize::<Json>()
}

fn invocation(scope: &AttemptIo) -> Result<&Invocation, JobError> {
    scope.get::<Invocation>(0).ok_or_else(JobError::no_input::<Invocation>)
}

fn holds(
    shared: &Arc<Shared>,
    job: u32,
    read: &Arc<[(String, u32)]>,
    expression: Result<Expression, String>,
) -> impl Fn(&AttemptIo) -> Result<bool, JobError> + Send + Sync + use<> {
    let (shared, read) = (Arc::clone(shared), Arc::clone(read));
    move |scope| {
        let expression =
            expression.as_ref().map_err(|reason| JobError::terminal(reason.clone()))?;
        let running = Running::new(&shared, job, scope, &read)?;
        let value = expression.evaluate(&running.known()).map_err(JobError::terminal)?;
        spec::holds(expression, &value).map_err(JobError::terminal)
    }
}

impl<'s> Running<'s> {
    fn new(
        shared: &'s Shared,
        job: u32,
        scope: &'s AttemptIo,
        read: &'s [(String, u32)],
    ) -> Result<Self, JobError> {
        let invocation = invocation(scope)?;
        Ok(Self { shared, job, scope, invocation, context: JobContext::new(scope), read })
    }

    async fn run(&self) -> Result<Outcome, JobError> {
        self.check_inputs()?;
        let outcome = match self.shared.command(self.job) {
            Some(command) => self.run_command(command).await?,
            None => registered::run(self).await?,
        };
        self.check_outputs()?;
        Ok(outcome)
    }

    async fn run_command(&self, text: &Text) -> Result<Outcome, JobError> {
        let shell = self.invocation.shell(&self.context)?;
        let stdin = self.rest().and_then(|rest| rest.stdin.as_ref());
        let command = self.command(text, stdin, shell)?;
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

    /// Adds the end of a command and its resource usage to the report.
    fn note(&self, exit: Exit, usage: &ResourceUsage) {
        if let Some(code) = exit.code() {
            self.context.annotate_silently("exit_code", code);
        }
        if let Some(signal) = exit.signal() {
            self.context.annotate_silently("signal", signal);
        }
        if let Some(peak) = usage.peak_memory_bytes {
            self.context.annotate_silently("peak_memory_bytes", peak);
        }
        self.context.annotate_silently("cpu_seconds", usage.cpu_time.as_secs_f64());
        if usage.dropped_output_bytes > 0 {
            self.context.annotate_silently("dropped_output_bytes", usage.dropped_output_bytes);
        }
    }

    pub(super) fn rest(&self) -> Option<&'s JobSpec> {
        self.shared.rest(self.job)
    }
}

impl Shared {
    pub(super) fn rest(&self, job: u32) -> Option<&JobSpec> {
        let entry = self.expanded.jobs[job as usize].entry;
        self.spec.jobs.0[entry as usize].rest.as_deref()
    }

    pub(super) fn command(&self, job: u32) -> Option<&Text> {
        let entry = self.expanded.jobs[job as usize].entry;
        self.spec.jobs.0[entry as usize].command.as_ref()
    }
}
