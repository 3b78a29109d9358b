//! The graph as data for a store, and its fingerprint.

use std::collections::HashMap;

use serde_json::{Value as Json, json};

use super::Graph;
use crate::job::{JobFlags, OnFailure};

/// The namespace of fingerprints of graphs for UUIDs.
const NAMESPACE: uuid::Uuid = uuid::Uuid::from_u128(0x9d4f_2f0a_7a51_4c6e_8d1b_5b1f_33c9_e0a7);

impl Graph {
    /// Returns the graph as `{"nodes": [{"id": ..}], "edges": [{"source": .., "target": ..}],
    /// "groups": [{"sources": [..], "targets": [..]}]}`; without `groups` when there are none.
    pub fn to_json(&self) -> Json {
        let nodes: Vec<Json> = self.job_names().map(|name| json!({ "id": name })).collect();
        let edge = |(source, target)| json!({ "source": source, "target": target });
        let edges: Vec<Json> = self.edges().map(edge).collect();
        let mut graph = json!({ "nodes": nodes, "edges": edges });
        if self.groups.len() > 0 {
            let group = |(sources, targets)| json!({ "sources": sources, "targets": targets });
            graph["groups"] = self.groups().map(group).collect();
        }
        graph
    }

    /// Returns a text that two graphs share if a run of one can resume with the other: the same
    /// jobs, the same order, the same trigger rules and conditions. Retries, timeouts and
    /// priorities may differ.
    ///
    /// It is a UUID of version 5 (RFC 9562) of the graph as data.
    pub fn fingerprint(&self) -> String {
        let mut text = self.to_json().to_string();
        for cell in &self.cells {
            text.push(cell.flags.rule().code());
            text.push(if cell.flags.intersects(JobFlags::CONDITIONAL) { '?' } else { '.' });
        }
        text.push_str(match self.settings.on_failure {
            OnFailure::Continue => "Continue",
            OnFailure::Stop => "Stop",
        });
        uuid::Uuid::new_v5(&NAMESPACE, text.as_bytes()).to_string()
    }
}

/// Returns the jobs for which each job waits, in a graph as [`Graph::to_json`] writes it: by edges
/// first, then by groups. Jobs that wait for none are absent.
///
/// ```
/// use serde_json::json;
/// use workflow_core::graph::recorded_dependencies;
///
/// let graph = json!({
///     "nodes": [{ "id": "a" }, { "id": "b" }, { "id": "c" }],
///     "edges": [{ "source": "a", "target": "c" }],
///     "groups": [{ "sources": ["b"], "targets": ["c"] }],
/// });
/// assert_eq!(recorded_dependencies(&graph)["c"], ["a", "b"]);
/// ```
pub fn recorded_dependencies(graph: &Json) -> HashMap<&str, Vec<&str>> {
    let mut before = HashMap::<&str, Vec<&str>>::new();
    for edge in items(graph, "edges") {
        if let (Some(source), Some(target)) = (edge["source"].as_str(), edge["target"].as_str()) {
            before.entry(target).or_default().push(source);
        }
    }
    for group in items(graph, "groups") {
        let sources: Vec<&str> = items(group, "sources").filter_map(Json::as_str).collect();
        for target in items(group, "targets").filter_map(Json::as_str) {
            before.entry(target).or_default().extend(&sources);
        }
    }
    before
}

fn items<'a>(of: &'a Json, key: &str) -> impl Iterator<Item = &'a Json> {
    of[key].as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use crate::definition::Definition;
    use crate::graph::Graph;

    fn graph(load_after: &'static str) -> Result<Graph, Box<dyn std::error::Error>> {
        let etl = Definition::new("etl")?.job("extract", [])?.job("transform", ["extract"])?;
        Ok(Graph::compile(&etl.job("load", [load_after])?)?)
    }

    #[test]
    fn a_fingerprint_tells_graphs_apart() -> Result<(), Box<dyn std::error::Error>> {
        let (one, same, other) = (graph("transform")?, graph("transform")?, graph("extract")?);
        assert_eq!(one.fingerprint(), same.fingerprint());
        assert_ne!(one.fingerprint(), other.fingerprint());
        // What stores have written must be recognised by every later version.
        assert_eq!(one.fingerprint(), "799f184a-63ac-59a3-821e-b05db8800b01");
        Ok(())
    }
}
