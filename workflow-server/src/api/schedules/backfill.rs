//! Queues the runs of past times of a schedule.

use std::sync::Arc;
use std::time::SystemTime;

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use workflow_core::flow_control::FlowControl;
use workflow_core::schedule::{backfill_limit, run_key};
use workflow_core::store::Trigger;
use workflow_cron::{PastRange, RangeError};

use super::super::WORKFLOW_PARAMETER;
use super::super::problems::Problems;
use super::changeable;
use crate::app::App;
use crate::http::extract::{Body, Path};
use crate::http::require::{Require, Write};
use crate::launch::{LaunchRequest, Launchable, TaskQueue};
use crate::model::Limit;
use crate::problem::Problem;
use crate::schedule::times_of;

/// The range of a backfill.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"from": "2026-01-01", "to": "2026-01-07", "dry_run": true}))]
pub(super) struct BackfillDraft {
    /// First time, in the time zone of the schedule: `2026-01-02`, `2026-01-02T03:00`, or with an
    /// offset.
    from: String,
    /// Last time; a date without a time is its end. Default: now.
    to: Option<String>,
    /// Maximum number of runs, 1 to 1,000. Default: 100. With more times, none is started.
    #[schema(value_type = Option<usize>, minimum = 1, maximum = 1000)]
    limit: Option<Limit>,
    /// Lists the times, and starts nothing.
    #[serde(default)]
    dry_run: bool,
}

/// The times of a backfill.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Backfill {
    /// The times of the schedule in the range, oldest first.
    times: Vec<BackfillTime>,
}

/// A time of a backfill.
#[derive(Debug, Serialize, ToSchema)]
struct BackfillTime {
    /// The time.
    #[schema(format = DateTime)]
    at: String,
    /// ID of its run; null in a dry run.
    run_id: Option<String>,
    /// Whether the time had a run before.
    existing: bool,
}

/// Queues the runs of past times of a schedule.
///
/// A time that has a run, from the schedule or from a backfill, gets no other one, so a backfill can
/// be repeated. The runs wait in the task queue of the workflow. If runs of the schedule may not
/// overlap, they start one after another.
#[utoipa::path(post, path = "/workflows/{workflow}/schedule/backfill", tag = "schedules",
    params(("workflow" = String, Path, description = WORKFLOW_PARAMETER)),
    request_body = BackfillDraft,
    responses((status = 200, body = Backfill), Problems))]
pub(super) async fn backfill(
    State(app): State<Arc<App>>,
    Require(caller, _): Require<Write>,
    Path(which): Path<String>,
    Body(draft): Body<BackfillDraft>,
) -> Result<Json<Backfill>, Problem> {
    let workflow = changeable(&app, &caller, &which).await?;
    let past = draft.past(&workflow.metadata)?;
    let limit = backfill_limit(workflow.metadata.schedule_policy().overlap);
    let launchable = match draft.dry_run || past.is_empty() {
        true => None,
        false => Some(Launchable::new(&app, &workflow).await?),
    };
    let mut times = Vec::new();
    for at in past {
        let time = SystemTime::from(at);
        let mut row = BackfillTime { at: at.to_string(), run_id: None, existing: false };
        if let Some(launchable) = &launchable {
            let mut flow_control = FlowControl::default();
            flow_control.concurrency = limit.clone();
            // As the scheduler starts it, so that the time has one run.
            let request = LaunchRequest {
                user: workflow.user.clone(),
                trigger: Trigger::Schedule,
                idempotency_key: Some(run_key(&workflow.as_scheduled(), time)),
                scheduled_for: Some(time),
                task_queue: Some(TaskQueue::OfWorkflow),
                flow_control,
                ..LaunchRequest::default()
            };
            let launched = launchable.launch(request).await?;
            row.run_id = Some(launched.run.to_string());
            row.existing = launched.existing;
        }
        times.push(row);
    }
    Ok(Json(Backfill { times }))
}

impl BackfillDraft {
    /// The times of the schedule in the range.
    fn past(
        &self,
        metadata: &workflow_core::definition::Metadata,
    ) -> Result<Vec<Timestamp>, Problem> {
        let limit = self.limit.map_or(100, |limit| limit.0);
        let times = match times_of(metadata) {
            Some(Ok(times)) => times,
            Some(Err(error)) => return Err(Problem::conflict("schedule", error.to_string())),
            None => return Ok(Vec::new()),
        };
        let range = PastRange { from: &self.from, to: self.to.as_deref(), limit };
        times.past(range, Timestamp::now()).map_err(|error| {
            let field = match error {
                RangeError::To(_) => "to",
                RangeError::TooMany { .. } => "limit",
                _ => "from",
            };
            Problem::invalid(field, error.to_string())
        })
    }
}
