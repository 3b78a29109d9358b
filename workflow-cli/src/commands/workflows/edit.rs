//! `workflows create`, `update` and `delete`.

use std::io::{self, BufRead as _, IsTerminal as _};

use clap::Args;
use serde_json::Value as Json;
use workflow_core::id::WorkflowName;
use workflow_core::json::{self, JsonError};
use workflow_core::store::WorkflowSnapshot;
use workflow_files::WorkflowFile;
use workflow_store::{Catalog, MetadataChange, NewWorkflow, WorkflowChange};

use super::render;
use crate::args::{ListFormat, StoreArguments, current_user, integer, load_absolute};
use crate::failure::{Failure, Outcome};
use crate::output::{self, count};

/// Create a workflow from a file
///
/// Checks the file, and stores its text, graph, project, metadata and description. Does not run
/// anything.
#[derive(Debug, Args)]
#[command(after_help = CREATE_EXAMPLES)]
pub(super) struct CreateArguments {
    /// Workflow file; `-` reads standard input
    #[arg(value_name = "FILE")]
    file: String,
    /// Owner of the workflow [default: the current user]
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Output format
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    format: ListFormat,
}

const CREATE_EXAMPLES: &str = "\
Examples:
  workflow workflows create etl.yaml
  workflow workflows create etl.yaml -f json | jq .id";

