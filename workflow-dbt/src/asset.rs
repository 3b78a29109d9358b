//! The nodes of a project as assets, and records of what a run has built.
//!
//! Models, seeds and snapshots are assets that the workflow makes; sources come from elsewhere. Tests
//! are the checks of the nodes that they test.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, SystemTime};

use workflow_core::asset::{self, Assets, Made};
use workflow_core::store::{CheckResult, SchemaField};
use workflow_core::workflow::WorkflowAsset;
use workflow_core::{JobContext, JobError};

use crate::build::key;
use crate::lineage::{Step, dependencies, nearest};
use crate::manifest::{DbtNode, Manifest, NodeKind};
use crate::node::{NodeResult, NodeStatus};

/// The assets of the nodes that a workflow builds.
#[derive(Debug, Default)]
pub(crate) struct NodeAssets {
    pub(crate) declared: Vec<WorkflowAsset>,
    /// The nodes of the assets that the workflow makes, by the names of the assets.
    made: HashMap<String, Tested>,
}

/// A node with its tests.
#[derive(Debug)]
struct Tested {
    id: String,
    columns: Vec<SchemaField>,
    tests: Vec<Test>,
}

#[derive(Debug)]
struct Test {
    id: String,
    name: String,
    is_blocking: bool,
}

impl NodeAssets {
    pub(crate) fn of(manifest: &Manifest, steps: &[Step<'_>]) -> Self {
        let before = dependencies(manifest);
        let node = |id: &str| manifest.nodes().get(id);
        let is_asset = |id: &str| node(id).is_some_and(|node| node.kind.is_asset());

        let built: Vec<&DbtNode> =
            steps.iter().map(|step| step.node).filter(|node| node.kind.is_made()).collect();
        let mut tests: HashMap<&str, Vec<Test>> = HashMap::new();
        for test in steps.iter().map(|step| step.node).filter(|node| node.kind == NodeKind::Test) {
            let of = match &test.attached_node {
                Some(node) => vec![node.as_str()],
                None => nearest(&test.id, &before, is_asset),
            };
            for node in of {
                let (id, name) = (test.id.clone(), test.name.clone());
                let test = Test { id, name, is_blocking: test.is_blocking };
                tests.entry(node).or_default().push(test);
            }
        }
        let mut assets = Self::default();
        let mut read: BTreeMap<&str, &DbtNode> = BTreeMap::new();
        for made in built {
            let inputs = nearest(&made.id, &before, is_asset);
            let inputs: Vec<&DbtNode> = inputs.into_iter().filter_map(node).collect();
            read.extend(inputs.iter().map(|input| (input.asset(), *input)));
            let tests = tests.remove(made.id.as_str()).unwrap_or_default();
            let mut declared = declared(made, true);
            declared.inputs = inputs.iter().map(|input| input.asset().to_owned()).collect();
            declared.inputs.sort_unstable();
            declared.inputs.dedup();
            declared.checks =
                tests.iter().map(|test| (test.name.clone(), test.is_blocking)).collect();
            assets.declared.push(declared);
            let tested = Tested { id: made.id.clone(), columns: made.columns.clone(), tests };
            assets.made.insert(made.asset().to_owned(), tested);
        }
        // Sources, and nodes that are not selected.
        let others = read.into_values().filter(|node| !assets.made.contains_key(node.asset()));
        let others: Vec<WorkflowAsset> = others.map(|node| declared(node, false)).collect();
        assets.declared.extend(others);
        assets
    }

    /// Records what a run has built, if the engine has [`Assets`].
    pub(crate) async fn record(&self, context: &JobContext) -> Result<(), JobError> {
        let Ok(assets) = context.state::<Assets>() else { return Ok(()) };
        let graph = asset::graph().map_err(JobError::terminal)?;
        // Inputs come first.
        for spec in graph.assets() {
            let Some(node) = self.made.get(&spec.name) else { continue };
            let Some(result) = context.persisted::<NodeResult>(&key(&node.id))? else { continue };
            if result.status != NodeStatus::Success {
                continue;
            }
            let mut checks = Vec::new();
            for test in &node.tests {
                let result = context.persisted::<NodeResult>(&key(&test.id))?;
                checks.extend(result.and_then(|result| test.check(&result)));
            }
            let made = Made {
                at: finished(&result),
                took: Duration::try_from_secs_f64(result.seconds).unwrap_or_default(),
                rows: result.rows,
                schema: node.columns.clone(),
                checks,
            };
            assets.record(context, &graph, &spec.name, made).await?;
        }
        Ok(())
    }
}

impl Test {
    /// The result of the check; `None` if dbt did not run it.
    fn check(&self, result: &NodeResult) -> Option<CheckResult> {
        let (is_blocking, has_failed) = match result.status {
            NodeStatus::Pass => (self.is_blocking, false),
            NodeStatus::Warn => (false, true),
            NodeStatus::Fail | NodeStatus::Error | NodeStatus::RuntimeError => (true, true),
            _ => return None,
        };
        let problem = match result.message.as_str() {
            "" => result.status.to_string(),
            message => message.to_owned(),
        };
        let problem = has_failed.then_some(problem);
        Some(CheckResult { name: self.name.clone(), is_blocking, problem })
    }
}

fn declared(node: &DbtNode, is_made: bool) -> WorkflowAsset {
    WorkflowAsset {
        name: node.asset().to_owned(),
        description: node.description.clone(),
        is_made,
        // The start of a SHA-256 tells two versions of a file apart.
        code_version: node.checksum.as_deref().unwrap_or_default().chars().take(16).collect(),
        inputs: Vec::new(),
        checks: Vec::new(),
        location: node.path.clone(),
    }
}

/// When dbt has finished a node; now, if it does not say. dbt writes UTC without a time zone.
fn finished(result: &NodeResult) -> SystemTime {
    let time = result.finished_at.trim_end_matches('Z').parse::<jiff::civil::DateTime>();
    let time = time.ok().and_then(|time| time.to_zoned(jiff::tz::TimeZone::UTC).ok());
    time.map_or_else(SystemTime::now, |time| time.timestamp().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lineage::steps;

    const MANIFEST: &str = r#"{
        "metadata": {"dbt_schema_version": "https://schemas.getdbt.com/dbt/manifest/v12.json"},
        "sources": {
            "source.s.raw": {"resource_type": "source", "name": "raw", "original_file_path": "models/s.yml",
                "config": {"meta": {"asset": "sales"}}},
            "source.s.other": {"resource_type": "source", "name": "other"}
        },
        "nodes": {
            "model.s.clean": {"resource_type": "model", "name": "clean", "config": {"materialized": "ephemeral"},
                "depends_on": {"nodes": ["source.s.raw", "source.s.other"]}},
            "model.s.orders": {"resource_type": "model", "name": "orders", "description": "Orders.",
                "original_file_path": "models/orders.sql", "depends_on": {"nodes": ["model.s.clean"]},
                "checksum": {"name": "sha256", "checksum": "0123456789abcdef0123"}},
            "model.s.total": {"resource_type": "model", "name": "total",
                "depends_on": {"nodes": ["model.s.orders", "model.s.left_out"]}},
            "model.s.left_out": {"resource_type": "model", "name": "left_out"},
            "test.s.unique": {"resource_type": "test", "name": "unique_orders", "attached_node": "model.s.orders",
                "depends_on": {"nodes": ["model.s.orders", "model.s.total"]}},
            "test.s.sums": {"resource_type": "test", "name": "sums", "config": {"severity": "WARN"},
                "depends_on": {"nodes": ["model.s.orders", "model.s.total"]}}
        }
    }"#;

    fn assets() -> NodeAssets {
        let manifest = Manifest::parse(MANIFEST).expect("a manifest");
        let selected = manifest.nodes().keys().filter(|id| *id != "model.s.left_out");
        NodeAssets::of(&manifest, &steps(&manifest, &selected.cloned().collect()))
    }

    #[test]
    fn nodes_are_assets_and_tests_their_checks() {
        let assets = assets();
        let line = |asset: &WorkflowAsset| {
            let checks: Vec<String> =
                asset.checks.iter().map(|(name, blocks)| format!("{name} {blocks}")).collect();
            let (inputs, checks) = (asset.inputs.join(" "), checks.join(", "));
            format!("{} {} <- {inputs}; {checks}", asset.name, asset.is_made)
        };
        let lines: Vec<String> = assets.declared.iter().map(line).collect();
        let expected = [
            "model.s.orders true <- sales source.s.other; sums false, unique_orders true",
            "model.s.total true <- model.s.left_out model.s.orders; sums false",
            "model.s.left_out false <- ; ",
            "sales false <- ; ",
            "source.s.other false <- ; ",
        ];
        assert_eq!(lines, expected);
        let orders = &assets.declared[0];
        assert_eq!(orders.description.as_deref(), Some("Orders."));
        assert_eq!(
            (orders.location.as_str(), orders.code_version.as_str()),
            ("models/orders.sql", "0123456789abcdef")
        );
    }

    #[test]
    fn a_failed_test_blocks_and_a_skipped_one_says_nothing() {
        let assets = assets();
        let test = &assets.made["model.s.orders"].tests[1];
        let ended = |status: &str| {
            let result = serde_json::json!({"status": status, "seconds": 0.1, "failures": 1,
                "message": "Got 1 result", "started_at": "", "finished_at": ""});
            test.check(&serde_json::from_value(result).expect("a result"))
        };
        let check = |is_blocking, problem: Option<&str>| {
            let (name, problem) = ("unique_orders".to_owned(), problem.map(str::to_owned));
            Some(CheckResult { name, is_blocking, problem })
        };
        assert_eq!(ended("pass"), check(true, None));
        assert_eq!(ended("warn"), check(false, Some("Got 1 result")));
        assert_eq!(ended("fail"), check(true, Some("Got 1 result")));
        assert_eq!(ended("skipped"), None);
    }
}
