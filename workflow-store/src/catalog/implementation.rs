//! Implements `Catalog` for both databases.

use std::io::{BufRead, Write};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use workflow_core::error_text::io_reason;
use workflow_core::id::RunId;
use workflow_core::store::{StoreError, WorkflowSnapshot};

use super::export::{ExportLine, Import};
use super::prune::DeletedRun;
use super::resolve::{Found, MatchedBy};
use super::scheduled::StartedBy;
use super::{
    Catalog, CatalogError, Imported, NewWorkflow, Page, RecentRun, Retention, RunDetails, RunQuery,
    RunSummary, Statistics, StatusCounts, StoredWorkflow, Timeline, Usage, WorkflowChange,
    WorkflowQuery, WorkflowVersion, change, export, overview, prune, recent, resolve, resolve_run,
    runs, scheduled, stats, versions, workflow, workflows,
};
use crate::catalog_error::CatalogFailure;
use crate::db::sql::{Sql, SqlError};
use crate::db::value::Value;
use crate::exec::operation::{Cx, TxMode};
use crate::runs::StatusReport;
use crate::store::{Database, SqlStore};
use crate::visibility::{Viewer, Visibility};
use crate::workflows::search_index;

#[async_trait]
impl<D: Database> Catalog for SqlStore<D> {
    fn seen_by(&self, viewer: Viewer) -> Arc<dyn Catalog> {
        // A handle never sees more than the one that it is made from.
        let viewer = match &self.viewer {
            Viewer::All | Viewer::Staff(_) => viewer,
            user => user.clone(),
        };
        Arc::new(self.for_viewer(viewer))
    }

    async fn ping(&self) -> Result<(), CatalogError> {
        let any = "SELECT id FROM workflows_workflowrun LIMIT 1";
        let ping = move |sql: &mut dyn Sql| sql.query(any, &[]).map(|_| ());
        self.pool.read_vital(ping).await?;
        if self.pool.is_failing() {
            // Only now, so that health checks write nothing while all is well. Numbers of messages may
            // have gaps, and SQLite would not write an equal value.
            let next = "UPDATE workflows_counter SET value = value + 1 WHERE name = 'message'";
            let write = move |cx: &mut Cx<'_>| cx.sql.execute(next, &[]).map(|_| ());
            self.pool.write(TxMode::Batched, write).await?;
        }
        Ok(())
    }

    async fn workflows(&self, query: WorkflowQuery) -> Result<Page<StoredWorkflow>, CatalogError> {
        query.check()?;
        loop {
            let query = query.clone();
            let page = self.look(move |sql, visibility| {
                let is_behind = !sql.query(UNLABELLED, &[] as &[Value<'_>])?.is_empty();
                match is_behind {
                    true => Ok(None),
                    false => workflows::workflows(sql, visibility, &query).map(Some),
                }
            });
            match page.await? {
                Some(page) => return Ok(page),
                None => self.catch_up().await?,
            }
        }
    }

    async fn find_workflow(
        &self,
        which: &str,
    ) -> Result<(StoredWorkflow, MatchedBy), CatalogError> {
        let which = which.to_owned();
        let found = self.look(move |sql, visibility| {
            let Found { id, by, .. } = resolve::resolve(sql, visibility, &which)?;
            let found = workflow::by_id(sql, id)?;
            let found = found.ok_or_else(|| CatalogError::NoWorkflow(which.clone()))?;
            Ok::<_, CatalogFailure>((found, by))
        });
        Ok(found.await?)
    }

    async fn sync_registered(&self, workflows: &[WorkflowSnapshot]) -> Result<(), CatalogError> {
        self.viewer.check_all("update registered workflows")?;
        let workflows = workflows.to_vec();
        let sync_registered = move |cx: &mut Cx<'_>| {
            workflows.iter().try_for_each(|workflow| crate::runs::sync_registered(cx, workflow))
        };
        Ok(self.pool.write(TxMode::Exclusive, sync_registered).await?)
    }

    async fn create_workflow(&self, new: NewWorkflow) -> Result<StoredWorkflow, CatalogError> {
        let user = match &self.viewer {
            Viewer::User(user) => Some(user.clone()),
            Viewer::All | Viewer::Staff(_) => new.user.clone(),
        };
        let new = NewWorkflow { user, ..new };
        // Locking names blocks other processes, which must be short.
        Ok(self.pool.write(TxMode::Exclusive, move |cx| change::create(cx, &new)).await?)
    }

    async fn update_workflow(
        &self,
        which: &str,
        change: WorkflowChange,
    ) -> Result<StoredWorkflow, CatalogError> {
        let (which, viewer) = (which.to_owned(), self.viewer.clone());
        let update = move |cx: &mut Cx<'_>, visibility: Visibility| {
            change::update(cx, visibility, viewer.name(), &which, &change)
        };
        Ok(self.change(TxMode::Exclusive, update).await?)
    }

