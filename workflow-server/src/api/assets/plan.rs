//! What a run would make, and why: the dry run before it is started.

use std::sync::Arc;
use std::time::SystemTime;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use workflow_core::asset::document::ReasonDocument;
use workflow_core::asset::plan::{MaterializationPlan, RunStep, Step};
use workflow_core::asset::{AssetGraph, Request};

use super::super::problems::Problems;
use super::{AssetReason, Subject};
use crate::app::App;
use crate::http::extract::Query;
use crate::http::require::{Read, Require};
use crate::problem::Problem;

/// What a run makes: the partitions that are not current.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AssetPlan {
    /// Partitions to make, each after its inputs.
    steps: Vec<AssetPlanStep>,
    /// Number of partitions that are skipped, because they are current.
    current: usize,
    /// Assets that are not current, but are not made by this run: other workflows make them.
    made_otherwise: Vec<String>,
}

/// A partition to make. With the texts of its reasons, it is a step in the input of the workflow
/// `assets`.
#[derive(Debug, Serialize, ToSchema)]
struct AssetPlanStep {
    /// Name of the asset.
    asset: String,
    /// Key of the partition; null for an asset without partitions.
    partition: Option<String>,
    /// Why it is made; never empty.
    reasons: Vec<AssetReason>,
    /// Whether it is made even if it is current when its turn comes.
    force: bool,
}

impl AssetPlan {
    fn new(plan: &MaterializationPlan) -> Result<Self, Problem> {
        let input = plan.to_input().map_err(|error| {
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            Problem::new(status, "plan_too_large", error.to_string())
        })?;
        let step = |(step, of_run): (&Step, RunStep)| AssetPlanStep {
            asset: of_run.asset,
            partition: of_run.partition,
            reasons: step.reasons.iter().map(|why| ReasonDocument::new(why).into()).collect(),
            force: of_run.force,
        };
        let steps = plan.steps.iter().zip(input.steps).map(step).collect();
        let made_otherwise = plan.made_otherwise.iter().map(|step| step.asset.clone()).collect();
        Ok(Self { steps, current: plan.current.len(), made_otherwise })
    }
}

/// What to bring up to date, together with everything that it is made from.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PlanQuery {
    /// Name of an asset. Can be repeated. Default: all assets.
    #[param(style = Form, explode)]
    asset: Vec<String>,
    /// Partitions of these assets: `latest` (default), the last one that has ended or all keys; or
    /// `all`. With `from` or `to`, those in the range.
    #[param(value_type = Option<String>, pattern = "^(latest|all)$")]
    partitions: Choice,
    /// First partition; only with `asset`.
    from: Option<String>,
    /// Last partition; only with `asset`.
    to: Option<String>,
    /// Whether to make the partitions of these assets again that are current. Default: false.
    force: bool,
    /// Whether to make values again that are older than the freshness of their asset. Default:
    /// false.
    overdue: bool,
}

/// Which partitions to bring up to date.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Choice {
    #[default]
    Latest,
    All,
}

impl PlanQuery {
    /// The request for a plan.
    fn request(&self, graph: &Arc<AssetGraph>, now: SystemTime) -> Result<Request, Problem> {
        let mut request = Request::new(Arc::clone(graph), now);
        let has_range = self.from.is_some() || self.to.is_some();
        if has_range && self.asset.is_empty() {
            let message = "a range of partitions is one of an asset; name it as `asset`";
            return Err(Problem::invalid(self.bound(), message));
        }
        let all = graph.assets().iter().map(|spec| spec.name.as_str());
        let names: Vec<&str> = match self.asset.is_empty() {
            true => all.collect(),
            false => self.asset.iter().map(String::as_str).collect(),
        };
        for name in names {
            let known = match self.asset.is_empty() {
                true => Ok(()),
                false => graph.check_made_by_function(name),
            };
            known.map_err(|error| Problem::invalid("asset", error.to_string()))?;
            for (field, key) in [("from", &self.from), ("to", &self.to)] {
                let found = key.as_ref().map(|key| graph.partition(name, key)).transpose();
                found.map_err(|error| Problem::invalid(field, error.to_string()))?;
            }
            let added = match self.partitions {
                Choice::Latest if !has_range => request.latest(name),
                _ => request.range(name, self.from.as_deref(), self.to.as_deref()),
            };
            added.map_err(|error| Problem::invalid(self.bound(), error.to_string()))?;
        }
        Ok(request.forced(self.force).with_overdue(self.overdue))
    }

    /// The field that an error about the range is about.
    fn bound(&self) -> &'static str {
        if self.from.is_some() { "from" } else { "to" }
    }
}

/// Plans what a run would make, and why.
///
/// Nothing is made. To make it, start a run of the workflow `assets` with the steps as its input:
/// `{"input": {"steps": [{"asset": .., "partition": .., "reasons": [texts], "force": ..}]}}`.
#[utoipa::path(get, path = "/asset-plan", tag = "assets", params(PlanQuery),
    responses((status = 200, body = AssetPlan), Problems))]
pub(super) async fn plan(
    State(app): State<Arc<App>>,
    Require(caller, _): Require<Read>,
    Query(query): Query<PlanQuery>,
) -> Result<Json<AssetPlan>, Problem> {
    let Some(subject) = Subject::new(&app, &caller).await? else {
        let detail = "this program has no assets; add `#[asset]` to a function";
        return Err(Problem::conflict("no_assets", detail));
    };
    let request = query.request(&subject.graph, SystemTime::now())?;
    let examined = subject.examine(request).await?;
    Ok(Json(AssetPlan::new(&examined.plan)?))
}

#[cfg(test)]
mod tests {
    use workflow_core::asset::plan::{MAX_STEPS, StaleReason};

    use super::*;

    #[test]
    fn a_plan_that_no_run_accepts_is_a_problem() {
        let (asset, reasons) = ("raw".to_owned(), vec![StaleReason::NeverMade]);
        let step = Step { asset, partition: "eu".to_owned(), reasons };
        let plan = |steps| MaterializationPlan {
            steps: vec![step.clone(); steps],
            ..MaterializationPlan::default()
        };
        let large = AssetPlan::new(&plan(MAX_STEPS)).expect("as large as a run");
        assert_eq!(large.steps.len(), MAX_STEPS);
        let problem = AssetPlan::new(&plan(MAX_STEPS + 1)).expect_err("too large");
        assert_eq!(
            problem.detail(),
            "10001 partitions are too many for one run, which makes at most 10000; choose a \
             shorter range"
        );
    }
}
