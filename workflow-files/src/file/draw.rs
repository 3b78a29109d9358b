//! Builds the plan of the jobs of a file.

use std::collections::HashMap;
use std::sync::Arc;

use super::Shared;
use super::actions::{ActionJob, actions};
use super::body::{self, Outcome};
use super::invocation::Invocation;
use crate::document::Findings;
use crate::spec::{self, JobSpec, Order, RetrySpec};
use workflow_core::engine::{CPUS, GPUS, MEMORY};
use workflow_core::graph::GraphError;
use workflow_core::job::{Grace, JobOptions, TriggerRule};
use workflow_core::retry::RetryPolicy;
use workflow_core::workflow::{Flow, Plan, PlanError};

/// Builds the plan of a file without errors.
pub(super) fn draw(shared: &Arc<Shared>, max_parallel: Option<usize>) -> Result<Plan, PlanError> {
    let mut findings = Findings::silent();
    let order = spec::order(&shared.spec, &shared.expanded, &mut findings);
    let actions = actions(shared, &order, &mut findings);
    draw_ordered(shared, &order, &actions, max_parallel)
}

/// Builds the plan, and reports mistakes in the order between the jobs.
pub(super) fn checked(shared: &Arc<Shared>, findings: &mut Findings) -> Option<Plan> {
    let order = spec::order(&shared.spec, &shared.expanded, findings);
    let actions = actions(shared, &order, findings);
    if findings.has_errors() {
        return None;
    }
    match draw_ordered(shared, &order, &actions, None) {
        Ok(plan) => Some(plan),
        Err(PlanError::Graph(GraphError::Cycle(jobs))) => {
            report_cycle(shared, &jobs, findings);
            None
        }
        Err(error) => {
            findings.error(shared.spec.name.span, error.to_string());
            None
        }
    }
}

fn report_cycle(shared: &Shared, jobs: &[String], findings: &mut Findings) {
    let entries = jobs.iter().filter_map(|name| {
        let job = shared.expanded.job_of.get(name.as_str())?;
        Some(&shared.spec.jobs.0[shared.expanded.jobs[*job as usize].entry as usize])
    });
    let mut places: Vec<_> = entries.map(|entry| entry.name.span).collect();
    places.dedup();
    let message = GraphError::Cycle(jobs.to_vec()).to_string();
    let first = places.first().copied().unwrap_or_default();
    let mut diagnostic = findings.error(first, message).label("this job");
    for place in places.iter().skip(1).take(5) {
        diagnostic = diagnostic.also(*place, "and this one");
    }
}

fn draw_ordered(
    shared: &Arc<Shared>,
    order: &Order,
    actions: &[ActionJob],
    max_parallel: Option<usize>,
) -> Result<Plan, PlanError> {
    let spec = &shared.spec;
    let mut flow = Flow::with_capacity(shared.expanded.jobs.len());
    let input = flow.input::<Invocation>(Invocation::kind());
    let given = max_parallel.or(spec.max_parallel.as_ref().map(|limit| limit.value as usize));
    let processors = || std::thread::available_parallelism().map_or(1, usize::from);
    flow.max_parallel(given.unwrap_or_else(processors));
    for (name, size) in &spec.limits.0 {
        flow.limit(&*name.value, size.value as usize);
    }
    flow.on_failure(spec.on_failure.unwrap_or_default());
    if let Some(limit) = &spec.timeout {
        flow.timeout(limit.value.0);
    }
    shared.uses.get_or_init(|| order.files.clone());
    let jobs = shared.expanded.jobs.len() as u32;
    let group = |flow: &mut Flow, members: &[u32]| {
        let handles: Vec<_> = members.iter().map(|job| flow.output_of::<Outcome>(*job)).collect();
        flow.group(handles)
    };
    let groups: Vec<_> = order.groups.iter().map(|members| group(&mut flow, members)).collect();
    let gates = Gates::of(actions, jobs);
    for job in 0..jobs {
        let mut options = options(shared, job);
        let after = order.after(job as usize).iter().chain(gates.before(job));
        after.for_each(|other| options.add_after(flow.output_of::<Outcome>(*other)));
        let after_groups = order.after_groups(job as usize).iter();
        after_groups.for_each(|number| options.add_after_group(groups[*number as usize]));
        let call = body::call(shared, job, &flow, input, options);
        flow.job(call.name(&*shared.expanded.jobs[job as usize].name));
    }
    for action in actions {
        let after = group(&mut flow, &action.after);
        let mut options = JobOptions::default();
        options.trigger = action.trigger;
        options.add_after_group(after);
        flow.job(body::action(shared, action.action, input, options).name(&action.name));
    }
    flow.plan()
}

