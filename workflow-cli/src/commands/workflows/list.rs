//! Workflows are found.

use clap::{Args, ValueEnum};
use serde_json::{Value as Json, json};
use workflow_core::{Status, json};
use workflow_store::{Source, Viewer, WorkflowQuery, WorkflowSort};

use super::render::{self, Document};
use crate::args::{ListFormat, PageArguments, StoreArguments, parse_run_status};
use crate::failure::{Failure, Outcome};
use crate::output;
use crate::render::print_page;

/// List the workflows of a store
///
/// Of several filters, all apply. Archived workflows, which are those that are not in use, are
/// listed when they are asked for.
#[derive(Debug, Args)]
#[command(after_help = LIST_EXAMPLES)]
pub(super) struct ListArguments {
    /// Only workflows of this group
    #[arg(long, value_name = "PROJECT")]
    project: Option<String>,
    /// Only workflows of the project with this number in the application they come from
    #[arg(long, value_name = "NUMBER")]
    project_id: Option<i32>,
    /// Only workflows of this business area
    #[arg(long, value_name = "DOMAIN")]
    domain: Option<String>,
    /// Only workflows of this application
    #[arg(long, value_name = "NAME")]
    app_name: Option<String>,
    /// Only workflows with this tag
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
    /// Only workflows that this user owns
    #[arg(short, long, value_name = "NAME")]
    user: Option<String>,
    /// Workflows of all users, which is what is listed unless --user is given
    #[arg(short, long, conflicts_with = "user")]
    all_users: bool,
    /// Only workflows that use this molecule
    #[arg(long, value_name = "NAME")]
    molecule: Option<String>,
    /// Only workflows that use this atom
    #[arg(long, value_name = "NAME")]
    atom: Option<String>,
    /// Only workflows whose metadata has this value at this path of keys; what is no JSON is text
    #[arg(long, value_name = "PATH=VALUE", value_parser = parse_path_and_value)]
    metadata: Vec<(String, Json)>,
    /// Only workflows whose name or description has words that begin so
    #[arg(long, value_name = "WORDS")]
    q: Option<String>,
    /// Only workflows that are in use, or are not
    #[arg(long, value_name = "BOOL")]
    is_active: Option<bool>,
    /// Only workflows that programs register, or that were stored
    #[arg(long, value_enum, value_name = "SOURCE")]
    source: Option<SourceFilter>,
    /// Only workflows whose newest run stands there: pending, running, completed, failed or
    /// cancelled
    #[arg(long, value_name = "STATUS", value_parser = parse_run_status)]
    status: Option<Status>,
    /// Archived workflows, too: those that are not in use
    #[arg(long, conflicts_with_all = ["archived_only", "is_active"])]
    include_archived: bool,
    /// Only archived workflows
    #[arg(long, conflicts_with = "is_active")]
    archived_only: bool,
    /// In which order
    #[arg(long, value_enum, value_name = "ORDER", default_value_t)]
    sort_by: Sort,
    /// The other way round
    #[arg(long)]
    reverse_sort: bool,
    #[command(flatten)]
    page: PageArguments,
    /// How many to leave out before the first, instead of --cursor; repeats or misses workflows that
    /// are added or deleted between two pages
    #[arg(long, value_name = "N", default_value_t = 0, conflicts_with = "cursor")]
    offset: u64,
    /// How to write the list
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    format: ListFormat,
}

const LIST_EXAMPLES: &str = "\
Examples:
  workflow workflows list
  workflow workflows list --project data-warehouse --metadata owner=ada
  workflow workflows list --q sales --sort-by executed
  workflow workflows list -l 20 --offset 40 --sort-by created --reverse-sort
  workflow workflows list --archived-only
  workflow workflows list -f json | jq -r '.items[].name'

