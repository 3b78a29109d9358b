use std::time::{Duration, Instant};
use workflow_core::*;
fn plan(n: u64) -> FunctionWorkflow {
    FunctionWorkflow::new("chain", move |flow: &mut Flow| {
        let mut at = flow.value(0_u64);
        for _ in 0..n {
            at = flow.job(closure("add", at, |x| async move { Ok::<_, JobError>(x + 1) }));
        }
        at
    })
    .unwrap()
}
#[test]
fn chain() {
    let engine = Engine::default();
    let t = Instant::now();
    let r = engine.run(plan(1000)).wait().unwrap();
    println!("{:?} {}", t.elapsed(), r.output::<u64>().unwrap());
    assert_eq!(r.output::<u64>().unwrap(), 1000);
}
#[test]
fn sleepers() {
    let engine = Engine::default();
    let w = FunctionWorkflow::new("s", |flow: &mut Flow| {
        let z = flow.value(0_u64);
        for _ in 0..10000 {
            flow.job(closure("s", z, |x| async move {
                futures_timer::Delay::new(Duration::from_millis(1)).await;
                Ok::<_, JobError>(x)
            }));
        }
    })
    .unwrap();
    let t = Instant::now();
    let r = engine.run(w).wait().unwrap();
    println!("{:?} {}", t.elapsed(), r.progress());
}
#[test]
fn fails_and_retries() {
    let engine = Engine::default();
    let w = FunctionWorkflow::new("f", |flow: &mut Flow| {
        let z = flow.value(0_u64);
        let a = flow.job(
            closure("flaky", z, |_| async move { Err::<u64, _>(JobError::from("no")) })
                .retry(RetryPolicy::attempts(3).initial_interval(Duration::from_millis(10))),
        );
        let b = flow.job(closure("panics", z, |_| async move {
            if true {
                panic!("ouch {}", 1)
            }
            Ok::<u64, JobError>(1)
        }));
        let c = flow.job(
            closure("slow", z, |x| async move {
                futures_timer::Delay::new(Duration::from_secs(10)).await;
                Ok::<_, JobError>(x)
            })
            .start_to_close(Duration::from_millis(20)),
        );
        flow.job(closure("after", a, |x| async move { Ok::<_, JobError>(x) }).after(b).after(c));
    })
    .unwrap();
    let e = engine.run(w).wait().unwrap_err();
    println!("{e}\n{}\n{}", e.report().unwrap(), e.report().unwrap().graph().tree());
    for ev in e.report().unwrap().events() {
        println!("{} {}", ev.sequence, ev.kind);
    }
    println!("{}", e.report().unwrap().gantt());
}
#[test]
fn maps() {
    let engine = Engine::default();
    let w = FunctionWorkflow::new("m", |flow: &mut Flow| {
        let list = flow.value((0..100_u64).collect::<Vec<_>>());
        flow.job(
            map(list, |x| closure("sq", x, |x| async move { Ok::<_, JobError>(x * x) }))
                .concurrency(3),
        )
    })
    .unwrap();
    let r = engine.run(w).wait().unwrap();
    println!("{}", r.output_ref::<Vec<u64>>().unwrap().iter().sum::<u64>());
}
