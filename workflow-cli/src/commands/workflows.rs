//! `workflows`: what the store knows of workflows.

mod edit;
mod history;
mod list;
mod render;

use clap::{Args, Subcommand};

use crate::args::StoreArguments;
use crate::failure::{Failure, Outcome};

use edit::{CreateArguments, DeleteArguments, UpdateArguments};
use history::HistoryArguments;
use list::{GetArguments, ListArguments};

/// List and change the workflows of a store
///
/// A workflow is in the store since it was created there, or since a run of it was first kept.
/// Where one is asked for, say its id, the exact name of one of yours, the name under which programs
/// register it, or its slug; the first of these that fits is meant.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct WorkflowsArguments {
    #[command(subcommand)]
    command: WorkflowsCommand,
    #[command(flatten)]
    pub(crate) store: StoreArguments,
}

const EXAMPLES: &str = "\
Examples:
  workflow workflows list
  workflow workflows get 42 -f json
  workflow workflows create etl.yaml
  workflow workflows update etl new-etl.yaml
  workflow workflows history etl
  workflow workflows update 42 --project sales --merge-metadata '{\"stage\": \"test\"}'
  workflow workflows delete 42

Exit codes:
  0 it went well, 1 the store cannot be used, 2 wrong usage or input";

#[derive(Debug, Subcommand)]
enum WorkflowsCommand {
    List(Box<ListArguments>),
    Get(GetArguments),
    Create(CreateArguments),
    Update(Box<UpdateArguments>),
    History(HistoryArguments),
    Delete(DeleteArguments),
}

pub(crate) fn workflows(wanted: &WorkflowsArguments) -> Result<Outcome, Failure> {
    match &wanted.command {
        WorkflowsCommand::List(list) => list::list(list, &wanted.store),
        WorkflowsCommand::Get(get) => list::get(get, &wanted.store),
        WorkflowsCommand::Create(create) => edit::create(create, &wanted.store),
        WorkflowsCommand::Update(update) => edit::update(update, &wanted.store),
        WorkflowsCommand::History(history) => history::history(history, &wanted.store),
        WorkflowsCommand::Delete(delete) => edit::delete(delete, &wanted.store),
    }
}
