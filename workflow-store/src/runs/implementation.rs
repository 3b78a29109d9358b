//! Implements `Store` for both databases.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;
use serde_json::Value as Json;
use workflow_core::event::Event;
use workflow_core::id::RunId;
use workflow_core::store::{
    Asleep, AssetStore, Backlog, BeginOutcome, ClaimRequest, ClaimedRun, ClaimedTask,
    DownstreamStore, Eviction, FileStore, HandledFile, HeldLeases, HeldTask, Lease, LimitWait,
    Materialization, Message, MessageKind, NewRun, NewTask, Owner, OwnerId, PartitionRange,
    ScheduleChange, ScheduleId, ScheduleState, ScheduleStore, ScheduledWorkflow, Store, StoreError,
    StoredLink, StoredMaterialization, StoredRun, StoredTask, StoredWorker, TaskAnswer, TaskError,
    TaskKey, TaskLease, TaskProgress, TaskStore, WorkerId, WorkerReport, WorkflowLink,
    WorkflowSnapshot,
};

use super::lease::Limits;
use super::{
    append, asset, begin, definition, downstream, eviction, file, lease, limits, message, queue,
    read, schedule, task, worker,
};
use crate::db::sql::{Sql, SqlError};
use crate::exec::operation::{Cx, TxMode};
use crate::rows::beginning::{Admission, Beginning};
use crate::rows::event;
use crate::rows::step::Appended;
use crate::store::{Database, SqlStore};
use crate::visibility::Viewer;

impl<D: Database> SqlStore<D> {
    /// Ends the leases of owners that have stopped, and returns those that are alive although their
    /// lease has expired by the database's clock.
    async fn judge_owners(&self) -> Result<Vec<OwnerId>, SqlError> {
        let liveness = self.liveness.clone();
        let judged = self.pool.read_vital(move |sql| lease::judge(sql, &liveness)).await?;
        if !judged.stopped.is_empty() {
            let expire = move |cx: &mut Cx<'_>| lease::expire(cx.sql, &judged.stopped);
            self.pool.write(TxMode::Batched, expire).await?;
        }
        Ok(judged.protected)
    }

    /// Returns abandoned runs that match one of these conditions.
    async fn orphans(
        &self,
        conditions: &'static [&'static str],
        after: Option<RunId>,
        limit: usize,
    ) -> Result<Vec<StoredRun>, StoreError> {
        self.check_engine()?;
        let protected = self.judge_owners().await?;
        let orphans =
            move |sql: &mut dyn Sql| lease::orphans(sql, conditions, &protected, after, limit);
        Ok(self.pool.read_vital(orphans).await?)
    }

    /// Checks that this is not the handle of a user, which cannot run workflows.
    fn check_engine(&self) -> Result<(), StoreError> {
        match &self.viewer {
            Viewer::All | Viewer::Staff(_) => Ok(()),
            Viewer::User(user) => Err(StoreError::Unusable(
                format!(
                    "the handle of user `{user}` cannot run workflows; give the engine the store itself"
                )
                .into(),
            )),
        }
    }
}

#[async_trait]
impl<D: Database> Store for SqlStore<D> {
    async fn begin(&self, mut run: NewRun, events: Vec<Event>) -> Result<BeginOutcome, StoreError> {
        if let Viewer::User(user) = &self.viewer {
            if run.owner.is_some() {
                self.check_engine()?;
            }
            run.user = Some(user.clone());
        }
        if run.flow_control.has_limits() {
            // It waits until a claim admits it.
            run.owner = None;
        }
        let is_queued = run.owner.is_none();
        let new = Arc::new(Beginning::new(run, &events)?);
        let begun = self
            .change(TxMode::Batched, move |cx, visibility| {
                begin::begin(cx, visibility, &new, Admission::Active)
            })
            .await?;
        if is_queued {
            self.pool.watcher().announce();
        }
        Ok(begun)
    }

    async fn append(&self, lease: &Lease, events: &[Event]) -> Result<(), StoreError> {
        self.check_engine()?;
        let new = Arc::new(Appended::new(lease, events)?);
        Ok(self.pool.write(TxMode::Batched, move |cx| append::append(cx, &new)).await?)
    }

    async fn events(&self, run: RunId, from: u64, limit: usize) -> Result<Vec<Event>, StoreError> {
        Ok(self
            .look(move |sql, visibility| read::events(sql, visibility, run, from, limit))
            .await?)
    }

