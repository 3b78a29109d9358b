//! A trivial workflow from end to end: look it up by name, pass an input, run it, read its output.

use criterion::{Criterion, criterion_group, criterion_main};
use workflow_core::prelude::*;

#[register_workflow(name = "nothing")]
async fn nothing() {}

#[register_workflow(name = "add_one")]
async fn add_one(number: u64) -> u64 {
    number + 1
}

#[register_workflow(name = "add_one_blocking")]
fn add_one_blocking(number: u64) -> u64 {
    number + 1
}

fn runs(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("registry::run");
    group.bench_function("nothing, waited for", |bench| {
        bench.iter(|| registry::run("nothing").wait().expect("it completes"));
    });
    group.bench_function("add_one, waited for", |bench| {
        bench.iter(|| {
            let report = registry::run("add_one").input(1_u64).wait().expect("it completes");
            report.output::<u64>().expect("a number")
        });
    });
    group.bench_function("add_one_blocking, waited for", |bench| {
        bench.iter(|| {
            let report = registry::run("add_one_blocking").input(1_u64).wait();
            report.expect("it completes").output::<u64>().expect("a number")
        });
    });
    let runtime = tokio::runtime::Runtime::new().expect("tokio starts");
    group.bench_function("add_one, awaited in tokio", |bench| {
        bench.iter(|| {
            runtime.block_on(async {
                let report = registry::run("add_one").input(1_u64).await.expect("it completes");
                report.output::<u64>().expect("a number")
            })
        });
    });
    group.finish();
}

criterion_group!(benches, runs);
criterion_main!(benches);
