//! Random graphs of all features, by seed: whatever happens to them, all places are free in the
//! end.

use std::pin::pin;
use std::time::Duration;

use futures::future::{Either, select};
use workflow_core::engine::LimitScope;
use workflow_core::job::JobErrorKind;
use workflow_core::prelude::*;
use workflow_core::workflow::FunctionWorkflow;

use crate::places::assert_free;
use crate::support::{turns, workflow};

/// Decides by a seed what the jobs of a run do.
#[derive(Clone)]
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides
    }

    /// Returns a separate die with another seed.
    fn split(&mut self) -> Self {
        Self(self.roll(u64::MAX) | 1)
    }

    /// Gives a call limits, a priority, and sometimes a timeout or retries.
    fn limited<T: Send + Sync + 'static>(&mut self, mut call: Call<T>) -> Call<T> {
        for limit in ["db", "web", "gpu"] {
            match self.roll(3) {
                0 => call = call.limit(limit),
                1 => call = call.limit_by(limit, self.roll(4) as usize),
                _ => {}
            }
        }
        if self.roll(4) == 0 {
            call = call.start_to_close(Duration::from_micros(self.roll(300) + 1));
        }
        if self.roll(6) == 0 {
            call = call.schedule_to_close(Duration::from_micros(self.roll(900) + 1));
        }
        if self.roll(4) == 0 {
            let quick = RetryPolicy::attempts(2).initial_interval(Duration::from_micros(1));
            call = call.retry(quick);
        }
        call.priority(self.roll(5) as i32 - 2)
    }
}

/// Ends in some way after some turns.
async fn acts(mut dice: Dice) -> Result<u64, JobError> {
    turns(dice.roll(6) as usize).await;
    match dice.roll(8) {
        0 => Err(JobError::terminal("it failed")),
        1 => Err(JobError::from("it failed, and may be tried again")),
        2 => std::panic::resume_unwind(Box::new("it panicked")),
        3 => std::future::pending().await,
        4 => Err(JobError::from("it gave up")).inspect_err(|error: &JobError| {
            assert_ne!(error.kind(), JobErrorKind::Cancelled);
        }),
        other => Ok(other),
    }
}

#[job]
async fn acts_in_turns(dice: Dice) -> Result<u64, JobError> {
    acts(dice).await
}

#[job]
fn acts_on_a_thread(dice: Dice) -> Result<u64, JobError> {
    let mut dice = dice;
    match dice.roll(3) {
        0 => Err(JobError::terminal("it failed")),
        1 => std::panic::resume_unwind(Box::new("it panicked")),
        other => Ok(other),
    }
}

#[job]
async fn listens(ctx: &JobContext, dice: Dice) -> Result<u64, JobError> {
    let acts = pin!(acts(dice));
    match select(acts, pin!(ctx.cancelled())).await {
        Either::Left((ended, _)) => ended,
        Either::Right(_) => Err(JobError::terminal("asked to stop")),
    }
}

/// Starts jobs, and waits for some of them for a few turns.
#[job]
async fn starts_others(ctx: WorkflowContext, dice: Dice) -> Result<u64, JobError> {
    let mut dice = dice;
    for _ in 0..dice.roll(5) {
        let mut options = dice.split();
        let limited = |other: Handle<Dice>| match options.roll(3) {
            0 => options.limited(acts_in_turns(other)),
            1 => options.limited(listens(other)),
            _ => options.limited(acts_on_a_thread(other)),
        };
        let call = pin!(ctx.run(limited, dice.split()));
        // Without a timeout, a job would wait for some of these for ever.
        let _either = select(call, pin!(turns(dice.roll(12) as usize))).await;
    }
    Ok(0)
}

#[register_workflow(name = "places: mixed")]
fn mixed(flow: &mut Flow, _seed: Handle<u64>) {
    let dice = flow.value(Dice(0x9e37_79b9_7f4a_7c15));
    flow.job(acts_in_turns(dice).limit("db").start_to_close(Duration::from_micros(200)));
    flow.job(starts_others(dice).limit("web").name("others"));
}

/// A random graph of all features, by a seed.
fn anything(seed: u64) -> FunctionWorkflow {
    workflow(move |flow| {
        let mut dice = Dice(seed);
        // A job that would never end by itself has a timeout.
        flow.timeout(Duration::from_millis(20));
        if dice.roll(3) == 0 {
            flow.max_parallel(2);
        }
        if dice.roll(3) == 0 {
            flow.on_failure(workflow_core::job::OnFailure::Stop);
        }
        let mut before: Option<Handle<u64>> = None;
        for number in 0..8 {
            let value = flow.value(dice.split());
            let mut options = dice.split();
            let call = match dice.roll(6) {
                0 => acts_in_turns(value),
                1 => listens(value),
                2 => acts_on_a_thread(value),
                3 => starts_others(value),
                4 => {
                    let seed = flow.value(dice.split().0);
                    let inner = registry::call::<_, ()>("places: mixed", seed);
                    let inner = options.limited(inner.name(format!("inner {number}")));
                    flow.job(inner);
                    continue;
                }
                _ => {
                    let list = flow.value((0..4).map(|_| dice.split()).collect::<Vec<_>>());
                    let mut each = dice.split();
                    let element = |dice| each.limited(acts_in_turns(dice));
                    let mapped = map(list, element).concurrency(dice.roll(3) as usize + 1);
                    flow.job(options.limited(mapped.name(format!("map {number}"))));
                    continue;
                }
            };
            let mut call = options.limited(call).name(format!("job {number}"));
            if let Some(before) = before.filter(|_| dice.roll(2) == 0) {
                let rules = [TriggerRule::AllSuccess, TriggerRule::AllDone, TriggerRule::Always];
                call = call.after(before).trigger(rules[dice.roll(3) as usize]);
                // A job that must always run is not cancelled, and some of these jobs never end.
                call = call.start_to_close(Duration::from_micros(300));
            }
            if dice.roll(5) == 0 {
                call = call.compensate(|value| acts_of(value).limit("db"));
            }
            before = Some(flow.job(call));
        }
    })
}

#[job]
async fn acts_of(value: &u64) -> u64 {
    turns(*value as usize % 3).await;
    *value
}

/// Whatever happens to jobs and the jobs inside of them, in any order: every run ends, and all
/// places are free.
pub(crate) async fn all_permits_are_free_in_the_end() {
    let engine = Engine::builder()
        .max_parallel(3)
        .limit("db", 1)
        .limit("web", 2)
        .limit("gpu", 3)
        .cancel_grace(Duration::from_millis(1))
        .build();
    for seed in 1..=24_u64 {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let runs: Vec<_> = (0..4)
            .map(|_| engine.run(anything(dice.split().0)).start().expect("it can begin"))
            .collect();
        for run in &runs {
            turns(dice.roll(30) as usize).await;
            match dice.roll(4) {
                0 => run.cancel(),
                // Dropped while it is running.
                1 => {
                    let dropped = pin!(engine.run(anything(dice.split().0)).into_future());
                    let _either = select(dropped, pin!(turns(dice.roll(30) as usize))).await;
                }
                _ => {}
            }
        }
        for run in runs {
            let _how = run.outcome().await;
        }
        while engine.limits().iter().any(|limit| {
            // Dropped runs are still being stopped.
            limit.scope == LimitScope::Engine && limit.in_use + limit.waiting > 0
        }) {
            futures_timer::Delay::new(Duration::from_micros(100)).await;
        }
        assert_free(&engine);
    }
}
