//! The assets of the program: what is current, what is not and why, and what was recorded.

mod plan;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use workflow_core::asset::document::{
    AssetDocument, CountedReasonDocument, InputDocument, MaterializationDocument,
    PartitionDocument, ReasonDocument,
};
use workflow_core::asset::plan::{Examined, RequestError};
use workflow_core::asset::{
    self, AssetGraph, AssetState, Assets, AssetsError, Maker, PartitionState, Request, Standing,
};
use workflow_core::store::{CheckResult, PartitionRange, SchemaField};
use workflow_store::WorkflowSource;

use super::problems::Problems;
use crate::app::App;
use crate::auth::Caller;
use crate::http::extract::{Path, Query};
use crate::http::require::{Read, Require};
use crate::model::{Limit, Listed, PageQuery};
use crate::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(get))
        .routes(routes!(partitions))
        .routes(routes!(materializations))
        .routes(routes!(plan::plan))
}

/// An asset: a value that a function makes from other assets, or that a workflow makes in its own way.
#[derive(Debug, Serialize, ToSchema)]
struct Asset {
    /// Name of the asset.
    name: String,
    /// What it is: for a function, the first paragraph of its documentation.
    description: Option<String>,
    /// File that declares it, with line and column if they are known.
    location: String,
    /// Workflows that make it: `assets` for a function; empty for an asset from outside of this
    /// program, of which nothing else is known.
    made_by: Vec<String>,
    /// What its partitions are, such as `daily from 2026-01-01`; null for an asset without
    /// partitions.
    partitions: Option<String>,
    /// Length of its periods: `hourly`, `daily`, `weekly` or `monthly`; null for other partitions.
    period: Option<&'static str>,
    /// Age from which a value counts as overdue, in seconds.
    freshness: Option<u64>,
    /// Whether a value is too old or, for periods, the newest one that should be there by now was
    /// never made.
    is_overdue: bool,
    /// Version of its code in this program.
    code_version: String,
    /// Names of the assets that it reads.
    inputs: Vec<String>,
    /// Names of the assets that read it.
    readers: Vec<String>,
    /// Checks of its values.
    checks: Vec<AssetCheck>,
    /// Number of partitions that exist by now; 1 for an asset without partitions, 0 for one from
    /// outside.
    total: usize,
    /// Number of current partitions.
    current: usize,
    /// Number of partitions that were made, but are not current.
    stale: usize,
    /// Number of partitions that were never made, or whose file is missing.
    missing: usize,
    /// Why partitions are not current, the most frequent kind first.
    reasons: Vec<AssetReasonCount>,
    /// Newest record of all partitions.
    last: Option<Materialization>,
}

/// A check of the values of an asset.
#[derive(Debug, Serialize, ToSchema)]
struct AssetCheck {
    /// Name of the check.
    name: String,
    /// Whether a failure refuses the value.
    is_blocking: bool,
}

/// A partition of an asset with its state.
#[derive(Debug, Serialize, ToSchema)]
struct AssetPartition {
    /// Key of the partition; null for an asset without partitions.
    partition: Option<String>,
    /// State of the partition.
    standing: AssetStanding,
    /// Why it is not current; empty if it is.
    reasons: Vec<AssetReason>,
    /// Its current record, if it was made.
    made: Option<Materialization>,
    /// Its newest record, if a blocking check refused the value; null otherwise.
    refused: Option<Materialization>,
}

/// State of a partition.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum AssetStanding {
    /// Made from the current values of its inputs, by the current function.
    Current,
    /// Made, but something has changed since.
    Stale,
    /// Never made, or its file is missing.
    Missing,
}

/// A reason why a partition is not current.
#[derive(Debug, Serialize, ToSchema)]
struct AssetReason {
    /// Kind: `never_made`, `value_missing`, `value_changed`, `code_changed`, `input_changed`,
    /// `input_added`, `input_removed`, `input_planned` (an input must be made first) or `overdue`.
    kind: &'static str,
    /// Reason in words.
    text: String,
}

