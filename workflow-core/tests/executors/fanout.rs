//! Maps: a job for every element of a list.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use workflow_core::job::closure;
use workflow_core::prelude::*;
use workflow_core::workflow::FunctionWorkflow;

use crate::gauge::Gauge;
use crate::support::run;

async fn list_of(draw: impl Fn(&mut Flow) -> Handle<Vec<u64>> + Send + Sync + 'static) -> Vec<u64> {
    let workflow = FunctionWorkflow::new("fan_out", draw).expect("a name");
    let report = run(workflow).await.expect("it completes");
    report.output_ref::<Vec<u64>>().expect("a list").clone()
}

#[job]
fn numbers(count: u64) -> Vec<u64> {
    (0..count).collect()
}

#[job]
async fn square(number: &u64) -> u64 {
    number * number
}

pub(crate) async fn a_map_keeps_the_order() {
    let squares = list_of(|flow| {
        let numbers = flow.job(numbers::draw(100));
        // The first elements take longest, so that they end last.
        flow.job(map(numbers, |number| {
            closure("square", number, |number| async move {
                futures_timer::Delay::new(Duration::from_micros(3000 - 30 * number)).await;
                Ok::<_, JobError>(number * number)
            })
        }))
    });
    assert_eq!(squares.await, (0..100).map(|number| number * number).collect::<Vec<_>>());
}

pub(crate) async fn a_map_respects_its_concurrency() {
    let gauge = Gauge::of(3);
    let seen = gauge.clone();
    let list = list_of(move |flow| {
        let gauge = gauge.clone();
        let numbers = flow.job(numbers::draw(20));
        let measured = map(numbers, move |number| {
            closure("measured", number, move |number| {
                let gauge = gauge.clone();
                async move {
                    gauge.stay().await;
                    Ok::<_, JobError>(number)
                }
            })
        });
        flow.job(measured.concurrency(3))
    });
    assert_eq!(list.await.len(), 20);
    assert_eq!(seen.most(), 3);
}

pub(crate) async fn a_map_may_be_empty() {
    let list = list_of(|flow| {
        let numbers = flow.job(numbers::draw(0));
        flow.job(map(numbers, square))
    });
    assert!(list.await.is_empty());
}

pub(crate) async fn a_failing_element_fails_the_map() {
    static BEGUN: AtomicUsize = AtomicUsize::new(0);
    BEGUN.store(0, Ordering::Relaxed);
    let workflow = FunctionWorkflow::new("fails", |flow: &mut Flow| {
        let numbers = flow.job(numbers::draw(50));
        let call = map(numbers, |number| {
            closure("picky", number, |number: u64| async move {
                BEGUN.fetch_add(1, Ordering::Relaxed);
                if number == 3 {
                    return Err(JobError::terminal("three is out"));
                }
                Ok(number)
            })
        });
        flow.job(call.concurrency(1))
    });
    let error = run(workflow.expect("a name")).await.expect_err("three is out");
    let report = error.report().expect("it began");
    assert_eq!(report.reason().expect("a reason"), "job `picky` failed: three is out");
    assert_eq!(report.job("picky[3]").expect("it ran").status, Status::Failed);
    assert_eq!(report.job("picky[49]").expect("it is listed").status, Status::Cancelled);
}

/// No two jobs of a run have the same name, whatever names the host gives them.
pub(crate) async fn an_element_differs_from_a_job_of_the_same_name() {
    let workflow = FunctionWorkflow::new("named", |flow: &mut Flow| {
        let numbers = flow.job(numbers::draw(2));
        for name in ["squares[0]", "squares[0]_2", "squares[2]", "undo pay"] {
            flow.job(numbers::draw(1).name(name));
        }
        let squares = flow.job(map(numbers, square).name("squares"));
        let paid = flow.job(numbers::draw(1).name("pay").compensate(|_| take_back()));
        flow.job(refuse(squares).after(paid))
    });
    let run = run(workflow.expect("a name"));
    let report = run.await.expect_err("it is refused").into_report().expect("it began");
    let mut names: Vec<String> = report.jobs().into_iter().map(|job| job.name).collect();
    names.sort();
    let wanted = [
        "numbers",
        "pay",
        "refuse",
        "squares",
        "squares[0]",
        "squares[0]_2",
        "squares[0]_3",
        "squares[1]",
        "squares[2]",
        "undo pay",
        "undo pay_2",
    ];
    assert_eq!(names, wanted);
    for name in wanted {
        let started = format!("{name} started");
        let started = report.events().filter(|event| event.kind.to_string() == started);
        assert_eq!(started.count(), 1, "{name}");
    }
}

#[job]
async fn take_back() {}

#[job]
async fn refuse(_numbers: &[u64]) -> Result<u64, JobError> {
    Err(JobError::terminal("as it is asked to"))
}

#[job]
fn lists() -> Vec<Vec<u64>> {
    vec![vec![1, 2], vec![], vec![3]]
}

#[job]
async fn times(number: &u64, factor: &u64) -> u64 {
    number * factor
}

#[job]
fn flatten(lists: &[Vec<u64>]) -> Vec<u64> {
    lists.concat()
}

pub(crate) async fn maps_nest() {
    let list = list_of(|flow| {
        let lists = flow.job(lists());
        let factor = flow.value(10);
        let mapped = flow.job(map(lists, |list| map(list, |number| times(number, factor))));
        flow.job(flatten(mapped))
    });
    assert_eq!(list.await, [10, 20, 30]);
}

#[job]
fn total(parts: Each<'_, u64>) -> Vec<u64> {
    vec![parts.iter().sum(), parts.len() as u64]
}

pub(crate) async fn ten_thousand_inputs_arrive() {
    let list = list_of(|flow| {
        let one = flow.value(1_u64);
        let parts: Vec<_> = (0..10_000).map(|_| flow.job(square(one))).collect();
        flow.job(total(parts))
    });
    assert_eq!(list.await, [10_000, 10_000]);
}

async fn failure(change: fn(Call<u64>) -> Call<u64>) -> String {
    let workflow = FunctionWorkflow::new("fan_out", move |flow: &mut Flow| {
        let numbers = flow.job(numbers::draw(3));
        flow.job(map(numbers, move |number| change(square(number))));
    });
    let run = run(workflow.expect("a name")).await;
    run.expect_err("it cannot run")
        .into_report()
        .and_then(|report| report.reason())
        .expect("a reason")
}

pub(crate) async fn an_element_cannot_wait_for_jobs() {
    let reason = failure(|call| call.trigger(TriggerRule::AllDone)).await;
    assert_eq!(
        reason,
        "job `square` failed: job `square` has a `trigger`, which a job inside a map or `ctx.run` \
         cannot have; set it on the map, or branch in the function"
    );
    let reason = failure(|call| call.after_group(Flow::new().group::<u64>([]))).await;
    assert!(reason.contains("has a `after_group`"), "{reason}");
    let reason = failure(|call| call.schedule_to_close(std::time::Duration::ZERO)).await;
    assert!(reason.contains("the timeout `schedule_to_close` of job `square` is 0"), "{reason}");
}

pub(crate) async fn an_element_with_an_unknown_limit_fails() {
    let reason = failure(|call| call.limit("db")).await;
    let expected = "job `square` failed: it names the limit `db`, which neither the engine nor the \
                    workflow has; add `.limit(\"db\", n)` to the engine's builder, or \
                    `flow.limit(\"db\", n)` to the workflow";
    assert_eq!(reason, expected);
}
