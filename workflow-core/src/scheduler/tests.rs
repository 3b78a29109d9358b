//! Tests of the scheduler: examples of each rule.

mod groups;
mod properties;

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::definition::Definition;
use crate::job::{Grace, OnFailure, Timeouts, TriggerRule};
use crate::retry::RetryPolicy;

/// A graph of jobs `j0`, `j1`, ... in which each waits for some before it.
fn graph(
    waits: &[Vec<usize>],
    on_failure: OnFailure,
    change: impl FnOnce(&mut crate::graph::GraphBuilder),
) -> Arc<Graph> {
    let mut definition = Definition::new("test").expect("a name");
    definition.on_failure = on_failure;
    for (job, depends_on) in waits.iter().enumerate() {
        let depends_on: Vec<String> = depends_on.iter().map(|other| format!("j{other}")).collect();
        let depends_on = depends_on.iter().map(String::as_str);
        definition = definition.job(&format!("j{job}"), depends_on).expect("a name");
    }
    let mut builder = definition.builder().expect("known names");
    change(&mut builder);
    Arc::new(builder.compile().expect("no cycle").0)
}

fn chain(jobs: usize) -> Arc<Graph> {
    let waits: Vec<Vec<usize>> =
        (0..jobs).map(|job| job.checked_sub(1).into_iter().collect()).collect();
    graph(&waits, OnFailure::Continue, |_| {})
}

fn effects(scheduler: &mut Scheduler) -> Vec<Effect> {
    std::iter::from_fn(|| scheduler.next()).collect()
}

fn launch(job: u32) -> Effect {
    Effect::Launch { job, attempt: 1 }
}

fn skip(job: u32, because: u32) -> Effect {
    Effect::Skip { job, reason: SkipReason::Upstream(Some(because)) }
}

#[test]
fn a_chain_runs_in_order() {
    let mut run = Scheduler::new(chain(2), 0);
    assert_eq!(effects(&mut run), [launch(0)]);
    run.ended(0, 1, End::Completed);
    assert_eq!(effects(&mut run), [launch(1)]);
    run.ended(1, 1, End::Completed);
    assert_eq!(effects(&mut run), [Effect::Finish(Outcome::Completed)]);
    assert_eq!(effects(&mut run), []);
}

#[test]
fn failure_skips_every_descendant() {
    let mut run = Scheduler::new(chain(3), 0);
    assert_eq!(effects(&mut run), [launch(0)]);
    run.ended(0, 1, End::FailedTerminally);
    let rest = [
        Effect::Fail { job: 0, attempt: 1 },
        skip(1, 0),
        skip(2, 0),
        Effect::Finish(Outcome::Failed),
    ];
    assert_eq!(effects(&mut run), rest);
}

#[test]
fn failure_skips_to_any_depth_without_recursion() {
    let mut run = Scheduler::new(chain(1_000_000), 0);
    assert_eq!(run.next(), Some(launch(0)));
    run.ended(0, 1, End::FailedTerminally);
    assert_eq!(effects(&mut run).len(), 1_000_001);
}

#[test]
fn an_end_is_counted_once() {
    let fan_in = graph(&[vec![], vec![], vec![0, 1]], OnFailure::Continue, |_| {});
    let mut run = Scheduler::new(fan_in, 0);
    assert_eq!(effects(&mut run), [launch(0), launch(1)]);
    run.ended(0, 1, End::Completed);
    run.ended(0, 1, End::Completed);
    assert_eq!(effects(&mut run), []);
    run.ended(1, 1, End::Completed);
    assert_eq!(effects(&mut run), [launch(2)]);
}

