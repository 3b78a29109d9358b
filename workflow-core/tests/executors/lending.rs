//! Places of limits are lent to the jobs and runs inside of their holder.

use futures::future::join_all;
use workflow_core::job::closure;
use workflow_core::prelude::*;

use crate::gauge::Gauge;
use crate::places::{assert_free, number};
use crate::support::workflow;

#[job]
async fn query(gauge: Gauge, number: u64) -> u64 {
    gauge.stay().await;
    number + 1
}

#[job]
async fn reports(ctx: WorkflowContext, gauge: Gauge) -> Result<u64, JobError> {
    let limited = |gauge: Handle<Gauge>, number: Handle<u64>| query(gauge, number).limit("db");
    let calls = (0..5).map(|number| ctx.run(limited, (gauge.clone(), number)));
    Ok(join_all(calls).await.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().sum())
}

#[job]
async fn outer_reports(ctx: WorkflowContext, gauge: Gauge) -> Result<u64, JobError> {
    ctx.run(|gauge: Handle<Gauge>| reports(gauge).limit("db"), gauge).await
}

pub(crate) async fn a_parent_lends_its_permit_to_its_children() {
    let engine = Engine::builder().max_parallel(3).limit("db", 1).build();
    let gauge = Gauge::default();
    let nested = |deep: bool| {
        let gauge = gauge.clone();
        workflow(move |flow| {
            let gauge = flow.value(gauge.clone());
            match deep {
                true => flow.job(outer_reports(gauge).limit("db")),
                false => flow.job(reports(gauge).limit("db")),
            }
        })
    };
    let runs = [false, true, false].map(|deep| engine.run(nested(deep)).into_future());
    for report in join_all(runs).await {
        assert_eq!(report.expect("it completes").output::<u64>().expect("a number"), 15);
    }
    assert_eq!(gauge.most(), 1, "a place is lent to one at a time, and not to strangers");

    let counted = gauge.clone();
    let mapped = workflow(move |flow| {
        let (gauge, list) = (counted.clone(), flow.value(vec![1_u64, 2, 3]));
        let element = move |number| {
            let gauge = gauge.clone();
            let body = move |number: u64| {
                let gauge = gauge.clone();
                async move {
                    gauge.stay().await;
                    Ok::<_, JobError>(number)
                }
            };
            closure("element", number, body).limit("db")
        };
        flow.job(map(list, element).limit("db"))
    });
    engine.run(mapped).await.expect("it completes");
    assert_eq!(gauge.most(), 1);
    assert_free(&engine);
}

#[register_workflow(name = "places: inner")]
fn inner(flow: &mut Flow, value: Handle<u64>) -> Handle<u64> {
    flow.job(number(value).limit("db"))
}

pub(crate) async fn a_job_lends_its_permit_to_its_child_run() {
    let outer = || {
        workflow(|flow| {
            let value = flow.value(7_u64);
            let once = registry::call::<_, u64>("places: inner", value).limit("db");
            let once = flow.job(once.name("once"));
            flow.job(registry::call::<_, u64>("places: inner", once).limit("db").name("again"))
        })
    };
    let engine = Engine::builder().limit("db", 1).build();
    for report in join_all((0..3).map(|_| engine.run(outer()).into_future())).await {
        assert_eq!(report.expect("it completes").output::<u64>().expect("a number"), 7);
    }
    assert_free(&engine);
}

pub(crate) async fn a_child_that_needs_more_permits_than_its_parent_holds_fails() {
    let engine = Engine::builder().limit("db", 4).build();
    let wide = |amount: usize| {
        workflow(move |flow| {
            let list = flow.value(vec![1_u64]);
            let element = move |value: Handle<u64>| number(value).limit_by("db", amount);
            flow.job(map(list, element).limit_by("db", 2))
        })
    };
    engine.run(wide(2)).await.expect("it borrows all that the map holds");
    let error = engine.run(wide(3)).await.expect_err("it would wait for its own map");
    let reason = error.report().and_then(Report::reason).expect("a job failed");
    assert_eq!(
        reason,
        "job `number` failed: it needs 3 permits of limit `db`, but its parent job holds only 2; \
         raise the parent's permits to 3, or remove its limit"
    );
    assert_free(&engine);
}
