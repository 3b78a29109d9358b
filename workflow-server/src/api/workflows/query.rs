//! Which workflows are asked for.

use serde::Deserialize;
use serde_json::Value as Json;
use utoipa::IntoParams;
use workflow_core::{Status, json};
use workflow_store::{Source, WorkflowDetail, WorkflowQuery, WorkflowSort};

use super::RECENT;
use crate::model::Limit;
use crate::problem::Problem;

/// Which workflows are asked for: those to which all of this applies.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct WorkflowsQuery {
    /// They belong to this project.
    project: Option<String>,
    /// They belong to the project with this number in the application that they come from.
    project_id: Option<i32>,
    /// They belong to this business area.
    domain: Option<String>,
    /// They come from this application.
    app_name: Option<String>,
    /// They have this tag.
    tag: Option<String>,
    /// This user made them.
    user: Option<String>,
    /// They use this molecule.
    molecule: Option<String>,
    /// They use this atom; with `molecule`, in that molecule.
    atom: Option<String>,
    /// Their metadata has this value at this path, as in `owner=ada` or `team.size=3`; may be given
    /// several times.
    #[param(style = Form, explode)]
    metadata: Vec<String>,
    /// Every word of this begins a word of their name or description.
    q: Option<String>,
    /// Whether they are in use.
    is_active: Option<bool>,
    /// `registered` or `stored`.
    #[param(value_type = Option<String>, pattern = "^(registered|stored)$")]
    source: Option<SourceFilter>,
    /// Where their newest run stands.
    #[param(value_type = Option<String>,
        pattern = "^(pending|running|completed|failed|cancelled)$")]
    status: Option<Status>,
    /// In which order: by `name` (default) or `id`, newest first by `created`, most often run
    /// first by `executed`.
    #[param(value_type = Option<String>, pattern = "^(name|id|created|executed)$")]
    sort_by: Order,
    /// Whether the order is turned round. Default: no.
    reverse_sort: bool,
    /// How many, 1 to 1,000. Default: 50.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Option<Limit>,
    /// The `next` of the page before.
    cursor: Option<String>,
    /// How many are left out before the first, instead of a cursor. Default: 0. Unlike a cursor, it
    /// repeats or misses workflows that are added or deleted between two pages.
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
                SourceFilter::Registered => Source::Registered,
                SourceFilter::Stored => Source::Stored,
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

/// A path and its value, which is JSON, or a text that needs no quotes.
fn pair(text: &str) -> Result<(String, Json), Problem> {
    let wrong = || Problem::invalid("metadata", format!("`{text}` is not like `owner=ada`"));
    let (path, value) = text.split_once('=').ok_or_else(wrong)?;
    if path.is_empty() {
        return Err(wrong());
    }
    let value = json::read(value).unwrap_or_else(|_| Json::String(value.to_owned()));
    Ok((path.to_owned(), value))
}
