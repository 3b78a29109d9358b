#![cfg(unix)]
//! dbt projects as workflows: a job for each node, one process of dbt for a run.
//!
//! ```no_run
//! use workflow_core::prelude::*;
//! use workflow_dbt::{BuildSummary, DbtProject};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let warehouse = DbtProject::open("warehouse")?.target("prod").workflow("warehouse")?;
//! registry::register(warehouse)?;
//!
//! let report = registry::run("warehouse").wait()?;
//! let summary: BuildSummary = report.output()?;
//! println!("{:?} in {:?} s", summary.statuses, summary.seconds);
//! # Ok(())
//! # }
//! ```
//!
//! # What a run does
//!
//! `dbt ls` selects the nodes and `manifest.json` draws the graph: models, seeds, snapshots,
//! functions and tests are jobs, as are the sources that they read, which do nothing. A run starts
//! one `dbt build` for all of them. dbt decides about threads and order. Each job waits for its node
//! in dbt's JSON log, prints what dbt says about it, and has a [`NodeResult`] as its output.
//!
//! - A node that fails fails its job with dbt's message and the file. What depends on it is
//!   skipped, by dbt and by the graph. A model waits for the tests of the models before it, as in
//!   `dbt build`.
//! - A test with severity `warn` completes its job, which is annotated with `warning` and
//!   `failures`.
//! - Cancelling the run interrupts dbt, which cancels its queries, and kills it after the
//!   [grace period](DbtProject::grace), if a job waits for dbt. So does the timeout of a single job.
//! - The job `run_results` waits for the end of dbt. It compares `run_results.json` with the log,
//!   and fails when hooks of the project fail.
//!
//! # Assets
//!
//! Models, seeds and snapshots are assets of the program, which `workflow assets list`, the REST API
//! and the page show, with their lineage through the sources that they read. Their names are the
//! unique IDs, or what `meta: {asset: NAME}` in the project says. A source with the name of another
//! asset is that asset: so models are downstream of what other workflows of the program make. Tests
//! are the checks of the node that they test.
//!
//! The job `run_results` records what was built, with the results of the tests, if the engine has
//! [`Assets`](workflow_core::asset::Assets); the command line and its server add them. A value whose
//! test has failed is recorded as refused. An asset is stale after its file or one of its inputs has
//! changed; `workflow assets materialize` says which workflow to run.
//!
//! # Crashes and retries
//!
//! dbt writes its log into the folder of the run, `.workflow/runs/<run ID>/dbt/<number>` in the
//! project. If the host dies, even by `kill -9`, dbt is interrupted, and killed 5 s later. When the
//! run is resumed, nodes that ended well according to the log complete at once, and a new process
//! builds the others. A retry of a failed run, and jobs with a [retry policy](DbtProject::retry),
//! build what failed and what was skipped. If no node is left, dbt is not started only for the hooks
//! of the project: if one of them failed, or dbt did not reach its end, `run_results` fails in a
//! retry, too, and a new run is needed. Two processes of dbt never build the same project at once.
//!
//! A new host resumes a run if it registers the workflow under the same name, with the same graph.
//!
//! # Trust
//!
//! The project, its packages and `profiles.yml` are trusted like the host's own code: macros and
//! Python models run anything. dbt has the environment of the host, such as `DBT_PROFILES_DIR` and
//! the variables of `env_var`; usage statistics are off. `manifest.json` and the logs are only
//! read, within bounds, and invalid ones are errors.
//!
//! # Limits
//!
//! - Only on Unix, with dbt-core 1.8 or later. CI tests 1.11 with DuckDB; 1.12 passes the same tests.
//!   [`Program::find`] tells dbt Fusion (dbt 2) and the dbt Cloud CLI apart, and refuses them. The
//!   [`Manifest`] of dbt 2 can be read.
//! - What a cancelled run has built is not recorded, and its assets stay stale until the next run. The
//!   version of the code of an asset is the hash of its file, without macros and variables. Tests of
//!   sources are jobs, but their results are not recorded as checks.
//! - Exposures, saved queries and semantic models are not built.
//! - If the host ignores SIGINT, as in the background of a shell script, and `/usr/bin/env` is not
//!   that of GNU coreutils, dbt is not interrupted, but killed after the grace period.
//! - If the run is cancelled while none of its jobs waits for dbt, such as in the pause before a
//!   retry, dbt is not interrupted and builds to its end.
//! - If a job is cancelled alone, the other jobs of its run that wait for dbt fail, too.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod asset;
mod build;
mod drive;
mod event;
mod job;
mod lineage;
mod log;
mod manifest;
mod node;
mod process;
mod program;
mod project;
mod results;
mod settings;
mod workflow;

pub use manifest::{DbtNode, Manifest, ManifestError, NodeKind};
pub use node::{NodeResult, NodeStatus};
pub use program::{Program, ProgramError, Version};
pub use project::{DbtProject, ProjectError};
pub use results::BuildSummary;
pub use workflow::DbtWorkflow;
