//! Lists of workflows.
//!
//! A selective condition leads: its index finds the workflows, which are then sorted. Without one,
//! the index of the order leads, and a page fills quickly. For the names of a project, an index has
//! both.

use std::collections::HashMap;

use super::filter::{Condition, WorkflowDetail, WorkflowQuery, WorkflowSort};
use super::recent::{self, RecentRun};
use super::workflow::{BRIEF, COLUMNS, StoredWorkflow, read};
use crate::accounts;
use crate::catalog_error::Answer;
use crate::db::sql::Sql;
use crate::db::statement::Statement;
use crate::db::value::signed;
use crate::page::{Cursor, Page, cut, size};
use crate::visibility::Visibility;

/// The most workflows of a condition that leads.
const FEW: i64 = 500;

/// A page of the workflows that match a query.
pub(crate) fn workflows(
    sql: &mut dyn Sql,
    visibility: Visibility,
    query: &WorkflowQuery,
) -> Answer<Page<StoredWorkflow>> {
    let order = match query.reverse {
        true => format!("reverse-{}", query.sort.as_str()),
        false => query.sort.as_str().to_owned(),
    };
    let cursor = Cursor::read(query.after.as_deref(), &order)?;
    let user = match &query.user {
        None => None,
        Some(name) => match accounts::number(sql, name)? {
            Some(id) => Some(id),
            None => return Ok(Page { items: Vec::new(), next: None }),
        },
    };
    let conditions = query.conditions(visibility, user);
    let leader = match conditions.as_slice() {
        // Nothing leads better.
        [only] if query.sort == WorkflowSort::Name && only.is_in_order_of_names() => None,
        conditions => leader(sql, conditions)?,
    };
    let size = size(query.limit);
    let columns = match query.detail {
        WorkflowDetail::Full => COLUMNS,
        WorkflowDetail::Brief => BRIEF,
    };
    let by = Order { sort: query.sort, reverse: query.reverse };
    let mut statement = select(columns, by, &conditions, leader, cursor.as_ref(), size)?;
    if query.offset > 0 {
        statement.add(" OFFSET ").number(signed(query.offset));
    }
    let rows = statement.query(sql)?;
    let items = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let mut page = cut(items, size, |last| cursor_of(query.sort, last).write(&order));
    add_recent(sql, visibility, query.recent, &mut page.items)?;
    Ok(page)
}

/// Gives each workflow its last runs.
fn add_recent(
    sql: &mut dyn Sql,
    visibility: Visibility,
    each: usize,
    workflows: &mut [StoredWorkflow],
) -> Answer<()> {
    let ids: Vec<i64> = workflows.iter().map(|workflow| workflow.id).collect();
    let mut recent: HashMap<i64, Vec<RecentRun>> = HashMap::new();
    for run in recent::recent(sql, visibility, &ids, each)? {
        recent.entry(run.workflow_id).or_default().push(run);
    }
    for workflow in workflows {
        workflow.recent = recent.remove(&workflow.id).unwrap_or_default();
    }
    Ok(())
}

/// The most selective condition, if it is selective enough.
fn leader(sql: &mut dyn Sql, conditions: &[Condition]) -> Answer<Option<usize>> {
    let mut best = None;
    for (at, condition) in conditions.iter().enumerate() {
        let rows = condition.count(FEW).query(sql)?;
        let count = rows.first().map_or(Ok(0), |row| row.int(0))?;
        if count <= FEW && best.is_none_or(|(_, least)| count < least) {
            best = Some((at, count));
        }
    }
    Ok(best.map(|(at, _)| at))
}

/// The order and its direction.
#[derive(Debug, Clone, Copy)]
struct Order {
    sort: WorkflowSort,
    reverse: bool,
}

impl Order {
    /// Whether ids ascend among equals.
    fn ascends(self) -> bool {
        (self.sort == WorkflowSort::Created) == self.reverse
    }
}

