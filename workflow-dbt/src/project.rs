//! A dbt project, with the options of dbt and the selection of nodes.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use serde_json::{Map, Value as Json};
use workflow_core::RetryPolicy;
use workflow_core::id::{NameError, WorkflowName};
use workflow_core::workflow::PlanError;

use crate::manifest::{Manifest, ManifestError};
use crate::program::{Program, ProgramError, last_lines};
use crate::settings::Settings;
use crate::workflow::DbtWorkflow;

/// A dbt project: the options of dbt, and which nodes are built.
///
/// ```no_run
/// use workflow_core::prelude::*;
/// use workflow_dbt::DbtProject;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let nightly = DbtProject::open("warehouse")?
///     .target("prod")
///     .select(["tag:nightly+"])
///     .exclude(["tag:slow"])
///     .workflow("nightly")?;
/// registry::register(nightly)?;
/// registry::run("nightly").wait()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct DbtProject {
    settings: Settings,
    select: Vec<String>,
    exclude: Vec<String>,
    selector: Option<String>,
}

impl DbtProject {
    /// Opens the project in this folder, with the dbt that [`Program::find`] finds.
    ///
    /// # Errors
    ///
    /// Fails when the folder has no `dbt_project.yml`, and when there is no usable dbt.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, ProjectError> {
        let program = Program::find(folder.as_ref())?;
        Self::open_with(folder, program)
    }

    /// Opens the project in this folder, with this dbt.
    ///
    /// # Errors
    ///
    /// Fails when the folder has no `dbt_project.yml`.
    pub fn open_with(folder: impl AsRef<Path>, program: Program) -> Result<Self, ProjectError> {
        let folder = folder.as_ref();
        let missing = || ProjectError::NoProject { folder: folder.to_owned() };
        let folder = std::path::absolute(folder).map_err(|_| missing())?;
        if !folder.join("dbt_project.yml").is_file() {
            return Err(ProjectError::NoProject { folder });
        }
        let settings = Settings::new(folder, program);
        Ok(Self { settings, select: Vec::new(), exclude: Vec::new(), selector: None })
    }

    /// Sets the folder of `profiles.yml`. Default: that of dbt, which is `DBT_PROFILES_DIR`, then
    /// the project, then `~/.dbt`.
    #[must_use]
    pub fn profiles_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        let folder = folder.into();
        self.settings.profiles_dir = Some(std::path::absolute(&folder).unwrap_or(folder));
        self
    }

    /// Sets the profile. Default: that of `dbt_project.yml`.
    #[must_use]
    pub fn profile(mut self, name: impl Into<String>) -> Self {
        self.settings.profile = Some(name.into());
        self
    }

    /// Sets the target of the profile. Default: that of the profile.
    #[must_use]
    pub fn target(mut self, name: impl Into<String>) -> Self {
        self.settings.target = Some(name.into());
        self
    }

    /// Sets a variable of the project. dbt sees it on its command line, and so do the users of the
    /// machine: pass secrets with [`env`](Self::env).
    #[must_use]
    pub fn var(mut self, name: impl Into<String>, value: impl Into<Json>) -> Self {
        self.settings.vars.insert(name.into(), value.into());
        self
    }

    /// Sets several variables of the project, as [`var`](Self::var) does.
    #[must_use]
    pub fn vars(mut self, vars: Map<String, Json>) -> Self {
        self.settings.vars.extend(vars);
        self
    }

    /// Sets how many nodes dbt builds at once. Default: that of the target.
    #[must_use]
    pub fn threads(mut self, threads: u32) -> Self {
        self.settings.threads = Some(threads.max(1));
        self
    }

    /// Sets an environment variable of dbt, which has those of this program, too.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.env.push((name.into(), value.into()));
        self
    }

    /// Sets how long dbt may take to cancel its queries when it is stopped, before it is killed.
    /// Default: 10 s.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.settings.grace = grace;
        self
    }

    /// Retries nodes that fail, within the run. Each attempt is a process of dbt, which also builds
    /// what was skipped, and starts when the process before it has ended. Default: one attempt.
    #[must_use]
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.settings.retry = Some(policy);
        self
    }

    /// Builds only these nodes, in the [syntax of dbt](https://docs.getdbt.com/reference/node-selection/syntax).
    /// Default: all.
    #[must_use]
    pub fn select<T: Into<String>>(mut self, nodes: impl IntoIterator<Item = T>) -> Self {
        self.select.extend(nodes.into_iter().map(Into::into));
        self
    }

    /// Builds all but these nodes.
    #[must_use]
    pub fn exclude<T: Into<String>>(mut self, nodes: impl IntoIterator<Item = T>) -> Self {
        self.exclude.extend(nodes.into_iter().map(Into::into));
        self
    }

    /// Builds the nodes of this selector in `selectors.yml`.
    #[must_use]
    pub fn selector(mut self, name: impl Into<String>) -> Self {
        self.selector = Some(name.into());
        self
    }

    /// Reads the project with `dbt ls`, and draws a workflow of this name. Blocks until dbt has
    /// ended, which takes some seconds.
    ///
    /// # Errors
    ///
    /// Fails when dbt cannot read the project, when its manifest is invalid or has a cycle, when
    /// nothing is selected, and when the name is invalid.
    pub fn workflow(&self, name: impl Into<String>) -> Result<DbtWorkflow, ProjectError> {
        let name = WorkflowName::new(name.into()).map_err(ProjectError::Name)?;
        let selected = self.list()?;
        let manifest = Manifest::read(&self.settings.target_path().join("manifest.json"))?;
        let workflow = DbtWorkflow::draw(name, self.settings.clone(), &manifest, &selected)
            .map_err(ProjectError::Plan)?;
        let builds = workflow.nodes().iter().any(|node| node.kind.is_built());
        if builds { Ok(workflow) } else { Err(ProjectError::NothingSelected) }
    }

    /// The unique IDs of the selected nodes.
    fn list(&self) -> Result<BTreeSet<String>, ProjectError> {
        let mut command = self.settings.command(&["--quiet"], "ls");
        command.args(["--output", "json", "--output-keys", "unique_id"]);
        for (option, values) in [("--select", &self.select), ("--exclude", &self.exclude)] {
            if !values.is_empty() {
                command.arg(option).args(values);
            }
        }
        if let Some(selector) = &self.selector {
            command.arg("--selector").arg(selector);
        }
        let path = self.settings.program.path();
        let start = |source| ProjectError::Start { path: path.to_owned(), source };
        let output = command.output().map_err(start)?;
        let said = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            let said = format!("{said}\n{}", String::from_utf8_lossy(&output.stderr));
            let reason = last_lines(&said, 20, "\n");
            let (folder, status) = (self.settings.folder.clone(), output.status);
            return Err(ProjectError::List { folder, status, reason });
        }
        // A macro may print between the nodes.
        Ok(said.lines().filter_map(unique_id).collect())
    }
}

