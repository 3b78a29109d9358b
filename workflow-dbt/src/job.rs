//! The jobs of a workflow: one for each node, and one for the results of dbt.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::channel::oneshot;
use futures::future::{Either, select};
use workflow_core::id::RunId;
use workflow_core::job::JobErrorKind;
use workflow_core::{Job, JobContext, JobError};

use crate::asset::NodeAssets;
use crate::build::{Answer, Build, Next, key};
use crate::drive::drive;
use crate::lineage::Nodes;
use crate::log::LogFolder;
use crate::manifest::DbtNode;
use crate::node::{NodeResult, NodeStatus};
use crate::results::BuildSummary;
use crate::settings::Settings;

/// The builds of the runs of a workflow in this process.
pub(crate) struct Builds {
    settings: Arc<Settings>,
    nodes: Arc<Nodes>,
    runs: Mutex<HashMap<RunId, Arc<Build>>>,
}

impl Builds {
    pub(crate) fn new(settings: Arc<Settings>, nodes: Nodes) -> Self {
        Self { settings, nodes: nodes.into(), runs: Mutex::default() }
    }

    /// The build of the run of this context.
    fn of(&self, context: &JobContext) -> Result<Arc<Build>, JobError> {
        let (Some(run), Some(folder)) = (context.run_id(), context.run_folder()) else {
            return Err(JobError::terminal("dbt nodes are built only in a run; use an engine"));
        };
        if !context.reserve_grace(self.grace()) {
            return Err(cancelled());
        }
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(build) = runs.get(&run) {
            return Ok(Arc::clone(build));
        }
        let (settings, nodes) = (Arc::clone(&self.settings), Arc::clone(&self.nodes));
        let folder = LogFolder::new(&folder);
        let build = Arc::new(Build::new(settings, nodes, folder, drive, context)?);
        runs.insert(run, Arc::clone(&build));
        Ok(build)
    }

    /// Forgets the build of a run that has ended or is being cancelled.
    fn forget(&self, build: &Arc<Build>) {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        runs.retain(|_, known| !Arc::ptr_eq(known, build));
    }

    /// How long dbt may take to end.
    fn grace(&self) -> Duration {
        self.settings.grace.saturating_add(KILLED)
    }

    /// Waits for an answer. If the job is cancelled or dropped, dbt is stopped.
    async fn wait(
        &self,
        build: &Arc<Build>,
        context: &JobContext,
        receiver: oneshot::Receiver<Answer>,
    ) -> Result<Answer, JobError> {
        let stop = StopOnDrop { builds: self, build: Some(build) };
        let answer = match select(receiver, pin!(context.cancelled())).await {
            Either::Left((answer, _)) => answer,
            Either::Right(((), receiver)) => {
                // A later attempt gets a build of its own, which waits for the end of this one.
                self.forget(build);
                build.stop();
                let limit = pin!(context.sleep_through(self.grace()));
                let limit = match select(receiver, limit).await {
                    // A node that ends well meanwhile is built.
                    Either::Left((Ok(Answer::DbtNode(node)), _)) if node.status.is_success() => {
                        return Ok(Answer::DbtNode(node));
                    }
                    Either::Left((_, limit)) => limit,
                    Either::Right(_) => return Err(cancelled()),
                };
                if let Some(end) = build.end() {
                    // Whether it ends in time makes no difference to the job.
                    let _ = select(end, limit).await;
                }
                return Err(cancelled());
            }
        };
        stop.disarm();
        answer.map_err(|_| JobError::retryable("the thread that drives dbt has ended"))
    }
}

/// How long a killed process may take to end.
const KILLED: Duration = Duration::from_secs(5);

fn cancelled() -> JobError {
    JobError::of_kind(JobErrorKind::Cancelled, "dbt was stopped, because the job was cancelled")
}

/// Stops dbt when the future of a job is dropped.
struct StopOnDrop<'a> {
    builds: &'a Builds,
    build: Option<&'a Arc<Build>>,
}

impl StopOnDrop<'_> {
    fn disarm(mut self) {
        self.build = None;
    }
}

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        if let Some(build) = self.build {
            self.builds.forget(build);
            build.stop();
        }
    }
}

/// The job of a node.
pub(crate) struct NodeJob {
    pub(crate) node: DbtNode,
    pub(crate) builds: Arc<Builds>,
}

#[async_trait]
impl Job for NodeJob {
    type Input = ();
    type Output = NodeResult;

    fn name(&self) -> &'static str {
        "dbt"
    }

    async fn run(&self, context: &JobContext, (): &()) -> Result<NodeResult, JobError> {
        let build = self.builds.of(context)?;
        loop {
            let receiver = match build.next(&self.node.id, context) {
                Next::Done(result) => return self.judge(context, result),
                Next::Wait(receiver) => receiver,
            };
            match self.builds.wait(&build, context, receiver).await? {
                Answer::DbtNode(result) => return self.judge(context, result),
                Answer::Ended(reason) => return Err(JobError::retryable(reason.to_string())),
                Answer::Again => {}
            }
        }
    }
}

impl NodeJob {
    /// The outcome of the job, from the result of the node.
    fn judge(&self, context: &JobContext, result: NodeResult) -> Result<NodeResult, JobError> {
        // A run that is resumed or retried reads it, and does not build the node again.
        context.persist(key(&self.node.id), &result)?;
        if !result.status.is_success() {
            return Err(self.failure(&result));
        }
        if result.status == NodeStatus::Warn {
            context.annotate_silently("warning", result.message.as_str());
            context.annotate_silently("failures", result.failures);
        }
        Ok(result)
    }

    fn failure(&self, result: &NodeResult) -> JobError {
        let DbtNode { id, path, .. } = &self.node;
        let (status, message) = (result.status, result.message.as_str());
        let text = match status {
            NodeStatus::Skipped if message.is_empty() => {
                format!("dbt skipped `{id}`, because something before it failed")
            }
            _ if message.is_empty() => format!("`{id}` ({path}) ended with {status}"),
            _ if message.contains(path.as_str()) => message.to_owned(),
            _ => format!("`{id}` ({path}) ended with {status}: {message}"),
        };
        JobError::retryable(text).with_type(format!("dbt {status}"))
    }
}

/// The job after all nodes: waits for the end of dbt, records what was built, and checks the results.
pub(crate) struct ResultsJob {
    pub(crate) builds: Arc<Builds>,
    pub(crate) assets: Arc<NodeAssets>,
}

#[async_trait]
impl Job for ResultsJob {
    type Input = ();
    type Output = BuildSummary;

    fn name(&self) -> &'static str {
        "run_results"
    }

    async fn run(&self, context: &JobContext, (): &()) -> Result<BuildSummary, JobError> {
        let build = self.builds.of(context)?;
        let end = loop {
            match build.summary() {
                Ok(end) => break end,
                Err(receiver) => {
                    self.builds.wait(&build, context, receiver).await?;
                }
            }
        };
        for (stream, line) in build.messages() {
            context.print(stream, line);
        }
        self.builds.forget(&build);
        self.assets.record(context).await?;
        end.map_err(|reason| JobError::retryable(reason.to_string()))
    }
}
