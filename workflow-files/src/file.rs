//! Workflows that are files: YAML, JSON or JSON5, read, checked, and run by the same engine as
//! those in Rust.
//!
//! Stands to the right of everything: it reads with `spec`, draws with `workflow`, runs commands
//! with `command`, and looks jobs up in the `registry`.

mod actions;
mod body;
mod draw;
mod elsewhere;
mod handler;
mod interpolate;
mod invocation;
mod job_texts;
mod presence;
mod registered;

use std::any::Any;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use workflow_core::run_log::path_in;

use serde_json::{Value as Json, json};

use crate::document::{Diagnostics, Findings, Format, Read, SourceText};
use crate::spec::{self, Expanded, FileUses, WorkflowSpec};
use workflow_core::definition::Metadata;
use workflow_core::graph::Graph;
use workflow_core::id::{RunId, WorkflowName};
use workflow_core::registry::{SourceFormat, inventory};
use workflow_core::store::WORKFLOW_FILE;
use workflow_core::value::Type;
use workflow_core::workflow::{Plan, PlanError, Workflow};

use invocation::Invocation;

/// A workflow that was read from a file.
///
/// ```
/// use workflow_core::Engine;
/// use workflow_files::WorkflowFile;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let folder = std::env::temp_dir().join("workflow-file-example");
/// let file = WorkflowFile::parse("greet.yaml", r#"
/// name: greet
/// jobs:
///   - name: ask
///     command: echo "who=Ada" >> "$WORKFLOW_OUTPUT"
///     outputs: [who]
///   - name: greet
///     command: echo "hello ${{ jobs.ask.outputs.who }}"
/// "#)?;
/// let report = Engine::default().run(file.runs_dir(&folder)).wait()?;
/// assert_eq!(report.jobs().len(), 2);
/// # std::fs::remove_dir_all(folder)?;
/// # Ok(())
/// # }
/// ```
///
/// # What is trusted
///
/// Whoever writes the file may run commands as the user who runs it. Values that come in while it
/// runs, such as outputs of jobs and the input, never become code of a shell. `${{ .. }}` in a
/// command becomes a variable, and only where the grammar of the shell proves it to be a plain word
/// or text between plain quotes. Everywhere else it must be an integer, or the job fails before the
/// command runs: in arithmetic, subscripts, numeric tests, `eval`, `bash -c`, programs of `sed` and
/// `awk`, scripts for other interpreters, and in whatever the grammar does not know. So must
/// values in variables of the script, and in `env`, that the script is seen to evaluate.
///
/// # What nothing can promise
///
/// What a script does with a value later: write it to a file and run that, hand it to another
/// program that runs it, or evaluate a variable under a name that it builds. Nor what a program
/// makes of a word: one that begins with `-` may be an option, so write `--` before it.
#[derive(Clone)]
pub struct WorkflowFile {
    name: WorkflowName,
    metadata: Metadata,
    /// Drawn again when something was set that the jobs go by.
    plan: OnceLock<Arc<Plan>>,
    shared: Arc<Shared>,
    max_parallel: Option<usize>,
    warnings: Arc<Diagnostics>,
    /// The file as a store keeps it.
    record: OnceLock<Arc<Json>>,
}

/// Where runs keep their folders, unless told otherwise.
const RUNS_DIR: &str = ".workflow/runs";

/// What the jobs of all runs of a file look things up in.
#[derive(Clone)]
struct Shared {
    source: Arc<SourceText>,
    spec: WorkflowSpec,
    expanded: Expanded,
    /// Where relative paths begin.
    folder: PathBuf,
    /// Where runs keep their folders.
    runs_dir: PathBuf,
    /// The files that jobs have to find and to leave; found with the order between the jobs.
    uses: OnceLock<FileUses>,
}

impl Shared {
    /// The files that jobs have to find and to leave.
    fn uses(&self) -> &FileUses {
        self.uses.get().expect("they are found before a job can begin")
    }
}