/// The actions that each job waits for.
struct Gates(HashMap<u32, Vec<u32>>);

impl Gates {
    fn of(actions: &[ActionJob], jobs: u32) -> Self {
        let mut gates: HashMap<u32, Vec<u32>> = HashMap::new();
        for (number, action) in actions.iter().enumerate() {
            for job in &action.before {
                gates.entry(*job).or_default().push(jobs + number as u32);
            }
        }
        Self(gates)
    }

    fn before(&self, job: u32) -> &[u32] {
        self.0.get(&job).map_or(&[], Vec::as_slice)
    }
}

/// The options of a job.
fn options(shared: &Shared, job: u32) -> JobOptions {
    let mut options = JobOptions::default();
    let Some(rest) = shared.rest(job) else { return options };
    options.trigger = shared.trigger(job);
    options.priority = rest.priority.unwrap_or(0);
    options.limits = limits(shared, job, rest);
    options.task_queue =
        rest.task_queue.as_ref().map(|queue| shared.substituted(job, &queue.value));
    options.timeouts.start_to_close = timeout(shared, job, rest);
    options.grace = rest.grace.as_ref().map(|grace| Grace::For(grace.value.0));
    options.retry = match (&rest.retry, shared.handler(job)) {
        (None, None) => None,
        (retry, handler) => {
            let mut policy = retry.as_ref().map_or_else(at_once, retry_policy);
            if let Some(handler) = handler {
                let retries =
                    handler.rules.iter().map(|rule| rule.max_retries.unwrap_or(3)).sum::<u32>();
                policy.maximum_attempts = policy.maximum_attempts.max(retries.saturating_add(1));
            }
            Some(policy)
        }
    };
    options
}

/// The limits that a job counts against: named ones, and the resources of the machine.
fn limits(shared: &Shared, job: u32, rest: &JobSpec) -> Vec<(String, usize)> {
    let named = rest.limits.iter().map(|limit| (shared.substituted(job, &limit.value), 1));
    let mut limits: Vec<_> = named.collect();
    if let Some(needs) = shared.resources(job) {
        let cpus = needs.num_cpus.as_ref().map_or(1, |cpus| cpus.value as usize);
        limits.push((CPUS.to_owned(), cpus));
        let gpus = needs.num_gpus.unwrap_or(0) as usize;
        limits.extend((gpus > 0).then(|| (GPUS.to_owned(), gpus)));
        let mib = needs.memory.as_ref().map(|memory| memory.value.0.div_ceil(1 << 20) as usize);
        // If the machine does not report its memory, it is not a limit.
        limits
            .extend(mib.filter(|_| cfg!(target_os = "linux")).map(|mib| (MEMORY.to_owned(), mib)));
    }
    limits
}

/// Failure handlers retry without a wait; their scripts may wait.
fn at_once() -> RetryPolicy {
    RetryPolicy::attempts(1).initial_interval(std::time::Duration::ZERO)
}

impl Shared {
    /// The trigger rule of a job.
    pub(super) fn trigger(&self, job: u32) -> TriggerRule {
        let Some(rest) = self.rest(job) else { return TriggerRule::AllSuccess };
        match (rest.trigger, rest.cancel_on_blocking_job_failure) {
            (Some(rule), _) => rule,
            (None, Some(false)) => TriggerRule::AllDone,
            (None, _) => TriggerRule::AllSuccess,
        }
    }
}

fn timeout(shared: &Shared, job: u32, rest: &JobSpec) -> Option<std::time::Duration> {
    let runtime = shared.resources(job).and_then(|needs| needs.runtime.as_ref());
    rest.timeout.as_ref().or(runtime).map(|time| time.value.0)
}

fn retry_policy(retry: &RetrySpec) -> RetryPolicy {
    let mut policy = RetryPolicy::default();
    if let Some(attempts) = retry.maximum_attempts {
        policy.maximum_attempts = attempts;
    }
    if let Some(time) = retry.initial_interval {
        policy.initial_interval = time.0;
    }
    if let Some(coefficient) = &retry.backoff_coefficient {
        policy.backoff_coefficient = coefficient.value;
    }
    policy.maximum_interval = retry.maximum_interval.map(|time| time.0);
    if let Some(jitter) = &retry.jitter {
        policy.jitter = jitter.value;
    }
    let never = retry.non_retryable_errors.iter().map(ToString::to_string);
    policy.non_retryable_errors = never.collect();
    policy
}
