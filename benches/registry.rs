//! Looking up a workflow by name among 1, 100 and 10,000 workflows.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use workflow_core::prelude::*;
use workflow_core::workflow::FunctionWorkflow;

#[register_workflow(name = "linked")]
async fn linked() {}

fn lookup(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("registry::get");
    let mut known = 1;
    for size in [1_usize, 100, 10_000] {
        while known < size {
            let name = format!("workflow {known}");
            let workflow = FunctionWorkflow::new(&name, |_: &mut Flow| {}).expect("a name");
            registry::register(workflow).expect("a new name");
            known += 1;
        }
        group.bench_function(format!("linked, {size} known"), |bench| {
            bench.iter(|| registry::get(black_box("linked")).expect("it is there"));
        });
        let last = format!("workflow {}", size - 1);
        if size > 1 {
            group.bench_function(format!("added at run time, {size} known"), |bench| {
                bench.iter(|| registry::get(black_box(&last)).expect("it is there"));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, lookup);
criterion_main!(benches);
