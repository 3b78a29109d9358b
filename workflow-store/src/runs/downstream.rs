//! Links to downstream workflows, and the ended runs that wait for them. Triggers of the database
//! leave them in `workflows_ended`, in the transactions in which the runs end.

use workflow_core::id::RunId;
use workflow_core::store::{ScheduledWorkflow, StoredLink, Upstream, WorkflowLink};

use super::schedule::number_of;
use crate::db::sql::{Sql, SqlError};
use crate::db::statement::Statement;
use crate::db::value::{Row, clean};
use crate::exec::operation::{Answer, Cx};

/// All links.
pub(crate) fn links(sql: &mut dyn Sql) -> Answer<Vec<StoredLink>> {
    let rows = sql.query(LINKS, &[])?;
    let read = |row: &Row| {
        let upstream = match row.maybe_text(7)? {
            Some(asset) => Upstream::Asset(asset),
            None => Upstream::Workflow(workflow(row, 0)?),
        };
        let link = WorkflowLink { upstream, downstream: workflow(row, 3)? };
        Ok(StoredLink { link, has_waiting: row.int(6)? > 0 })
    };
    rows.iter().map(read).collect()
}

fn workflow(row: &Row, column: usize) -> Result<ScheduledWorkflow, SqlError> {
    Ok(match row.text(column + 1)?.as_str() {
        "registered" => ScheduledWorkflow::Registered(row.text(column + 2)?),
        _ => ScheduledWorkflow::Number(row.int(column)?),
    })
}

/// Adds a link, unless it exists; false if the store does not have the workflows.
pub(crate) fn link(cx: &mut Cx<'_>, link: &WorkflowLink) -> Answer<bool> {
    let Some(ends) = Ends::of(cx.sql, link)? else { return Ok(false) };
    let mut add = Statement::default();
    add.add("INSERT INTO workflows_link (upstream_id, asset, downstream_id) VALUES (");
    match &ends.upstream {
        Column::Workflow(number) => add.number(*number).add(", NULL, "),
        Column::Asset(name) => add.add("NULL, ").text(name).add(", "),
    };
    add.number(ends.downstream).add(") ON CONFLICT DO NOTHING").execute(cx.sql)?;
    Ok(true)
}

/// Removes a link, and what waits.
pub(crate) fn unlink(cx: &mut Cx<'_>, link: &WorkflowLink) -> Answer<()> {
    if let Some(ends) = Ends::of(cx.sql, link)? {
        let mut remove = Statement::default();
        ends.add_to(remove.add("DELETE FROM workflows_link WHERE "));
        remove.execute(cx.sql)?;
    }
    Ok(())
}

/// The ended runs that wait, oldest first.
pub(crate) fn waiting(sql: &mut dyn Sql, link: &WorkflowLink, limit: usize) -> Answer<Vec<RunId>> {
    let Some(ends) = Ends::of(sql, link)? else { return Ok(Vec::new()) };
    let mut waiting = Statement::default();
    waiting.add(
        "SELECT r.run_id FROM workflows_ended e \
         JOIN workflows_workflowrun r ON r.id = e.run WHERE e.link = ",
    );
    ends.add_id_to(&mut waiting);
    waiting.add(" ORDER BY e.run LIMIT ").number(i64::try_from(limit).unwrap_or(i64::MAX));
    let rows = waiting.query(sql)?;
    rows.iter().map(|row| Ok(RunId::from_u128(row.uuid(0)?))).collect()
}

/// Removes an ended run from those that wait.
pub(crate) fn handled(cx: &mut Cx<'_>, link: &WorkflowLink, run: RunId) -> Answer<()> {
    if let Some(ends) = Ends::of(cx.sql, link)? {
        let mut handled = Statement::default();
        ends.add_id_to(handled.add("DELETE FROM workflows_ended WHERE link = "));
        handled.add(" AND run = (SELECT id FROM workflows_workflowrun WHERE run_id = ");
        handled.uuid(run.to_u128()).add(")").execute(cx.sql)?;
    }
    Ok(())
}

/// Removes a run that has ended elsewhere, and was imported.
pub(crate) fn forget_imported(sql: &mut dyn Sql, run: RunId) -> Result<(), SqlError> {
    let mut forget = Statement::default();
    forget
        .add("DELETE FROM workflows_ended WHERE run = ")
        .add("(SELECT id FROM workflows_workflowrun WHERE run_id = ")
        .uuid(run.to_u128())
        .add(")");
    forget.execute(sql).map(drop)
}

/// The ends of a link, as its row has them.
struct Ends {
    upstream: Column,
    downstream: i64,
}

enum Column {
    /// `upstream_id`.
    Workflow(i64),
    /// `asset`.
    Asset(String),
}

impl Ends {
    /// `None` if the store does not have the workflows.
    fn of(sql: &mut dyn Sql, link: &WorkflowLink) -> Result<Option<Self>, SqlError> {
        let upstream = match &link.upstream {
            Upstream::Workflow(workflow) => number_of(sql, workflow, "")?.map(Column::Workflow),
            Upstream::Asset(name) => Some(Column::Asset(clean(name).into_owned())),
        };
        let ends = upstream.zip(number_of(sql, &link.downstream, "")?);
        Ok(ends.map(|(upstream, downstream)| Self { upstream, downstream }))
    }

    /// The condition for the row.
    fn add_to(&self, statement: &mut Statement) {
        match &self.upstream {
            Column::Workflow(number) => statement.add("upstream_id = ").number(*number),
            Column::Asset(name) => statement.add("asset = ").text(name),
        };
        statement.add(" AND downstream_id = ").number(self.downstream);
    }

    /// The id of the row.
    fn add_id_to(&self, statement: &mut Statement) {
        self.add_to(statement.add("(SELECT id FROM workflows_link WHERE "));
        statement.add(")");
    }
}

const LINKS: &str = "SELECT u.id, u.source, u.name, d.id, d.source, d.name, \
    (SELECT count(*) FROM (SELECT 1 FROM workflows_ended e WHERE e.link = l.id LIMIT 1) AS one), \
    l.asset FROM workflows_link l LEFT JOIN workflows_workflow u ON u.id = l.upstream_id \
    JOIN workflows_workflow d ON d.id = l.downstream_id ORDER BY l.id";
