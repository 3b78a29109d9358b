//! Queries for workflows.

use serde_json::Value as Json;

use workflow_core::Status;

use super::run_filter::add_status;
use super::{CatalogError, WorkflowSource};
use crate::catalog_error::CatalogField;
use crate::db::statement::Statement;
use crate::visibility::Visibility;
use crate::workflows::search_index::{Kind, shorten, words};

/// A query for workflows: all of its conditions apply.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct WorkflowQuery {
    /// The project.
    pub project: Option<String>,
    /// The number of the project in the application that the workflow comes from.
    pub project_id: Option<i64>,
    /// The business area.
    pub domain: Option<String>,
    /// The application that the workflow comes from.
    pub app_name: Option<String>,
    /// A tag.
    pub tag: Option<String>,
    /// The owner.
    pub user: Option<String>,
    /// A molecule that the workflow uses.
    pub molecule: Option<String>,
    /// An atom that the workflow uses, in any molecule or in [`molecule`](Self::molecule).
    pub atom: Option<String>,
    /// Values of the metadata, each at a path of keys separated by dots. A value matches a list as
    /// a whole or one of its elements.
    pub metadata: Vec<(String, Json)>,
    /// Text to search: each of its words begins a word of the name or description.
    pub text: Option<String>,
    /// Whether the workflow is active.
    pub active: Option<bool>,
    /// The source: code or data.
    pub source: Option<WorkflowSource>,
    /// The status of the newest run.
    pub status: Option<Status>,
    /// The order. Default: by name.
    pub sort: WorkflowSort,
    /// Whether the order is reversed. Default: no.
    pub reverse: bool,
    /// Where the page before this one ended.
    pub after: Option<String>,
    /// The number of workflows to skip. Default: 0. Pages by offset repeat or miss workflows when
    /// others are added or deleted meanwhile; cursors, with [`after`](Self::after), do not. Use
    /// only one of both.
    pub offset: u64,
    /// The size of the page, 1 to 1,000. Default: 50.
    pub limit: Option<usize>,
    /// The fields to read. Default: all.
    pub detail: WorkflowDetail,
    /// The number of recent runs to include for each workflow, at most 100. Default: 0.
    pub recent: usize,
}

/// The fields of listed workflows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum WorkflowDetail {
    /// All of them.
    #[default]
    Full,
    /// All fields except the long ones that a list does not need: `dag_spec` is null, and
    /// `definition` is `None`.
    Brief,
}

/// The order of workflows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum WorkflowSort {
    /// By name.
    #[default]
    Name,
    /// By id, the order in which they were added.
    Id,
    /// Newest first.
    Created,
    /// By the number of runs, most first.
    MostExecuted,
}

impl WorkflowSort {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Id => "id",
            Self::Created => "created",
            Self::MostExecuted => "executed",
        }
    }
}

