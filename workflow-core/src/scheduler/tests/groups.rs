//! Groups compared with the full set of edges: both must have the same effects in the same order.

use proptest::prelude::*;

use super::properties::{Fate, Plan, build, build_with, fates, plans};
use super::*;

/// A plan in which jobs also wait for groups of jobs: members, and who waits.
#[derive(Debug, Clone)]
struct Grouped {
    plan: Plan,
    groups: Vec<(Vec<usize>, Vec<usize>)>,
}

fn grouped() -> impl Strategy<Value = Grouped> {
    let groups = |jobs: usize| {
        let group = (1..jobs.max(2)).prop_flat_map(move |between| {
            let members = proptest::collection::vec(0..between, 0..=between.min(6));
            let waiting = proptest::collection::vec(between..jobs.max(between + 1), 0..5);
            (members, waiting)
        });
        proptest::collection::vec(group, 1..5)
    };
    plans().prop_flat_map(move |plan| {
        let jobs = plan.waits.len();
        (Just(plan), groups(jobs)).prop_map(move |(plan, mut groups)| {
            groups.iter_mut().for_each(|(_, waiting)| waiting.retain(|job| *job < jobs));
            Grouped { plan, groups }
        })
    })
}

/// The graph with groups, and the one with all the edges that they stand for.
fn twins(Grouped { plan, groups }: &Grouped) -> [Arc<Graph>; 2] {
    let with_groups = build_with(plan, |builder| {
        for (members, waiting) in groups {
            let group = builder.groups.add(members.iter().map(|job| *job as u32));
            waiting.iter().for_each(|job| builder.groups.wait(*job as u32, group));
        }
    });
    let mut full = plan.clone();
    for (members, waiting) in groups {
        waiting.iter().for_each(|job| full.waits[*job].extend(members));
    }
    [with_groups, build(&full)]
}

/// Two runs that get the same events, and must have the same effects.
struct Twins {
    runs: [Scheduler; 2],
    running: Vec<(u32, u32)>,
    /// Whether there is no place for the next job that is launched.
    hold: bool,
    held: Vec<u32>,
    timers: Vec<Timer>,
    finished: bool,
}

impl Twins {
    fn new(graphs: [Arc<Graph>; 2]) -> Self {
        Self {
            runs: graphs.map(|graph| Scheduler::new(graph, 1)),
            running: Vec::new(),
            hold: false,
            held: Vec::new(),
            timers: Vec::new(),
            finished: false,
        }
    }

    /// Takes the next effect of both.
    fn both<T: PartialEq + std::fmt::Debug>(&mut self, ask: impl Fn(&mut Scheduler) -> T) -> T {
        let [groups, full] = self.runs.each_mut().map(ask);
        assert_eq!(groups, full, "with groups, and with full edges");
        groups
    }

    fn perform(&mut self) {
        while let Some(effect) = self.both(Scheduler::next) {
            match effect {
                Effect::Launch { job, .. } if std::mem::take(&mut self.hold) => {
                    self.both(|run| run.held(job));
                    self.held.push(job);
                }
                Effect::Launch { job, attempt } => self.running.push((job, attempt)),
                Effect::Arm { timer, .. } => self.timers.push(timer),
                Effect::Compensate { job } => {
                    self.both(|run| run.append(job, JobFlags::COMPENSATION, None));
                }
                Effect::Finish(_) => self.finished = true,
                _ => {}
            }
        }
        let jobs = self.both(|run| run.next_number());
        for job in 0..jobs {
            self.both(|run| run.phase(job));
        }
        let [run, _] = &self.runs;
        self.running.retain(|(job, attempt)| run.is_running(*job, *attempt));
    }

    fn meet(&mut self, fate: Fate, index: usize) {
        match fate {
            Fate::Cancel => self.both(|run| run.cancel(Cause::Cancelled)),
            Fate::Ends(end) if !self.running.is_empty() => {
                let (job, attempt) = self.running.swap_remove(index % self.running.len());
                self.both(|run| run.ended(job, attempt, end));
            }
            _ if !self.timers.is_empty() => {
                let timer = self.timers.swap_remove(index % self.timers.len());
                self.both(|run| run.timer(timer));
            }
            _ if !self.held.is_empty() => {
                let job = self.held.swap_remove(index % self.held.len());
                self.both(|run| run.released(job));
            }
            _ => {}
        }
    }