/// A kind of reason why partitions of an asset are not current.
#[derive(Debug, Serialize, ToSchema)]
struct AssetReasonCount {
    /// Kind, as for a partition.
    kind: &'static str,
    /// Reason of the newest one of the partitions, in words.
    text: String,
    /// Number of partitions.
    partitions: usize,
}

/// A record of a partition that was made, or that a check refused.
#[derive(Debug, Serialize, ToSchema)]
struct Materialization {
    /// Key of the partition; null for an asset without partitions.
    partition: Option<String>,
    /// ID of the run.
    run: String,
    /// When it was made, in UTC.
    made_at: String,
    /// Whether a blocking check refused the value, so that it was not stored.
    is_refused: bool,
    /// Version of the function that made it.
    code_version: String,
    /// Version of the value: equal files have equal versions.
    data_version: String,
    /// File with the value, relative to the folder of assets.
    file: Option<String>,
    /// Size of the value, in bytes.
    bytes: u64,
    /// Number of rows; null for a value without rows.
    rows: Option<u64>,
    /// Columns; empty for a value without columns.
    schema: Vec<AssetColumn>,
    /// Values that it was made from.
    inputs: Vec<AssetInput>,
    /// Results of the checks.
    checks: Vec<AssetCheckOutcome>,
    /// Why it was made.
    reasons: Vec<String>,
    /// How long the function ran, in milliseconds.
    milliseconds: u64,
}

/// A column of a value.
#[derive(Debug, Serialize, ToSchema)]
struct AssetColumn {
    /// Name of the column.
    name: String,
    /// Type of the column.
    #[serde(rename = "type")]
    kind: String,
}

/// A value that a partition was made from.
#[derive(Debug, Serialize, ToSchema)]
struct AssetInput {
    /// Name of the asset.
    asset: String,
    /// Key of the partition; null for an asset without partitions.
    partition: Option<String>,
    /// Version of the value.
    data_version: String,
}

/// The result of a check.
#[derive(Debug, Serialize, ToSchema)]
struct AssetCheckOutcome {
    /// Name of the check.
    name: String,
    /// Whether a failure refuses the value.
    is_blocking: bool,
    /// Why it failed; null if it passed.
    problem: Option<String>,
}

impl From<AssetDocument> for Asset {
    fn from(of: AssetDocument) -> Self {
        let check = |check: asset::document::CheckDocument| AssetCheck {
            name: check.name,
            is_blocking: check.is_blocking,
        };
        let count = |reason: CountedReasonDocument| AssetReasonCount {
            kind: reason.kind,
            text: reason.text,
            partitions: reason.partitions,
        };
        Self {
            name: of.name,
            description: of.description,
            location: of.location,
            made_by: of.made_by,
            partitions: of.partitions,
            period: of.period,
            freshness: of.freshness,
            is_overdue: of.is_overdue,
            code_version: of.code_version,
            inputs: of.inputs,
            readers: of.readers,
            checks: of.checks.into_iter().map(check).collect(),
            total: of.total,
            current: of.current,
            stale: of.stale,
            missing: of.missing,
            reasons: of.reasons.into_iter().map(count).collect(),
            last: of.last.map(Materialization::from),
        }
    }
}

impl From<PartitionDocument> for AssetPartition {
    fn from(of: PartitionDocument) -> Self {
        Self {
            partition: of.partition,
            standing: match of.standing {
                Standing::Current => AssetStanding::Current,
                Standing::Stale => AssetStanding::Stale,
                Standing::Missing => AssetStanding::Missing,
            },
            reasons: of.reasons.into_iter().map(AssetReason::from).collect(),
            made: of.made.map(Materialization::from),
            refused: of.refused.map(Materialization::from),
        }
    }
}

impl From<ReasonDocument> for AssetReason {
    fn from(of: ReasonDocument) -> Self {
        Self { kind: of.kind, text: of.text }
    }
}