With -f json: {\"items\": [..], \"next\": the cursor of what follows, or null}";

/// Show one workflow
#[derive(Debug, Args)]
#[command(after_help = GET_EXAMPLES)]
pub(super) struct GetArguments {
    /// Its id, name or slug
    #[arg(value_name = "WORKFLOW")]
    workflow: String,
    /// The name is this user's for it [default: the user of this terminal]
    #[arg(short, long, value_name = "NAME")]
    user: Option<String>,
    /// How to write it
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    format: ListFormat,
}

const GET_EXAMPLES: &str = "\
Examples:
  workflow workflows get 42
  workflow workflows get daily-etl -f json | jq .metadata
  workflow workflows get etl --user ada";

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Sort {
    /// By name
    #[default]
    Name,
    /// By id
    Id,
    /// The newest first
    Created,
    /// Those that ran most often first
    Executed,
}

impl ListArguments {
    /// Whether what is listed is in use; `None` for both.
    fn wants_active(&self) -> Option<bool> {
        if self.include_archived {
            return None;
        }
        Some(self.is_active.unwrap_or(!self.archived_only))
    }

    /// Whether archived workflows are left out although nobody said so.
    fn hides_archived(&self) -> bool {
        !self.include_archived && !self.archived_only && self.is_active.is_none()
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum SourceFilter {
    Registered,
    Stored,
}

pub(super) fn list(wanted: &ListArguments, store: &StoreArguments) -> Result<Outcome, Failure> {
    let query = WorkflowQuery {
        project: wanted.project.clone(),
        project_id: wanted.project_id.map(i64::from),
        domain: wanted.domain.clone(),
        app_name: wanted.app_name.clone(),
        tag: wanted.tag.clone(),
        user: wanted.user.clone(),
        molecule: wanted.molecule.clone(),
        atom: wanted.atom.clone(),
        metadata: wanted.metadata.clone(),
        text: wanted.q.clone(),
        active: wanted.wants_active(),
        sort: match wanted.sort_by {
            Sort::Name => WorkflowSort::Name,
            Sort::Id => WorkflowSort::Id,
            Sort::Created => WorkflowSort::Created,
            Sort::Executed => WorkflowSort::MostExecuted,
        },
        source: wanted.source.map(|source| match source {
            SourceFilter::Registered => Source::Registered,
            SourceFilter::Stored => Source::Stored,
        }),
        status: wanted.status,
        reverse: wanted.reverse_sort,
        after: wanted.page.after(),
        offset: wanted.offset,
        limit: wanted.page.limit(),
        ..WorkflowQuery::default()
    };
    let catalog = store.open_existing()?;
    let page = pollster::block_on(catalog.workflows(query.clone()))?;
    if wanted.format == ListFormat::Json {
        let items: Vec<Document<'_>> = page.items.iter().map(Document::from).collect();
        output::print_json(&json!({ "items": items, "next": page.next }))?;
        return Ok(Outcome::Success);
    }
    print_page(
        &page,
        format_args!("no workflow of `{}` fits", store.display_name()),
        render::table,
    )?;
    if wanted.hides_archived() && page.next.is_none() {
        let archived =
            WorkflowQuery { active: Some(false), after: None, offset: 0, limit: Some(1), ..query };
        if !pollster::block_on(catalog.workflows(archived))?.items.is_empty() {
            output::message("archived workflows are not listed: --include-archived");
        }
    }
    Ok(Outcome::Success)
}

pub(super) fn get(wanted: &GetArguments, store: &StoreArguments) -> Result<Outcome, Failure> {
    let mut store = store.open_existing()?;
    if let Some(user) = &wanted.user {
        store = store.seen_by(Viewer::Staff(user.clone()));
    }
    let workflow = pollster::block_on(store.workflow(&wanted.workflow))?;
    render::write(&workflow, wanted.format)?;
    Ok(Outcome::Success)
}

fn parse_path_and_value(text: &str) -> Result<(String, Json), String> {
    let wrong = || format!("`{text}` is not PATH=VALUE, such as owner=ada");
    let (path, value) =
        text.split_once('=').filter(|(path, _)| !path.is_empty()).ok_or_else(wrong)?;
    let value = json::read(value).unwrap_or_else(|_| value.into());
    Ok((path.to_owned(), value))
}
