//! The job at the end of a workflow that updates its dashboard.

use std::path::Path;
use std::pin::pin;
use std::process;
use std::time::Duration;

use futures::future::{Either, select};
use serde::{Deserialize, Serialize};
use workflow_config::{Config, Rules};
use workflow_core::{JobContext, JobError};
use workflow_files::command::{Command, CommandError, Exit, Shell};

use crate::dashboard::Dashboard;

/// What became of a dashboard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "dashboard", rename_all = "lowercase")]
#[non_exhaustive]
pub enum Update {
    /// It has the data of the tables.
    Refreshed,
    /// It has the data of the tables, and its static files are built.
    Built,
    /// There is nothing to update, or nobody wants it.
    Skipped {
        /// Why.
        reason: String,
    },
    /// It has the old data.
    Failed {
        /// Why.
        reason: String,
    },
}

/// The part of a configuration that a dashboard reads: the option `dashboard`, which is `refresh` by
/// default, `build` or `off`. As a parameter of a job, it is checked before the run begins.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct DashboardConfig {
    #[serde(default)]
    dashboard: Wanted,
}

impl Rules for DashboardConfig {}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Wanted {
    #[default]
    Refresh,
    Build,
    Off,
}

/// How long an update may take.
const LIMIT: Duration = Duration::from_secs(600);

/// Updates the dashboard of a workflow, in a job that starts when the tables are written. It takes 10
/// minutes at most. npm ends when the job is cancelled, and when the host dies.
///
/// The option `dashboard` says what to do: `refresh` (default), `build` or `off`. The dashboard is
/// the folder `evidence` beside the file of the configuration. If the folder or its packages are
/// missing, it is skipped. A dashboard that cannot be updated is a warning in the log and an
/// annotation of the job, and no error: the tables are written.
pub async fn update(context: &JobContext, config: &Config<DashboardConfig>) -> Update {
    let update = attempt(context, config).await;
    match &update {
        Update::Failed { reason } => {
            // The reason is in the run, with the output of npm.
            tracing::warn!(workflow = config.name(), "the dashboard is not updated");
            context.annotate("warning", format!("the dashboard is not updated: {reason}"));
        }
        Update::Skipped { reason } => {
            tracing::info!(workflow = config.name(), reason, "the dashboard is skipped");
        }
        Update::Refreshed | Update::Built => {}
    }
    update
}

async fn attempt(context: &JobContext, config: &Config<DashboardConfig>) -> Update {
    let skipped = |reason: &str| Update::Skipped { reason: reason.to_owned() };
    if matches!(config.dashboard, Wanted::Off) {
        return skipped("the configuration says so");
    }
    let folders = config.files().filter_map(Path::parent);
    let mut dashboards = folders.filter_map(|it| Dashboard::find(it.join(Dashboard::FOLDER)));
    let Some(dashboard) = dashboards.next() else {
        return skipped("there is no folder `evidence` with a `package.json`");
    };
    if !dashboard.has_packages() {
        let name = config.name();
        return skipped(&format!(
            "its packages are not installed; `workflow evidence new {name}` installs them"
        ));
    }
    let updated = match select(
        pin!(make(context, &dashboard, config.dashboard)),
        pin!(context.sleep_through(LIMIT)),
    )
    .await
    {
        Either::Left((updated, _)) => updated,
        Either::Right(_) => Err("it takes too long".to_owned()),
    };
    updated.unwrap_or_else(|reason| Update::Failed { reason })
}

/// Runs npm. The error is a reason for people.
async fn make(
    context: &JobContext,
    dashboard: &Dashboard,
    wanted: Wanted,
) -> Result<Update, String> {
    run(context, &dashboard.fetch_parquet()).await?;
    run(context, &dashboard.sources()).await?;
    if matches!(wanted, Wanted::Build) {
        run(context, &dashboard.build()).await?;
        return Ok(Update::Built);
    }
    Ok(Update::Refreshed)
}

async fn run(context: &JobContext, command: &process::Command) -> Result<(), String> {
    let shell = Shell::new().env("NO_COLOR", "1");
    let finished = shell.run(&in_shell(command), context).await;
    let program = command.get_program().to_string_lossy();
    finished.map(drop).map_err(|error| reason(&program, &error))
}

/// The command for a shell. All of its words are from this crate.
fn in_shell(command: &process::Command) -> Command {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words = words.map(|word| format!("'{}'", word.to_string_lossy().replace('\'', r"'\''")));
    let mut made = Command::new(words.collect::<Vec<_>>().join(" "));
    made.cwd = command.get_current_dir().map(Path::to_owned);
    made.env = command
        .get_envs()
        .filter_map(|(name, value)| Some((name.to_str()?.to_owned(), value?.to_str()?.to_owned())))
        .collect();
    made
}

fn reason(program: &str, error: &JobError) -> String {
    let Some(CommandError::Exit { exit, stderr, .. }) = error.downcast_ref() else {
        return format!("cannot run `{program}`: {error}");
    };
    let last = stderr.lines().rfind(|line| !line.trim().is_empty());
    match last {
        Some(line) if *exit == Exit::Code(127) && is_missing(program, line) => {
            format!("there is no program `{program}`; install Node 18 or newer")
        }
        Some(line) => {
            format!("`{program}` failed: {}", line.strip_prefix("error: ").unwrap_or(line))
        }
        None => format!("`{program}` failed: it {exit}"),
    }
}

/// Whether a shell says that there is no such program: `bash: line 1: npm: command not found`.
fn is_missing(program: &str, line: &str) -> bool {
    line.ends_with("not found") && line.contains(&format!(" {program}: "))
}