/// Runs `j2`, which waits for `j0` and `j1`, under a rule.
fn under_rule(rule: TriggerRule, ends: [End; 2]) -> bool {
    let waits = [vec![], vec![], vec![0, 1]];
    let graph = graph(&waits, OnFailure::Continue, |builder| {
        builder.cells[2].flags = builder.cells[2].flags.with_rule(rule);
    });
    let mut run = Scheduler::new(graph, 0);
    effects(&mut run);
    run.ended(0, 1, ends[0]);
    let mut after = effects(&mut run);
    run.ended(1, 1, ends[1]);
    after.extend(effects(&mut run));
    after.contains(&launch(2))
}

/// Why `j2`, which waits for `j0` and then `j1`, is skipped under a rule.
fn skipped_for(rule: TriggerRule, ends: [End; 2]) -> Effect {
    let waits = [vec![], vec![], vec![0, 1]];
    let graph = graph(&waits, OnFailure::Continue, |builder| {
        builder.cells[2].flags = builder.cells[2].flags.with_rule(rule);
        for job in 0..2 {
            builder.cells[job].flags = builder.cells[job].flags.union(JobFlags::CONDITIONAL);
        }
    });
    let mut run = Scheduler::new(graph, 0);
    effects(&mut run);
    run.ended(0, 1, ends[0]);
    run.ended(1, 1, ends[1]);
    let skipped = |effect: &Effect| matches!(effect, Effect::Skip { job: 2, .. });
    effects(&mut run).into_iter().find(skipped).expect("it is skipped")
}

#[test]
fn the_skip_reason_names_the_deciding_dependency() {
    let [declined, failed, good] = [End::Declined, End::FailedTerminally, End::Completed];
    assert_eq!(skipped_for(TriggerRule::NoneFailed, [declined, failed]), skip(2, 1));
    assert_eq!(skipped_for(TriggerRule::AllSuccess, [declined, failed]), skip(2, 1));
    assert_eq!(skipped_for(TriggerRule::AllSuccess, [failed, declined]), skip(2, 0));
    assert_eq!(skipped_for(TriggerRule::OneSuccess, [failed, failed]), skip(2, 0));
    let no_failure = Effect::Skip { job: 2, reason: SkipReason::Upstream(None) };
    assert_eq!(skipped_for(TriggerRule::OneFailed, [declined, good]), no_failure);
}

/// `j0` fails, `j1` runs all the same, and `j2` waits for `j1` alone.
#[test]
fn a_job_that_ran_despite_a_failure_counts_by_its_own_end() {
    for (end, because) in [(End::FailedTerminally, 1), (End::Declined, 1)] {
        let graph = graph(&[vec![], vec![0], vec![1], vec![2]], OnFailure::Continue, |builder| {
            let flags = builder.cells[1].flags.with_rule(TriggerRule::AllDone);
            builder.cells[1].flags = flags.union(JobFlags::CONDITIONAL);
        });
        let mut run = Scheduler::new(graph, 0);
        effects(&mut run);
        run.ended(0, 1, End::FailedTerminally);
        effects(&mut run);
        run.ended(1, 1, end);
        let skipped = |effect: &Effect| matches!(effect, Effect::Skip { job: 2.., .. });
        let skipped: Vec<_> = effects(&mut run).into_iter().filter(skipped).collect();
        assert_eq!(skipped, [skip(2, because), skip(3, because)], "after {end:?}");
    }
}

#[test]
fn each_trigger_rule_decides_by_the_ends_of_its_dependencies() {
    use End::{Completed, Declined, FailedTerminally as Failed};
    let pairs = [
        [Completed, Completed],
        [Completed, Failed],
        [Completed, Declined],
        [Failed, Failed],
        [Declined, Failed],
        [Declined, Declined],
    ];
    let table = [
        (TriggerRule::AllSuccess, [true, false, false, false, false, false]),
        (TriggerRule::AllDone, [true; 6]),
        (TriggerRule::OneSuccess, [true, true, true, false, false, false]),
        (TriggerRule::OneFailed, [false, true, false, true, true, false]),
        (TriggerRule::NoneFailed, [true, false, true, false, false, true]),
        (TriggerRule::Always, [true; 6]),
    ];
    for (rule, expected) in table {
        for (pair, expected) in pairs.iter().zip(expected) {
            assert_eq!(under_rule(rule, *pair), expected, "{rule:?} after {pair:?}");
            let reversed = [pair[1], pair[0]];
            assert_eq!(under_rule(rule, reversed), expected, "{rule:?} after {reversed:?}");
        }
    }
}

