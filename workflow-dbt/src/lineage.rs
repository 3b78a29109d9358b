//! The order in which `dbt build` builds nodes, from the manifest. Knows no processes or jobs.
//!
//! dbt adds edges to those of the manifest: a node waits for the tests of the nodes before it, and a
//! model for its unit tests. Nodes that are not selected, and ephemeral models, are left out, and
//! what is before them is before their successors.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::manifest::{DbtNode, Manifest, NodeKind};

/// A node that becomes a job, and the places of the steps that it waits for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Step<'a> {
    pub(crate) node: &'a DbtNode,
    pub(crate) after: Vec<usize>,
}

/// The unique IDs of the nodes that dbt builds, sorted, each with the places of those after it.
#[derive(Debug, Default)]
pub(crate) struct Nodes {
    ids: Vec<String>,
    after: Vec<Vec<usize>>,
}

impl Nodes {
    pub(crate) fn of(steps: &[Step<'_>]) -> Self {
        let built = steps.iter().filter(|step| step.node.kind.is_built());
        let ids: Vec<String> = built.map(|step| step.node.id.clone()).collect();
        let mut nodes = Self { after: vec![Vec::new(); ids.len()], ids };
        for step in steps {
            let Some(place) = nodes.place(&step.node.id) else { continue };
            for before in &step.after {
                if let Some(before) = nodes.place(&steps[*before].node.id) {
                    nodes.after[before].push(place);
                }
            }
        }
        nodes
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.ids.iter().map(String::as_str)
    }

    pub(crate) fn contain(&self, id: &str) -> bool {
        self.place(id).is_some()
    }

    /// These nodes and all that depend on them.
    pub(crate) fn from<'a>(&'a self, ids: impl Iterator<Item = &'a str>) -> HashSet<&'a str> {
        let mut found = HashSet::new();
        let mut left: Vec<usize> = ids.filter_map(|id| self.place(id)).collect();
        while let Some(place) = left.pop() {
            if found.insert(self.ids[place].as_str()) {
                left.extend(&self.after[place]);
            }
        }
        found
    }

    fn place(&self, id: &str) -> Option<usize> {
        self.ids.binary_search_by(|known| known.as_str().cmp(id)).ok()
    }
}

/// For each node, the nodes directly before it.
pub(crate) type Before<'a> = HashMap<&'a str, Vec<&'a str>>;

/// The selected nodes that dbt builds, in the order of their IDs, and the sources that they read.
pub(crate) fn steps<'a>(manifest: &'a Manifest, selected: &BTreeSet<String>) -> Vec<Step<'a>> {
    let before = edges(manifest);
    let builds = |node: &DbtNode| node.kind.is_built() && selected.contains(&node.id);
    let shows = |id: &str| {
        let node = manifest.nodes().get(id);
        node.is_some_and(|node| builds(node) || node.kind == NodeKind::Source)
    };
    let mut after: HashMap<&str, Vec<&str>> = HashMap::new();
    let mut kept: BTreeSet<&str> = BTreeSet::new();
    for node in manifest.nodes().values().filter(|node| builds(node)) {
        let nearest = nearest(&node.id, &before, shows);
        kept.insert(&node.id);
        kept.extend(&nearest);
        after.insert(&node.id, nearest);
    }
    let places: HashMap<&str, usize> = kept.iter().copied().zip(0..).collect();
    let step = |id: &&'a str| {
        let after = after.get(*id).into_iter().flatten();
        let mut after: Vec<usize> = after.filter_map(|id| places.get(id).copied()).collect();
        after.sort_unstable();
        Some(Step { node: manifest.nodes().get(*id)?, after })
    };
    kept.iter().filter_map(step).collect()
}

/// The nearest nodes before this one that are shown, through those that are not.
pub(crate) fn nearest<'a>(
    of: &str,
    before: &Before<'a>,
    shows: impl Fn(&str) -> bool,
) -> Vec<&'a str> {
    let mut nearest = Vec::new();
    let mut seen: HashSet<&str> = HashSet::new();
    let mut left: Vec<&'a str> = before.get(of).into_iter().flatten().copied().collect();
    while let Some(id) = left.pop() {
        if !seen.insert(id) {
            continue;
        }
        if shows(id) {
            nearest.push(id);
        } else {
            left.extend(before.get(id).into_iter().flatten());
        }
    }
    nearest
}

/// The edges of the manifest, without those of unit tests: these come before their model.
pub(crate) fn dependencies(manifest: &Manifest) -> Before<'_> {
    let nodes = manifest.nodes().values().filter(|node| node.kind != NodeKind::UnitTest);
    let before = nodes.map(|node| {
        let known = node.depends_on.iter().filter(|id| manifest.nodes().contains_key(*id));
        (node.id.as_str(), known.map(String::as_str).collect())
    });
    before.collect()
}

/// The edges of the manifest, and those that `dbt build` adds.
fn edges(manifest: &Manifest) -> Before<'_> {
    let mut before = dependencies(manifest);
    let after = reversed(&before);
    let runs = |id: &&&str| !is_test(manifest, id);
    let mut added = Vec::new();
    for test in manifest.nodes().values().filter(|node| node.kind == NodeKind::Test) {
        let tested: BTreeSet<&str> = test.depends_on.iter().map(String::as_str).collect();
        let waiting = match tested.first() {
            Some(only) if tested.len() == 1 => {
                after.get(only).into_iter().flatten().filter(runs).copied().collect()
            }
            _ => first_after_all(manifest, &tested, &before, &after),
        };
        added.extend(waiting.into_iter().map(|id| (id, test.id.as_str())));
    }
    for test in manifest.nodes().values().filter(|node| node.kind == NodeKind::UnitTest) {
        for model in test.depends_on.iter().filter(|id| manifest.nodes().contains_key(*id)) {
            let inputs = before.get(model.as_str()).into_iter().flatten();
            added.extend(inputs.map(|input| (test.id.as_str(), *input)));
            added.push((model, &test.id));
        }
    }
    for (id, other) in added {
        before.entry(id).or_default().push(other);
    }
    before
}

