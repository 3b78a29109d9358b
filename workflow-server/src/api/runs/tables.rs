//! Tables that a run has written: their list, and the start of each.
//!
//! A request names a table by its name in the run. Only what a job of the program recorded is read:
//! no path, URL or query comes from a request.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use workflow_core::id::RunId;
use workflow_core::table::{self, RunTable};
use workflow_store::Catalog;

use super::super::problems::Problems;
use super::{RUN_PARAMETER, stored};
use crate::app::App;
use crate::http::extract::Path;
use crate::http::require::{Read, Require};
use crate::model::{Listed, Preview, Table};
use crate::problem::Problem;

/// Lists the tables that the jobs of a run have recorded.
#[utoipa::path(get, path = "/runs/{run}/tables", tag = "runs",
    params(("run" = String, Path, description = RUN_PARAMETER)),
    responses((status = 200, body = Listed<Table>), Problems))]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Require(caller, _): Require<Read>,
    Path(which): Path<String>,
) -> Result<Json<Listed<Table>>, Problem> {
    let (_, tables) = tables(&*caller.catalog(&app), &which).await?;
    Ok(Json(Listed::all(tables.iter().map(Table::from).collect())))
}

/// Returns the start of a table of a run, as the table is now.
///
/// Has at most 100 columns and 100 rows, with cells of at most 200 characters. The charts are of at
/// most 10,000 rows; `sampled` is their number.
#[utoipa::path(get, path = "/runs/{run}/tables/{table}", tag = "runs",
    params(("run" = String, Path, description = RUN_PARAMETER),
        ("table" = String, Path, description = "Name of the table, as in the list")),
    responses((status = 200, body = Preview), Problems))]
pub(super) async fn get(
    State(app): State<Arc<App>>,
    Require(caller, _): Require<Read>,
    Path((which, name)): Path<(String, String)>,
) -> Result<Json<Preview>, Problem> {
    let (run, tables) = tables(&*caller.catalog(&app), &which).await?;
    let Some(table) = tables.into_iter().find(|table| table.name == name) else {
        let detail = format!("run {run} has no table `{name}`; see `tables` of the run");
        return Err(Problem::not_found("no_table", detail));
    };
    let record = table.record.clone();
    let preview = app.previews.run(move || table::preview(&record)).await?;
    let preview = preview.map_err(|error| {
        Problem::new(StatusCode::CONFLICT, "table_unreadable", error.to_string())
    })?;
    Ok(Json(Preview::new(&table, preview)))
}

async fn tables(catalog: &dyn Catalog, which: &str) -> Result<(RunId, Vec<RunTable>), Problem> {
    // The ID of a run of somebody else is found; the run is not.
    let run = stored(catalog, which).await?.id;
    Ok((run, table::of_run(catalog, run).await?))
}
