//! The limits that jobs count against: those of an engine, of a workflow, and of this machine.
//!
//! All limits of the process are in one [`Pool`], because a job takes the places of all its limits
//! at once, whatever their scopes. A limit belongs to a scope:
//!
//! - **engine**: `max_parallel` and the limits of its builder, shared by all its runs;
//! - **workflow**: the limits of its plan, shared by all runs of workflows of this name in the
//!   process, on any engine, and removed with the last of these runs;
//! - **machine**: one set for the process.
//!
//! A name that exists in several scopes stands for all of these limits. A child workflow also has
//! the limits of its outer workflows, and borrows the places that its outer jobs hold.
//!
//! A run's lock may be held when the pool is locked, but never the other way round: grants are
//! [delivered](deliver) when neither is locked.

mod pool;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use smallvec::SmallVec;

use super::active::ActiveRun;
use super::machine;
use crate::graph::JobPolicy;
use crate::guard;
use crate::job::{JobFlags, Token};
use crate::workflow::{Plan, Workflow};
use pool::{Need, Pool, Tier};

pub(super) use pool::{LimitId, Ticket};

/// A job that waited and now has its places.
pub(super) type Grant = pool::Grant<Waiter>;

/// Who waits for places.
#[derive(Clone)]
pub(super) enum Waiter {
    /// A job of a run, with its number.
    Job(Weak<ActiveRun>, u32),
    /// An attempt that is made for another engine, with a token to set.
    Task(Arc<Token>),
}

static PERMITS: Mutex<Permits> =
    Mutex::new(Permits { pool: Pool::new(), workflows: BTreeMap::new() });

struct Permits {
    pool: Pool<Waiter>,
    /// By the names of the workflow and of the limit.
    workflows: BTreeMap<(String, String), Shared>,
}

/// A limit of a workflow, with the sizes that its active runs state.
struct Shared {
    limit: LimitId,
    /// The stated sizes, with the number of runs for each. The smallest size applies.
    sizes: BTreeMap<usize, usize>,
}

fn lock() -> MutexGuard<'static, Permits> {
    PERMITS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The limits of this machine, by name.
fn machine_limits() -> &'static BTreeMap<String, LimitId> {
    static LIMITS: OnceLock<BTreeMap<String, LimitId>> = OnceLock::new();
    LIMITS.get_or_init(|| {
        let limits = machine::limits();
        let pool = &mut lock().pool;
        limits.into_iter().map(|(name, size)| (name, pool.add(size, Tier::Machine))).collect()
    })
}

/// The limits of an engine: on all of its jobs, and by name.
pub(super) struct EngineLimits {
    total: Option<LimitId>,
    named: BTreeMap<String, LimitId>,
}

impl EngineLimits {
    pub(super) fn new(total: Option<usize>, named: HashMap<String, usize>) -> Self {
        let pool = &mut lock().pool;
        let total = total.map(|size| pool.add(size, Tier::Total));
        let tier = |name: &str| if machine::is_of(name) { Tier::Machine } else { Tier::Named };
        let add = |(name, size): (String, usize)| {
            let limit = pool.add(size, tier(&name));
            (name, limit)
        };
        Self { total, named: named.into_iter().map(add).collect() }
    }

    /// Returns the arguments of [`new`](Self::new).
    pub(super) fn sizes(&self) -> (Option<usize>, HashMap<String, usize>) {
        let pool = &lock().pool;
        let size = |limit: &LimitId| pool.usage(*limit).size;
        let named = self.named.iter().map(|(name, limit)| (name.clone(), size(limit)));
        (self.total.as_ref().map(size), named.collect())
    }

    /// Whether a job with these flags counts against a limit at all.
    #[inline]
    pub(super) fn apply_to(&self, flags: JobFlags) -> bool {
        (self.total.is_some() && !flags.intersects(JobFlags::CONTAINER))
            || flags.intersects(JobFlags::LIMITED)
    }

    /// Whether the number of jobs is limited.
    #[inline]
    pub(super) fn has_total(&self) -> bool {
        self.total.is_some()
    }

    /// The free places for jobs; `None` without a limit.
    pub(super) fn free(&self) -> Option<usize> {
        let usage = lock().pool.usage(self.total?);
        Some(usage.size.saturating_sub(usage.in_use + usage.waiting))
    }