    async fn persisted(
        &self,
        run: RunId,
        from: u64,
        limit: usize,
    ) -> Result<Vec<Event>, StoreError> {
        Ok(self
            .look(move |sql, visibility| read::persisted(sql, visibility, run, from, limit))
            .await?)
    }

    async fn run(&self, run: RunId) -> Result<Option<StoredRun>, StoreError> {
        Ok(self.look(move |sql, visibility| read::run(sql, visibility, run)).await?)
    }

    async fn abandoned(
        &self,
        after: Option<RunId>,
        limit: usize,
    ) -> Result<Vec<StoredRun>, StoreError> {
        self.orphans(lease::ANY, after, limit).await
    }

    async fn claim(&self, owner: Owner, runs: &[RunId]) -> Result<Vec<Lease>, StoreError> {
        self.check_engine()?;
        let (runs, liveness) = (runs.to_vec(), self.liveness.clone());
        let claim =
            move |cx: &mut Cx<'_>| lease::claim(cx, &liveness, owner, &runs, Limits::Enforced);
        Ok(self.pool.write(TxMode::Exclusive, claim).await?)
    }

    async fn claim_without_limits(
        &self,
        owner: Owner,
        runs: &[RunId],
    ) -> Result<Vec<Lease>, StoreError> {
        self.check_engine()?;
        let (runs, liveness) = (runs.to_vec(), self.liveness.clone());
        let claim =
            move |cx: &mut Cx<'_>| lease::claim(cx, &liveness, owner, &runs, Limits::Ignored);
        Ok(self.pool.write(TxMode::Exclusive, claim).await?)
    }

    fn enforces_limits(&self) -> bool {
        true
    }

    async fn waits_for(&self, run: RunId) -> Result<Option<LimitWait>, StoreError> {
        Ok(self.look(move |sql, visibility| limits::waits_for(sql, visibility, run)).await?)
    }

    async fn next_due(&self) -> Result<Option<Duration>, StoreError> {
        let left = self.pool.read_vital(limits::until_due).await?;
        Ok(left.map(|left| Duration::from_micros(left.max(0).unsigned_abs())))
    }

    async fn claim_next(
        &self,
        owner: Owner,
        request: &ClaimRequest,
    ) -> Result<Vec<ClaimedRun>, StoreError> {
        self.check_engine()?;
        // Most of the time, nothing waits: then nothing is written.
        if !self.last_claim_was_full.load(Ordering::Relaxed) {
            let mut protected = self.judge_owners().await?;
            protected.push(owner.id);
            let asked = request.clone();
            let may_claim = move |sql: &mut dyn Sql| queue::may_claim(sql, &protected, &asked);
            if !self.pool.read_vital(may_claim).await? {
                return Ok(Vec::new());
            }
        }
        let limit = request.limit;
        loop {
            let (request, liveness) = (request.clone(), self.liveness.clone());
            let claim = move |cx: &mut Cx<'_>| queue::claim_next(cx, &liveness, owner, &request);
            let claimed = self.pool.write(TxMode::Exclusive, claim).await?;
            let is_full = claimed.runs.len() >= limit;
            self.last_claim_was_full.store(is_full, Ordering::Relaxed);
            if !(claimed.runs.is_empty() && claimed.is_partial) {
                return Ok(claimed.runs);
            }
        }
    }

    async fn stranded(
        &self,
        after: Option<RunId>,
        limit: usize,
    ) -> Result<Vec<StoredRun>, StoreError> {
        self.orphans(lease::STRANDED, after, limit).await
    }

    async fn release(&self, leases: &[Lease]) -> Result<(), StoreError> {
        self.check_engine()?;
        let leases = leases.to_vec();
        self.pool.write(TxMode::Batched, move |cx| lease::release(cx, &leases)).await?;
        self.pool.watcher().announce();
        Ok(())
    }

    fn evicts(&self) -> bool {
        true
    }

    async fn evict(&self, evictions: &[Eviction]) -> Result<Vec<RunId>, StoreError> {
        self.check_engine()?;
        let evictions = evictions.to_vec();
        let evict = move |cx: &mut Cx<'_>| eviction::evict(cx, &evictions);
        Ok(self.pool.write(TxMode::Exclusive, evict).await?)
    }

    async fn asleep(&self, run: RunId) -> Result<Option<Asleep>, StoreError> {
        Ok(self.look(move |sql, visibility| eviction::asleep(sql, visibility, run)).await?)
    }

    fn task_store(&self) -> Option<&dyn TaskStore> {
        Some(self)
    }

