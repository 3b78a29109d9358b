//! Evidence dashboards of workflows: their npm projects, and a job that refreshes them.
//!
//! A dashboard is the folder `evidence` beside the configuration of a workflow. [`update`] is the body
//! of a job at the end of the workflow, and [`Dashboard`] has the commands of the project.
//!
//! ```
//! use serde_json::json;
//! use workflow_config::Config;
//! use workflow_core::job::JobContext;
//! use workflow_evidence::{Update, update};
//!
//! // Outside of a run, and without a folder: there is nothing to refresh.
//! let config = Config::from_json("sales", json!({ "dashboard": "refresh" }))?;
//! let update = futures::executor::block_on(update(&JobContext::detached(), &config.typed()?));
//! assert!(matches!(update, Update::Skipped { .. }));
//! # Ok::<_, workflow_config::ConfigError>(())
//! ```
//!
//! # Trust
//!
//! The project and its packages are trusted like the host's own code: npm runs them.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod dashboard;
#[cfg(unix)]
mod update;

pub use dashboard::Dashboard;
#[cfg(unix)]
pub use update::{DashboardConfig, Update, update};