impl From<MaterializationDocument> for Materialization {
    fn from(of: MaterializationDocument) -> Self {
        let column = |of: SchemaField| AssetColumn { name: of.name, kind: of.kind };
        let input = |of: InputDocument| AssetInput {
            asset: of.asset,
            partition: of.partition,
            data_version: of.data_version,
        };
        let check = |of: CheckResult| AssetCheckOutcome {
            name: of.name,
            is_blocking: of.is_blocking,
            problem: of.problem,
        };
        Self {
            partition: of.partition,
            run: of.run,
            made_at: of.made_at,
            is_refused: of.is_refused,
            code_version: of.code_version,
            data_version: of.data_version,
            file: of.file,
            bytes: of.bytes,
            rows: of.rows,
            schema: of.schema.into_iter().map(column).collect(),
            inputs: of.inputs.into_iter().map(input).collect(),
            checks: of.checks.into_iter().map(check).collect(),
            reasons: of.reasons,
            milliseconds: of.milliseconds,
        }
    }
}

/// The records to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct HistoryQuery {
    /// Only the records of this partition.
    partition: Option<String>,
    /// Maximum number of items, 1 to 1,000. Default: 50.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Option<Limit>,
    /// Cursor: `next` of the previous page.
    cursor: Option<String>,
}

/// The default number of items of a page.
const USUAL: usize = 50;

/// Lists the assets of the program, each after its inputs.
#[utoipa::path(get, path = "/assets", tag = "assets",
    responses((status = 200, body = Listed<Asset>), Problems))]
async fn list(
    State(app): State<Arc<App>>,
    Require(caller, _): Require<Read>,
) -> Result<Json<Listed<Asset>>, Problem> {
    let Some(subject) = Subject::new(&app, &caller).await? else {
        return Ok(Json(Listed::all(Vec::new())));
    };
    let request = Request::everything(Arc::clone(&subject.graph), SystemTime::now());
    let examined = subject.examine(request).await?;
    let states = examined.states();
    let assets = states.iter().map(|state| AssetDocument::new(&subject.graph, state).into());
    Ok(Json(Listed::all(assets.collect())))
}

/// Returns an asset.
#[utoipa::path(get, path = "/assets/{asset}", tag = "assets",
    params(("asset" = String, Path, description = "Name of the asset")),
    responses((status = 200, body = Asset), Problems))]
async fn get(
    State(app): State<Arc<App>>,
    Require(caller, _): Require<Read>,
    Path(name): Path<String>,
) -> Result<Json<Asset>, Problem> {
    let subject = Subject::required(&app, &caller, &name).await?;
    let request = subject.of(&name)?;
    let examined = subject.examine(request).await?;
    let states = examined.states();
    let state = named(&states, &name)?;
    Ok(Json(AssetDocument::new(&subject.graph, state).into()))
}

/// Lists the partitions of an asset with their states, newest first.
#[utoipa::path(get, path = "/assets/{asset}/partitions", tag = "assets",
    params(("asset" = String, Path, description = "Name of the asset"), PageQuery),
    responses((status = 200, body = Listed<AssetPartition>), Problems))]
async fn partitions(
    State(app): State<Arc<App>>,
    Require(caller, _): Require<Read>,
    Path(name): Path<String>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Listed<AssetPartition>>, Problem> {
    let subject = Subject::required(&app, &caller, &name).await?;
    let request = subject.of(&name)?;
    let examined = subject.examine(request).await?;
    let states = examined.states();
    let state = named(&states, &name)?;
    let limit = query.limit().unwrap_or(USUAL);
    let (page, next) = state.page(query.cursor.as_deref(), limit).ok_or_else(Problem::cursor)?;
    let refused = match (page.last(), page.first()) {
        (Some(first), Some(last)) => {
            let range = PartitionRange::between(first.key, last.key);
            subject.assets.refusals(&name, range).await?
        }
        _ => BTreeMap::new(),
    };
    let describe = |state: &PartitionState<'_>| {
        AssetPartition::from(PartitionDocument::new(state, refused.get(state.key)))
    };
    let items = page.into_iter().map(describe).collect();
    Ok(Json(Listed { items, next: next.map(str::to_owned) }))
}

/// Lists the records of an asset, newest first.
#[utoipa::path(get, path = "/assets/{asset}/materializations", tag = "assets",
    params(("asset" = String, Path, description = "Name of the asset"), HistoryQuery),
    responses((status = 200, body = Listed<Materialization>), Problems))]