    /// Other random events: a job without a place, a job that starts another, a job that is
    /// cancelled alone.
    fn disturb(&mut self, index: usize) {
        self.hold = index.is_multiple_of(16);
        let Some((job, _)) = self.running.get(index / 16 % self.running.len().max(1)).copied()
        else {
            return;
        };
        match index % 16 {
            1 => {
                let child = self.both(|run| run.append(job, JobFlags::CHILD, None));
                assert_eq!(child as usize, self.runs[0].cells.len() - 1);
            }
            2 => self.both(|run| run.cancel_job(job)),
            _ => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    /// The same names in the same order, and, whatever happens, the same effects: launches,
    /// skips with their reasons, failures, undoing, the end.
    #[test]
    fn a_group_has_the_effects_of_its_full_edges(grouped in grouped(), fates in fates()) {
        let graphs = twins(&grouped);
        let [groups, full] = graphs.each_ref().map(|graph| graph.job_names().collect::<Vec<_>>());
        prop_assert_eq!(groups, full);
        let mut twins = Twins::new(graphs);
        let quiet = std::iter::repeat_n((Fate::Ends(End::Completed), 15), 2000);
        for (fate, index) in fates.into_iter().chain(quiet) {
            twins.perform();
            if twins.finished {
                break;
            }
            twins.disturb(index);
            twins.meet(fate, index);
        }
        prop_assert!(twins.finished, "the run did not end");
    }
}

/// A definition of stages, each of which waits as a whole for the one before.
fn stages(stages: u32, jobs: u32) -> Definition {
    let mut definition = Definition::new("stages").expect("a name");
    for stage in 0..stages {
        for job in 0..jobs {
            definition = definition.job(&format!("{stage}.{job}"), []).expect("a name");
        }
        if let Some(before) = stage.checked_sub(1) {
            definition.groups.push((before * jobs..stage * jobs).collect());
            let waiting = &mut definition.jobs[(stage * jobs) as usize..];
            waiting.iter_mut().for_each(|job| job.depends_on_groups.push(before));
        }
    }
    definition
}

#[test]
fn a_group_costs_the_sum_of_both_sides() {
    let graph = Graph::compile(&stages(2, 1000)).expect("no cycle");
    assert_eq!(graph.stored_edges(), 2000);
    assert_eq!(graph.len(), 2000);
}

#[test]
fn stages_of_a_million_edges_run_one_after_another() {
    let graph = Graph::compile(&stages(11, 1000)).expect("no cycle");
    assert_eq!(graph.stored_edges(), 20_000, "instead of ten millions");
    let mut run = Scheduler::new(Arc::new(graph), 0);
    for stage in 0..11 {
        let jobs = stage * 1000..(stage + 1) * 1000;
        assert_eq!(effects(&mut run), jobs.clone().map(launch).collect::<Vec<_>>());
        jobs.for_each(|job| run.ended(job, 1, End::Completed));
    }
    assert_eq!(effects(&mut run), [Effect::Finish(Outcome::Completed)]);
}

#[test]
fn a_rule_that_does_not_wait_for_all_does_not_wait_for_the_group() {
    let cases = [
        (TriggerRule::OneSuccess, End::Completed, vec![]),
        (TriggerRule::OneFailed, End::FailedTerminally, vec![Effect::Fail { job: 0, attempt: 1 }]),
    ];
    for (rule, end, mut expected) in cases {
        let mut definition = stages(2, 3);
        definition.jobs[4].trigger = rule;
        let graph = Graph::compile(&definition).expect("no cycle");
        let mut run = Scheduler::new(Arc::new(graph), 0);
        effects(&mut run);
        run.ended(0, 1, end);
        expected.push(launch(4));
        assert_eq!(effects(&mut run), expected, "{rule:?}");
    }
}

#[test]
fn a_failure_in_a_group_skips_when_all_of_it_has_ended() {
    let graph = Graph::compile(&stages(2, 3)).expect("no cycle");
    let mut run = Scheduler::new(Arc::new(graph), 0);
    effects(&mut run);
    run.ended(1, 1, End::FailedTerminally);
    run.ended(0, 1, End::FailedTerminally);
    let failed = [1, 0].map(|job| Effect::Fail { job, attempt: 1 });
    assert_eq!(effects(&mut run), failed);
    run.ended(2, 1, End::Completed);
    let rest = [skip(3, 1), skip(4, 1), skip(5, 1), Effect::Finish(Outcome::Failed)];
    assert_eq!(effects(&mut run), rest);
}