    fn schedule_store(&self) -> Option<&dyn ScheduleStore> {
        Some(self)
    }

    fn asset_store(&self) -> Option<&dyn AssetStore> {
        Some(self)
    }

    fn file_store(&self) -> Option<&dyn FileStore> {
        Some(self)
    }

    fn downstream_store(&self) -> Option<&dyn DownstreamStore> {
        Some(self)
    }

    fn queue_changes(&self) -> BoxStream<'static, ()> {
        self.pool.watcher().subscribe()
    }

    async fn backlogs(&self) -> Result<Vec<Backlog>, StoreError> {
        Ok(self.pool.read(worker::backlogs).await?)
    }

    async fn report_worker(&self, report: &WorkerReport) -> Result<(), StoreError> {
        self.check_engine()?;
        let (id, lifetime) = (report.id, report.lifetime);
        let text = event::write(report)?;
        let heartbeat = move |cx: &mut Cx<'_>| worker::report(cx.sql, id, &text, lifetime);
        Ok(self.pool.write(TxMode::Batched, heartbeat).await?)
    }

    async fn forget_worker(&self, worker: WorkerId) -> Result<(), StoreError> {
        self.check_engine()?;
        let forget = move |cx: &mut Cx<'_>| worker::forget(cx.sql, worker);
        Ok(self.pool.write(TxMode::Batched, forget).await?)
    }

    async fn workers(&self) -> Result<Option<Vec<StoredWorker>>, StoreError> {
        Ok(Some(self.pool.read(worker::all).await?))
    }

    async fn renew(&self, owner: Owner, leases: &[Lease]) -> Result<Vec<Lease>, StoreError> {
        self.check_engine()?;
        let leases = leases.to_vec();
        Ok(self.pool.write(TxMode::Batched, move |cx| lease::renew(cx, owner, &leases)).await?)
    }

    async fn held(&self) -> Result<HeldLeases, StoreError> {
        self.check_engine()?;
        let liveness = self.liveness.clone();
        Ok(self.pool.read_vital(move |sql| lease::held(sql, &liveness)).await?)
    }

    async fn children(&self, run: RunId) -> Result<Vec<RunId>, StoreError> {
        self.check_engine()?;
        Ok(self.pool.read_vital(move |sql| read::children(sql, run)).await?)
    }

    async fn send(&self, run: RunId, message: MessageKind) -> Result<u64, StoreError> {
        message.check()?;
        let body = event::write(&message)?;
        let is_signal = matches!(message, MessageKind::Signal { .. });
        let sent = self.change(TxMode::Batched, move |cx, visibility| {
            message::send(cx, visibility, run, &body, is_signal)
        });
        let sent = sent.await?;
        if sent.wakes {
            self.pool.watcher().announce();
        }
        Ok(sent.number)
    }

    async fn inbox(&self, owner: OwnerId, after: u64) -> Result<Vec<Message>, StoreError> {
        self.check_engine()?;
        Ok(self.pool.read_vital(move |sql| message::inbox(sql, owner, after)).await?)
    }

    async fn messages(&self, run: RunId) -> Result<Vec<Message>, StoreError> {
        Ok(self.look(move |sql, visibility| message::messages(sql, visibility, run)).await?)
    }
}

#[async_trait]
impl<D: Database> ScheduleStore for SqlStore<D> {
    async fn schedule_state(&self, of: &ScheduleId) -> Result<ScheduleState, StoreError> {
        self.check_engine()?;
        let of = of.clone();
        Ok(self.pool.read(move |sql| schedule::state(sql, &of)).await?)
    }

    async fn change_schedule(
        &self,
        of: &ScheduleId,
        change: ScheduleChange,
    ) -> Result<bool, StoreError> {
        self.check_engine()?;
        let of = of.clone();
        let change = move |cx: &mut Cx<'_>| schedule::change(cx, &of, change.clone());
        Ok(self.pool.write(TxMode::Exclusive, change).await?)
    }
}

impl<D: Database> SqlStore<D> {
    async fn newest_of(
        &self,
        asset: &str,
        partitions: &PartitionRange,
        counting: asset::Counting,
        limit: usize,
    ) -> Result<Vec<Materialization>, StoreError> {
        self.check_engine()?;
        let (asset, partitions) = (asset.to_owned(), partitions.clone());
        let read =
            move |sql: &mut dyn Sql| asset::newest(sql, &asset, &partitions, counting, limit);
        Ok(self.pool.read(read).await?)
    }
}

