//! Jobs of other runs: a worker makes the attempts of jobs that name one of its task queues.

use super::Taking;
use crate::engine::Resolve;
use crate::executor::{self, JobTask, UNKNOWN_DEFINITION, unknown};
use crate::guard;
use crate::job::JobError;
use crate::store::{ClaimRequest, ClaimedTask, StoreError};
use crate::value::from_json;

impl Taking<'_> {
    /// Claims as many tasks as there are free slots for jobs, and makes their attempts in the
    /// background. Returns the number of tasks.
    pub(super) async fn take_tasks(
        &mut self,
        request: &ClaimRequest,
        find: &dyn Resolve,
    ) -> Result<usize, StoreError> {
        let claimed = self.worker.engine.claim_tasks(request).await?;
        let count = claimed.len();
        for task in claimed {
            self.take_task(task, find).await?;
        }
        Ok(count)
    }

    async fn take_task(
        &mut self,
        claimed: ClaimedTask,
        find: &dyn Resolve,
    ) -> Result<(), StoreError> {
        let engine = &self.worker.engine;
        let task: JobTask = match from_json(claimed.attempt.clone()) {
            Ok(task) => task,
            Err(error) => {
                tracing::warn!(run = %claimed.run.id, %error, "cannot read a task; a newer version of the program may have written it");
                return self.leave(claimed).await;
            }
        };
        let workflow = || {
            let found = guard::call(|| find.resolve(&claimed.run.workflow));
            let found = found.map_err(JobError::retryable)?;
            found.map_err(|error| unknown(error.to_string()))
        };
        let found =
            self.check_deaths(&claimed).and_then(|()| executor::find(engine, &task, &workflow));
        match found {
            Ok(invocation) => engine.perform_task(claimed, task, invocation),
            Err(error) if error.error_type() == UNKNOWN_DEFINITION => {
                tracing::info!(
                    run = %task.run, job = task.job, error = error.chain(),
                    "this program cannot execute the job; another worker may"
                );
                return self.leave(claimed).await;
            }
            Err(error) => engine.fail_task(&claimed.lease, &error).await,
        }
        Ok(())
    }

    /// Leaves a task, and for a while all of its workflow, to other workers.
    async fn leave(&mut self, claimed: ClaimedTask) -> Result<(), StoreError> {
        self.worker.engine.release_task(claimed.lease).await?;
        self.unknown.insert(claimed.run.workflow.name);
        Ok(())
    }

    /// Checks that the attempt does not kill one worker after the other.
    fn check_deaths(&self, claimed: &ClaimedTask) -> Result<(), JobError> {
        let deaths = claimed.deaths;
        match self.worker.engine.poison_after() {
            Some(limit) if deaths as usize >= limit => Err(JobError::terminal(format!(
                "{deaths} workers died during this attempt; find out what it does to its process, \
                 such as using too much memory, and retry the run"
            ))
            .with_type("WorkersDied")),
            _ => Ok(()),
        }
    }
}
