//! Workflows that come from several crates, under whatever name each of them knows the library.
//!
//! ```sh
//! cargo run --example several_crates
//! ```

#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

use workflow_core::prelude::*;
// Only the workflows of this crate are wanted. Without a mention the linker would leave them out.
use workflow_example_greetings as _;

/// Greets twice, by way of the other crate's workflow.
#[register_workflow(name = "greet_twice")]
fn greet_twice(flow: &mut Flow, name: Handle<String>) -> Handle<usize> {
    let once = flow.job(registry::call::<_, String>("greet", name));
    let twice = flow.job(registry::call::<_, String>("greet", once).name("greet again"));
    // A job of the other crate, which is an ordinary function to import.
    flow.job(workflow_example_greetings::letters(twice))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for entry in registry::list()? {
        println!("{:12} registered at {}", entry.name(), entry.location());
    }
    let names: Vec<_> =
        registry::list()?.into_iter().map(|entry| entry.name().to_owned()).collect();
    assert_eq!(names, ["greet", "greet_twice"]);

    let report = registry::run("greet_twice").input("Ada").wait()?;
    println!("{} letters", report.output::<usize>()?);
    assert_eq!(report.output::<usize>()?, "hellohelloAda".len());
    Ok(())
}
