//! A host with strict lints.

#![forbid(unsafe_code)]
#![deny(warnings, missing_docs, missing_debug_implementations, unreachable_pub, unused)]
#![deny(clippy::all, clippy::pedantic, clippy::allow_attributes)]

use workflow_core::prelude::*;

/// An order.
#[derive(Debug, Clone)]
pub struct Order(pub u32);

/// Finds orders.
#[job]
pub async fn orders() -> Vec<Order> {
    std::future::ready(vec![Order(1)]).await
}

/// Counts orders.
///
/// # Errors
///
/// Fails when there are too many.
#[job(name = "count orders", retry(maximum_attempts = 0, jitter = 0), priority = 2)]
pub fn count(
    ctx: &JobContext,
    orders: &[Order],
    #[expect(unused)] hint: u8,
) -> Result<usize, JobError> {
    if ctx.is_cancelled() { Err(JobError::terminal("stopped")) } else { Ok(orders.len()) }
}

/// A workflow.
///
/// # Errors
///
/// Fails on request.
#[register_workflow(name = "strict", description = "A workflow", tags = ["demo",], version = "1",)]
pub fn strict(flow: &mut Flow) -> Result<Handle<usize>, JobError> {
    let orders = flow.job(orders());
    Ok(flow.job(count(orders, 3)))
}

#[test]
fn generated_code_causes_no_warnings() -> Result<(), Box<dyn std::error::Error>> {
    assert_eq!(registry::run("strict").wait()?.output::<usize>()?, 1);
    Ok(())
}