/// The nodes after all of these of which no direct predecessor is after all of them.
fn first_after_all<'a>(
    manifest: &Manifest,
    tested: &BTreeSet<&'a str>,
    before: &Before<'a>,
    after: &Before<'a>,
) -> Vec<&'a str> {
    let mut tested = tested.iter().map(|id| descendants(id, after));
    let Some(first) = tested.next() else { return Vec::new() };
    let all = tested.fold(first, |all, some| all.intersection(&some).copied().collect());
    let is_first = |id: &&&str| {
        let mut direct = before.get(**id).into_iter().flatten();
        !is_test(manifest, id) && !direct.any(|id| all.contains(id))
    };
    all.iter().filter(is_first).copied().collect()
}

fn descendants<'a>(of: &str, after: &Before<'a>) -> HashSet<&'a str> {
    let mut found = HashSet::new();
    let mut left: Vec<&'a str> = after.get(of).into_iter().flatten().copied().collect();
    while let Some(id) = left.pop() {
        if found.insert(id) {
            left.extend(after.get(id).into_iter().flatten());
        }
    }
    found
}

fn reversed<'a>(before: &Before<'a>) -> Before<'a> {
    let mut after: Before<'a> = HashMap::new();
    for (id, others) in before {
        for other in others {
            after.entry(other).or_default().push(id);
        }
    }
    after
}

fn is_test(manifest: &Manifest, id: &str) -> bool {
    manifest.nodes().get(id).is_some_and(|node| node.kind == NodeKind::Test)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A manifest of nodes, each an ID with the IDs before it.
    fn manifest(nodes: &[(&str, &[&str])]) -> Manifest {
        let mut groups = json!({"node": {}, "unit": {}, "source": {}});
        for (id, on) in nodes {
            let (kind, name) = id.split_once('.').expect("a kind");
            let (group, kind) = match kind {
                "unit" => ("unit", "unit_test"),
                "source" => ("source", "source"),
                kind => ("node", kind),
            };
            groups[group][id] =
                json!({"resource_type": kind, "name": name, "depends_on": {"nodes": on}});
        }
        let version = "https://schemas.getdbt.com/dbt/manifest/v12.json";
        let text = json!({"metadata": {"dbt_schema_version": version}, "nodes": groups["node"],
            "unit_tests": groups["unit"], "sources": groups["source"]});
        Manifest::parse(&text.to_string()).expect("a manifest")
    }

    /// Each job with those before it.
    fn drawn(manifest: &Manifest, without: &[&str]) -> Vec<String> {
        let mut selected: BTreeSet<String> = manifest.nodes().keys().cloned().collect();
        selected.retain(|id| !without.contains(&id.as_str()));
        let steps = steps(manifest, &selected);
        let name = |at: &usize| steps[*at].node.id.clone();
        let line = |step: &Step<'_>| {
            let after: Vec<String> = step.after.iter().map(name).collect();
            format!("{} <- {}", step.node.id, after.join(" "))
        };
        steps.iter().map(line).collect()
    }

    #[test]
    fn nodes_wait_for_the_tests_of_those_before_them() {
        let chain = manifest(&[
            ("source.s", &[]),
            ("model.a", &["source.s", "macro.unknown"]),
            ("model.b", &["model.a"]),
            ("model.c", &["model.b"]),
            ("test.a", &["model.a"]),
            ("test.ab", &["model.a", "model.b"]),
        ]);
        let expected = [
            "model.a <- source.s",
            "model.b <- model.a test.a",
            "model.c <- model.b test.ab",
            "source.s <- ",
            "test.a <- model.a",
            "test.ab <- model.a model.b",
        ];
        assert_eq!(drawn(&chain, &[]), expected);
        let without = drawn(&chain, &["model.b", "test.a"]);
        assert_eq!(without[1], "model.c <- model.a test.ab");
    }

    #[test]
    fn a_model_waits_for_its_unit_tests() {
        let nodes =
            manifest(&[("model.a", &[]), ("model.b", &["model.a"]), ("unit.b", &["model.b"])]);
        let expected = ["model.a <- ", "model.b <- model.a unit.b", "unit.b <- model.a"];
        assert_eq!(drawn(&nodes, &[]), expected);
    }

    #[test]
    fn what_depends_on_a_node_is_found() {
        let chain = manifest(&[
            ("source.s", &[]),
            ("model.a", &["source.s"]),
            ("model.b", &["model.a"]),
            ("model.c", &["model.b"]),
            ("model.d", &["source.s"]),
        ]);
        let selected = chain.nodes().keys().cloned().collect();
        let nodes = Nodes::of(&steps(&chain, &selected));
        let from: BTreeSet<&str> =
            nodes.from(["model.b", "source.s"].into_iter()).into_iter().collect();
        assert_eq!(from.into_iter().collect::<Vec<_>>(), ["model.b", "model.c"]);
        assert!(nodes.contain("model.d") && !nodes.contain("source.s"));
    }

    #[test]
    fn cycles_end() {
        let cycle = manifest(&[
            ("model.a", &["model.b", "model.a"]),
            ("model.b", &["model.a"]),
            ("test.ab", &["model.a", "model.b"]),
            ("unit.a", &["model.a", "unit.a"]),
        ]);
        assert_eq!(drawn(&cycle, &["model.b"]).len(), 3);
    }
}
