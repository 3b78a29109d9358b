//! Default implementations of `Catalog` methods, composed of others.

use workflow_core::definition::EventTrigger;

use super::recent::{MOST_RUNS, MOST_WORKFLOWS, duration};
use super::scheduled::StartedBy;
use super::{
    Catalog, CatalogError, RecentRun, RunQuery, StoredWorkflow, WorkflowQuery, WorkflowSort,
};

/// At most `limit` active workflows with a schedule, by id, after the id `after`.
pub(super) async fn scheduled<C: Catalog + ?Sized>(
    catalog: &C,
    after: i64,
    limit: usize,
) -> Result<Vec<StoredWorkflow>, CatalogError> {
    active(catalog, after, limit, |workflow| workflow.metadata.schedule().is_some()).await
}

/// At most `limit` active workflows with triggers of which a scheduler takes care, by id, after the id
/// `after`.
pub(super) async fn triggered<C: Catalog + ?Sized>(
    catalog: &C,
    after: i64,
    limit: usize,
) -> Result<Vec<StoredWorkflow>, CatalogError> {
    let is_watched = |trigger: &EventTrigger| !matches!(trigger, EventTrigger::Webhook(_));
    active(catalog, after, limit, |workflow| workflow.metadata.triggers().iter().any(is_watched))
        .await
}

/// At most `limit` active workflows that meet a condition, by id, after the id `after`.
async fn active<C: Catalog + ?Sized>(
    catalog: &C,
    after: i64,
    limit: usize,
    condition: impl Fn(&StoredWorkflow) -> bool + Send + Sync,
) -> Result<Vec<StoredWorkflow>, CatalogError> {
    let mut found = Vec::new();
    let mut query = WorkflowQuery {
        active: Some(true),
        sort: WorkflowSort::Id,
        limit: Some(PAGE),
        ..WorkflowQuery::default()
    };
    while found.len() < limit {
        let page = catalog.workflows(query.clone()).await?;
        let is_one = |workflow: &StoredWorkflow| workflow.id > after && condition(workflow);
        found.extend(page.items.into_iter().filter(is_one));
        if page.next.is_none() {
            break;
        }
        query.after = page.next;
    }
    found.truncate(limit);
    Ok(found)
}

/// All active workflows that something starts, by id.
pub(super) async fn all_started_by<C: Catalog + ?Sized>(
    catalog: &C,
    by: StartedBy,
) -> Result<Vec<StoredWorkflow>, CatalogError> {
    let mut all: Vec<StoredWorkflow> = Vec::new();
    loop {
        let after = all.last().map_or(0, |last| last.id);
        let page = match by {
            StartedBy::Schedule => catalog.scheduled(after, STARTED_PAGE).await?,
            StartedBy::Event => catalog.triggered(after, STARTED_PAGE).await?,
        };
        let is_last = page.len() < STARTED_PAGE;
        all.extend(page);
        if is_last {
            return Ok(all);
        }
    }
}

/// The number of workflows to read at once.
const PAGE: usize = 500;

/// The number of workflows that something starts to read at once, with their definitions.
const STARTED_PAGE: usize = 200;

/// The last runs of each of these workflows, newest first within each.
pub(super) async fn recent<C: Catalog + ?Sized>(
    catalog: &C,
    workflows: &[i64],
    each: usize,
) -> Result<Vec<RecentRun>, CatalogError> {
    let mut found = Vec::new();
    if each == 0 {
        return Ok(found);
    }
    let mut workflows = workflows.get(..MOST_WORKFLOWS).unwrap_or(workflows).to_vec();
    workflows.sort_unstable();
    workflows.dedup();
    for id in workflows {
        let limit = Some(each.min(MOST_RUNS));
        let query = RunQuery { workflow_id: Some(id), limit, ..RunQuery::default() };
        let runs = match catalog.runs(query).await {
            Ok(page) => page.items,
            // Deleted, or hidden from the viewer.
            Err(CatalogError::NoWorkflow(_)) => continue,
            Err(error) => return Err(error),
        };
        found.extend(runs.into_iter().map(|run| RecentRun {
            workflow_id: run.workflow_id,
            id: run.id,
            status: run.status,
            started_at: run.started_at,
            duration: duration(run.started_at, run.begun_at, run.completed_at),
        }));
    }
    Ok(found)
}
