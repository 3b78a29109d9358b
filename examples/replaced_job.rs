//! Testing a whole workflow, with a closure in place of the job that charges a card.
//!
//! ```sh
//! cargo run --example replaced_job
//! ```

#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use workflow_core::prelude::*;

struct Bank;

impl Bank {
    async fn charge(&self, card: &str, cents: u64) -> Result<u64, JobError> {
        panic!("a test must not charge {card} {cents} cents")
    }
}

#[job]
fn total(prices: &[u64]) -> u64 {
    prices.iter().sum()
}

#[job(retry(maximum_attempts = 3, initial_interval = "1ms"))]
async fn charge(bank: State<Bank>, card: &str, cents: u64) -> Result<u64, JobError> {
    bank.charge(card, cents).await
}

#[job]
fn receipt(charged: u64) -> String {
    format!("{charged} cents, thank you")
}

#[register_workflow(name = "checkout")]
fn checkout(flow: &mut Flow, prices: Handle<Vec<u64>>) -> Handle<String> {
    let card = flow.value("4000 0000 0000 0002".to_owned());
    let total = flow.job(total(prices));
    let charged = flow.job(charge(card, total));
    flow.job(receipt(charged))
}

/// This would be a `#[test]`: the bank is busy once, and the workflow retries.
fn a_busy_bank_is_retried() -> Result<(), Box<dyn std::error::Error>> {
    let asked = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&asked);
    // The closure has the types of the job, without its context and state.
    let fake = charge::replaced_by(move |card, cents| {
        assert!(card.ends_with("0002"));
        match count.fetch_add(1, Ordering::SeqCst) {
            0 => Err("the bank is busy".into()),
            _ => Ok(cents),
        }
    });
    let engine = Engine::builder().replace(fake).build();
    let report = engine.run("checkout").input([300, 450]).wait()?;
    assert_eq!(report.output::<String>()?, "750 cents, thank you");
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    Ok(())
}

/// Another engine runs the original job, which requires the bank.
fn without_a_replacement_the_bank_is_needed() {
    let refused = Engine::default().run("checkout").input([1]).wait();
    assert!(matches!(refused, Err(RunError::MissingState { .. })));
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    a_busy_bank_is_retried()?;
    without_a_replacement_the_bank_is_needed();
    println!("2 tests passed, and no card was charged");
    Ok(())
}