#[test]
fn one_success_does_not_wait_for_the_others() {
    let waits = [vec![], vec![], vec![0, 1]];
    let graph = graph(&waits, OnFailure::Continue, |builder| {
        builder.cells[2].flags = builder.cells[2].flags.with_rule(TriggerRule::OneSuccess);
    });
    let mut run = Scheduler::new(graph, 0);
    effects(&mut run);
    run.ended(0, 1, End::Completed);
    assert_eq!(effects(&mut run), [launch(2)]);
    run.ended(2, 1, End::Completed);
    run.ended(1, 1, End::FailedTerminally);
    let rest = [Effect::Fail { job: 1, attempt: 1 }, Effect::Finish(Outcome::Failed)];
    assert_eq!(effects(&mut run), rest);
}

#[test]
fn on_failure_stop_starts_only_jobs_that_always_run() {
    let waits = [vec![], vec![], vec![1], vec![1, 2]];
    let graph = graph(&waits, OnFailure::Stop, |builder| {
        builder.cells[3].flags = builder.cells[3].flags.with_rule(TriggerRule::Always);
    });
    let mut run = Scheduler::new(graph, 0);
    assert_eq!(effects(&mut run), [launch(0), launch(1)]);
    run.ended(0, 1, End::FailedTerminally);
    let stopping = Effect::Skip { job: 2, reason: SkipReason::Stopping };
    assert_eq!(effects(&mut run), [Effect::Fail { job: 0, attempt: 1 }]);
    run.ended(1, 1, End::Completed);
    assert_eq!(effects(&mut run), [stopping, launch(3)]);
    run.ended(3, 1, End::Completed);
    assert_eq!(effects(&mut run), [Effect::Finish(Outcome::Failed)]);
}

fn with_policy(waits: &[Vec<usize>], flags: JobFlags, policy: JobPolicy) -> Arc<Graph> {
    graph(waits, OnFailure::Continue, |builder| {
        builder.cells[0].flags = builder.cells[0].flags.union(flags);
        builder.policies.insert(0, policy);
    })
}

#[test]
fn a_retry_waits_and_then_launches_the_next_attempt() {
    let retry = RetryPolicy::attempts(2).jitter(0.0);
    let policy = JobPolicy { retry, ..JobPolicy::default() };
    let mut run = Scheduler::new(with_policy(&[vec![]], JobFlags::RETRIED, policy), 0);
    assert_eq!(effects(&mut run), [launch(0)]);
    run.ended(0, 1, End::FailedRetryable);
    let second = Timer::Backoff { job: 0, attempt: 2 };
    let delay = Duration::from_secs(1);
    let wait =
        [Effect::Retry { job: 0, attempt: 1, delay }, Effect::Arm { timer: second, after: delay }];
    assert_eq!(effects(&mut run), wait);
    run.timer(second);
    assert_eq!(effects(&mut run), [Effect::Launch { job: 0, attempt: 2 }]);
    run.ended(0, 1, End::Completed);
    assert_eq!(effects(&mut run), [], "the first attempt has ended before");
    run.ended(0, 2, End::FailedRetryable);
    let rest = [Effect::Fail { job: 0, attempt: 2 }, Effect::Finish(Outcome::Failed)];
    assert_eq!(effects(&mut run), rest);
}

