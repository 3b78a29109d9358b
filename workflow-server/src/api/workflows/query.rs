//! The filters of a list of workflows.

use serde::Deserialize;
use serde_json::Value as Json;
use utoipa::IntoParams;
use workflow_core::{Status, json};
use workflow_store::{WorkflowDetail, WorkflowQuery, WorkflowSort, WorkflowSource};

use super::RECENT;
use crate::model::Limit;
use crate::problem::Problem;

/// The filters of a list of workflows. A workflow must match all of them.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct WorkflowsQuery {
    /// Project.
    project: Option<String>,
    /// ID of the project in the original application.
    project_id: Option<i32>,
    /// Domain (business area).
    domain: Option<String>,
    /// Original application.
    app_name: Option<String>,
    /// Tag.
    tag: Option<String>,
    /// User who owns them.
    user: Option<String>,
    /// Molecule that they use: a building block, such as `data-loader`.
    molecule: Option<String>,
    /// Atom that they use: a part of a molecule, such as `csv-reader`. With `molecule`, in that
    /// molecule.
    atom: Option<String>,
    /// Path and value in the metadata, such as `owner=ada` or `team.size=3`. Can be repeated.
    #[param(style = Form, explode)]
    metadata: Vec<String>,
    /// Search text: each word must be the start of a word in the name or description.
    q: Option<String>,
    /// Whether they are active.
    is_active: Option<bool>,
    /// Source: `registered` or `stored`.
    #[param(value_type = Option<String>, pattern = "^(registered|stored)$")]
    source: Option<SourceFilter>,
    /// Status of the newest run.
    #[param(value_type = Option<String>,
        pattern = "^(pending|running|completed|failed|cancelled)$")]
    status: Option<Status>,
    /// Order: `name` (default), `id`, `created` (newest first) or `executed` (most runs first).
    #[param(value_type = Option<String>, pattern = "^(name|id|created|executed)$")]
    sort_by: Order,
    /// Reverses the order. Default: false.
    reverse_sort: bool,
    /// Maximum number of items, 1 to 1,000. Default: 50.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Option<Limit>,
    /// Cursor: `next` of the previous page.
    cursor: Option<String>,
    /// Number of items to skip, instead of a cursor. Default: 0. Pages by offset may repeat or miss
    /// workflows when others are added or deleted in between.
    offset: u64,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Order {
    #[default]
    Name,
    Id,
    Created,
    Executed,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SourceFilter {
    Registered,
    Stored,
}

impl WorkflowsQuery {
    pub(super) fn query(self) -> Result<WorkflowQuery, Problem> {
        Ok(WorkflowQuery {
            project: self.project,
            project_id: self.project_id.map(i64::from),
            domain: self.domain,
            app_name: self.app_name,
            tag: self.tag,
            user: self.user,
            molecule: self.molecule,
            atom: self.atom,
            metadata: self.metadata.iter().map(|one| pair(one)).collect::<Result<_, _>>()?,
            text: self.q,
            active: self.is_active,
            source: self.source.map(|source| match source {
                SourceFilter::Registered => WorkflowSource::Registered,
                SourceFilter::Stored => WorkflowSource::Stored,
            }),
            status: self.status,
            sort: match self.sort_by {
                Order::Name => WorkflowSort::Name,
                Order::Id => WorkflowSort::Id,
                Order::Created => WorkflowSort::Created,
                Order::Executed => WorkflowSort::MostExecuted,
            },
            reverse: self.reverse_sort,
            after: self.cursor,
            offset: self.offset,
            limit: self.limit.map(|limit| limit.0),
            detail: WorkflowDetail::Brief,
            recent: RECENT,
        })
    }
}

/// Parses a path and a value: JSON, or text without quotes.
fn pair(text: &str) -> Result<(String, Json), Problem> {
    let wrong = || {
        Problem::invalid("metadata", format!("`{text}` must be PATH=VALUE, such as `owner=ada`"))
    };
    let (path, value) = text.split_once('=').ok_or_else(wrong)?;
    if path.is_empty() {
        return Err(wrong());
    }
    let value = json::read(value).unwrap_or_else(|_| Json::String(value.to_owned()));
    Ok((path.to_owned(), value))
}
