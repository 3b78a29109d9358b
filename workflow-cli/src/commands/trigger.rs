//! `trigger`: queues a run for the workers.

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgMatches, Args};
use serde_json::json;
use workflow_core::engine::{Enqueued, RunRequest};
use workflow_core::graph::Graph;
use workflow_core::registry::{self, RegistryError};
use workflow_core::store::{Store, StoredRun};
use workflow_core::{Status, Workflow};
use workflow_store::{Catalog, Viewer};

use crate::args::{
    Format, InputArguments, Keys, RUNS_DIR, ShowArguments, StoreArguments, Target, input, integer,
    is_file, parse_timeout,
};
use crate::failure::{Failure, Outcome};
use crate::output;
use crate::session::{self, print_existing, print_refused, stored_run};

/// Queue a run of a workflow for the workers
///
/// Prints the ID of the run. A process that serves its task queue runs it: `worker` or `serve`. `run`
/// runs a workflow in this process instead.
///
/// If the program has JSON Schemas of its inputs, each named input of a registered workflow is an
/// option. `trigger NAME --help` lists them.
#[derive(Debug, Args)]
#[command(alias = "trigger_workflow", after_help = EXAMPLES)]
pub(crate) struct TriggerArguments {
    /// Registered workflow or workflow file, or the ID, name or slug of a workflow in the database
    #[arg(value_name = "NAME|FILE")]
    workflow: String,
    #[command(flatten)]
    input: InputArguments,
    #[command(flatten)]
    pub(crate) store: StoreArguments,
    /// Task queue [default: the queue of the workflow's domain]
    #[arg(long, value_name = "QUEUE")]
    task_queue: Option<String>,
    /// Priority in the task queue: runs with a higher number start first [default: 0]
    #[arg(
        long,
        value_name = "N",
        default_value_t,
        hide_default_value = true,
        allow_negative_numbers = true,
        value_parser = integer::<i32>(i64::from(i32::MIN)..=i64::from(i32::MAX))
    )]
    priority: i32,
    /// Idempotency key: triggering again with the same key returns the existing run. A request that
    /// `skip` or `debounce` answers with another run does not use up its key
    #[arg(long, visible_alias = "idempotency-key", value_name = "KEY")]
    workflow_id: Option<String>,
    #[cfg(feature = "temporal")]
    #[command(flatten)]
    backend: crate::args::BackendArguments,
    /// Wait for the end of the run, and print its report
    #[arg(long)]
    wait: bool,
    /// Maximum time to wait, with --wait: seconds, or a duration such as 5m [default: no limit]
    #[arg(long, value_name = "TIME", requires = "wait", value_parser = parse_timeout)]
    timeout: Option<Duration>,
    #[command(flatten)]
    show: ShowArguments,
}

const EXAMPLES: &str = "\
Examples:
  workflow trigger confirm_booking --booking-id 123
  workflow trigger confirm_booking --input '{\"booking_id\": 123}' --wait --timeout 300
  workflow trigger etl.yaml --task-queue reports --db postgres://localhost/runs

Exit codes:
  0 the run is queued or, with --wait, completed; 1 it failed, or did not end in time;
  2 invalid usage or input; 130 it was cancelled, also by its limit";

pub(crate) fn trigger(args: &TriggerArguments) -> Result<Outcome, Failure> {
    #[cfg(feature = "temporal")]
    if let Some(options) = args.backend.temporal() {
        return args.on_temporal(options);
    }
    let store = args.store.open_or_create()?;
    let target = Target::find_in_store(&args.workflow, &*store)?;
    let (workflow, workflow_id): (Arc<dyn Workflow>, _) = match target {
        Target::Registered(entry) => (entry.workflow(), None),
        Target::File(file) => (Arc::new(*file), None),
        Target::Stored(file, id) => (Arc::new(*file), Some(id)),
    };
    let input = args.input.json(workflow.input())?;
    input::check(&*workflow, input.as_ref(), Keys::Options)?;
    let engine = session::engine_builder(Path::new(RUNS_DIR));
    let engine = session::with_store(engine, store.seen_by(Viewer::All) as Arc<dyn Store>).build();
    // That of a workflow with a graph for each input is not known here.
    let plan = workflow.plan(None).ok();
    let graph = plan.as_ref().map(|plan| plan.graph());
    let key = args.workflow_id.as_deref();
    let request = session::request(&engine, workflow, workflow_id, input.as_ref(), key);
    let queued = pollster::block_on(args.queued(request).enqueue_once())?;
    args.answer(&store, queued, graph)
}

/// Warns about task queues of the run and of its jobs that no live worker serves.
fn warn(store: &dyn Catalog, run: &StoredRun, graph: Option<&Graph>) -> Result<(), Failure> {
    session::warn_of_queue(store, run)?;
    graph.map_or(Ok(()), |graph| session::warn_of_jobs(store, graph))
}

#[cfg(feature = "temporal")]
impl TriggerArguments {
    /// Starts the run on Temporal.
    fn on_temporal(
        &self,
        options: &workflow_temporal::TemporalOptions,
    ) -> Result<Outcome, Failure> {
        if is_file(&self.workflow) {
            let text =
                "workflow files cannot run on Temporal; use a store, or register the workflow";
            return Err(Failure::Usage(text.to_owned()));
        }
        let workflow = registry::get(&self.workflow)?.workflow();
        let input = self.input.json(workflow.input())?;
        input::check(&*workflow, input.as_ref(), Keys::Options)?;
        let request = super::temporal::Trigger {
            workflow,
            input,
            task_queue: self.task_queue.as_deref(),
            workflow_id: self.workflow_id.as_deref(),
            priority: self.priority,
            wait: self.wait,
            timeout: self.timeout,
            show: &self.show,
        };
        super::temporal::trigger(options, request)
    }
}