    async fn versions(
        &self,
        which: &str,
        after: Option<String>,
        limit: Option<usize>,
    ) -> Result<Page<WorkflowVersion>, CatalogError> {
        let which = which.to_owned();
        let look = move |sql: &mut dyn Sql, visibility| {
            versions::versions(sql, visibility, &which, after.as_deref(), limit)
        };
        Ok(self.look(look).await?)
    }

    async fn version(&self, which: &str, version: i64) -> Result<WorkflowVersion, CatalogError> {
        let which = which.to_owned();
        let look = move |sql: &mut dyn Sql, visibility| {
            versions::version(sql, visibility, &which, version)
        };
        Ok(self.look(look).await?)
    }

    async fn scheduled(
        &self,
        after: i64,
        limit: usize,
    ) -> Result<Vec<StoredWorkflow>, CatalogError> {
        self.catch_up().await?;
        let work = move |sql: &mut dyn Sql, visibility| {
            scheduled::started_by(sql, visibility, StartedBy::Schedule, after, limit)
        };
        Ok(self.look(work).await?)
    }

    async fn triggered(
        &self,
        after: i64,
        limit: usize,
    ) -> Result<Vec<StoredWorkflow>, CatalogError> {
        self.catch_up().await?;
        let work = move |sql: &mut dyn Sql, visibility| {
            scheduled::started_by(sql, visibility, StartedBy::Event, after, limit)
        };
        Ok(self.look(work).await?)
    }

    async fn count_runs(&self, which: &str) -> Result<u64, CatalogError> {
        let which = which.to_owned();
        Ok(self.look(move |sql, visibility| change::count_runs(sql, visibility, &which)).await?)
    }

    async fn delete_workflow(&self, which: &str) -> Result<u64, CatalogError> {
        let which = which.to_owned();
        let delete = move |cx: &mut Cx<'_>, visibility| change::delete(cx, visibility, &which);
        let (count, runs) = self.change(TxMode::Exclusive, delete).await?;
        self.remove_folders(runs).await?;
        Ok(count)
    }

    async fn runs(&self, query: RunQuery) -> Result<Page<RunSummary>, CatalogError> {
        Ok(self.look(move |sql, visibility| runs::list(sql, visibility, &query)).await?)
    }

    async fn run_details(&self, run: RunId) -> Result<RunDetails, CatalogError> {
        Ok(self.look(move |sql, visibility| runs::details(sql, visibility, run)).await?)
    }

    async fn run_summary(&self, run: RunId) -> Result<RunSummary, CatalogError> {
        Ok(self.look(move |sql, visibility| runs::one(sql, visibility, run)).await?)
    }

    async fn find_run(&self, which: &str) -> Result<RunId, CatalogError> {
        let which = which.to_owned();
        Ok(self
            .look(move |sql, visibility| resolve_run::resolve_run(sql, visibility, &which))
            .await?)
    }

    async fn report_run(
        &self,
        run: RunId,
        report: StatusReport,
    ) -> Result<RunSummary, CatalogError> {
        let liveness = self.liveness.clone();
        let record = move |cx: &mut Cx<'_>, visibility: Visibility| {
            crate::runs::report(cx, visibility, &liveness, run, &report)?;
            runs::one(cx.sql, visibility, run)
        };
        Ok(self.change(TxMode::Exclusive, record).await?)
    }

    async fn recent(&self, workflows: &[i64], each: usize) -> Result<Vec<RecentRun>, CatalogError> {
        let workflows = workflows.to_vec();
        let recent = move |sql: &mut dyn Sql, visibility: Visibility| {
            recent::recent(sql, visibility, &workflows, each)
        };
        Ok(self.look(recent).await?)
    }

    async fn timeline(
        &self,
        since: SystemTime,
        span: Duration,
        workflow: Option<i64>,
    ) -> Result<Timeline, CatalogError> {
        let timeline = move |sql: &mut dyn Sql, visibility: Visibility| {
            overview::timeline(sql, visibility, since, span, workflow)
        };
        Ok(self.look(timeline).await?)
    }

    async fn status_counts(&self) -> Result<StatusCounts, CatalogError> {
        Ok(self.look(overview::status_counts).await?)
    }

    async fn usage(&self) -> Result<Usage, CatalogError> {
        self.catch_up().await?;
        Ok(self.look(overview::usage).await?)
    }

    async fn statistics(&self, which: Option<&str>) -> Result<Vec<Statistics>, CatalogError> {
        let which = which.map(str::to_owned);
        Ok(self
            .look(move |sql, visibility| stats::statistics(sql, visibility, which.as_deref()))
            .await?)
    }

    async fn prune(&self, retention: Retention) -> Result<u64, CatalogError> {
        if let Some(which) = retention.workflow.clone() {
            self.look(move |sql, visibility| {
                resolve::resolve_own(sql, visibility, &which, "delete runs of")
            })
            .await?;
        }
        self.prune_all(vec![retention]).await
    }

    async fn prune_when_due(
        &self,
        retentions: &[Retention],
        every: Duration,
    ) -> Result<Option<u64>, CatalogError> {
        if !self.pool.write(TxMode::Batched, move |cx| prune::is_due(cx, every)).await? {
            return Ok(None);
        }
        self.prune_all(retentions.to_vec()).await.map(Some)
    }

    async fn export(
        &self,
        which: Option<&str>,
        out: &mut (dyn Write + Send),
    ) -> Result<(), CatalogError> {
        let which = which.map(str::to_owned);
        let ids =
            self.look(move |sql, visibility| export::workflows(sql, visibility, which.as_deref()));
        for id in ids.await? {
            let found = self.pool.read(move |sql| workflow::by_id(sql, id)).await?;
            let Some(found) = found else { continue };
            put(out, &ExportLine::Workflow(Box::new(found.into())))?;
            self.export_runs(id, out).await?;
        }
        Ok(())
    }

    async fn import(&self, lines: &mut (dyn BufRead + Send)) -> Result<Imported, CatalogError> {
        self.viewer.check_all("import")?;
        let import = Import::read(lines)?;
        Ok(self.pool.write(TxMode::Exclusive, move |cx| export::import(cx, &import)).await?)
    }
}

