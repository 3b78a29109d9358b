//! A workflow is added.

use clap::Args;
use workflow_core::WorkflowSnapshot;
use workflow_store::NewWorkflow;

use super::shown;
use crate::failure::{Failure, Outcome};
use crate::output;
use crate::store::{Format, StoreArguments, user};
use crate::target::load_for_good;

/// Add the workflow of a file to a store
///
/// The file is checked first, and kept with the workflow: what it says of project, metadata and
/// description, its graph, and its text. Nothing is run.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct CreateArguments {
    /// The file; `-` reads standard input
    #[arg(value_name = "FILE")]
    file: String,
    /// Who makes it [default: the user of this terminal]
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// How to write what was added
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    format: Format,
}

const EXAMPLES: &str = "\
Examples:
  workflow workflows create etl.yaml
  workflow workflows create etl.yaml -f json | jq .id";

pub(super) fn create(wanted: &CreateArguments, store: &StoreArguments) -> Result<Outcome, Failure> {
    let file = load_for_good(&wanted.file)?;
    output::diagnostics(file.warnings());
    let owner = wanted.user.clone().filter(|user| !user.is_empty()).or_else(user);
    let new = NewWorkflow { user: owner, ..NewWorkflow::of(&WorkflowSnapshot::of(&file)) };
    let created = pollster::block_on(store.make()?.create_workflow(new))?;
    shown::write(&created, wanted.format)?;
    Ok(Outcome::Good)
}