/// Builds the statement.
fn select(
    columns: &str,
    by: Order,
    conditions: &[Condition],
    leader: Option<usize>,
    after: Option<&Cursor>,
    size: usize,
) -> Answer<Statement> {
    let mut statement = Statement::default();
    statement.add(&format!("SELECT {columns} FROM workflows_workflow w WHERE "));
    let in_order = leader.is_none() && by.sort == WorkflowSort::Name;
    for (at, condition) in conditions.iter().enumerate() {
        let leads = leader == Some(at) || (in_order && condition.is_in_order_of_names());
        condition.add(&mut statement, leads);
        statement.add(" AND ");
    }
    // An expression instead of the column prevents the use of an index for the order.
    let has_leader = leader.is_some();
    let (name, count, id) = match has_leader {
        true => ("w.name || ''", "w.execution_count + 0", "w.id + 0"),
        false => ("w.name", "w.execution_count", "w.id"),
    };
    let (past, direction) = if by.ascends() { (">", "") } else { ("<", " DESC") };
    match (by.sort, after) {
        (_, None) => statement.add("1 = 1"),
        (WorkflowSort::Name, Some(after)) => {
            statement.add(&format!("({name}, {id}) {past} (")).text(&after.key);
            statement.add(", ").number(after.id).add(")")
        }
        (WorkflowSort::Id | WorkflowSort::Created, Some(after)) => {
            statement.add(&format!("{id} {past} ")).number(after.id)
        }
        (WorkflowSort::MostExecuted, Some(after)) => {
            let executed = after.number()?;
            let beyond = if by.reverse { ">" } else { "<" };
            statement.add(&format!("({count} {beyond} ")).number(executed);
            statement.add(&format!(" OR ({count} = ")).number(executed);
            statement.add(&format!(" AND {id} {past} ")).number(after.id).add("))");
            if !has_leader {
                // A range that an index can use.
                statement.add(&format!(" AND w.execution_count {beyond}= ")).number(executed);
            }
            &mut statement
        }
    };
    let order = match by.sort {
        WorkflowSort::Name => format!("{name}{direction}, {id}{direction}"),
        WorkflowSort::Id | WorkflowSort::Created => format!("{id}{direction}"),
        WorkflowSort::MostExecuted if by.reverse => format!("{count}, {id} DESC"),
        WorkflowSort::MostExecuted => format!("{count} DESC, {id}"),
    };
    statement.add(&format!(" ORDER BY {order} LIMIT ")).number(size as i64 + 1);
    Ok(statement)
}

fn cursor_of(sort: WorkflowSort, last: &StoredWorkflow) -> Cursor {
    let key = match sort {
        WorkflowSort::Name => last.name.clone(),
        WorkflowSort::Id | WorkflowSort::Created => String::new(),
        WorkflowSort::MostExecuted => last.execution_count.to_string(),
    };
    Cursor { key, id: last.id }
}

/// Every statement that lists workflows, for the test of their plans.
#[cfg(test)]
pub(crate) fn all_statements() -> Vec<(String, Statement)> {
    use workflow_core::Status;

    use crate::workflows::search_index::Kind;

    let label = |kind| Condition::Label(kind, "p".to_owned(), "v".to_owned());
    let conditions = [
        Condition::Text("project", "p".to_owned()),
        Condition::Text("domain", "d".to_owned()),
        Condition::Text("app_name", "a".to_owned()),
        Condition::Number("project_id", 1),
        Condition::Number("user_id", 1),
        label(Kind::Tag),
        label(Kind::Metadata),
        Condition::Prefix("w".to_owned()),
        Condition::Active(true),
        Condition::Seen(1),
        Condition::Text("source", "stored".to_owned()),
        Condition::Newest(Status::Failed),
    ];
    let mut statements = Vec::new();
    let sorts =
        [WorkflowSort::Name, WorkflowSort::Id, WorkflowSort::Created, WorkflowSort::MostExecuted];
    let orders =
        sorts.into_iter().flat_map(|sort| [false, true].map(|reverse| Order { sort, reverse }));
    for by in orders {
        let after = Cursor { key: "7".to_owned(), id: 7 };
        for after in [None, Some(&after)] {
            for condition in &conditions {
                statements.push((format!("count {condition:?}"), condition.count(FEW)));
                for leader in [None, Some(0)] {
                    let conditions = std::slice::from_ref(condition);
                    let statement = select(COLUMNS, by, conditions, leader, after, 50);
                    let Order { sort, reverse } = by;
                    let name =
                        format!("{sort:?} {reverse} {condition:?} {leader:?} {}", after.is_some());
                    statements.push((name, statement.expect("put together")));
                }
            }
        }
    }
    statements
}
