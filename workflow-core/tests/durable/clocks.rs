//! A clock that is set while a run waits to be resumed.

use std::time::SystemTime;

use futures::future::BoxFuture;
use workflow_core::engine::{Clock, ManualClock};
use workflow_core::event::EventKind;

use super::*;

/// A clock with the right passage of time, on any day.
#[derive(Clone)]
struct SetClock {
    manual: ManualClock,
    midnight: Duration,
}

impl SetClock {
    /// A clock that starts at midnight of this day.
    fn on(day: u64) -> Self {
        let midnight = Duration::from_secs(day * 86_400);
        Self { manual: ManualClock::new(), midnight }
    }
}

impl Clock for SetClock {
    fn now(&self) -> Duration {
        self.manual.now()
    }

    fn time_of_day(&self) -> SystemTime {
        self.manual.time_of_day() + self.midnight
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.manual.sleep(duration)
    }
}

const HOUR: Duration = Duration::from_secs(3600);

#[register_workflow(name = "clocks: sleeps")]
async fn sleeps(ctx: WorkflowContext) -> Result<(), JobError> {
    ctx.sleep(HOUR).await;
    Ok(())
}

#[job(retry(maximum_attempts = 2, initial_interval = "1h", jitter = 0.0))]
fn second_time(ctx: &JobContext) -> Result<(), JobError> {
    if ctx.attempt() == 1 { Err("not yet".into()) } else { Ok(()) }
}

#[register_workflow(name = "clocks: tries again")]
fn tries_again(flow: &mut Flow) {
    flow.job(second_time::draw());
}

/// Starts a run on the first day, cuts it off while it waits for an hour, and resumes it half an
/// hour after midnight of the other day. Returns how long it waited then.
fn taken_up_on(workflow: &'static str, days: [u64; 2]) -> Duration {
    let store = Arc::new(MemoryStore::new());
    let build = |batches, clock| {
        let builder = Engine::builder().store(CutOff::after(batches, &store)).clock(clock);
        builder.lease(Duration::ZERO).threads(1).build()
    };
    let first = build(2, SetClock::on(days[0]));
    let run = first.run(workflow).start().expect("it starts");
    let mut seen = futures::executor::block_on_stream(run.events());
    let waits = |event: &Event| {
        matches!(event.kind, EventKind::SleepStarted { .. } | EventKind::AttemptFailed { .. })
    };
    assert!(seen.any(|event| waits(&event)));
    let clock = SetClock::on(days[1]);
    clock.manual.advance(HOUR / 2);
    let second = build(99, clock.clone());
    let recovery = block_on(second.recover()).expect("memory can be read");
    let ended = clock.manual.drive(recovery.runs[0].outcome());
    block_on(ended).expect("it completes");
    let events = events(&store, run.id());
    assert!(events.is_sorted_by_key(|event| event.at), "times go back: {events:#?}");
    clock.now() - HOUR / 2
}

#[test]
fn a_wait_resumes_with_its_remaining_time() {
    for workflow in ["clocks: sleeps", "clocks: tries again"] {
        assert_eq!(taken_up_on(workflow, [1, 1]), HOUR / 2, "{workflow}");
    }
}

#[test]
fn a_clock_set_back_does_not_lengthen_a_wait() {
    for workflow in ["clocks: sleeps", "clocks: tries again"] {
        for days in [[2, 1], [7305, 0]] {
            assert_eq!(taken_up_on(workflow, days), HOUR, "{workflow}");
        }
    }
}

#[test]
fn a_wait_until_a_past_time_is_over() {
    for workflow in ["clocks: sleeps", "clocks: tries again"] {
        for days in [[1, 2], [0, 7305]] {
            assert_eq!(taken_up_on(workflow, days), Duration::ZERO, "{workflow}");
        }
    }
}
