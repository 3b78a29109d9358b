//! A workflow that is added in one file: nothing else changes.
//!
//! ```sh
//! cargo run -p estuary --example my_new_workflow -- start_workflows_worker --domain mydomain
//! cargo run -p estuary --example my_new_workflow -- \
//!     trigger_workflow MyNewWorkflow --json-input '{"name": "Ada"}'
//! ```

use std::process::ExitCode;

use estuary::shared::{Email, send_email};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use workflow_core::prelude::*;

/// The input.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
struct MyInput {
    /// Whom to greet
    name: String,
}

/// Writes the greeting.
#[job(domain = "mydomain", retry(maximum_attempts = 3), start_to_close = "10s")]
async fn my_new_activity(input: &MyInput) -> Result<Email, JobError> {
    Ok(Email::new("ada@example.com", "Hello", format!("Hello {}!", input.name)))
}

#[register_workflow(name = "MyNewWorkflow", domain = "mydomain", description = "Greets by mail")]
async fn my_new_workflow(ctx: WorkflowContext, input: MyInput) -> Result<String, JobError> {
    let greeting = ctx.run(my_new_activity, input).await?;
    ctx.run(send_email, greeting.clone()).await?;
    Ok(greeting.body)
}

fn main() -> ExitCode {
    estuary::main()
}
