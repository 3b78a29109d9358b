//! Export and import of workflows and runs as JSON lines.
//!
//! A line is an object with one key, its type: `workflow`, `run` or `event`. Runs follow their
//! workflow, events their run.

use std::collections::HashMap;
use std::io::{self, BufRead, Read as _};

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use workflow_core::Status;
use workflow_core::event::Event;
use workflow_core::id::RunId;
use workflow_core::json::{self, check_numbers};
use workflow_core::store::{BeginOutcome, NewRun, StoredRun};

use super::change;
use super::resolve::resolve;
use super::workflow::StoredWorkflow;
use super::{CatalogError, NewWorkflow};
use crate::catalog_error::Answer;
use crate::db::sql::Sql;
use crate::db::statement::Statement;
use crate::db::value::{Value, signed};
use crate::exec::operation::Cx;
use crate::rows::beginning::{Admission, Beginning};
use crate::visibility::Visibility;
use crate::workflows::WorkflowSource;
use crate::workflows::insert::{RowAuthor, insert};
use crate::workflows::name::owned;
use crate::{accounts, runs};

/// The result of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Imported {
    /// The number of added workflows.
    pub workflows: u64,
    /// The number of added runs.
    pub runs: u64,
    /// The number of added events.
    pub events: u64,
    /// The number of runs that existed already, which are not changed.
    pub skipped: u64,
}

/// A line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum ExportLine {
    #[serde(rename = "workflow")]
    Workflow(Box<PortableWorkflow>),
    #[serde(rename = "run")]
    Run(Box<StoredRun>),
    #[serde(rename = "event")]
    Event { run: RunId, event: Box<Event> },
}

/// A workflow, without fields that belong to one store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct PortableWorkflow {
    #[serde(flatten)]
    new: NewWorkflow,
    source: WorkflowSource,
    is_active: bool,
}

impl From<StoredWorkflow> for PortableWorkflow {
    fn from(workflow: StoredWorkflow) -> Self {
        let text = |json: Json| match json {
            Json::String(text) => text,
            other => other.to_string(),
        };
        let new = NewWorkflow {
            name: workflow.name,
            slug: Some(workflow.slug),
            description: workflow.description,
            project: workflow.project,
            project_id: i32::try_from(workflow.project_id).unwrap_or(0),
            project_name: Some(workflow.project_name),
            app_name: workflow.app_name,
            domain: workflow.domain,
            metadata: workflow.metadata,
            molecules_used: workflow.molecules_used.into_iter().map(text).collect(),
            atoms_in_molecules: workflow.atoms_in_molecules,
            dag_spec: workflow.dag_spec,
            definition: workflow.definition,
            user: workflow.user,
        };
        Self { new, source: workflow.source, is_active: workflow.is_active }
    }
}

/// The ids of the workflows to export.
pub(crate) fn workflows(
    sql: &mut dyn Sql,
    visibility: Visibility,
    which: Option<&str>,
) -> Answer<Vec<i64>> {
    if let Some(which) = which {
        return Ok(vec![resolve(sql, visibility, which)?.id]);
    }
    let mut all = Statement::default();
    all.add("SELECT w.id FROM workflows_workflow w WHERE 1 = 1");
    visibility.workflow(&mut all);
    let rows = all.add(" ORDER BY w.id").query(sql)?;
    rows.iter().map(|row| Ok(row.int(0)?)).collect()
}

/// The runs of a workflow after a number, oldest first, with that number.
pub(crate) fn runs_of(
    sql: &mut dyn Sql,
    visibility: Visibility,
    workflow: i64,
    after: i64,
    limit: usize,
) -> Answer<Vec<(i64, StoredRun)>> {
    let mut page = Statement::default();
    page.add("SELECT r.id, r.run_id FROM workflows_workflowrun r WHERE r.workflow_id = ");
    page.number(workflow).add(" AND r.id > ").number(after);
    page.add(" AND r.definition_id IS NOT NULL");
    visibility.run(&mut page);
    let rows = page.add(" ORDER BY r.id LIMIT ").number(signed(limit as u64)).query(sql)?;
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        if let Some(run) = runs::run(sql, visibility, RunId::from_u128(row.uuid(1)?))? {
            found.push((row.int(0)?, run));
        }
    }
    Ok(found)
}

/// A run to import.
#[derive(Debug)]
struct ReadRun {
    line: u64,
    /// The index of its workflow among those read before it, if any.
    workflow: Option<usize>,
    run: StoredRun,
    events: Vec<Event>,
}

/// The workflows and runs to import.
#[derive(Debug, Default)]
pub(crate) struct Import {
    workflows: Vec<PortableWorkflow>,
    runs: Vec<ReadRun>,
}

impl Import {
    /// Reads and checks all lines.
    pub(crate) fn read(lines: &mut (dyn BufRead + Send)) -> Result<Self, CatalogError> {
        let mut import = Self::default();
        let mut places = HashMap::new();
        let mut buffer = Vec::new();
        for line in 1.. {
            let wrong = |reason: String| CatalogError::Import { line, reason };
            let text = read_line(lines, &mut buffer, MAX_LINE);
            let Some(text) = text.map_err(|error| wrong(error.to_string()))? else { break };
            if text.trim().is_empty() {
                continue;
            }
            check_numbers(text).map_err(|lost| wrong(lost.to_string()))?;
            match json::parse(text).map_err(|error| wrong(error.to_string()))? {
                ExportLine::Workflow(workflow) => import.workflows.push(*workflow),
                ExportLine::Run(run) => {
                    if places.insert(run.id, import.runs.len()).is_some() {
                        return Err(wrong(format!("run {} occurs twice", run.id)));
                    }
                    let workflow = import.workflows.len().checked_sub(1);
                    import.runs.push(ReadRun { line, workflow, run: *run, events: Vec::new() });
                }
                ExportLine::Event { run, event } => {
                    let place = places.get(&run).and_then(|place| import.runs.get_mut(*place));
                    let events = &mut place
                        .ok_or_else(|| wrong(format!("run {run} has no line before its events")))?
                        .events;
                    if event.sequence != events.len() as u64 {
                        let wanted = events.len();
                        return Err(wrong(format!("event {wanted} of run {run} must come first")));
                    }
                    events.push(*event);
                }
            }
        }
        import.check()?;
        Ok(import)
    }