fn unique_id(line: &str) -> Option<String> {
    let json: Json = serde_json::from_str(line).ok()?;
    json["unique_id"].as_str().map(str::to_owned)
}

/// Why a project does not become a workflow.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProjectError {
    /// The folder is not a dbt project.
    #[error("`{}` has no dbt_project.yml; name the folder of a dbt project", folder.display())]
    NoProject {
        /// The folder.
        folder: PathBuf,
    },
    /// There is no usable dbt.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// dbt cannot be started.
    #[error("cannot start `{}`; install dbt again", path.display())]
    Start {
        /// The program.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// dbt cannot list the nodes.
    #[error("`dbt ls` failed in `{}` ({status}); it ended with:\n{reason}", folder.display())]
    List {
        /// The folder of the project.
        folder: PathBuf,
        /// How dbt ended.
        status: ExitStatus,
        /// The last lines that it printed.
        reason: String,
    },
    /// The manifest cannot be read.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The selection has no node that dbt builds.
    #[error(
        "nothing to build: the selection matches no model, seed, snapshot, test or function; \
         check `select`, `exclude` and `selector` with `dbt ls`"
    )]
    NothingSelected,
    /// The name of the workflow is invalid.
    #[error("invalid workflow name: {0}")]
    Name(NameError),
    /// The graph is invalid.
    #[error("cannot build a graph from the dbt manifest: {0}")]
    Plan(PlanError),
}
