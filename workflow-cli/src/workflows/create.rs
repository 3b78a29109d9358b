//! A workflow is added.

use clap::Args;
use serde_json::Value as Json;
use workflow_core::{Metadata, Workflow as _};
use workflow_store::{CatalogError, NewWorkflow};

use super::shown;
use crate::failure::{Failure, Outcome};
use crate::output;
use crate::store::{Format, StoreArguments};
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
    let user = || std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).ok();
    let said = file.metadata();
    let new = NewWorkflow {
        description: said.description().map(str::to_owned),
        project: said.project().map(str::to_owned),
        metadata: without_fields(said)?,
        dag_spec: file.graph().to_json(),
        definition: file.source().map(|source| (*source).clone()),
        user: wanted.user.clone().or_else(user).filter(|user| !user.is_empty()),
        ..NewWorkflow::new(file.name().as_str())
    };
    let created = pollster::block_on(store.make()?.create_workflow(new))?;
    shown::write(&created, wanted.format)?;
    Ok(Outcome::Good)
}

/// The metadata without what has a field of its own.
fn without_fields(metadata: &Metadata) -> Result<Metadata, Failure> {
    let mut object = metadata.as_object().clone();
    object.remove("description");
    object.remove("project");
    Ok(Metadata::new(Json::Object(object)).map_err(CatalogError::from)?)
}
