//! `run`: runs a workflow, shows its progress, and prints a report.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use workflow_core::engine::EngineBuilder;
use workflow_core::store::{Store, Trigger};
use workflow_core::{Engine, Workflow, registry};
use workflow_files::WorkflowFile;
use workflow_store::{Catalog, Viewer};

use crate::args::{
    InputArguments, Keys, PersistenceArguments, RUNS_DIR, ShowArguments, Target, absolute, input,
    integer, print_cwd_hint,
};
use crate::failure::{Failure, Outcome};
use crate::session::{self, RunSession, detach};

/// Run a workflow and report the result
///
/// Shows progress and the output of jobs on standard error: progress bars on a terminal, one line
/// per event elsewhere or with NO_COLOR. Prints the report to standard output.
///
/// Ctrl-C cancels the run: jobs get a few seconds to stop. A second Ctrl-C ends them at once.
///
/// By default, the run ends with this process. --db, or WORKFLOW_DB in the environment, saves it in
/// a database. --detach and --idempotency-key always save it, by default in
/// sqlite://.workflow/workflows.db. If this process dies, `recover` resumes a saved run.
#[derive(Debug, Args)]
#[command(visible_alias = "execute", after_help = EXAMPLES)]
pub(crate) struct RunArguments {
    /// Registered workflow or workflow file; `-` reads standard input. With a database, also the ID,
    /// name or slug of a workflow stored there
    #[arg(value_name = "NAME|FILE")]
    workflow: String,
    #[command(flatten)]
    input: InputArguments,
    /// Maximum number of jobs that run at once [default: the limit of the workflow]
    #[arg(long, value_name = "N", value_parser = integer::<u32>(1..))]
    max_parallel: Option<u32>,
    /// Working directory of the commands in a workflow file; `--cwd .` runs them in the current
    /// directory, as torc does [default: the folder of the file]
    #[arg(long, value_name = "DIR")]
    cwd: Option<PathBuf>,
    /// Folder for the output of jobs [default: .workflow/runs for workflow files and saved runs]
    #[arg(long, value_name = "DIR")]
    runs_dir: Option<PathBuf>,
    #[command(flatten)]
    show: ShowArguments,
    #[command(flatten)]
    pub(crate) persistence: PersistenceArguments,
}

impl RunArguments {
    /// Whether this is the background process of a detached run.
    pub(crate) fn is_detached(&self) -> bool {
        self.persistence.detached_run.is_some()
    }
}

const EXAMPLES: &str = "\
Examples:
  workflow run etl
  workflow run etl.yaml --max-parallel 4
  workflow run examples/etl.yaml --cwd .
  workflow run etl --input '{\"day\": \"2026-01-02\", \"dry\": true}'
  workflow run etl --param day=2026-01-02 --param dry=true
  workflow run etl --input @day.json
  workflow run etl -f json | jq .output
  workflow run etl -f jsonl | jq -r 'select(.event == \"job_failed\") | .job'
  workflow run etl -f jsonl | jq -j 'select(.event == \"job_output\") | .text'
  workflow run etl.yaml --db runs.db --idempotency-key 2026-01-02
  workflow run etl.yaml --detach

Exit codes:
  0 the run completed, 1 it failed, 2 invalid usage or input, 130 it was cancelled";

pub(crate) fn run(args: &RunArguments) -> Result<Outcome, Failure> {
    let max_parallel = args.max_parallel.map(|jobs| jobs as usize);
    if let Some(run) = args.persistence.detached_run {
        return detach::run_detached(run, &args.persistence, max_parallel);
    }
    let store = args.persistence.requested_store()?;
    let target = match &store {
        None => Target::find(&args.workflow)?,
        Some(store) => Target::find_in_store(&args.workflow, &**store)?,
    };
    if let Target::Registered(entry) = &target
        && workflow_config::is_declared(entry.name())
    {
        workflow_config::validate(entry.name()).map_err(Failure::Config)?;
    }
    let PreparedRun { workflow, engine, workflow_id } =
        PreparedRun::new(target, args, store.as_ref())?;
    let input = args.input.json(workflow.input())?;
    input::check(&*workflow, input.as_ref(), Keys::Parameters)?;
    let (persistence, show, trigger) = (&args.persistence, &args.show, Trigger::Manual);
    let retry_of = None;
    RunSession { engine, workflow, workflow_id, input, trigger, retry_of, persistence, store, show }
        .run()
}

/// How many bytes of output of jobs may wait to be shown. Large, because this process has one run.
pub(super) const OUTPUT_BACKLOG: usize = 64 << 20;

/// A workflow, and an engine with the options of the command.
struct PreparedRun {
    workflow: Arc<dyn Workflow>,
    engine: Engine,
    /// The ID of the workflow, if it comes from the store.
    workflow_id: Option<i64>,
}

impl PreparedRun {
    fn new(
        target: Target,
        args: &RunArguments,
        store: Option<&Arc<dyn Catalog>>,
    ) -> Result<Self, Failure> {
        let max_parallel = args.max_parallel.map(|jobs| jobs as usize);
        let mut engine = match (&args.runs_dir, store) {
            (Some(folder), _) => registry::engine().to_builder().runs_dir(folder),
            (None, Some(_)) => session::engine_builder(Path::new(RUNS_DIR)),
            (None, None) => registry::engine().to_builder(),
        };
        // This process shows the output of jobs.
        engine = engine.output_backlog(OUTPUT_BACKLOG).capture_output(true);
        if let Some(store) = store {
            engine = session::with_store(engine, store.seen_by(Viewer::All) as Arc<dyn Store>);
        }
        Ok(match target {
            Target::Registered(entry) => {
                if args.cwd.is_some() {
                    let name = entry.workflow().name().to_string();
                    return Err(Failure::Usage(format!(
                        "--cwd applies only to workflow files, and `{name}` is a registered workflow; \
                         remove --cwd"
                    )));
                }
                if let Some(jobs) = max_parallel {
                    engine = engine.max_parallel(jobs);
                }
                let (workflow, engine) = (entry.workflow(), engine.build());
                Self { workflow, engine, workflow_id: None }
            }
            Target::Stored(file, id) => {
                Self { workflow_id: Some(id), ..Self::of_file(*file, engine, args, store)? }
            }
            Target::File(file) => Self::of_file(*file, engine, args, store)?,
        })
    }

    fn of_file(
        mut file: WorkflowFile,
        engine: EngineBuilder,
        args: &RunArguments,
        store: Option<&Arc<dyn Catalog>>,
    ) -> Result<Self, Failure> {
        match &args.cwd {
            // Absolute, so that the run can be resumed from another folder.
            Some(folder) => file = file.folder(absolute(folder)?),
            None => print_cwd_hint(&file),
        }
        if let Some(jobs) = args.max_parallel {
            file = file.max_parallel(jobs as usize);
        }
        match &args.runs_dir {
            // Absolute, so that the run can be resumed from another folder.
            Some(folder) if store.is_some() => file = file.runs_dir(absolute(folder)?),
            Some(folder) => file = file.runs_dir(folder),
            None => {}
        }
        Ok(Self { workflow: Arc::new(file), engine: engine.build(), workflow_id: None })
    }
}
