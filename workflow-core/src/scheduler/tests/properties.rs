//! Properties of every run, over random graphs and orders of events.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

/// A random event of a run.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fate {
    Ends(End),
    TimerFires,
    Cancel,
}

pub(super) fn fates() -> impl Strategy<Value = Vec<(Fate, usize)>> {
    let fate = prop_oneof![
        8 => Just(Fate::Ends(End::Completed)),
        2 => Just(Fate::Ends(End::FailedRetryable)),
        1 => Just(Fate::Ends(End::FailedTerminally)),
        1 => Just(Fate::Ends(End::Declined)),
        1 => Just(Fate::Ends(End::Cancelled)),
        2 => Just(Fate::TimerFires),
        1 => Just(Fate::Cancel),
    ];
    proptest::collection::vec((fate, any::<usize>()), 1..200)
}

#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) waits: Vec<Vec<usize>>,
    pub(super) rules: Vec<usize>,
    pub(super) special: Vec<u8>,
    pub(super) on_failure: OnFailure,
    pub(super) max_parallel: Option<usize>,
}

pub(super) fn plans() -> impl Strategy<Value = Plan> {
    (1_usize..30).prop_flat_map(|jobs| {
        let waits = (0..jobs)
            .map(|job| proptest::collection::vec(0..job.max(1), 0..=job.min(4)))
            .collect::<Vec<_>>();
        let stop = prop_oneof![Just(OnFailure::Continue), Just(OnFailure::Stop)];
        let rules = proptest::collection::vec(0_usize..6, jobs);
        let special = proptest::collection::vec(0_u8..8, jobs);
        (waits, rules, special, stop, proptest::option::of(1_usize..4)).prop_map(
            |(mut waits, rules, special, on_failure, max_parallel)| {
                waits[0].clear();
                Plan { waits, rules, special, on_failure, max_parallel }
            },
        )
    })
}

const RULES: [TriggerRule; 6] = [
    TriggerRule::AllSuccess,
    TriggerRule::AllDone,
    TriggerRule::OneSuccess,
    TriggerRule::OneFailed,
    TriggerRule::NoneFailed,
    TriggerRule::Always,
];

pub(super) fn build(plan: &Plan) -> Arc<Graph> {
    build_with(plan, |_| {})
}

pub(super) fn build_with(
    plan: &Plan,
    change: impl FnOnce(&mut crate::graph::GraphBuilder),
) -> Arc<Graph> {
    graph(&plan.waits, plan.on_failure, |builder| {
        change(builder);
        builder.settings.max_parallel = plan.max_parallel;
        for (job, special) in plan.special.iter().enumerate() {
            let mut flags = builder.cells[job].flags.with_rule(RULES[plan.rules[job]]);
            if special & 1 != 0 {
                flags = flags.union(JobFlags::RETRIED).union(JobFlags::TIMED);
                let second = Some(Duration::from_secs(1));
                let timeouts = Timeouts {
                    start_to_close: second,
                    schedule_to_close: second,
                    heartbeat: second,
                };
                let retry = RetryPolicy::attempts(3);
                let policy = JobPolicy { retry, timeouts, ..JobPolicy::default() };
                builder.policies.insert(job as u32, policy);
            }
            builder.cells[job].flags = flags.union(JobFlags::COMPENSATED.when(special & 6 == 6));
        }
    })
}

/// Observes a run from outside, and asserts its invariants.
struct Witness {
    graph: Arc<Graph>,
    running: Vec<(u32, u32)>,
    timers: Vec<Timer>,
    launched: HashMap<(u32, u32), ()>,
    ended: HashMap<u32, bool>,
    finished: Option<Outcome>,
}