impl WorkflowFile {
    /// Reads a workflow from a file: JSON or JSON5 when its name ends in `.json`, `.json5` or
    /// `.jsonc`, and YAML otherwise.
    ///
    /// # Errors
    ///
    /// Fails with everything that is wrong with the file, each with its place and a cure.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, Diagnostics> {
        let path = path.as_ref();
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new(".")).to_owned();
        Self::read(&SourceText::load(path)?, Format::of(path), folder)
    }

    /// Reads a workflow from a text. The name stands for the text in diagnostics; what it ends in
    /// tells the format. Commands run in the current directory.
    ///
    /// # Errors
    ///
    /// Fails with everything that is wrong with the text, each with its place and a cure.
    pub fn parse(name: &str, text: &str) -> Result<Self, Diagnostics> {
        Self::read(&SourceText::new(name, text), Format::of(Path::new(name)), PathBuf::from("."))
    }

    fn read(
        source: &Arc<SourceText>,
        format: Format,
        folder: PathBuf,
    ) -> Result<Self, Diagnostics> {
        let mut findings = Findings::new(source);
        match check(source, format, folder, &mut findings) {
            Some(file) if !findings.has_errors() => {
                Ok(Self { warnings: Arc::new(findings.finish_with_paths(format)), ..file })
            }
            _ => Err(findings.finish_with_paths(format)),
        }
    }

    /// What works, and is likely not what was meant.
    pub fn warnings(&self) -> &Diagnostics {
        &self.warnings
    }

    /// The jobs and the order between them.
    pub fn graph(&self) -> &Graph {
        self.drawn().graph()
    }

    /// The entries under `jobs` as they are written, each with the number of jobs that it stands
    /// for.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = (&str, usize)> {
        let entries = self.shared.spec.jobs.0.iter().zip(&self.shared.expanded.grids);
        entries.map(|(entry, grid)| (&*entry.name.value, grid.count()))
    }

    /// Whether a run of the file may run commands: of a job, before a job, of an action, or of a
    /// failure handler. One that does not only runs what is registered in the program.
    pub fn has_commands(&self) -> bool {
        let spec = &self.shared.spec;
        let mut rules = spec.failure_handlers.iter().flat_map(|handler| &handler.rules);
        let before = |job: &spec::JobSpec| job.invocation_script.is_some();
        !spec.actions.is_empty()
            || spec
                .jobs
                .0
                .iter()
                .any(|job| job.command.is_some() || job.rest.as_deref().is_some_and(before))
            || rules.any(|rule| rule.recovery_script.is_some())
    }

    /// The named limits that the file sets. Runs of the file keep to them by themselves:
    /// [`Flow::limit`](workflow_core::Flow::limit).
    pub fn limits(&self) -> impl ExactSizeIterator<Item = (&str, usize)> {
        let limits = self.shared.spec.limits.0.iter();
        limits.map(|(name, size)| (&*name.value, size.value as usize))
    }

    /// Limits how many jobs of a run may run at once; 0 counts as 1. Default: what the file says,
    /// or else as many as there are processors.
    #[must_use]
    pub fn max_parallel(mut self, jobs: usize) -> Self {
        self.max_parallel = Some(jobs.max(1));
        self.plan = OnceLock::new();
        self
    }

    /// Sets where relative paths of the file begin, and so where commands run that name no folder of
    /// their own. Default: the folder that the file was loaded from, or the current directory.
    #[must_use]
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.shared_mut().folder = folder.into();
        self
    }

    /// Sets where each run keeps a folder with its log. Default: `.workflow/runs` in the current
    /// directory.
    #[must_use]
    pub fn runs_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.shared_mut().runs_dir = folder.into();
        self
    }

    /// Where a run keeps what its jobs print, for
    /// [`RunLog::read`](workflow_core::RunLog::read); there once one of them has printed, or a command begun. What
    /// engines print that took the run over is in files beside it, which `RunLog` reads too. The
    /// run's [events](workflow_core::Run::events) show it while they run.
    pub fn log_of(&self, run: RunId) -> PathBuf {
        path_in(&self.shared.runs_dir.join(run.to_string()))
    }

    /// The file again, from what [`source`](Workflow::source) gave and a store has kept; `None`
    /// when that was something else.
    ///
    /// # Errors
    ///
    /// Fails with everything that is wrong with the file, as far as this program knows the format.
    pub fn from_source(record: &Json) -> Option<Result<Self, Diagnostics>> {
        let text = |key: &str| record.get(WORKFLOW_FILE)?.get(key)?.as_str();
        let (name, folder) = (text("name")?, text("folder")?);
        let source = SourceText::new(name, text("text")?);
        let file = Self::read(&source, Format::of(Path::new(name)), PathBuf::from(folder));
        let runs_dir = text("runs_dir")?;
        Some(file.map(|file| file.runs_dir(runs_dir)))
    }

    /// The text of a file, from what [`source`](Workflow::source) gave; `None` when that was
    /// something else.
    pub fn text_of(record: &Json) -> Option<&str> {
        record.get(WORKFLOW_FILE)?.get("text")?.as_str()
    }

    /// The name that a file gives its workflow, from what [`source`](Workflow::source) gave; `None`
    /// when that was something else, or is not valid any more.
    pub fn name_of(record: &Json) -> Option<WorkflowName> {
        Some(Self::from_source(record)?.ok()?.name().clone())
    }

    fn shared_mut(&mut self) -> &mut Shared {
        (self.plan, self.record) = (OnceLock::new(), OnceLock::new());
        Arc::make_mut(&mut self.shared)
    }

    fn drawn(&self) -> &Arc<Plan> {
        self.plan.get_or_init(|| {
            let plan = draw::draw(&self.shared, self.max_parallel);
            Arc::new(plan.expect("the same jobs were drawn when the file was read"))
        })
    }

    /// The JSON Schema of workflow files, for editors.
    pub fn schema() -> Json {
        spec::schema()
    }
}

