//! Workflow files in YAML, JSON or JSON5: read, checked, and run by the same engine as workflows in
//! Rust.
//!
//! The top module of the crate: it reads files with `spec`, builds plans for `workflow-core`, runs
//! commands with `command`, and looks up jobs in the registry.

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
mod scripts;

use std::any::Any;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use workflow_core::run_log::path_in;

use serde_json::{Value as Json, json};

use crate::bounds::file::COPIES;
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

/// A workflow from a file.
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
/// The author of the file can run commands as the user who runs it. Values that arrive at run time,
/// such as outputs of jobs and the input, never become shell code. `${{ .. }}` in a command becomes
/// a variable, and only where the shell grammar proves that it is a plain word or text between
/// plain quotes. Everywhere else it must be an integer, or the job fails before the command runs:
/// in arithmetic, subscripts, numeric tests, `eval`, `bash -c`, programs of `sed` and `awk`,
/// scripts for other interpreters, and in everything that the grammar does not know. The same holds
/// for values in variables of the script, in `env` and in `stdin` that the script evaluates, and for
/// values of variables that change what programs do, such as `PATH`.
///
/// # What is not guaranteed
///
/// A script may still write a value to a file and run that, pass it to another program that runs
/// it, or evaluate a variable under a name that it builds. A program may read a word that begins
/// with `-` as an option: write `--` before it.
#[derive(Clone)]
pub struct WorkflowFile {
    name: WorkflowName,
    metadata: Metadata,
    /// Built again when a setting changes that jobs depend on.
    plan: OnceLock<Arc<Plan>>,
    shared: Arc<Shared>,
    max_parallel: Option<usize>,
    warnings: Arc<Diagnostics>,
    /// The file as it is persisted in a store.
    record: OnceLock<Arc<Json>>,
}

/// The default folder of run folders.
const RUNS_DIR: &str = ".workflow/runs";

/// The data that all jobs of all runs of a file share.
#[derive(Clone)]
struct Shared {
    source: Arc<SourceText>,
    spec: WorkflowSpec,
    expanded: Expanded,
    /// The base of relative paths.
    folder: PathBuf,
    /// The folder of run folders.
    runs_dir: PathBuf,
    /// The files that jobs must find and must write, known with the order between the jobs.
    uses: OnceLock<FileUses>,
}

impl Shared {
    /// The files that jobs must find and must write.
    fn uses(&self) -> &FileUses {
        self.uses.get().expect("they are found before a job can begin")
    }
}