#[async_trait]
impl<D: Database> AssetStore for SqlStore<D> {
    async fn record_materialization(&self, made: &Materialization) -> Result<(), StoreError> {
        self.check_engine()?;
        let record = asset::Record::new(made)?;
        let write = move |cx: &mut Cx<'_>| asset::record(cx, &record);
        Ok(self.pool.write(TxMode::Batched, write).await?)
    }

    async fn current_materializations(
        &self,
        asset: &str,
        partitions: &PartitionRange,
        limit: usize,
    ) -> Result<Vec<Materialization>, StoreError> {
        self.newest_of(asset, partitions, asset::Counting::Made, limit).await
    }

    async fn newest_materializations(
        &self,
        asset: &str,
        partitions: &PartitionRange,
        limit: usize,
    ) -> Result<Vec<Materialization>, StoreError> {
        self.newest_of(asset, partitions, asset::Counting::All, limit).await
    }

    async fn materializations(
        &self,
        asset: &str,
        partition: Option<&str>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<StoredMaterialization>, StoreError> {
        self.check_engine()?;
        let (asset, partition) = (asset.to_owned(), partition.map(str::to_owned));
        let read = move |sql: &mut dyn Sql| {
            asset::history(sql, &asset, partition.as_deref(), before, limit)
        };
        Ok(self.pool.read(read).await?)
    }

    async fn partitions_made(&self, run: RunId, asset: &str) -> Result<Vec<String>, StoreError> {
        self.check_engine()?;
        let asset = asset.to_owned();
        Ok(self.pool.read(move |sql| asset::made_by(sql, run, &asset)).await?)
    }
}

#[async_trait]
impl<D: Database> DownstreamStore for SqlStore<D> {
    async fn add_registered(&self, workflows: &[WorkflowSnapshot]) -> Result<(), StoreError> {
        self.check_engine()?;
        let workflows = workflows.to_vec();
        let add = move |cx: &mut Cx<'_>| {
            workflows.iter().try_for_each(|workflow| definition::sync_registered(cx, workflow))
        };
        Ok(self.pool.write(TxMode::Exclusive, add).await?)
    }

    async fn links(&self) -> Result<Vec<StoredLink>, StoreError> {
        self.check_engine()?;
        Ok(self.pool.read(downstream::links).await?)
    }

    async fn link(&self, link: &WorkflowLink) -> Result<bool, StoreError> {
        self.check_engine()?;
        let link = link.clone();
        let add = move |cx: &mut Cx<'_>| downstream::link(cx, &link);
        Ok(self.pool.write(TxMode::Exclusive, add).await?)
    }

    async fn unlink(&self, link: &WorkflowLink) -> Result<(), StoreError> {
        self.check_engine()?;
        let link = link.clone();
        let remove = move |cx: &mut Cx<'_>| downstream::unlink(cx, &link);
        Ok(self.pool.write(TxMode::Exclusive, remove).await?)
    }

    async fn waiting(&self, link: &WorkflowLink, limit: usize) -> Result<Vec<RunId>, StoreError> {
        self.check_engine()?;
        let link = link.clone();
        Ok(self.pool.read(move |sql| downstream::waiting(sql, &link, limit)).await?)
    }

    async fn handled(&self, link: &WorkflowLink, run: RunId) -> Result<(), StoreError> {
        self.check_engine()?;
        let link = link.clone();
        let handle = move |cx: &mut Cx<'_>| downstream::handled(cx, &link, run);
        Ok(self.pool.write(TxMode::Batched, handle).await?)
    }
}

#[async_trait]
impl<D: Database> FileStore for SqlStore<D> {
    async fn handled_files(
        &self,
        workflow: &ScheduledWorkflow,
    ) -> Result<Vec<HandledFile>, StoreError> {
        self.check_engine()?;
        let workflow = workflow.clone();
        Ok(self.pool.read(move |sql| file::handled(sql, &workflow)).await?)
    }

    async fn add_handled_file(
        &self,
        workflow: &ScheduledWorkflow,
        file: &HandledFile,
    ) -> Result<(), StoreError> {
        self.check_engine()?;
        let (workflow, file) = (workflow.clone(), file.clone());
        let add = move |cx: &mut Cx<'_>| file::add(cx, &workflow, &file);
        Ok(self.pool.write(TxMode::Batched, add).await?)
    }

    async fn forget_files(
        &self,
        workflow: &ScheduledWorkflow,
        names: &[String],
    ) -> Result<(), StoreError> {
        self.check_engine()?;
        let (workflow, names) = (workflow.clone(), names.to_vec());
        let forget = move |cx: &mut Cx<'_>| file::forget(cx, &workflow, &names);
        Ok(self.pool.write(TxMode::Batched, forget).await?)
    }
}

