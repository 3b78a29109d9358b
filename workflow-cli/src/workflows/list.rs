//! Workflows are found.

use clap::{Args, ValueEnum};
use serde_json::{Value as Json, json};
use workflow_core::json;
use workflow_store::{WorkflowQuery, WorkflowSort};

use super::shown::{self, Document};
use crate::failure::{Failure, Outcome};
use crate::output;
use crate::store::{Format, PageArguments, StoreArguments, print_page};

/// List the workflows of a store
///
/// Of several filters, all apply.
#[derive(Debug, Args)]
#[command(after_help = LIST_EXAMPLES)]
pub(super) struct ListArguments {
    /// Only workflows of this group
    #[arg(long, value_name = "PROJECT")]
    project: Option<String>,
    /// Only workflows of this business area
    #[arg(long, value_name = "DOMAIN")]
    domain: Option<String>,
    /// Only workflows of this application
    #[arg(long, value_name = "NAME")]
    app: Option<String>,
    /// Only workflows with this tag
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
    /// Only workflows that this user made
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Only workflows that use this molecule
    #[arg(long, value_name = "NAME")]
    molecule: Option<String>,
    /// Only workflows that use this atom
    #[arg(long, value_name = "NAME")]
    atom: Option<String>,
    /// Only workflows whose metadata has this value at this path of keys; what is no JSON is text
    #[arg(long, value_name = "PATH=VALUE", value_parser = path_and_value)]
    metadata: Vec<(String, Json)>,
    /// Only workflows whose name or description has words that begin so
    #[arg(long, value_name = "WORDS")]
    text: Option<String>,
    /// Only workflows that are in use, or are not
    #[arg(long, value_name = "BOOL")]
    active: Option<bool>,
    /// In which order
    #[arg(long, value_enum, value_name = "ORDER", default_value_t)]
    sort: Sort,
    #[command(flatten)]
    page: PageArguments,
    /// How to write the list
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    format: Format,
}

const LIST_EXAMPLES: &str = "\
Examples:
  workflow workflows list
  workflow workflows list --project data-warehouse --metadata owner=ada
  workflow workflows list --text sales --sort executed
  workflow workflows list -f json | jq -r '.items[].name'

With -f json: {\"items\": [..], \"next\": the cursor of what follows, or null}";

/// Show one workflow
#[derive(Debug, Args)]
#[command(after_help = GET_EXAMPLES)]
pub(super) struct GetArguments {
    /// Its id, name or slug
    #[arg(value_name = "WORKFLOW")]
    workflow: String,
    /// How to write it
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    format: Format,
}

const GET_EXAMPLES: &str = "\
Examples:
  workflow workflows get 42
  workflow workflows get daily-etl -f json | jq .metadata";

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Sort {
    /// By name
    #[default]
    Name,
    /// The newest first
    Created,
    /// Those that ran most often first
    Executed,
}

pub(super) fn list(wanted: &ListArguments, store: &StoreArguments) -> Result<Outcome, Failure> {
    let query = WorkflowQuery {
        project: wanted.project.clone(),
        domain: wanted.domain.clone(),
        app_name: wanted.app.clone(),
        tag: wanted.tag.clone(),
        user: wanted.user.clone(),
        molecule: wanted.molecule.clone(),
        atom: wanted.atom.clone(),
        metadata: wanted.metadata.clone(),
        text: wanted.text.clone(),
        active: wanted.active,
        sort: match wanted.sort {
            Sort::Name => WorkflowSort::Name,
            Sort::Created => WorkflowSort::Created,
            Sort::Executed => WorkflowSort::MostExecuted,
        },
        after: wanted.page.after(),
        limit: wanted.page.limit(),
        ..WorkflowQuery::default()
    };
    let page = pollster::block_on(store.open()?.workflows(query))?;
    if wanted.format == Format::Json {
        let items: Vec<Document<'_>> = page.items.iter().map(Document::from).collect();
        output::print_json(&json!({ "items": items, "next": page.next }))?;
        return Ok(Outcome::Good);
    }
    print_page(&page, format_args!("no workflow of `{}` fits", store.shown()), shown::table)?;
    Ok(Outcome::Good)
}

pub(super) fn get(wanted: &GetArguments, store: &StoreArguments) -> Result<Outcome, Failure> {
    let workflow = pollster::block_on(store.open()?.workflow(&wanted.workflow))?;
    shown::write(&workflow, wanted.format)?;
    Ok(Outcome::Good)
}

fn path_and_value(text: &str) -> Result<(String, Json), String> {
    let wrong = || format!("`{text}` is not PATH=VALUE, such as owner=ada");
    let (path, value) =
        text.split_once('=').filter(|(path, _)| !path.is_empty()).ok_or_else(wrong)?;
    let value = json::read(value).unwrap_or_else(|_| value.into());
    Ok((path.to_owned(), value))
}