/// One condition.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Condition {
    Text(&'static str, String),
    Number(&'static str, i64),
    Active(bool),
    Label(Kind, String, String),
    Prefix(String),
    /// The status of the newest run.
    Newest(Status),
    /// Visible to the user with this number.
    Seen(i64),
}

/// The most words and conditions of a query: each one is an index lookup for every workflow.
const MOST: usize = 20;

impl WorkflowQuery {
    /// Rejects a query that is always slow, or that has two starting points.
    ///
    /// # Errors
    ///
    /// Fails when there are too many words and conditions, and when there are a cursor and an
    /// offset.
    pub(crate) fn check(&self) -> Result<(), CatalogError> {
        if self.offset > 0 && self.after.is_some() {
            return Err(CatalogError::Invalid {
                field: CatalogField::Offset,
                found: "set together with a cursor".to_owned(),
                cure: "use only one of them",
            });
        }
        let texts = [&self.project, &self.domain, &self.app_name, &self.tag, &self.user];
        let labels = [&self.molecule, &self.atom];
        let single = texts.iter().chain(&labels).filter(|text| text.is_some()).count()
            + usize::from(self.project_id.is_some())
            + usize::from(self.active.is_some())
            + usize::from(self.source.is_some())
            + usize::from(self.status.is_some());
        let words = self.text.as_deref().map_or(0, |text| words(text).take(MOST + 1).count());
        if single + self.metadata.len() + words <= MOST {
            return Ok(());
        }
        Err(CatalogError::Invalid {
            field: CatalogField::Query,
            found: format!("made of more than {MOST} words and conditions"),
            cure: "search for fewer words, and filter the result",
        })
    }

    /// All conditions, including visibility; the user's number is looked up before.
    pub(crate) fn conditions(&self, visibility: Visibility, user: Option<i64>) -> Vec<Condition> {
        let columns =
            [("project", &self.project), ("domain", &self.domain), ("app_name", &self.app_name)];
        let columns = columns.into_iter().filter_map(|(column, value)| {
            Some(Condition::Text(column, crate::db::value::clean(value.as_ref()?).into_owned()))
        });
        let numbers = [("project_id", self.project_id), ("user_id", user)];
        let numbers = numbers
            .into_iter()
            .filter_map(|(column, value)| Some(Condition::Number(column, value?)));
        let label =
            |kind, path: &str, value: &str| Condition::Label(kind, shorten(path), shorten(value));
        let molecule = self.molecule.as_deref();
        let labels = [
            self.tag.as_deref().map(|tag| label(Kind::Tag, "", tag)),
            molecule.map(|molecule| label(Kind::Molecule, "", molecule)),
            self.atom.as_deref().map(|atom| match molecule {
                Some(molecule) => label(Kind::Atom, &format!(".{molecule}"), atom),
                None => label(Kind::Atom, "", atom),
            }),
        ];
        let metadata = self
            .metadata
            .iter()
            .map(|(path, value)| label(Kind::Metadata, path, &crate::db::value::clean_json(value)));
        let source =
            self.source.map(|source| Condition::Text("source", source.as_str().to_owned()));
        let text = self.text.as_deref().unwrap_or_default();
        columns
            .chain(numbers)
            .chain(self.active.map(Condition::Active))
            .chain(source)
            .chain(self.status.map(Condition::Newest))
            .chain(labels.into_iter().flatten())
            .chain(metadata)
            .chain(words(text).map(Condition::Prefix))
            .chain(visibility.user().map(Condition::Seen))
            .collect()
    }
}

impl Condition {
    /// Whether an index has the matching workflows in the order of their names.
    pub(crate) fn is_in_order_of_names(&self) -> bool {
        matches!(self, Self::Text("project", _))
    }

    /// Adds the condition on `w`. If it `leads`, it may use an index; others are checked for each
    /// row.
    pub(crate) fn add(&self, statement: &mut Statement, leads: bool) {
        match self {
            Self::Text(column, value) if leads => {
                statement.add(&format!("w.{column} = ")).text(value);
            }
            Self::Text(column, value) => {
                statement.add(&format!("coalesce(w.{column}, '') = ")).text(value);
            }
            Self::Number(column, value) if leads => {
                statement.add(&format!("w.{column} = ")).number(*value);
            }
            Self::Number(column, value) => {
                statement.add(&format!("coalesce(w.{column}, 0) = ")).number(*value);
            }
            Self::Active(value) if leads => {
                statement.add("w.is_active = ").bool(*value);
            }
            Self::Active(value) => {
                statement.add("coalesce(w.is_active, TRUE) = ").bool(*value);
            }
            Self::Newest(status) if leads => {
                statement.add("w.id IN (SELECT r.workflow_id FROM workflows_workflowrun r WHERE ");
                add_status(statement, *status);
                statement.add(") AND ");
                self.add(statement, false);
            }
            Self::Newest(status) => {
                statement.add(
                    "EXISTS (SELECT 1 FROM workflows_workflowrun r WHERE r.id = \
                     (SELECT v.id FROM workflows_workflowrun v WHERE v.workflow_id = w.id \
                     ORDER BY v.started_at DESC, v.id DESC LIMIT 1) AND ",
                );
                add_status(statement, *status);
                statement.add(")");
            }
            Self::Seen(_) if leads => {
                statement.add("w.id IN (");
                self.add_seen(statement, "v.id");
                statement.add(")");
            }
            Self::Seen(user) => {
                statement.add("(coalesce(w.user_id, -1) = ").number(*user);
                statement
                    .add(" OR (coalesce(w.user_id, -1) = -1 AND w.source || '' = 'registered'))");
            }
            Self::Label(..) | Self::Prefix(_) if leads => {
                statement.add("w.id IN (SELECT l.workflow_id FROM workflows_label l WHERE ");
                self.add_label(statement);
                statement.add(")");
            }
            Self::Label(..) | Self::Prefix(_) => {
                statement.add("EXISTS (SELECT 1 FROM workflows_label l WHERE ");
                self.add_label(statement);
                statement.add(" AND l.workflow_id = w.id)");
            }
        }
    }

    fn add_label(&self, statement: &mut Statement) {
        match self {
            Self::Label(kind, path, value) => {
                statement.add(&format!("l.kind = '{}' AND l.path = ", kind.as_str())).text(path);
                statement.add(" AND l.value = ").text(value);
            }
            Self::Prefix(word) => {
                statement.add("l.kind = 'word' AND l.path = '' AND l.value >= ").text(word);
                statement.add(" AND l.value < ").text(&format!("{word}\u{10ffff}"));
            }
            _ => {}
        }
    }

    /// With an index for each of the two reasons of visibility.
    fn add_seen(&self, statement: &mut Statement, what: &str) {
        let Self::Seen(user) = self else { return };
        statement.add(&format!("SELECT {what} FROM workflows_workflow v WHERE v.user_id = "));
        statement.number(*user).add(&format!(
            " UNION ALL SELECT {what} FROM workflows_workflow v \
             WHERE v.source = 'registered' AND v.user_id IS NULL"
        ));
    }

    /// Counts matching workflows, up to one more than `most`.
    pub(crate) fn count(&self, most: i64) -> Statement {
        let mut statement = Statement::default();
        statement.add("SELECT count(*) FROM (");
        if matches!(self, Self::Seen(_)) {
            self.add_seen(&mut statement, "1");
            statement.add(" LIMIT ").number(most + 1).add(") AS found");
            return statement;
        }
        statement.add("SELECT 1 FROM ");
        if let Self::Newest(status) = self {
            // There are at most as many workflows as such runs.
            statement.add("workflows_workflowrun r WHERE ");
            add_status(&mut statement, *status);
        } else if matches!(self, Self::Label(..) | Self::Prefix(_)) {
            statement.add("workflows_label l WHERE ");
            self.add_label(&mut statement);
        } else {
            statement.add("workflows_workflow w WHERE ");
            self.add(&mut statement, true);
        }
        statement.add(" LIMIT ").number(most + 1).add(") AS found");
        statement
    }
}
