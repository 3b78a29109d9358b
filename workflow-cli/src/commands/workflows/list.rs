//! `workflows list` and `get`.

use clap::{Args, ValueEnum};
use serde_json::{Value as Json, json};
use workflow_core::{Status, json};
use workflow_store::{Viewer, WorkflowQuery, WorkflowSort, WorkflowSource};

use super::render::{self, Document};
use crate::args::{ListFormat, PageArguments, StoreArguments, integer, parse_run_status};
use crate::failure::{Failure, Outcome};
use crate::output;
use crate::render::print_page;

/// List the workflows of a store
///
/// Multiple filters must all match. Archived workflows are listed only on request.
#[derive(Debug, Args)]
#[command(after_help = LIST_EXAMPLES)]
pub(super) struct ListArguments {
    /// Only workflows of this project
    #[arg(long, value_name = "PROJECT")]
    project: Option<String>,
    /// Only workflows of the project with this ID
    #[arg(long, value_name = "NUMBER", value_parser = integer::<i32>(0..=i64::from(i32::MAX)))]
    project_id: Option<i32>,
    /// Only workflows of this business domain
    #[arg(long, value_name = "DOMAIN")]
    domain: Option<String>,
    /// Only workflows of this application
    #[arg(long, value_name = "NAME")]
    app_name: Option<String>,
    /// Only workflows with this tag
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
    /// Only workflows of this owner
    #[arg(short, long, value_name = "NAME")]
    user: Option<String>,
    /// Workflows of all users; this is the default
    #[arg(short, long, conflicts_with = "user")]
    all_users: bool,
    /// Only workflows that use this molecule: a building block of a workflow that was drawn in
    /// another application, such as `data-loader`
    #[arg(long, value_name = "NAME")]
    molecule: Option<String>,
    /// Only workflows that use this atom: a part of a molecule, such as `csv-reader`
    #[arg(long, value_name = "NAME")]
    atom: Option<String>,
    /// Only workflows whose metadata has this value at this path; a value that is not JSON is a
    /// string
    #[arg(long, value_name = "PATH=VALUE", value_parser = parse_path_and_value)]
    metadata: Vec<(String, Json)>,
    /// Only workflows whose name or description contains words with these prefixes
    #[arg(long, value_name = "WORDS")]
    q: Option<String>,
    /// Only active workflows (true), or only inactive ones (false)
    #[arg(long, value_name = "BOOL")]
    is_active: Option<bool>,
    /// Only workflows registered by programs, or only workflows created in the store
    #[arg(long, value_enum, value_name = "SOURCE")]
    source: Option<SourceFilter>,
    /// Only workflows whose latest run has this status: pending, running, completed, failed or
    /// cancelled
    #[arg(long, value_name = "STATUS", value_parser = parse_run_status)]
    status: Option<Status>,
    /// Include inactive workflows
    #[arg(long, conflicts_with_all = ["archived_only", "is_active"])]
    include_archived: bool,
    /// Only inactive workflows
    #[arg(long, conflicts_with = "is_active")]
    archived_only: bool,
    /// Sort order
    #[arg(long, value_enum, value_name = "ORDER", default_value_t)]
    sort_by: Sort,
    /// Reverse the sort order
    #[arg(long)]
    reverse_sort: bool,
    #[command(flatten)]
    page: PageArguments,
    /// Number of workflows to skip; prefer --cursor, which stays correct when workflows are added or
    /// deleted between two pages
    #[arg(long, value_name = "N", default_value_t = 0, conflicts_with = "cursor",
        value_parser = integer::<u64>(0..))]
    offset: u64,
    /// Output format
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

JSON output: {\"items\": [..], \"next\": cursor of the next page, or null}";

/// Show one workflow
#[derive(Debug, Args)]
#[command(after_help = GET_EXAMPLES)]
pub(super) struct GetArguments {
    /// Workflow: its ID, name or slug
    #[arg(value_name = "WORKFLOW")]
    workflow: String,
    /// Look the name up among the workflows of this user [default: the current user]
    #[arg(short, long, value_name = "NAME")]
    user: Option<String>,
    /// Output format
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
    /// By creation time, newest first
    Created,
    /// By number of runs, highest first
    Executed,
}

impl ListArguments {
    fn query(&self) -> WorkflowQuery {
        WorkflowQuery {
            project: self.project.clone(),
            project_id: self.project_id.map(i64::from),
            domain: self.domain.clone(),
            app_name: self.app_name.clone(),
            tag: self.tag.clone(),
            user: self.user.clone(),
            molecule: self.molecule.clone(),
            atom: self.atom.clone(),
            metadata: self.metadata.clone(),
            text: self.q.clone(),
            active: self.wants_active(),
            sort: match self.sort_by {
                Sort::Name => WorkflowSort::Name,
                Sort::Id => WorkflowSort::Id,
                Sort::Created => WorkflowSort::Created,
                Sort::Executed => WorkflowSort::MostExecuted,
            },
            source: self.source.map(|source| match source {
                SourceFilter::Registered => WorkflowSource::Registered,
                SourceFilter::Stored => WorkflowSource::Stored,
            }),
            status: self.status,
            reverse: self.reverse_sort,
            after: self.page.after(),
            offset: self.offset,
            limit: self.page.limit(),
            ..WorkflowQuery::default()
        }
    }

    /// Whether to list active or inactive workflows; `None` for both.
    fn wants_active(&self) -> Option<bool> {
        if self.include_archived {
            return None;
        }
        Some(self.is_active.unwrap_or(!self.archived_only))
    }

    /// Whether inactive workflows are hidden by default.
    fn hides_inactive(&self) -> bool {
        !self.include_archived && !self.archived_only && self.is_active.is_none()
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum SourceFilter {
    Registered,
    Stored,
}

pub(super) fn list(args: &ListArguments, store: &StoreArguments) -> Result<Outcome, Failure> {
    let query = args.query();
    let catalog = store.open_existing()?;
    let page = pollster::block_on(catalog.workflows(query.clone()))?;
    if args.format == ListFormat::Json {
        let items: Vec<Document<'_>> = page.items.iter().map(Document::from).collect();
        output::print_json(&json!({ "items": items, "next": page.next }))?;
        return Ok(Outcome::Success);
    }
    print_page(
        &page,
        format_args!("no matching workflow in `{}`", store.display_name()),
        render::table,
    )?;
    if args.hides_inactive() && page.next.is_none() {
        let inactive =
            WorkflowQuery { active: Some(false), after: None, offset: 0, limit: Some(1), ..query };
        if !pollster::block_on(catalog.workflows(inactive))?.items.is_empty() {
            output::message("inactive workflows are hidden; use --include-archived to list them");
        }
    }
    Ok(Outcome::Success)
}

pub(super) fn get(args: &GetArguments, store: &StoreArguments) -> Result<Outcome, Failure> {
    let mut store = store.open_existing()?;
    if let Some(user) = &args.user {
        store = store.seen_by(Viewer::Staff(user.clone()));
    }
    let workflow = pollster::block_on(store.workflow(&args.workflow))?;
    render::write(&workflow, args.format)?;
    Ok(Outcome::Success)
}

fn parse_path_and_value(text: &str) -> Result<(String, Json), String> {
    let wrong = || "expected PATH=VALUE, such as owner=ada".to_owned();
    let (path, value) =
        text.split_once('=').filter(|(path, _)| !path.is_empty()).ok_or_else(wrong)?;
    let value = json::read(value).unwrap_or_else(|_| value.into());
    Ok((path.to_owned(), value))
}
