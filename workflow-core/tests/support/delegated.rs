//! A function workflow and jobs for delegated runs, and how their caller polls them.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures::FutureExt as _;
use workflow_core::prelude::*;

/// Polls a run until it rests.
pub(crate) fn rest<T>(run: &mut (impl Future<Output = T> + Unpin)) -> Option<T> {
    struct Woken(AtomicBool);
    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let woken = Arc::new(Woken(AtomicBool::new(true)));
    let waker = Waker::from(Arc::clone(&woken));
    while woken.0.swap(false, Ordering::SeqCst) {
        if let Poll::Ready(output) = run.poll_unpin(&mut Context::from_waker(&waker)) {
            return Some(output);
        }
    }
    None
}

#[job]
pub(crate) async fn numbers(count: usize) -> Vec<u64> {
    (0..count as u64).collect()
}

#[job]
pub(crate) async fn square(number: &u64) -> u64 {
    number * number
}

#[job]
pub(crate) async fn halve(number: &u64) -> u64 {
    number / 2
}

#[job]
pub(crate) async fn triple(number: &u64) -> u64 {
    number * 3 + 1
}

#[register_workflow(name = "delegated: collatz")]
pub(crate) async fn collatz(ctx: WorkflowContext, mut number: u64) -> Result<u32, JobError> {
    let mut steps = 0;
    while number > 1 {
        number = match number % 2 {
            0 => ctx.run(halve, number).await?,
            _ => ctx.run(triple, number).await?,
        };
        steps += 1;
    }
    Ok(steps)
}
