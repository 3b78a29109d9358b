//! Workflows from several crates, each of which may rename the library.
//!
//! ```sh
//! cargo run --example several_crates
//! ```

#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

use workflow_core::prelude::*;
// Only links the workflows of this crate. Without this line the linker would drop them.
use workflow_example_greetings as _;

/// Greets twice, with the workflow of the other crate.
#[register_workflow(name = "greet_twice")]
fn greet_twice(flow: &mut Flow, name: Handle<String>) -> Handle<usize> {
    let once = flow.job(registry::call::<_, String>("greet", name));
    let twice = flow.job(registry::call::<_, String>("greet", once).name("greet again"));
    // A job of the other crate, imported like any function.
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