#[test]
fn jitter_takes_a_different_share_each_time() {
    let retry = RetryPolicy::attempts(0).backoff_coefficient(1.0).jitter(0.5);
    let policy = JobPolicy { retry, ..JobPolicy::default() };
    let mut run = Scheduler::new(with_policy(&[vec![]], JobFlags::RETRIED, policy), 7);
    let mut delays = Vec::new();
    for attempt in 1..=20 {
        effects(&mut run);
        run.ended(0, attempt, End::FailedRetryable);
        for effect in effects(&mut run) {
            if let Effect::Retry { delay, .. } = effect {
                delays.push(delay);
            }
        }
        run.timer(Timer::Backoff { job: 0, attempt: attempt + 1 });
    }
    assert!(delays.iter().all(|delay| (500..=1000).contains(&delay.as_millis())), "{delays:?}");
    delays.sort();
    delays.dedup();
    assert!(delays.len() > 15, "{delays:?}");
}

#[test]
fn a_timeout_interrupts_the_attempt_that_it_is_for() {
    let limit = Duration::from_secs(3);
    let timeouts = Timeouts { start_to_close: Some(limit), ..Timeouts::default() };
    let policy = JobPolicy { timeouts, ..JobPolicy::default() };
    let mut run = Scheduler::new(with_policy(&[vec![], vec![0]], JobFlags::TIMED, policy), 0);
    let timer = Timer::StartToClose { job: 0, attempt: 1 };
    let arm = Effect::Arm { timer, after: limit };
    assert_eq!(effects(&mut run), [launch(0), arm]);
    run.timer(timer);
    let cause = Cause::TimedOut(TimeoutKind::StartToClose);
    assert_eq!(effects(&mut run), [Effect::Interrupt { job: 0, attempt: 1, cause }]);
    run.ended(0, 1, End::Cancelled);
    let rest = [Effect::Fail { job: 0, attempt: 1 }, skip(1, 0), Effect::Finish(Outcome::Failed)];
    assert_eq!(effects(&mut run), rest);
}

#[test]
fn timeouts_of_an_attempt_start_when_the_job_is_released() {
    let limit = Duration::from_secs(3);
    let timeouts =
        Timeouts { start_to_close: Some(limit), heartbeat: Some(limit), ..Timeouts::default() };
    let policy = JobPolicy { timeouts, ..JobPolicy::default() };
    let mut run = Scheduler::new(with_policy(&[vec![]], JobFlags::TIMED, policy), 0);
    assert_eq!(run.next(), Some(launch(0)));
    run.held(0);
    assert_eq!(effects(&mut run), []);
    assert!(run.released(0));
    assert_eq!(effects(&mut run).len(), 3, "the launch, and its two clocks");
}

#[test]
fn schedule_to_close_ends_the_wait_between_attempts() {
    let limit = Duration::from_secs(3);
    let timeouts = Timeouts { schedule_to_close: Some(limit), ..Timeouts::default() };
    let policy = JobPolicy { timeouts, retry: RetryPolicy::attempts(0), ..JobPolicy::default() };
    let flags = JobFlags::TIMED.union(JobFlags::RETRIED);
    let mut run = Scheduler::new(with_policy(&[vec![]], flags, policy), 0);
    effects(&mut run);
    run.ended(0, 1, End::FailedRetryable);
    effects(&mut run);
    run.timer(Timer::ScheduleToClose { job: 0 });
    let rest = [
        Effect::Expire { job: 0 },
        Effect::Fail { job: 0, attempt: 1 },
        Effect::Finish(Outcome::Failed),
    ];
    assert_eq!(effects(&mut run), rest);
}

#[test]
fn a_heartbeat_restarts_its_timeout() {
    let limit = Duration::from_secs(1);
    let timeouts = Timeouts { heartbeat: Some(limit), ..Timeouts::default() };
    let policy = JobPolicy { timeouts, ..JobPolicy::default() };
    let mut run = Scheduler::new(with_policy(&[vec![]], JobFlags::TIMED, policy), 0);
    effects(&mut run);
    run.heartbeat(0, 1);
    run.timer(Timer::Heartbeat { job: 0, attempt: 1, beats: 0 });
    let again = Timer::Heartbeat { job: 0, attempt: 1, beats: 1 };
    assert_eq!(effects(&mut run), [Effect::Arm { timer: again, after: limit }]);
    run.timer(again);
    let cause = Cause::TimedOut(TimeoutKind::Heartbeat);
    assert_eq!(effects(&mut run), [Effect::Interrupt { job: 0, attempt: 1, cause }]);
}