    /// Acquires places of the engine and of this machine for an attempt that it makes for another
    /// one, or starts to wait for them. Limits that neither has are those of the workflow, which
    /// the other engine enforces.
    pub(super) fn acquire(&self, limits: &[(String, usize)]) -> Places {
        let machine = machine_limits();
        let named = limits.iter().flat_map(|(name, amount)| {
            let found = [self.named.get(name), machine.get(name)].into_iter().flatten();
            found.map(|limit| Need { limit: *limit, amount: *amount })
        });
        let total = self.total.map(|limit| Need { limit, amount: 1 });
        let needs: SmallVec<[Need; 4]> = total.into_iter().chain(named).collect();
        let granted = Arc::<Token>::default();
        let waiter = Waiter::Task(Arc::clone(&granted));
        // Without a lender, no loan is too small.
        let admission = lock().pool.acquire(waiter, &needs, 0, &[]).ok();
        let Some(admission) = admission else { return Places { ticket: None, granted } };
        deliver(admission.grants);
        if admission.granted {
            granted.set();
        }
        Places { ticket: Some(admission.ticket), granted }
    }

    /// Returns the usage of the limits that jobs of this engine may count against.
    pub(super) fn usage(&self) -> Vec<LimitUsage> {
        let machine = machine_limits();
        let permits = lock();
        let total = self.total.iter().map(|limit| (LimitScope::Engine, "max_parallel", limit));
        let named = self.named.iter();
        let named = named.map(|(name, limit)| (LimitScope::Engine, name.as_str(), limit));
        let workflows = permits.workflows.iter().map(|((workflow, name), shared)| {
            (LimitScope::Workflow(workflow.clone()), name.as_str(), &shared.limit)
        });
        let machine = machine.iter();
        let machine = machine.map(|(name, limit)| (LimitScope::Machine, name.as_str(), limit));
        let all = total.chain(named).chain(workflows).chain(machine);
        let usage = all.map(|(scope, name, limit)| {
            let pool::Usage { size, in_use, waiting } = permits.pool.usage(*limit);
            LimitUsage { scope, name: name.to_owned(), size, in_use, waiting }
        });
        usage.collect()
    }
}

impl Drop for EngineLimits {
    fn drop(&mut self) {
        let pool = &mut lock().pool;
        self.total.iter().chain(self.named.values()).for_each(|limit| pool.remove(*limit));
    }
}

impl fmt::Debug for EngineLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (total, named) = self.sizes();
        let named: BTreeMap<_, _> = named.into_iter().collect();
        let total = total.map(|size| ("max_parallel".to_owned(), size));
        f.debug_map().entries(total.into_iter().chain(named)).finish()
    }
}

/// The usage of a limit: one entry of [`Engine::limits`](super::Engine::limits).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LimitUsage {
    /// The scope of the limit.
    pub scope: LimitScope,
    /// The limit's name; `max_parallel` for the limit on all jobs of an engine.
    pub name: String,
    /// The number of places.
    pub size: usize,
    /// The number of places that jobs hold.
    pub in_use: usize,
    /// The number of jobs that wait for places.
    pub waiting: usize,
}

/// The scope of a limit.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LimitScope {
    /// A limit of the engine.
    Engine,
    /// A limit of the workflow with this name, shared by its runs in this process.
    Workflow(String),
    /// A limit of this machine, shared by all engines of the process.
    Machine,
}

/// The limits of a workflow, as an active run uses them.
pub(super) struct WorkflowLimits {
    workflow: String,
    limits: BTreeMap<String, (LimitId, usize)>,
}

impl WorkflowLimits {
    fn new(workflow: &str, stated: &BTreeMap<String, usize>) -> Self {
        let Permits { pool, workflows } = &mut *lock();
        let limits = stated.iter().map(|(name, size)| {
            let key = (workflow.to_owned(), name.clone());
            let shared = workflows.entry(key).or_insert_with(|| Shared {
                limit: pool.add(*size, Tier::Named),
                sizes: BTreeMap::new(),
            });
            *shared.sizes.entry(*size).or_insert(0) += 1;
            shared.update_size(pool);
            (name.clone(), (shared.limit, *size))
        });
        let limits = limits.collect();
        Self { workflow: workflow.to_owned(), limits }
    }

    /// Removes the limits of one run. Returns the jobs that get places now.
    fn close(&mut self) -> Vec<Grant> {
        let Permits { pool, workflows } = &mut *lock();
        let mut left = Vec::new();
        for (name, (limit, size)) in std::mem::take(&mut self.limits) {
            let key = (self.workflow.clone(), name);
            let Some(shared) = workflows.get_mut(&key) else { continue };
            if let Some(runs) = shared.sizes.get_mut(&size) {
                *runs -= 1;
                if *runs == 0 {
                    shared.sizes.remove(&size);
                }
            }
            if shared.sizes.is_empty() {
                workflows.remove(&key);
                pool.remove(limit);
            } else {
                shared.update_size(pool);
                left.push(limit);
            }
        }
        pool.serve(left)
    }
}

impl Shared {
    /// Sets the limit to the smallest stated size.
    fn update_size(&self, pool: &mut Pool<Waiter>) {
        if let Some((size, _)) = self.sizes.first_key_value()
            && pool.usage(self.limit).size != *size
        {
            pool.resize(self.limit, *size);
        }
    }
}

