//! Schedules of registered workflows as schedules of Temporal.

use std::collections::BTreeMap;

use futures::TryStreamExt as _;
use temporalio_client::schedules::{
    CreateScheduleOptions, DeleteScheduleOptions, ListSchedulesOptions, ScheduleAction,
    ScheduleError, ScheduleSpec,
};
use temporalio_client::{RpcOptions, tonic};
use temporalio_common::UntypedWorkflow;
use workflow_core::registry::{self, Entry, RegistryError};
use workflow_core::store::queue_of;

use crate::client::{StartError, TemporalClient, check};
use crate::message::{Cause, reason};
use crate::payload;

/// The result of [`TemporalClient::sync_schedules`]: names of workflows, sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScheduleSync {
    /// Schedules that are new.
    pub created: Vec<String>,
    /// Schedules that had another cron expression, time zone or task queue.
    pub changed: Vec<String>,
    /// Schedules of workflows that have none any more, or are gone.
    pub removed: Vec<String>,
}

/// A schedule as it must be.
struct Wanted {
    cron: String,
    timezone: String,
    queue: String,
}

impl Wanted {
    fn of(entry: &Entry, prefix: &str) -> Option<Self> {
        let cron = entry.schedule()?.to_owned();
        let timezone = entry.metadata().timezone().unwrap_or("UTC").to_owned();
        Some(Self { cron, timezone, queue: queue_of(prefix, entry.domain()) })
    }

    /// The note of the schedule, by which a change is recognized: Temporal does not keep the cron
    /// expression.
    fn note(&self) -> String {
        format!("{} in {}, in the queue {}", self.cron, self.timezone, self.queue)
    }

    fn spec(&self) -> ScheduleSpec {
        ScheduleSpec::builder()
            .cron_strings(vec![self.cron.clone()])
            .timezone_name(self.timezone.clone())
            .build()
    }

    fn action(&self, workflow: &str, id: &str) -> ScheduleAction {
        let name = UntypedWorkflow::new(workflow.to_owned());
        ScheduleAction::start_workflow(name, payload::write_input(None), self.queue.clone(), id)
    }
}

impl TemporalClient {
    /// Creates, changes and removes schedules of Temporal, so that they are those of the registered
    /// workflows. Their IDs are `{prefix}/{workflow}`; others are left alone, and so is whether one
    /// is paused.
    ///
    /// # Errors
    ///
    /// Fails if a scheduled workflow needs an input, before anything is changed, and if the server
    /// does not accept a schedule.
    pub async fn sync_schedules(&self) -> Result<ScheduleSync, ScheduleSyncError> {
        let mut wanted = BTreeMap::new();
        for entry in &registry::list()? {
            if let Some(schedule) = Wanted::of(entry, self.prefix()) {
                let workflow = entry.name();
                check(&*entry.workflow(), None).map_err(|error| ScheduleSyncError::Workflow {
                    workflow: workflow.to_owned(),
                    error,
                })?;
                wanted.insert(entry.name().to_owned(), schedule);
            }
        }
        let mut sync = ScheduleSync::default();
        for (workflow, schedule) in &wanted {
            self.sync_schedule(workflow, schedule, &mut sync).await?;
        }
        let found = self.sdk().list_schedules(ListSchedulesOptions::builder().build());
        let found: Vec<_> = found.try_collect().await.map_err(ScheduleSyncError::server)?;
        for schedule in found {
            let workflow = schedule.schedule_id().strip_prefix(&format!("{}/", self.prefix()));
            let Some(workflow) = workflow.filter(|name| !wanted.contains_key(*name)) else {
                continue;
            };
            let handle = self.sdk().get_schedule_handle(schedule.schedule_id());
            let deleted = handle.delete(DeleteScheduleOptions::builder().build()).await;
            deleted.map_err(ScheduleSyncError::server)?;
            sync.removed.push(workflow.to_owned());
        }
        sync.removed.sort();
        Ok(sync)
    }

    async fn sync_schedule(
        &self,
        workflow: &str,
        wanted: &Wanted,
        sync: &mut ScheduleSync,
    ) -> Result<(), ScheduleSyncError> {
        let id = format!("{}/{workflow}", self.prefix());
        let handle = self.sdk().get_schedule_handle(id.clone());
        match handle.describe(RpcOptions::default()).await {
            Ok(found) if found.note() == Some(&wanted.note()) => {}
            Ok(_) => {
                let (spec, note) = (wanted.spec(), wanted.note());
                let action = wanted.action(workflow, &id);
                let change = move |update: &mut temporalio_client::schedules::ScheduleUpdate| {
                    update.set_spec(spec).set_action(action).set_note(note);
                };
                let updated = handle.update(change, RpcOptions::default()).await;
                updated.map_err(ScheduleSyncError::server)?;
                sync.changed.push(workflow.to_owned());
            }
            Err(ScheduleError::Rpc(status)) if status.code() == tonic::Code::NotFound => {
                let options = CreateScheduleOptions::builder()
                    .action(wanted.action(workflow, &id))
                    .spec(wanted.spec())
                    .note(wanted.note())
                    .build();
                let created = self.sdk().create_schedule(id, options).await;
                created.map_err(ScheduleSyncError::server)?;
                sync.created.push(workflow.to_owned());
            }
            Err(error) => return Err(ScheduleSyncError::server(error)),
        }
        Ok(())
    }
}

/// Why schedules cannot be synchronized.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScheduleSyncError {
    /// The registry is invalid.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// A scheduled workflow cannot start without an input.
    #[error(
        "the schedule of workflow `{workflow}` cannot start it: {error}; remove the schedule, or give \
         the input of the workflow a default"
    )]
    Workflow {
        /// The workflow.
        workflow: String,
        /// Why it cannot start.
        error: StartError,
    },
    /// The server did not accept a schedule.
    #[error("Temporal did not accept the schedules: {}; check the server, and try again", reason(&**.0))]
    Server(Cause),
}

impl ScheduleSyncError {
    fn server(error: impl Into<Cause>) -> Self {
        Self::Server(error.into())
    }
}