#[test]
fn priority_decides_among_ready_jobs() {
    let graph = graph(&[vec![], vec![], vec![]], OnFailure::Continue, |builder| {
        for (job, priority) in [(0, -1), (1, 0), (2, 5)] {
            builder.cells[job].flags = builder.cells[job].flags.union(JobFlags::RANKED);
            builder.policies.insert(job as u32, JobPolicy { priority, ..JobPolicy::default() });
        }
    });
    let mut run = Scheduler::new(graph, 0);
    assert_eq!(effects(&mut run), [launch(2), launch(1), launch(0)]);
}

#[test]
fn compensations_run_newest_first_after_a_failure() {
    let graph = graph(&[vec![], vec![0], vec![1]], OnFailure::Continue, |builder| {
        for job in 0..2 {
            builder.cells[job].flags = builder.cells[job].flags.union(JobFlags::COMPENSATED);
        }
    });
    let mut run = Scheduler::new(graph, 0);
    for (job, end) in [(0, End::Completed), (1, End::Completed), (2, End::FailedTerminally)] {
        assert_eq!(run.next(), Some(launch(job)));
        run.ended(job, 1, end);
    }
    assert_eq!(run.next(), Some(Effect::Fail { job: 2, attempt: 1 }));
    assert_eq!(run.next(), Some(Effect::Compensate { job: 1 }));
    let compensation = run.append(1, JobFlags::COMPENSATION, None);
    assert_eq!(effects(&mut run), [launch(compensation)]);
    run.ended(compensation, 1, End::FailedTerminally);
    assert_eq!(run.next(), Some(Effect::Fail { job: compensation, attempt: 1 }));
    assert_eq!(run.next(), Some(Effect::Compensate { job: 0 }));
    let compensation = run.append(0, JobFlags::COMPENSATION, None);
    effects(&mut run);
    run.ended(compensation, 1, End::Completed);
    assert_eq!(effects(&mut run), [Effect::Finish(Outcome::Failed)]);
}

#[test]
fn cancel_interrupts_running_jobs_and_skips_the_rest() {
    let mut run = Scheduler::new(chain(2), 0);
    effects(&mut run);
    run.cancel(Cause::Cancelled);
    let cause = Cause::Cancelled;
    assert_eq!(effects(&mut run), [Effect::Interrupt { job: 0, attempt: 1, cause }]);
    run.ended(0, 1, End::Cancelled);
    let rest = [
        Effect::Cancel { job: 0, attempt: 1 },
        Effect::Skip { job: 1, reason: SkipReason::Cancelled },
        Effect::Finish(Outcome::Cancelled),
    ];
    assert_eq!(effects(&mut run), rest);
}

/// A clean-up job after a join must not start while a branch of the join is still running.
#[test]
fn a_join_is_skipped_only_when_all_its_branches_have_ended() {
    let waits = [vec![], vec![], vec![0, 1], vec![2]];
    let graph = graph(&waits, OnFailure::Continue, |builder| {
        builder.cells[3].flags = builder.cells[3].flags.with_rule(TriggerRule::Always);
    });
    let mut run = Scheduler::new(graph, 0);
    effects(&mut run);
    run.ended(0, 1, End::FailedTerminally);
    assert_eq!(effects(&mut run), [Effect::Fail { job: 0, attempt: 1 }]);
    run.ended(1, 1, End::Completed);
    assert_eq!(effects(&mut run), [skip(2, 0), launch(3)]);
}