impl Witness {
    fn see(&mut self, run: &mut Scheduler, effect: Effect, max_parallel: usize) {
        assert!(self.finished.is_none(), "{effect:?} after the end");
        match effect {
            Effect::Launch { job, attempt } => {
                assert!(self.launched.insert((job, attempt), ()).is_none(), "launched twice");
                assert!(!self.ended.contains_key(&job), "launched after its end");
                self.check_dependencies(job);
                self.running.push((job, attempt));
                assert!(self.running.len() <= max_parallel, "too many at once");
            }
            Effect::Skip { job, .. } | Effect::Fail { job, .. } | Effect::Cancel { job, .. } => {
                self.running.retain(|(other, _)| *other != job);
                assert!(self.ended.insert(job, false).is_none(), "{job} ended twice");
            }
            Effect::Retry { job, attempt, .. } => {
                assert!(self.launched.contains_key(&(job, attempt)))
            }
            Effect::Arm { timer, .. } => self.timers.push(timer),
            Effect::Interrupt { job, attempt, .. } => {
                assert!(self.running.contains(&(job, attempt)), "interrupted while not running");
            }
            Effect::Compensate { job } => {
                assert_eq!(self.ended.get(&job), Some(&true), "undone without having completed");
                run.append(job, JobFlags::COMPENSATION, None);
            }
            Effect::Expire { .. } => {}
            Effect::Finish(outcome) => {
                assert!(self.running.is_empty(), "finished while jobs run");
                let open = (0..self.graph.len() as u32).filter(|job| !self.ended.contains_key(job));
                assert_eq!(open.count(), 0, "finished with open jobs");
                self.finished = Some(outcome);
            }
        }
    }

    fn check_dependencies(&self, job: u32) {
        if job as usize >= self.graph.len() {
            return;
        }
        let flags = self.graph.cells[job as usize].flags;
        let before: Vec<u32> = (0..self.graph.len() as u32)
            .filter(|other| self.graph.successors.get(*other).contains(&job))
            .collect();
        let ended = |other: &u32| self.ended.contains_key(other);
        let good = |other: &u32| self.ended.get(other) == Some(&true);
        match flags.rule() {
            TriggerRule::AllSuccess => assert!(before.iter().all(good), "before its dependencies"),
            TriggerRule::AllDone | TriggerRule::Always | TriggerRule::NoneFailed => {
                assert!(before.iter().all(ended), "before its dependencies ended");
            }
            TriggerRule::OneSuccess => assert!(before.is_empty() || before.iter().any(good)),
            TriggerRule::OneFailed => {
                assert!(
                    before.is_empty()
                        || before.iter().any(|job| self.ended.get(job) == Some(&false))
                );
            }
        }
    }

    fn end(&mut self, run: &mut Scheduler, index: usize, end: End) {
        let index = index % self.running.len();
        let (job, attempt) = self.running.remove(index);
        if end == End::Completed {
            assert!(self.ended.insert(job, true).is_none(), "{job} ended twice");
        }
        run.ended(job, attempt, end);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    /// Whatever the order of completions, failures, timers and cancels: dependencies first, each
    /// attempt launched once, exactly one end, for each job and for the run.
    #[test]
    fn every_run_ends_once_and_in_order(plan in plans(), fates in fates()) {
        let graph = build(&plan);
        let mut run = Scheduler::new(Arc::clone(&graph), 1);
        let mut witness = Witness {
            graph,
            running: Vec::new(),
            timers: Vec::new(),
            launched: HashMap::new(),
            ended: HashMap::new(),
            finished: None,
        };
        let most = plan.max_parallel.unwrap_or(usize::MAX);
        let quiet = std::iter::repeat_n((Fate::Ends(End::Completed), 0), 2000);
        for (fate, index) in fates.into_iter().chain(quiet) {
            while let Some(effect) = run.next() {
                witness.see(&mut run, effect, most);
            }
            if witness.finished.is_some() {
                break;
            }
            match fate {
                Fate::Cancel => run.cancel(Cause::Cancelled),
                Fate::Ends(end) if !witness.running.is_empty() => witness.end(&mut run, index, end),
                _ if !witness.timers.is_empty() => {
                    let index = index % witness.timers.len();
                    let timer = witness.timers.swap_remove(index);
                    run.timer(timer);
                }
                _ if !witness.running.is_empty() => witness.end(&mut run, index, End::Completed),
                _ => prop_assert!(false, "nothing runs and nothing is waited for"),
            }
        }
        prop_assert!(witness.finished.is_some(), "the run did not end");
    }
}
