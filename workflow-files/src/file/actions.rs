//! Actions: commands that run when something happens to the workflow or to some of its jobs. They
//! become jobs of the graph.

use std::collections::{HashMap, HashSet};

use super::Shared;
use crate::bounds::Patterns;
use crate::bounds::file::DEPENDENCIES;
use crate::document::Findings;
use crate::spec::{self, ActionKind, ActionSpec, ActionTrigger, Order, Text};
use crate::words::did_you_mean;
use workflow_core::job::TriggerRule;

/// A job that runs the commands of an action.
#[derive(Debug)]
pub(super) struct ActionJob {
    pub(super) name: String,
    pub(super) action: usize,
    pub(super) trigger: TriggerRule,
    /// The jobs that it waits for, by number.
    pub(super) after: Vec<u32>,
    /// The jobs that wait for it.
    pub(super) before: Vec<u32>,
}

/// The jobs of all actions, numbered after the jobs of the file.
pub(super) fn actions(shared: &Shared, order: &Order, findings: &mut Findings) -> Vec<ActionJob> {
    let mut drawn = Drawn {
        shared,
        order,
        jobs: Vec::new(),
        last: HashMap::new(),
        patterns: Patterns::default(),
        dependencies: 0,
    };
    for trigger in [ActionTrigger::WorkflowStart, ActionTrigger::WorkerStart] {
        drawn.each(trigger, |drawn, action, _| drawn.at_start(action), findings);
    }
    let on_ready = |drawn: &mut Drawn<'_>, action, members| drawn.when_ready(action, members);
    drawn.each(ActionTrigger::JobsReady, on_ready, findings);
    let on_complete = |drawn: &mut Drawn<'_>, action, members: Vec<u32>| {
        drawn.push(action, TriggerRule::AllDone, members, Vec::new());
    };
    drawn.each(ActionTrigger::JobsComplete, on_complete, findings);
    for trigger in [ActionTrigger::WorkerComplete, ActionTrigger::WorkflowComplete] {
        drawn.each(trigger, |drawn, action, _| drawn.at_end(action), findings);
    }
    drawn.jobs
}

struct Drawn<'a> {
    shared: &'a Shared,
    order: &'a Order,
    jobs: Vec<ActionJob>,
    /// The last number that made a name unique.
    last: HashMap<&'static str, usize>,
    patterns: Patterns,
    /// The number of dependencies of the actions so far.
    dependencies: usize,
}