#[test]
fn children_respect_the_concurrency_of_their_parent() {
    let policy = JobPolicy { concurrency: 2, ..JobPolicy::default() };
    let mut run = Scheduler::new(with_policy(&[vec![]], JobFlags::CONTAINER, policy), 0);
    effects(&mut run);
    let children: Vec<u32> = (0..4).map(|_| run.append(0, JobFlags::CHILD, None)).collect();
    assert_eq!(effects(&mut run), [launch(children[0]), launch(children[1])]);
    run.ended(children[1], 1, End::Completed);
    assert_eq!(effects(&mut run), [launch(children[2])]);
    run.cancel_job(children[3]);
    assert_eq!(effects(&mut run), [Effect::Cancel { job: children[3], attempt: 1 }]);
}

/// A run of one launched job with both timeouts of attempts.
fn timed(flags: JobFlags) -> Scheduler {
    let limit = Some(Duration::from_secs(3));
    let timeouts =
        Timeouts { start_to_close: limit, schedule_to_close: limit, ..Timeouts::default() };
    let (retry, grace) = (RetryPolicy::attempts(0), Some(Grace::Engine));
    let policy = JobPolicy { timeouts, retry, grace, ..JobPolicy::default() };
    let flags = JobFlags::TIMED.union(JobFlags::RETRIED).union(flags);
    let mut run = Scheduler::new(with_policy(&[vec![]], flags, policy), 0);
    effects(&mut run);
    run
}

const START_TO_CLOSE: Timer = Timer::StartToClose { job: 0, attempt: 1 };

#[test]
fn a_timeout_does_not_stop_a_job_that_delivered_in_time() {
    let mut run = timed(JobFlags::default());
    assert!(run.deliver(0));
    run.timer(START_TO_CLOSE);
    run.timer(Timer::ScheduleToClose { job: 0 });
    assert_eq!(effects(&mut run), []);
    run.ended(0, 1, End::Completed);
    assert_eq!(effects(&mut run), [Effect::Finish(Outcome::Completed)]);
}

#[test]
fn an_output_after_a_timeout_is_late_even_if_the_job_was_cancelled() {
    for first in [true, false] {
        let mut run = timed(JobFlags::default());
        if first {
            run.cancel(Cause::Cancelled);
        }
        run.timer(START_TO_CLOSE);
        run.cancel(Cause::Cancelled);
        assert!(!run.deliver(0));
        assert_eq!(run.stop_cause(0), Some(Cause::Cancelled));
    }
    let mut run = timed(JobFlags::default());
    run.cancel(Cause::TimedOut(TimeoutKind::Run));
    assert!(run.deliver(0), "the time of the run is not that of the job");
}

#[test]
fn schedule_to_close_outranks_start_to_close() {
    let mut run = timed(JobFlags::default());
    run.timer(START_TO_CLOSE);
    run.timer(Timer::ScheduleToClose { job: 0 });
    assert_eq!(run.stop_cause(0), Some(Cause::TimedOut(TimeoutKind::ScheduleToClose)));
    effects(&mut run);
    run.ended(0, 1, End::Cancelled);
    let rest = [Effect::Fail { job: 0, attempt: 1 }, Effect::Finish(Outcome::Failed)];
    assert_eq!(effects(&mut run), rest);
}

#[test]
fn a_stopping_job_starts_no_children() {
    let mut run = timed(JobFlags::CONTAINER);
    let child = run.append(0, JobFlags::CHILD, None);
    assert_eq!(effects(&mut run), [launch(child)]);
    run.timer(START_TO_CLOSE);
    let timed_out = Cause::TimedOut(TimeoutKind::StartToClose);
    let stopped = [
        Effect::Interrupt { job: 0, attempt: 1, cause: timed_out },
        Effect::Interrupt { job: child, attempt: 1, cause: Cause::Cancelled },
    ];
    assert_eq!(effects(&mut run), stopped);
    let late = run.append(0, JobFlags::CHILD, None);
    assert_eq!(effects(&mut run), [Effect::Cancel { job: late, attempt: 1 }]);
}
