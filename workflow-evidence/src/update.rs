//! The job at the end of a workflow that updates its dashboard.

use std::path::Path;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use workflow_config::{Config, Rules};
use workflow_core::JobContext;

use crate::dashboard::Dashboard;
use crate::process;

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

/// Updates the dashboard of a workflow, in a job that starts when the tables are written. Blocks
/// until npm has ended, for 10 minutes at most; npm is stopped when the job is cancelled.
///
/// The option `dashboard` says what to do: `refresh` (default), `build` or `off`. The dashboard is
/// the folder `evidence` beside the file of the configuration. If the folder or its packages are
/// missing, it is skipped. A dashboard that cannot be updated is a warning in the log and an
/// annotation of the job, and no error: the tables are written.
pub fn update(context: &JobContext, config: &Config<DashboardConfig>) -> Update {
    let update = attempt(context, config);
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

fn attempt(context: &JobContext, config: &Config<DashboardConfig>) -> Update {
    let wanted = config.dashboard;
    let skipped = |reason: &str| Update::Skipped { reason: reason.to_owned() };
    if matches!(wanted, Wanted::Off) {
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
    let deadline = Instant::now() + LIMIT;
    let run = |command| process::run(command, context, deadline);
    let refreshed = run(dashboard.fetch_parquet()).and_then(|()| run(dashboard.sources()));
    let updated = match wanted {
        Wanted::Build => refreshed.and_then(|()| run(dashboard.build())).map(|()| Update::Built),
        Wanted::Refresh | Wanted::Off => refreshed.map(|()| Update::Refreshed),
    };
    updated.unwrap_or_else(|reason| Update::Failed { reason })
}
