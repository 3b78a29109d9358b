//! `workflows`: the workflows of a store.

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

/// List, create and change the workflows of a store
///
/// `workflows create`, or the first saved run of a workflow, adds it to the store. WORKFLOW is an
/// ID, the name of one of your workflows, the name of a registered workflow, or a slug, looked up in
/// this order.
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
  0 success, 1 the store failed, 2 invalid usage or input";

#[derive(Debug, Subcommand)]
enum WorkflowsCommand {
    List(Box<ListArguments>),
    Get(GetArguments),
    Create(CreateArguments),
    Update(Box<UpdateArguments>),
    History(HistoryArguments),
    Delete(DeleteArguments),
}

pub(crate) fn workflows(args: &WorkflowsArguments) -> Result<Outcome, Failure> {
    match &args.command {
        WorkflowsCommand::List(list) => list::list(list, &args.store),
        WorkflowsCommand::Get(get) => list::get(get, &args.store),
        WorkflowsCommand::Create(create) => edit::create(create, &args.store),
        WorkflowsCommand::Update(update) => edit::update(update, &args.store),
        WorkflowsCommand::History(history) => history::history(history, &args.store),
        WorkflowsCommand::Delete(delete) => edit::delete(delete, &args.store),
    }
}