async fn materializations(
    State(app): State<Arc<App>>,
    Require(caller, _): Require<Read>,
    Path(name): Path<String>,
    Query(query): Query<HistoryQuery>,
) -> Result<Json<Listed<Materialization>>, Problem> {
    let subject = Subject::required(&app, &caller, &name).await?;
    let key = query.partition.as_deref();
    if let Some(key) = key {
        let found = subject.graph.partition(&name, key);
        found.map_err(|error| Problem::invalid("partition", error.to_string()))?;
    }
    let before = query.cursor.as_deref().map(str::parse::<u64>).transpose();
    let before = before.map_err(|_| Problem::cursor())?;
    let limit = query.limit.map_or(USUAL, |limit| limit.0);
    let (found, next) = subject.assets.history(&name, key, before, limit).await?;
    let items = found.iter().map(|made| MaterializationDocument::new(made).into()).collect();
    Ok(Json(Listed { items, next: next.map(|next| next.to_string()) }))
}

/// The assets that the caller may see, with their records.
struct Subject {
    graph: Arc<AssetGraph>,
    assets: Assets,
}

impl Subject {
    /// `None` if the program has no assets.
    async fn new(app: &App, caller: &Caller) -> Result<Option<Self>, Problem> {
        let graph = asset::graph().map_err(Problem::internal)?;
        if graph.assets().is_empty() {
            return Ok(None);
        }
        // Who may see the workflow that makes them may see them.
        let has_functions = graph.assets().iter().any(|spec| spec.maker == Maker::Function);
        let workflow = match has_functions {
            true => Some(caller.catalog(app).workflow(asset::WORKFLOW).await?),
            false => None,
        };
        if let Some(workflow) = workflow
            && workflow.source != WorkflowSource::Registered
        {
            return Err(Problem::conflict(
                "other_workflow",
                format!(
                    "your workflow `{name}` hides the one that materializes assets; rename it",
                    name = asset::WORKFLOW
                ),
            ));
        }
        match app.engine().state::<Assets>() {
            Some(assets) => Ok(Some(Self { graph, assets: (*assets).clone() })),
            None => Err(Problem::conflict(
                "no_assets",
                "the engine of this server makes no assets; its host must add them with \
                 `.state(Assets::new(..)?)`",
            )),
        }
    }

    /// The assets, with the one of this name among them.
    async fn required(app: &App, caller: &Caller, name: &str) -> Result<Self, Problem> {
        let none = || Problem::not_found("no_asset", format!("no asset is named `{name}`"));
        let subject = Self::new(app, caller).await?.ok_or_else(none)?;
        // Only who may see the assets learns their names.
        let found = subject.graph.number(name);
        found.map_err(|error| Problem::not_found("no_asset", error.to_string()))?;
        Ok(subject)
    }

    /// A request for all partitions of an asset.
    fn of(&self, name: &str) -> Result<Request, Problem> {
        let mut request = Request::new(Arc::clone(&self.graph), SystemTime::now());
        let added = request.range(name, None, None);
        added.map_err(|error: RequestError| Problem::internal(error))?;
        Ok(request)
    }

    /// Plans on a blocking thread: there may be many partitions, and each has a file to look for.
    async fn examine(&self, request: Request) -> Result<Examined, Problem> {
        let (assets, runtime) = (self.assets.clone(), tokio::runtime::Handle::current());
        let plan = move || runtime.block_on(assets.examine(&request));
        Ok(tokio::task::spawn_blocking(plan).await.map_err(Problem::internal)??)
    }
}

/// The state of an asset that the request names.
fn named<'s, 'a>(states: &'s [AssetState<'a>], name: &str) -> Result<&'s AssetState<'a>, Problem> {
    let found = states.iter().find(|state| state.spec.name == name);
    found.ok_or_else(|| Problem::internal(format!("asset `{name}` was not examined")))
}

impl From<AssetsError> for Problem {
    fn from(error: AssetsError) -> Self {
        match error {
            AssetsError::Store(error) => error.into(),
            error => Self::internal(error),
        }
    }
}