/// The number of runs, or of events of a run, to export at a time.
const PAGE: usize = 500;

impl<D: Database> SqlStore<D> {
    async fn prune_all(&self, retentions: Vec<Retention>) -> Result<u64, CatalogError> {
        let records = prune::cutoff_of_records(&retentions);
        let plan =
            self.look(move |sql, visibility| prune::plan(sql, visibility, &retentions)).await?;
        let mut deleted = 0;
        for (workflow, retention) in plan {
            loop {
                let retention = retention.clone();
                let outdated = move |sql: &mut dyn Sql| prune::outdated(sql, workflow, &retention);
                let (runs, more) = self.pool.read(outdated).await?;
                // Folders first: after a crash, the rows still lead to them.
                let runs = self.remove_folders(runs).await?;
                let delete = move |cx: &mut Cx<'_>| prune::delete(cx, &runs);
                deleted += self.pool.write(TxMode::Exclusive, delete).await?;
                if !more {
                    break;
                }
            }
        }
        if deleted > 0 {
            self.pool.write(TxMode::Exclusive, |cx| prune::sweep(cx.sql)).await?;
        }
        if let Some(cutoff) = records.filter(|_| !matches!(self.viewer, Viewer::User(_))) {
            // Records have no owner.
            let delete = move |cx: &mut Cx<'_>| prune::delete_records(cx, cutoff);
            while self.pool.write(TxMode::Exclusive, delete).await? {}
        }
        Ok(deleted)
    }

    /// Removes the folders of runs on this machine, on a blocking thread.
    async fn remove_folders(
        &self,
        runs: Vec<DeletedRun>,
    ) -> Result<Arc<[DeletedRun]>, CatalogError> {
        let runs: Arc<[DeletedRun]> = runs.into();
        let doomed = Arc::clone(&runs);
        let remove = move |_: &mut dyn Sql| {
            prune::remove_folders(&doomed);
            Ok::<_, SqlError>(())
        };
        self.pool.read(remove).await?;
        Ok(runs)
    }

    async fn export_runs(
        &self,
        workflow: i64,
        out: &mut (dyn Write + Send),
    ) -> Result<(), CatalogError> {
        let mut after = 0;
        loop {
            let page = self
                .look(move |sql, visibility| {
                    export::runs_of(sql, visibility, workflow, after, PAGE)
                })
                .await?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            after = *last;
            for (_, run) in page {
                let (id, count) = (run.id, run.events);
                put(out, &ExportLine::Run(Box::new(run)))?;
                // Events appended since the run was read are omitted.
                let mut from = 0;
                while from < count {
                    let most = usize::try_from(count - from).unwrap_or(PAGE).min(PAGE);
                    let events = self
                        .look(move |sql, visibility| {
                            crate::runs::events(sql, visibility, id, from, most)
                        })
                        .await?;
                    if events.is_empty() {
                        break;
                    }
                    from += events.len() as u64;
                    for event in events {
                        put(out, &ExportLine::Event { run: id, event: Box::new(event) })?;
                    }
                }
            }
        }
    }

    /// Indexes workflows that other applications have added to the table.
    async fn catch_up(&self) -> Result<(), CatalogError> {
        while self.pool.write(TxMode::Exclusive, |cx| search_index::catch_up(cx.sql)).await? {}
        Ok(())
    }
}

const UNLABELLED: &str = "SELECT id FROM workflows_workflow WHERE NOT labelled LIMIT 1";

fn put(out: &mut (dyn Write + Send), line: &ExportLine) -> Result<(), CatalogError> {
    let failed = |error: std::io::Error| {
        let text = format!("cannot write the export: {}", io_reason(&error));
        CatalogError::Store(StoreError::Unavailable(text.into()))
    };
    serde_json::to_writer(&mut *out, line).map_err(|error| failed(error.into()))?;
    out.write_all(b"\n").map_err(failed)
}