    fn check(&self) -> Result<(), CatalogError> {
        for ReadRun { line, run, events, .. } in &self.runs {
            let status = events.iter().rev().find_map(|event| event.kind.run_status());
            let found = (events.len() as u64, status.unwrap_or(Status::Pending));
            if found != (run.events, run.status) {
                let line = *line;
                let reason = format!(
                    "run {} has {} events and is {}, and its line says {} and {}",
                    run.id, found.0, found.1, run.events, run.status
                );
                return Err(CatalogError::Import { line, reason });
            }
        }
        Ok(())
    }
}

/// The most bytes of a line to import.
const MAX_LINE: usize = 256 * 1024 * 1024;

/// Reads a line; `None` at the end.
fn read_line<'a>(
    lines: &mut (dyn BufRead + Send),
    line: &'a mut Vec<u8>,
    limit: usize,
) -> io::Result<Option<&'a str>> {
    line.clear();
    // With a line break.
    let most = limit as u64 + 1;
    if lines.take(most).read_until(b'\n', line)? == 0 {
        return Ok(None);
    }
    if line.len() > limit && !line.ends_with(b"\n") {
        return Err(io::Error::other(format!("longer than {} MiB", limit / (1024 * 1024))));
    }
    let text = std::str::from_utf8(line).map_err(|_| io::Error::other("not UTF-8"))?;
    Ok(Some(text))
}

/// Writes the import.
pub(crate) fn import(cx: &mut Cx<'_>, import: &Import) -> Answer<Imported> {
    let mut imported = Imported::default();
    let mut ids = Vec::with_capacity(import.workflows.len());
    for workflow in &import.workflows {
        let owner = workflow.new.user.as_deref();
        let owner = owner.map(|name| accounts::named(cx.sql, name)).transpose()?;
        let id = match owned(cx.sql, workflow.source, owner, &workflow.new.name)? {
            Some(id) => id,
            None => {
                imported.workflows += 1;
                add(cx, workflow, owner)?
            }
        };
        ids.push(id);
    }
    for ReadRun { run, workflow, events, .. } in &import.runs {
        if runs::run(cx.sql, Visibility::All, run.id)?.is_some() {
            imported.skipped += 1;
            continue;
        }
        let new = NewRun {
            id: run.id,
            workflow: run.workflow.clone(),
            input: run.input.clone(),
            trigger: run.trigger,
            idempotency_key: run.idempotency_key.clone(),
            parent: run.parent.clone(),
            user: run.user.clone(),
            runs_dir: run.runs_dir.clone(),
            workflow_id: workflow.and_then(|place| ids.get(place)).copied(),
            scheduled_for: run.scheduled_for,
            created_at: run.created_at,
            task_queue: run.task_queue.clone(),
            priority: run.priority,
            flow_control: run.flow_control.clone(),
            owner: None,
        };
        let new = std::sync::Arc::new(Beginning::new(new, events)?);
        match runs::begin(cx, Visibility::All, &new, Admission::Any)? {
            BeginOutcome::New(_) | BeginOutcome::Cancelled => {
                runs::forget_imported(cx.sql, run.id)?;
                imported.runs += 1;
                imported.events += events.len() as u64;
            }
            BeginOutcome::Existing(..) => imported.skipped += 1,
        }
    }
    Ok(imported)
}

fn add(cx: &mut Cx<'_>, workflow: &PortableWorkflow, owner: Option<i64>) -> Answer<i64> {
    let PortableWorkflow { new, source, is_active } = workflow;
    change::check(new)?;
    let written = match source {
        WorkflowSource::Stored => RowAuthor::User,
        WorkflowSource::Registered => RowAuthor::Program,
    };
    let id = insert(cx.sql, new, *source, owner, written)?;
    let values = [Value::Bool(*is_active), Value::Int(id)];
    cx.sql.execute("UPDATE workflows_workflow SET is_active = $1 WHERE id = $2", &values)?;
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_up_to_a_limit() {
        const LIMIT: usize = 1024 * 1024;
        let line = "x".repeat(LIMIT);
        let (mut buffer, mut read) = (Vec::new(), format!("{line}\n\n{line}"));
        let mut lines = read.as_bytes();
        for wanted in [Some(LIMIT + 1), Some(1), Some(LIMIT), None] {
            let found = read_line(&mut lines, &mut buffer, LIMIT).expect("short enough");
            assert_eq!(found.map(str::len), wanted);
        }
        read.push('y');
        let mut lines = &read.as_bytes()[LIMIT + 2..];
        let error = read_line(&mut lines, &mut buffer, LIMIT).expect_err("too long");
        assert_eq!(error.to_string(), "longer than 1 MiB");
        let error = read_line(&mut &b"\xff\n"[..], &mut buffer, LIMIT).expect_err("no text");
        assert_eq!(error.to_string(), "not UTF-8");
    }
}