impl Drawn<'_> {
    fn each(
        &mut self,
        trigger: ActionTrigger,
        draw: impl Fn(&mut Self, usize, Vec<u32>),
        findings: &mut Findings,
    ) {
        let shared = self.shared;
        for (number, action) in shared.spec.actions.iter().enumerate() {
            let runs = action.action_type.value == ActionKind::RunCommands;
            if runs && action.trigger_type == trigger && self.dependencies <= DEPENDENCIES {
                let members = members(shared, action, &mut self.patterns, findings);
                draw(self, number, members);
                self.check_size(action, findings);
            }
        }
    }

    fn push(&mut self, action: usize, trigger: TriggerRule, after: Vec<u32>, before: Vec<u32>) {
        let base = trigger_name(self.shared.spec.actions[action].trigger_type);
        let nth = self.last.entry(base).or_insert(0);
        let name = loop {
            *nth += 1;
            let name = if *nth == 1 { base.to_owned() } else { format!("{base}_{nth}") };
            if !self.shared.expanded.job_of.contains_key(name.as_str()) {
                break name;
            }
        };
        self.dependencies = self.dependencies.saturating_add(after.len() + before.len());
        self.jobs.push(ActionJob { name, action, trigger, after, before });
    }

    /// Reports that the actions have too many dependencies.
    fn check_size(&self, action: &ActionSpec, findings: &mut Findings) {
        if self.dependencies > DEPENDENCIES {
            let message =
                format!("there are more than {DEPENDENCIES} dependencies between actions and jobs");
            findings
                .error(action.action_type.span, message)
                .label("the limit is exceeded here")
                .help("combine the commands of several actions into one");
        }
    }

    /// All jobs without dependencies wait for it; it waits for the start actions before it.
    fn at_start(&mut self, action: usize) {
        let jobs = self.shared.expanded.jobs.len();
        let earlier = (0..self.jobs.len()).map(|other| (jobs + other) as u32).collect();
        let is_first = |job: &usize| {
            self.order.after(*job).is_empty() && self.order.after_groups(*job).is_empty()
        };
        let first = (0..jobs).filter(is_first).map(|job| job as u32).collect();
        self.push(action, TriggerRule::AllSuccess, earlier, first);
    }

    /// It waits for the dependencies of its jobs, which wait for it.
    fn when_ready(&mut self, action: usize, members: Vec<u32>) {
        let own: HashSet<u32> = members.iter().copied().collect();
        // Many jobs may wait for one group.
        let groups: HashSet<u32> = members
            .iter()
            .flat_map(|job| self.order.after_groups(*job as usize))
            .copied()
            .collect();
        let grouped = groups.iter().flat_map(|group| &self.order.groups[*group as usize]);
        let single = members.iter().flat_map(|job| self.order.after(*job as usize));
        let mut after: Vec<u32> =
            single.chain(grouped).copied().filter(|job| !own.contains(job)).collect();
        after.sort_unstable();
        after.dedup();
        let waits = |job: &u32| self.shared.trigger(*job) == TriggerRule::AllSuccess;
        let before = members.into_iter().filter(waits).collect();
        self.push(action, TriggerRule::AllSuccess, after, before);
    }

    /// It waits for everything else, whatever the outcome.
    fn at_end(&mut self, action: usize) {
        let all = self.shared.expanded.jobs.len() + self.jobs.len();
        self.push(action, TriggerRule::Always, (0..all as u32).collect(), Vec::new());
    }
}

fn trigger_name(trigger: ActionTrigger) -> &'static str {
    match trigger {
        ActionTrigger::WorkflowStart => "on_workflow_start",
        ActionTrigger::WorkflowComplete => "on_workflow_complete",
        ActionTrigger::JobsReady => "on_jobs_ready",
        ActionTrigger::JobsComplete => "on_jobs_complete",
        ActionTrigger::WorkerStart => "on_worker_start",
        ActionTrigger::WorkerComplete => "on_worker_complete",
    }
}

/// The jobs that an action is about.
fn members(
    shared: &Shared,
    action: &ActionSpec,
    patterns: &mut Patterns,
    findings: &mut Findings,
) -> Vec<u32> {
    let expanded = &shared.expanded;
    let mut members = Vec::new();
    for name in &action.jobs {
        match (expanded.shared.get(&name.value), expanded.job_of.get(&name.value)) {
            (Some(all), _) => {
                if let Err(reason) = patterns.hold_against(all.len()) {
                    findings.error(name.span, reason).help("name each job once");
                    return Vec::new();
                }
                members.extend(all);
            }
            (None, Some(job)) => members.push(*job),
            (None, None) => unknown(shared, name, findings),
        }
    }
    for pattern in &action.job_name_regexes {
        let held = |patterns: &mut Patterns, regex| {
            patterns.hold_against(expanded.jobs.len()).map(|()| regex)
        };
        match patterns.compile(&pattern.value).and_then(|regex| held(patterns, regex)) {
            Ok(regex) => {
                let jobs = expanded.jobs.iter().enumerate();
                let matching = jobs.filter(|(_, job)| regex.is_match(&job.name));
                members.extend(matching.map(|(number, _)| number as u32));
            }
            Err(reason) => {
                spec::no_pattern(&pattern.value, &reason, pattern.span, findings);
            }
        }
    }
    members.sort_unstable();
    members.dedup();
    members
}

fn unknown(shared: &Shared, name: &Text, findings: &mut Findings) {
    let names = shared.expanded.jobs.iter().map(|job| &*job.name);
    let otherwise = || "name a job of the file, or use `job_name_regexes`".to_owned();
    let help = did_you_mean(&name.value, names, otherwise);
    findings.error(name.span, format!("there is no job `{}`", name.value)).help(help);
}