/// Change a workflow
///
/// Values without an option stay unchanged.
#[derive(Debug, Args)]
#[command(after_help = UPDATE_EXAMPLES)]
pub(super) struct UpdateArguments {
    /// Workflow: its ID, name or slug
    #[arg(value_name = "WORKFLOW")]
    workflow: String,
    #[command(flatten)]
    changes: Changes,
    /// Output format
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    format: ListFormat,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
struct Changes {
    /// Replace the workflow file, as a new version; `-` reads standard input. The schedule and other
    /// values of the file apply, and its name if the current name comes from the previous file
    #[arg(value_name = "FILE")]
    file: Option<String>,
    /// Change the name; the slug stays
    #[arg(short, long, value_name = "NAME")]
    name: Option<String>,
    /// Change the slug; a suffix makes it unique if required
    #[arg(long, value_name = "SLUG")]
    slug: Option<String>,
    /// Change the description; an empty one removes it
    #[arg(short, long, value_name = "TEXT")]
    description: Option<String>,
    /// Change the project; an empty one removes it
    #[arg(long, value_name = "PROJECT")]
    project: Option<String>,
    /// Change the project ID
    #[arg(long, value_name = "NUMBER", value_parser = integer::<i32>(0..=i64::from(i32::MAX)))]
    project_id: Option<i32>,
    /// Change the display name of the project
    #[arg(long, value_name = "NAME")]
    project_name: Option<String>,
    /// Change the application; an empty one removes it
    #[arg(long, value_name = "NAME")]
    app_name: Option<String>,
    /// Change the business domain; an empty one removes it
    #[arg(long, value_name = "DOMAIN")]
    domain: Option<String>,
    /// Replace the metadata with this object; `null` removes it
    #[arg(long, value_name = "JSON", value_parser = parse_object)]
    metadata: Option<Json>,
    /// Merge this object into the metadata (RFC 7396): adds and replaces keys, and removes those set
    /// to `null`
    #[arg(long, value_name = "JSON", value_parser = parse_object, conflicts_with = "metadata")]
    merge_metadata: Option<Json>,
    /// Change the owner; an unknown user is added without an account, and an empty name removes the
    /// owner
    #[arg(long, value_name = "USER")]
    owner_user: Option<String>,
    /// Activate or deactivate the workflow; an inactive workflow starts no runs
    #[arg(long, value_name = "BOOL")]
    is_active: Option<bool>,
}

const UPDATE_EXAMPLES: &str = "\
Examples:
  workflow workflows update 42 --project new-department
  workflow workflows update daily-etl etl.yaml
  workflow workflows update 42 --metadata '{\"owner\": \"new-team\", \"priority\": \"high\"}'
  workflow workflows update 42 --merge-metadata '{\"stage\": \"production\", \"reviewer\": null}'
  workflow workflows update daily-etl --is-active false
  workflow workflows update 42 -n daily-etl -d \"Loads all sales\" --owner-user ada";

/// Delete a workflow and all its runs
///
/// Asks for confirmation if there are runs. Requires --yes if standard input is not a terminal.
#[derive(Debug, Args)]
#[command(after_help = DELETE_EXAMPLES)]
pub(super) struct DeleteArguments {
    /// Workflow: its ID, name or slug
    #[arg(value_name = "WORKFLOW")]
    workflow: String,
    /// Delete without confirmation
    #[arg(short, long)]
    yes: bool,
    /// Output format
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    format: ListFormat,
}

const DELETE_EXAMPLES: &str = "\
Examples:
  workflow workflows delete 42
  workflow workflows delete daily-etl --yes";

pub(super) fn create(args: &CreateArguments, store: &StoreArguments) -> Result<Outcome, Failure> {
    let file = load_absolute(&args.file)?;
    output::diagnostics(file.warnings());
    let owner = args.user.clone().filter(|user| !user.is_empty()).or_else(current_user);
    let new = NewWorkflow { user: owner, ..NewWorkflow::of(&WorkflowSnapshot::of(&file)) };
    let created = pollster::block_on(store.open_or_create()?.create_workflow(new))?;
    render::write(&created, args.format)?;
    Ok(Outcome::Success)
}

pub(super) fn update(args: &UpdateArguments, store: &StoreArguments) -> Result<Outcome, Failure> {
    let changes = &args.changes;
    let store = store.open_existing()?;
    let (which, from_file) = match &changes.file {
        Some(file) => replace_file(&*store, &args.workflow, file)?,
        None => (args.workflow.clone(), WorkflowChange::default()),
    };
    let replace = changes.metadata.clone().map(MetadataChange::Replace);
    let metadata = replace.or_else(|| changes.merge_metadata.clone().map(MetadataChange::Merge));
    let change = WorkflowChange {
        name: changes.name.clone().or(from_file.name),
        slug: changes.slug.clone(),
        project_id: changes.project_id,
        project_name: changes.project_name.clone(),
        app_name: changes.app_name.clone(),
        description: changes.description.clone().or(from_file.description),
        project: changes.project.clone().or(from_file.project),
        domain: changes.domain.clone().or(from_file.domain),
        metadata: metadata.or(from_file.metadata),
        user: changes.owner_user.clone(),
        active: changes.is_active,
        ..from_file
    };
    let changed = pollster::block_on(store.update_workflow(&which, change))?;
    render::write(&changed, args.format)?;
    Ok(Outcome::Success)
}

/// Returns the ID of the workflow, and the change that a new file makes.
fn replace_file(
    store: &dyn Catalog,
    which: &str,
    file: &str,
) -> Result<(String, WorkflowChange), Failure> {
    let file = load_absolute(file)?;
    output::diagnostics(file.warnings());
    let old = pollster::block_on(store.workflow(which))?;
    let given = old.definition.as_ref().and_then(WorkflowFile::name_of);
    let given = given.as_ref().map(WorkflowName::as_str);
    let change = WorkflowChange::replacing(&old, given, &WorkflowSnapshot::of(&file));
    Ok((old.id.to_string(), change))
}

pub(super) fn delete(args: &DeleteArguments, store: &StoreArguments) -> Result<Outcome, Failure> {
    let store = store.open_existing()?;
    let workflow = pollster::block_on(store.workflow(&args.workflow))?;
    // By ID from here on, since the name may be given to another workflow meanwhile.
    let id = workflow.id.to_string();
    let runs = pollster::block_on(store.count_runs(&id))?;
    let what = format!("workflow {id} (`{}`)", workflow.name);
    if runs > 0 && !args.yes && !confirm(&format!("delete {what} and {}", runs_of(runs)))? {
        output::message("nothing deleted");
        return Ok(Outcome::Success);
    }
    let deleted = pollster::block_on(store.delete_workflow(&id))?;
    output::message(format_args!("deleted {what} and {}", runs_of(deleted)));
    if args.format == ListFormat::Json {
        render::write(&workflow, args.format)?;
    }
    Ok(Outcome::Success)
}

fn runs_of(runs: u64) -> String {
    if runs == 0 { "no runs".to_owned() } else { format!("its {}", count(runs, "run")) }
}

/// Asks for confirmation on the terminal.
fn confirm(action: &str) -> Result<bool, Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::Usage(format!(
            "cannot ask whether to {action}: standard input is not a terminal; use --yes"
        )));
    }
    let failed = |error| Failure::Machine { what: "cannot ask for confirmation".to_owned(), error };
    output::prompt(format_args!("{action}? [y/N] ")).map_err(failed)?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(failed)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

/// Parses a JSON object or null.
fn parse_object(text: &str) -> Result<Json, String> {
    let cure = "expected an object, such as '{\"owner\": \"ada\"}'";
    match json::read(text) {
        Ok(json @ (Json::Object(_) | Json::Null)) => Ok(json),
        Ok(_) => Err(format!("{cure}, or null")),
        Err(JsonError::Syntax(error)) => Err(format!("invalid JSON: {error}; {cure}")),
        Err(error) => Err(error.to_string()),
    }
}
