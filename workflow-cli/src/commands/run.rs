//! `run`: runs a workflow, shows how it goes, and reports.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use workflow_core::{Engine, EngineBuilder, Store, Trigger, Workflow, registry};
use workflow_files::WorkflowFile;
use workflow_store::{Catalog, Viewer};

use crate::args::{
    InputArguments, PersistenceArguments, RUNS_DIR, ShowArguments, Target, absolute, input,
    print_cwd_hint,
};
use crate::failure::{Failure, Outcome};
use crate::session::{self, RunSession, detach};

/// Run a workflow and report what came of it
///
/// Shows on standard error how the run goes: a line for each job under way on a terminal, a line
/// for each event elsewhere, or with NO_COLOR; and what the jobs print. Ends with the report on
/// standard output.
///
/// Ctrl-C cancels the run: jobs are asked to stop, and have some seconds to do so. A second Ctrl-C
/// ends them at once.
///
/// The run ends with this process, unless it is kept: with --db, with WORKFLOW_DB in the
/// environment, and, in sqlite://.workflow/workflows.db where neither is there, with --detach or
/// --idempotency-key. What a crash leaves of a kept run, `recover` takes up.
#[derive(Debug, Args)]
#[command(visible_aliases = ["execute", "trigger"], after_help = EXAMPLES)]
pub(crate) struct RunArguments {
    /// The name of a registered workflow, or a file; `-` reads standard input. With a store, also
    /// the id, name or slug of a workflow that was created there, or ran there as a file
    #[arg(value_name = "NAME|FILE")]
    workflow: String,
    #[command(flatten)]
    input: InputArguments,
    /// How many jobs may run at once [default: no limit but the workflow's]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_parallel: Option<u32>,
    /// Run the commands of a file in this folder, where its relative paths begin; torc runs them in
    /// the current folder: `--cwd .` [default: the folder of the file]
    #[arg(long, value_name = "FOLDER")]
    cwd: Option<PathBuf>,
    /// Where the run keeps what its jobs print [default: .workflow/runs, for runs of files and with
    /// a store]
    #[arg(long, value_name = "FOLDER")]
    runs_dir: Option<PathBuf>,
    #[command(flatten)]
    show: ShowArguments,
    #[command(flatten)]
    pub(crate) persistence: PersistenceArguments,
}

impl RunArguments {
    /// Whether this is the process that a detached run has of its own.
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
  0 it completed, 1 it failed, 2 wrong usage or input, 130 it was cancelled";

pub(crate) fn run(wanted: &RunArguments) -> Result<Outcome, Failure> {
    let max_parallel = wanted.max_parallel.map(|jobs| jobs as usize);
    if let Some(run) = wanted.persistence.detached_run {
        return detach::run_detached(run, &wanted.persistence, max_parallel);
    }
    let store = wanted.persistence.requested_store()?;
    let target = match &store {
        None => Target::find(&wanted.workflow)?,
        Some(store) => Target::find_in_store(&wanted.workflow, &**store)?,
    };
    let PreparedRun { workflow, engine, workflow_id } =
        PreparedRun::new(target, wanted, store.as_ref())?;
    let input = wanted.input.json(workflow.input())?;
    input::check(&*workflow, input.as_ref())?;
    let (persistence, show, trigger) = (&wanted.persistence, &wanted.show, Trigger::Manual);
    let repeats = None;
    RunSession { engine, workflow, workflow_id, input, trigger, repeats, persistence, store, show }
        .run()
}

/// How much of what jobs print may wait to be shown, in bytes: this process has one run.
const OUTPUT_BACKLOG: usize = 64 << 20;

/// A workflow, and the engine that runs it as it is wanted.
struct PreparedRun {
    workflow: Arc<dyn Workflow>,
    engine: Engine,
    /// The number of the workflow in the store, where it was found there.
    workflow_id: Option<i64>,
}

impl PreparedRun {
    fn new(
        target: Target,
        wanted: &RunArguments,
        store: Option<&Arc<dyn Catalog>>,
    ) -> Result<Self, Failure> {
        let max_parallel = wanted.max_parallel.map(|jobs| jobs as usize);
        let mut engine = match (&wanted.runs_dir, store) {
            (Some(folder), _) => registry::engine().to_builder().runs_dir(folder),
            (None, Some(_)) => session::engine_builder(Path::new(RUNS_DIR)),
            (None, None) => registry::engine().to_builder(),
        };
        // This process shows what jobs print.
        engine = engine.output_backlog(OUTPUT_BACKLOG).capture_output(true);
        if let Some(store) = store {
            engine = engine.store(store.seen_by(Viewer::All) as Arc<dyn Store>);
        }
        Ok(match target {
            Target::Registered(entry) => {
                if wanted.cwd.is_some() {
                    let name = entry.workflow().name().to_string();
                    return Err(Failure::Usage(format!(
                        "--cwd is for files, and `{name}` is registered in this program; leave it \
                         away"
                    )));
                }
                if let Some(jobs) = max_parallel {
                    engine = engine.max_parallel(jobs);
                }
                let (workflow, engine) = (entry.workflow(), engine.build());
                Self { workflow, engine, workflow_id: None }
            }
            Target::Stored(file, id) => {
                Self { workflow_id: Some(id), ..Self::of_file(*file, engine, wanted, store)? }
            }
            Target::File(file) => Self::of_file(*file, engine, wanted, store)?,
        })
    }

    fn of_file(
        mut file: WorkflowFile,
        engine: EngineBuilder,
        wanted: &RunArguments,
        store: Option<&Arc<dyn Catalog>>,
    ) -> Result<Self, Failure> {
        match &wanted.cwd {
            // The folder is to be found again from elsewhere.
            Some(folder) => file = file.folder(absolute(folder)?),
            None => print_cwd_hint(&file),
        }
        if let Some(jobs) = wanted.max_parallel {
            file = file.max_parallel(jobs as usize);
        }
        match &wanted.runs_dir {
            // The folder is to be found again from elsewhere.
            Some(folder) if store.is_some() => file = file.runs_dir(absolute(folder)?),
            Some(folder) => file = file.runs_dir(folder),
            None => {}
        }
        Ok(Self { workflow: Arc::new(file), engine: engine.build(), workflow_id: None })
    }
}