impl WorkflowFile {
    /// Reads a workflow from a file: JSON or JSON5 if its name ends in `.json`, `.json5` or
    /// `.jsonc`, otherwise YAML.
    ///
    /// # Errors
    ///
    /// Fails with all mistakes in the file, each with its place and a cure.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, Diagnostics> {
        let path = path.as_ref();
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new(".")).to_owned();
        Self::read(&SourceText::load(path)?, Format::of(path), folder, COPIES)
    }

    /// Reads a workflow from a text. The name identifies the text in diagnostics, and its extension
    /// is the format. Commands run in the current directory.
    ///
    /// # Errors
    ///
    /// Fails with all mistakes in the text, each with its place and a cure.
    pub fn parse(name: &str, text: &str) -> Result<Self, Diagnostics> {
        Self::parse_up_to(COPIES, name, text)
    }

    /// [`parse`](Self::parse) with another limit than a million: the most jobs that the text may
    /// expand to, and the most files and data entries. Larger texts are rejected before anything is
    /// expanded.
    ///
    /// # Errors
    ///
    /// Fails as [`parse`](Self::parse) does.
    pub fn parse_up_to(max_jobs: usize, name: &str, text: &str) -> Result<Self, Diagnostics> {
        let (source, format) = (SourceText::new(name, text), Format::of(Path::new(name)));
        Self::read(&source, format, PathBuf::from("."), max_jobs.min(COPIES))
    }

    fn read(
        source: &Arc<SourceText>,
        format: Format,
        folder: PathBuf,
        max_copies: usize,
    ) -> Result<Self, Diagnostics> {
        let mut findings = Findings::new(source);
        match check(source, format, folder, max_copies, &mut findings) {
            Some(file) if !findings.has_errors() => {
                Ok(Self { warnings: Arc::new(findings.finish_with_paths(format)), ..file })
            }
            _ => Err(findings.finish_with_paths(format)),
        }
    }

    /// Warnings: parts of the file that work, but are probably not what was meant.
    pub fn warnings(&self) -> &Diagnostics {
        &self.warnings
    }

    /// The jobs and the order between them.
    pub fn graph(&self) -> &Graph {
        self.drawn().graph()
    }

    /// The entries under `jobs`, each with the number of jobs that it expands to.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = (&str, usize)> {
        let entries = self.shared.spec.jobs.0.iter().zip(&self.shared.expanded.grids);
        entries.map(|(entry, grid)| (&*entry.name.value, grid.count()))
    }

    /// Whether a run of the file may run commands: of a job, before a job, of an action, or of a
    /// failure handler. If not, it only runs registered jobs and workflows.
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

    /// The named limits of the file. Its runs apply them automatically:
    /// [`Flow::limit`](workflow_core::Flow::limit).
    pub fn limits(&self) -> impl ExactSizeIterator<Item = (&str, usize)> {
        let limits = self.shared.spec.limits.0.iter();
        limits.map(|(name, size)| (&*name.value, size.value as usize))
    }

    /// Sets the most jobs of a run that run at once; 0 counts as 1. Default: the file's
    /// `max_parallel`, or else the number of processors.
    #[must_use]
    pub fn max_parallel(mut self, jobs: usize) -> Self {
        self.max_parallel = Some(jobs.max(1));
        self.plan = OnceLock::new();
        self
    }

    /// Sets the base of relative paths, which is also the working directory of commands without
    /// `cwd`. Default: the folder of the file, or the current directory.
    #[must_use]
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.shared_mut().folder = folder.into();
        self
    }

    /// Sets the folder in which each run has a folder with its log. Default: `.workflow/runs` in
    /// the current directory.
    #[must_use]
    pub fn runs_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.shared_mut().runs_dir = folder.into();
        self
    }

    /// The path of the log of a run, for [`RunLog::read`](workflow_core::run_log::RunLog::read).
    /// The file exists once a job has printed or a command has started. Engines that took over the
    /// run write to files beside it, which `RunLog` reads, too. While jobs run, their output is
    /// also in the [events](workflow_core::Run::events) of the run.
    pub fn log_of(&self, run: RunId) -> PathBuf {
        path_in(&self.shared.runs_dir.join(run.to_string()))
    }

    /// Checks that a store can persist the file, with the folders that its runs use.
    ///
    /// # Errors
    ///
    /// Fails when the path of a folder is not UTF-8, with the path and a cure. A store persists such
    /// a file as a workflow without [`source`](Workflow::source), whose runs it cannot resume.
    pub fn check_persistable(&self) -> Result<(), String> {
        let Shared { source, folder, runs_dir, .. } = &*self.shared;
        let unreadable = [folder, runs_dir].into_iter().find(|path| path.to_str().is_none());
        unreadable.map_or(Ok(()), |path| {
            Err(format!(
                "cannot save `{}`: its folder {path:?} has a name that is not UTF-8; rename the \
                 folder, or run the file without a database",
                source.name()
            ))
        })
    }

    /// Restores a file from its persisted [`source`](Workflow::source); `None` if that is not a
    /// file.
    ///
    /// # Errors
    ///
    /// Fails with all mistakes in the file, by the format that this version knows.
    pub fn from_source(record: &Json) -> Option<Result<Self, Diagnostics>> {
        let text = |key: &str| record.get(WORKFLOW_FILE)?.get(key)?.as_str();
        let (name, folder) = (text("name")?, text("folder")?);
        let source = SourceText::new(name, text("text")?);
        let file = Self::read(&source, Format::of(Path::new(name)), PathBuf::from(folder), COPIES);
        let runs_dir = text("runs_dir")?;
        Some(file.map(|file| file.runs_dir(runs_dir)))
    }

    /// The text of a file, from its [`source`](Workflow::source); `None` if that is not a file.
    pub fn text_of(record: &Json) -> Option<&str> {
        record.get(WORKFLOW_FILE)?.get("text")?.as_str()
    }

    /// The workflow name of a file, from its [`source`](Workflow::source); `None` if that is not a
    /// file, or not valid any more.
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

/// Interpolates a script with a value between its parts, for fuzzing: returns the text for the
/// shell and the variables with the values; `None` if a value is rejected.
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
    max_copies: usize,
    findings: &mut Findings,
) -> Option<WorkflowFile> {
    let spec = {
        let tree = source.parse(format, findings)?;
        if tree.is_null() {
            findings.error(tree.span, "the file is empty").help("begin with `name:` and `jobs:`");
            return None;
        }
        WorkflowSpec::read(&tree, findings)?
    };
    spec::check(&spec, findings);
    let metadata = spec::metadata(&spec, findings);
    spec::check_size(&spec, max_copies, findings)?;
    let expanded = spec::expand(&spec, findings);
    registered::check(&spec, &expanded, findings);
    scripts::check(&spec, findings);
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
        let (folder, runs_dir) = (folder.to_str()?, runs_dir.to_str()?);
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
