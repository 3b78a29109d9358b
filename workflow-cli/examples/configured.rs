//! A program with a workflow whose configuration has a declared type.
//!
//! ```sh
//! cargo run -p workflow-cli --example configured -- config validate prices
//! ```

use std::process::ExitCode;

use serde::Deserialize;
use workflow_config::{ConfigError, Rules, Violations};
use workflow_core::prelude::*;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Prices {
    count: u32,
}

impl Rules for Prices {
    fn check(&self, violations: &mut Violations) {
        if self.count == 0 {
            violations.add("count", "must be 1 or more");
        }
    }
}

workflow_config::declare!("prices", Prices);

/// Reads its configuration.
#[register_workflow(name = "prices", description = "Counts prices")]
fn prices() -> Result<u32, ConfigError> {
    Ok(workflow_config::load::<Prices>("prices")?.count)
}

fn main() -> ExitCode {
    workflow_cli::main()
}
