//! A host without async code: plain functions on plain threads.
//!
//! ```sh
//! cargo run --example sync_host
//! ```

#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

use std::thread;
use std::time::Duration;

use workflow_core::prelude::*;

// A blocking job has its own thread, so other jobs do not wait for it.
#[job]
fn weigh(fruit: String) -> usize {
    thread::sleep(Duration::from_millis(20));
    fruit.len() * 10
}

// A quick job needs no thread.
#[job(inline)]
fn pack(weights: Each<'_, usize>) -> Result<String, JobError> {
    match weights.iter().sum() {
        0..=200 => Ok(format!("{} pieces in one box", weights.len())),
        total => Err(JobError::terminal(format!("{total} g do not fit into a box"))),
    }
}

#[register_workflow(name = "pack_fruit")]
fn pack_fruit(flow: &mut Flow, fruits: &[String]) -> Handle<String> {
    let mut weights = Vec::new();
    for fruit in fruits {
        weights.push(flow.job(weigh::draw(fruit.clone()).name(format!("weigh {fruit}"))));
    }
    flow.job(pack(weights))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let report = registry::run("pack_fruit").input(["apple", "pear", "plum"]).wait()?;
    println!("{report}");
    println!("{}\n", report.output::<String>()?);
    assert_eq!(report.output::<String>()?, "3 pieces in one box");

    let heavy = registry::run("pack_fruit").input(["watermelon", "pineapple", "pomelo"]);
    let error = heavy.wait().err().ok_or("a box has room for 200 g")?;
    println!("{error}");
    assert!(error.to_string().ends_with("job `pack` failed: 250 g do not fit into a box"));

    // Input of the wrong type is an error before anything runs.
    let error = registry::run("pack_fruit").input(3).wait().err().ok_or("3 is no list")?;
    println!("{error}");
    assert!(error.report().is_none());
    Ok(())
}