/// A script with a value between each two of its parts, for fuzzing: the text for the shell, and
/// the variables that hold values; `None` when a value is refused.
#[doc(hidden)]
pub fn interpolated(
    parts: &[&str],
    value: &str,
    shell_is_bash: bool,
) -> Option<(String, Vec<(String, String)>)> {
    let mut script = interpolate::Script::default();
    for (number, part) in parts.iter().enumerate() {
        if number > 0 {
            script.push_value(value.to_owned());
        }
        script.push(part);
    }
    let interpreter = interpolate::Interpreter::of(parts.first()?, shell_is_bash);
    let filled = script.finish(&interpreter).ok()?;
    Some((filled.text, filled.variables))
}

fn check(
    source: &Arc<SourceText>,
    format: Format,
    folder: PathBuf,
    findings: &mut Findings,
) -> Option<WorkflowFile> {
    let spec = {
        let tree = source.parse(format, findings)?;
        WorkflowSpec::read(&tree, findings)?
    };
    spec::check(&spec, findings);
    let metadata = spec::metadata(&spec, findings);
    spec::check_size(&spec, findings)?;
    let expanded = spec::expand(&spec, findings);
    registered::check(&spec, &expanded, findings);
    let runs_dir = PathBuf::from(RUNS_DIR);
    let (source, uses) = (Arc::clone(source), OnceLock::new());
    let shared = Arc::new(Shared { source, spec, expanded, folder, runs_dir, uses });
    let plan = draw::checked(&shared, findings)?;
    Some(WorkflowFile {
        name: WorkflowName::new(shared.spec.name.value.to_string()).ok()?,
        metadata,
        plan: OnceLock::from(Arc::new(plan)),
        shared,
        max_parallel: None,
        warnings: Arc::default(),
        record: OnceLock::new(),
    })
}

impl Workflow for WorkflowFile {
    fn name(&self) -> &WorkflowName {
        &self.name
    }

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn input(&self) -> Option<Type> {
        Some(Invocation::kind())
    }

    fn source(&self) -> Option<Arc<Json>> {
        let Shared { source, folder, runs_dir, .. } = &*self.shared;
        let record = self.record.get_or_init(|| {
            Arc::new(json!({ WORKFLOW_FILE: {
                "name": source.name(),
                "folder": folder,
                "runs_dir": runs_dir,
                "text": source.text(),
            }}))
        });
        Some(Arc::clone(record))
    }

    fn runs_dir(&self) -> Option<&Path> {
        Some(&self.shared.runs_dir)
    }

    fn ready(&self) -> Result<(), String> {
        // The files that jobs use are found with the plan.
        self.drawn();
        self.shared.missing_inputs().map_or(Ok(()), Err)
    }

    fn plan(&self, _: Option<&(dyn Any + Send + Sync)>) -> Result<Arc<Plan>, PlanError> {
        Ok(Arc::clone(self.drawn()))
    }
}

inventory::submit! {
    SourceFormat {
        key: WORKFLOW_FILE,
        read: |source| {
            let file = WorkflowFile::from_source(source);
            Ok(Arc::new(file.ok_or("the source of a workflow file has no text")??))
        },
    }
}

impl std::fmt::Debug for WorkflowFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WorkflowFile").field("name", &self.name).finish_non_exhaustive()
    }
}