impl Drop for WorkflowLimits {
    fn drop(&mut self) {
        deliver(self.close());
    }
}

/// What a child workflow inherits from its outer workflows and jobs.
#[derive(Default)]
pub(super) struct Inherited {
    /// The limits of the outer workflows.
    workflows: Vec<Arc<WorkflowLimits>>,
    /// The tickets of the outer jobs that hold places, the nearest first.
    lenders: Vec<Ticket>,
}

/// The limits that the jobs of one run count against.
#[derive(Default)]
pub(super) struct RunLimits {
    /// The workflow's name, if it has limits.
    workflow: Option<Box<str>>,
    /// The workflow's limits, once a job needs them.
    own: OnceLock<Arc<WorkflowLimits>>,
    inherited: OnceLock<Arc<Inherited>>,
}

/// Places that an attempt for another engine holds or waits for, until they are dropped.
pub(super) struct Places {
    ticket: Option<Ticket>,
    granted: Arc<Token>,
}

impl Places {
    /// Waits until they are granted.
    pub(super) async fn granted(&self) {
        if self.ticket.is_some() {
            self.granted.wait().await;
        }
    }
}

impl Drop for Places {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            deliver(serve(release(ticket)));
        }
    }
}

/// Why a job can never get the places that it needs.
#[derive(Debug, thiserror::Error)]
pub(super) enum LimitError {
    #[error(
        "it names the limit `{0}`, which neither the engine nor the workflow has; add \
         `.limit(\"{0}\", n)` to the engine's builder, or `flow.limit(\"{0}\", n)` to the workflow"
    )]
    Unknown(String),
    #[error(
        "it needs {wanted} permits of limit `{limit}`, but its parent job holds only {held}; raise the \
         parent's permits to {wanted}, or remove its limit"
    )]
    Loan { limit: String, held: usize, wanted: usize },
}

impl RunLimits {
    pub(super) fn new(
        workflow: &dyn Workflow,
        plan: &Plan,
        inherited: Option<Arc<Inherited>>,
    ) -> Self {
        // Read now, because the name comes from code of the host, and the run is locked later.
        let name = (!plan.limits.is_empty()).then(|| workflow.name().as_str().into());
        let limits = Self { workflow: name, ..Self::default() };
        if let Some(inherited) = inherited {
            limits.inherit(inherited);
        }
        limits
    }

    /// Sets what the run inherits. Returns false if that was set before.
    pub(super) fn inherit(&self, inherited: Arc<Inherited>) -> bool {
        self.inherited.set(inherited).is_ok()
    }

    /// Returns what a child workflow of a job of this run inherits. `lenders` are the tickets of
    /// that job.
    pub(super) fn inside(&self, run: &ActiveRun, mut lenders: Vec<Ticket>) -> Arc<Inherited> {
        let mut workflows: Vec<_> = self.own(run).into_iter().cloned().collect();
        if let Some(inherited) = self.inherited.get() {
            workflows.extend(inherited.workflows.iter().cloned());
            lenders.extend(&inherited.lenders);
        }
        Arc::new(Inherited { workflows, lenders })
    }

    fn own(&self, run: &ActiveRun) -> Option<&Arc<WorkflowLimits>> {
        let workflow = self.workflow.as_deref()?;
        let register = || Arc::new(WorkflowLimits::new(workflow, &run.plan.limits));
        Some(self.own.get_or_init(register))
    }