impl TriggerArguments {
    /// Sets the options that only queued runs have.
    fn queued(&self, mut request: RunRequest) -> RunRequest {
        if let Some(queue) = &self.task_queue {
            request = request.task_queue(queue);
        }
        request.priority(self.priority)
    }

    /// Says what became of the request and, with `--wait`, shows the run until its end.
    fn answer(
        &self,
        store: &Arc<dyn Catalog>,
        queued: Enqueued,
        graph: Option<&Graph>,
    ) -> Result<Outcome, Failure> {
        let run = stored_run(&**store, queued.run())?;
        if let Enqueued::Existing(_, by) = queued {
            print_existing(&**store, &run, by)?;
        }
        if !self.wait {
            self.print(queued, &run)?;
        }
        // A worker may have started a new one by now.
        let is_queued = matches!(queued, Enqueued::New(_)) || run.status == Status::Pending;
        if is_queued && !self.show.quiet {
            self.print_queued(&run);
            warn(&**store, &run, graph)?;
        }
        match (queued, self.wait, self.timeout) {
            (_, true, None) => session::follow(store, &run, &self.show, None),
            (_, true, Some(timeout)) => session::follow_for(store, &run, &self.show, timeout),
            (Enqueued::Cancelled(run), false, _) => {
                print_refused(&**store, run)?;
                Ok(Outcome::Cancelled)
            }
            _ => Ok(Outcome::Success),
        }
    }

    fn print_queued(&self, StoredRun { id, task_queue, .. }: &StoredRun) {
        match self.wait {
            true => output::message(format_args!("run {id} is queued in {task_queue}")),
            false => output::message(format_args!(
                "queued in {task_queue}; use `runs watch {id}` to watch it"
            )),
        }
    }

    /// Prints the ID of the run, or more of it as JSON.
    fn print(&self, queued: Enqueued, run: &StoredRun) -> Result<(), Failure> {
        if self.show.format == Format::Text {
            return output::print(|out| writeln!(out, "{}", run.id));
        }
        output::print_json(&json!({
            "run": run.id,
            "task_queue": run.task_queue,
            "status": run.status,
            "existing": matches!(queued, Enqueued::Existing(..)),
        }))
    }
}

/// Adds an option to `trigger` for each named input of the registered workflow that the arguments
/// name.
pub(crate) fn with_inputs(command: clap::Command, arguments: &[OsString]) -> clap::Command {
    // Other commands need no second look at the arguments.
    if !arguments.iter().any(|argument| NAMES.iter().any(|name| argument == name)) {
        return command;
    }
    let Some(Ok(entry)) = name(&command, arguments).map(|name| registry::get(&name)) else {
        return command;
    };
    let fields = input::fields(&entry.input_schema().unwrap_or_default());
    command.mut_subcommand(NAMES[0], |trigger| {
        let taken: Vec<String> =
            trigger.get_arguments().filter_map(|arg| arg.get_long().map(str::to_owned)).collect();
        let free = fields.into_iter().filter(|field| !taken.contains(&field.flag()));
        trigger.args(free.map(|field| field.argument(INPUTS)))
    })
}

/// The name of the command, and its alias.
const NAMES: [&str; 2] = ["trigger", "trigger_workflow"];

/// The name of the workflow that is triggered.
fn name(command: &clap::Command, arguments: &[OsString]) -> Option<String> {
    // With the help of the options to add.
    let arguments = arguments.iter().filter(|argument| *argument != "--help" && *argument != "-h");
    let found = command.clone().ignore_errors(true).try_get_matches_from(arguments).ok()?;
    let (_, trigger) = found.subcommand().filter(|(name, _)| *name == NAMES[0])?;
    trigger.get_one::<String>("workflow").cloned()
}

/// Explains an unknown option of `trigger`: only registered workflows have options for their inputs.
pub(crate) fn explain_option(
    error: clap::Error,
    command: &clap::Command,
    arguments: &[OsString],
) -> clap::Error {
    let (ErrorKind::UnknownArgument, Some(ContextValue::String(option))) =
        (error.kind(), error.get(ContextKind::InvalidArg))
    else {
        return error;
    };
    let Some(name) = name(command, arguments).filter(|name| !is_file(name)) else { return error };
    let Err(RegistryError::Unknown { nearest, known: 1.., .. }) = registry::get(&name) else {
        return error;
    };
    let cure = match nearest {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => "`list` shows the registered workflows; others take --param KEY=VALUE".to_owned(),
    };
    invalid(format!("no workflow `{name}` is registered, so it has no option `{option}`; {cure}"))
}

/// An error in the arguments.
fn invalid(text: String) -> clap::Error {
    clap::Error::raw(ErrorKind::InvalidValue, text + "\n")
}

/// The title of these options in the help.
const INPUTS: &str = "Inputs of the workflow";

impl TriggerArguments {
    /// Takes the options that [`with_inputs`] added as parameters of the input.
    pub(crate) fn take_inputs(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.input.take_fields(matches).map_err(invalid)
    }
}