#[async_trait]
impl<D: Database> TaskStore for SqlStore<D> {
    async fn open_task(&self, lease: &Lease, task: &NewTask) -> Result<(), StoreError> {
        self.check_engine()?;
        let (lease, task) = (*lease, task.clone());
        let open = move |cx: &mut Cx<'_>| task::open(cx, &lease, &task);
        self.pool.write(TxMode::Batched, open).await?;
        self.pool.watcher().announce();
        Ok(())
    }

    async fn stop_task(&self, lease: &Lease, task: &TaskKey) -> Result<(), StoreError> {
        self.check_engine()?;
        let (lease, key) = (*lease, task.clone());
        self.pool.write(TxMode::Batched, move |cx| task::stop(cx, &lease, &key)).await?;
        self.pool.watcher().announce();
        Ok(())
    }

    async fn task_answers(&self, owner: OwnerId) -> Result<Vec<TaskAnswer>, StoreError> {
        self.check_engine()?;
        let (answers, has_output) =
            self.pool.read_vital(move |sql| task::answers(sql, owner)).await?;
        if !has_output {
            return Ok(answers);
        }
        Ok(self.pool.write(TxMode::Batched, move |cx| task::take_answers(cx, owner)).await?)
    }

    async fn claim_tasks(
        &self,
        owner: Owner,
        request: &ClaimRequest,
    ) -> Result<Vec<ClaimedTask>, StoreError> {
        self.check_engine()?;
        // Most of the time, nothing waits: then nothing is written.
        let mut protected = self.judge_owners().await?;
        protected.push(owner.id);
        let asked = request.clone();
        let may_claim = move |sql: &mut dyn Sql| task::may_claim(sql, &protected, &asked);
        if !self.pool.read_vital(may_claim).await? {
            return Ok(Vec::new());
        }
        let (request, liveness) = (request.clone(), self.liveness.clone());
        let claim = move |cx: &mut Cx<'_>| task::claim(cx, &liveness, owner, &request);
        Ok(self.pool.write(TxMode::Exclusive, claim).await?)
    }

    async fn held_tasks(&self, owner: OwnerId) -> Result<Vec<HeldTask>, StoreError> {
        self.check_engine()?;
        Ok(self.pool.read_vital(move |sql| task::held(sql, owner)).await?)
    }

    async fn report_task(
        &self,
        lease: &TaskLease,
        progress: &TaskProgress,
    ) -> Result<(), TaskError> {
        self.check_engine()?;
        let (lease, persisted) = (*lease, &progress.persisted);
        let persisted = (!persisted.is_empty()).then(|| event::write(persisted)).transpose()?;
        let progress = task::Progress { persisted, output: progress.output.clone() };
        let report = move |cx: &mut Cx<'_>| task::report(cx, &lease, &progress);
        let is_held = self.pool.write(TxMode::Batched, report).await.map_err(StoreError::from)?;
        self.pool.watcher().announce();
        if is_held { Ok(()) } else { Err(TaskError::Lost { task: lease.task }) }
    }

    async fn end_task(
        &self,
        lease: &TaskLease,
        progress: &TaskProgress,
        outcome: &Json,
    ) -> Result<(), TaskError> {
        self.check_engine()?;
        let (lease, output) = (*lease, progress.output.clone());
        let outcome = event::write(outcome)?;
        let end = move |cx: &mut Cx<'_>| task::end(cx, &lease, &output, &outcome);
        let is_held = self.pool.write(TxMode::Batched, end).await.map_err(StoreError::from)?;
        self.pool.watcher().announce();
        if is_held { Ok(()) } else { Err(TaskError::Lost { task: lease.task }) }
    }

    async fn release_tasks(&self, leases: &[TaskLease]) -> Result<(), StoreError> {
        self.check_engine()?;
        let leases = leases.to_vec();
        self.pool.write(TxMode::Batched, move |cx| task::release(cx, &leases)).await?;
        self.pool.watcher().announce();
        Ok(())
    }

    async fn tasks(&self, run: RunId) -> Result<Vec<StoredTask>, StoreError> {
        let liveness = self.liveness.clone();
        // What the viewer may not see has no tasks.
        if self.run(run).await?.is_none() {
            return Ok(Vec::new());
        }
        Ok(self.pool.read(move |sql| task::of_run(sql, &liveness, run)).await?)
    }
}