    /// Acquires the job's places, all or none. If some are taken, the job waits until they are
    /// [granted](ActiveRun::granted). `lenders` are the tickets of its outer jobs in this run, the
    /// nearest first. An attempt that is made elsewhere counts against the limits of its workflows
    /// only.
    ///
    /// # Errors
    ///
    /// Fails if the job can never get its places. It then holds nothing.
    pub(super) fn acquire(
        &self,
        run: &ActiveRun,
        (job, place): (u32, AttemptPlace),
        flags: JobFlags,
        policy: Option<&JobPolicy>,
        priority: i32,
        mut lenders: SmallVec<[Ticket; 2]>,
    ) -> Result<(Ticket, Admitted, Vec<Grant>), LimitError> {
        let limits = &run.engine.limits;
        let is_here = place == AttemptPlace::Here;
        let total = limits.total.filter(|_| is_here && !flags.intersects(JobFlags::CONTAINER));
        let mut needs: SmallVec<[Need; 4]> = SmallVec::new();
        needs.extend(total.map(|limit| Need { limit, amount: 1 }));
        for (name, amount) in policy.into_iter().flat_map(|policy| &policy.limits) {
            let before = needs.len();
            match place {
                AttemptPlace::Here => {
                    let found = self.named(run, name);
                    needs.extend(found.map(|limit| Need { limit, amount: *amount }));
                }
                AttemptPlace::Elsewhere => {
                    let found = self.of_workflows(run, name);
                    needs.extend(found.map(|limit| Need { limit, amount: *amount }));
                }
            }
            if is_here && needs.len() == before {
                return Err(LimitError::Unknown(name.clone()));
            }
        }
        let inherited = self.inherited.get();
        lenders.extend(inherited.into_iter().flat_map(|inherited| inherited.lenders.clone()));
        let waiter = Waiter::Job(run.me.clone(), job);
        let admission = lock().pool.acquire(waiter, &needs, priority, &lenders);
        let admission = admission.map_err(|loan| {
            let pool::LoanTooSmall { limit, held, wanted } = loan;
            let mut names = policy.into_iter().flat_map(|policy| &policy.limits);
            let is_it = |name: &str| self.named(run, name).any(|other| other == limit);
            let name = names.find(|(name, _)| is_it(name));
            let limit = name.map_or("max_parallel", |(name, _)| name).to_owned();
            LimitError::Loan { limit, held, wanted }
        })?;
        let admitted = if admission.granted { Admitted::Now } else { Admitted::Later };
        Ok((admission.ticket, admitted, admission.grants))
    }

    /// Returns all limits of this name that jobs of the run count against.
    fn named<'a>(&'a self, run: &'a ActiveRun, name: &'a str) -> impl Iterator<Item = LimitId> {
        let engine = run.engine.limits.named.get(name).copied();
        self.of_workflows(run, name).chain(engine).chain(machine_limits().get(name).copied())
    }

    /// Returns the limits of this name of the run's workflow and the workflows around it.
    fn of_workflows<'a>(
        &'a self,
        run: &'a ActiveRun,
        name: &'a str,
    ) -> impl Iterator<Item = LimitId> {
        let inherited = self.inherited.get().into_iter();
        let outer = inherited.flat_map(|inherited| &inherited.workflows);
        let workflows = self.own(run).into_iter().chain(outer);
        workflows.filter_map(move |it| Some(it.limits.get(name)?.0))
    }
}

/// Where the attempts of a job are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AttemptPlace {
    /// By the engine of the run.
    Here,
    Elsewhere,
}

/// When a job gets its places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admitted {
    Now,
    Later,
}

/// The names of the limits that exist for the jobs of a run that has not started.
pub(super) struct KnownLimits<'a> {
    pub(super) engine: &'a EngineLimits,
    pub(super) workflow: &'a BTreeMap<String, usize>,
    pub(super) inherited: Option<&'a Inherited>,
}

impl KnownLimits<'_> {
    /// Returns the first name without a limit.
    pub(super) fn missing<'n>(&self, limits: &'n [(String, usize)]) -> Option<&'n str> {
        let names = limits.iter().map(|(name, _)| name.as_str());
        names.into_iter().find(|name| !self.has(name))
    }

    fn has(&self, name: &str) -> bool {
        let mut outer = self.inherited.into_iter().flat_map(|inherited| &inherited.workflows);
        self.workflow.contains_key(name)
            || outer.any(|workflow| workflow.limits.contains_key(name))
            || self.engine.named.contains_key(name)
            || machine_limits().contains_key(name)
    }

    /// Returns the names, without those of the machine.
    pub(super) fn names(&self) -> Vec<String> {
        let outer = self.inherited.into_iter().flat_map(|inherited| &inherited.workflows);
        let outer = outer.flat_map(|workflow| workflow.limits.keys());
        let all = self.engine.named.keys().chain(self.workflow.keys()).chain(outer);
        let mut names: Vec<_> = all.filter(|name| !machine::is_of(name)).cloned().collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// Ends a claim: releases its places, or stops waiting for them. Returns the limits that can be
/// [served](serve) now.
pub(super) fn release(ticket: Ticket) -> Vec<LimitId> {
    lock().pool.release(ticket)
}

/// Grants free places of these limits in order.
pub(super) fn serve(limits: Vec<LimitId>) -> Vec<Grant> {
    lock().pool.serve(limits)
}

/// Delivers grants to their jobs. No lock may be held.
pub(super) fn deliver(grants: Vec<Grant>) {
    for pool::Grant { ticket, key } in grants {
        let (run, job) = match key {
            Waiter::Job(run, job) => (run, job),
            Waiter::Task(granted) => {
                granted.set();
                continue;
            }
        };
        // A run that was dropped has released its places, or is about to.
        if let Some(run) = run.upgrade()
            && let Err(panic) = guard::call(|| run.granted(job, ticket))
        {
            // The run's clock has panicked. The other grants must still be delivered.
            run.collapse(&panic);
        }
    }
}
