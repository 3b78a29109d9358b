//! Runs that start because a run of another workflow ended, or made an asset: their keys, their
//! inputs, and cycles. Decides; schedulers act.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::Hash;
use std::sync::Arc;

use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::definition::RunEnd;
use crate::event::EventKind;
use crate::id::RunId;
use crate::store::{
    AssetStore, ScheduledWorkflow, Store, StoreError, StoredRun, Trigger, Upstream, WorkflowLink,
};

/// Returns the input of the downstream run of an ended one. `None` if it starts none: if the run has
/// ended in another way than `on`, or if the store, or the viewer of this handle, does not have it.
/// `records` has the records of assets, for all viewers.
///
/// After a workflow, it is an object with `run`, `workflow`, `status` and `output`. After an asset was
/// made, it is an object with `run`, `asset` and `partitions`, a list of their keys, which is empty for
/// an asset without partitions.
///
/// # Errors
///
/// Fails when the store cannot be read.
pub async fn downstream_input(
    store: &dyn Store,
    records: Option<&dyn AssetStore>,
    link: &WorkflowLink,
    run: RunId,
    on: RunEnd,
) -> Result<Option<Json>, StoreError> {
    let Some(ended) = store.run(run).await? else { return Ok(None) };
    if !ended.status.has_ended(on) {
        return Ok(None);
    }
    match &link.upstream {
        Upstream::Workflow(_) => ended_input(store, &ended).await.map(Some),
        Upstream::Asset(asset) => {
            let Some(records) = records else { return Ok(None) };
            let mut partitions = records.partitions_made(run, asset).await?;
            partitions.retain(|key| !key.is_empty());
            Ok(Some(json!({ "run": run, "asset": asset, "partitions": partitions })))
        }
    }
}

async fn ended_input(store: &dyn Store, ended: &StoredRun) -> Result<Json, StoreError> {
    let last = store.events(ended.id, ended.events.saturating_sub(1), 1).await?.pop();
    let output = last.and_then(|event| match event.kind {
        EventKind::RunCompleted { output } => output,
        _ => None,
    });
    let output = output.map(Arc::unwrap_or_clone);
    let (run, workflow, status) = (ended.id, &ended.workflow.name, ended.status);
    Ok(json!({ "run": run, "workflow": workflow, "status": status, "output": output }))
}

/// Returns the idempotency key of the downstream run of an ended one. With it, only one of several
/// programs on a store starts the run.
pub fn downstream_key(link: &WorkflowLink, run: RunId) -> String {
    match (&link.upstream, &link.downstream) {
        (Upstream::Workflow(_), ScheduledWorkflow::Registered(name)) => {
            format!("after:{run}:{name}")
        }
        (Upstream::Workflow(_), ScheduledWorkflow::Number(number)) => {
            format!("after:{number}:{run}")
        }
        // Two names may be too long for a key.
        (Upstream::Asset(asset), ScheduledWorkflow::Registered(name)) => {
            format!("asset:{run}:{}", digest(&["registered", name, asset]))
        }
        (Upstream::Asset(asset), ScheduledWorkflow::Number(number)) => {
            format!("asset:{run}:{}", digest(&["number", &number.to_string(), asset]))
        }
    }
}

fn digest(parts: &[&str]) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, parts.join("\0").as_bytes())
}

/// Returns a run and the runs that led to it, the nearest first: those that it is a child of, and those
/// after which it started. At most 100.
///
/// A run that makes an asset may have been led to by one that the asset starts: it would start itself
/// forever.
///
/// # Errors
///
/// Fails when the store cannot be read.
pub async fn causes(store: &dyn Store, run: RunId) -> Result<Vec<StoredRun>, StoreError> {
    let mut found = Vec::new();
    let mut next = Some(run);
    while let Some(run) = next
        && found.len() < MOST_CAUSES
    {
        let Some(stored) = store.run(run).await? else { break };
        let outer = stored.parent.as_ref().map(|parent| parent.run);
        next = outer.or_else(|| upstream_run(&stored));
        found.push(stored);
    }
    Ok(found)
}

/// The most runs that [`causes`] returns.
const MOST_CAUSES: usize = 100;

/// The run after which a run started, by its key.
fn upstream_run(run: &StoredRun) -> Option<RunId> {
    let key = run.idempotency_key.as_deref().filter(|_| run.trigger == Trigger::Event)?;
    let of = key.strip_prefix("after:").or_else(|| key.strip_prefix("asset:"))?;
    of.splitn(3, ':').take(2).find_map(|part| part.parse().ok())
}

/// Returns the links on cycles, each with its shortest cycle: the workflows from the downstream one of
/// the link along links back to itself. Runs of these workflows would start each other forever.
///
/// Links from assets are on no cycle: only a run knows what it makes. See [`causes`].
///
/// ```
/// use workflow_core::downstream::cycles;
/// use workflow_core::store::{ScheduledWorkflow, Upstream, WorkflowLink};
///
/// let [chicken, egg, nest] = [1, 2, 3].map(ScheduledWorkflow::Number);
/// let link = |upstream: &ScheduledWorkflow, downstream: &ScheduledWorkflow| WorkflowLink {
///     upstream: Upstream::Workflow(upstream.clone()),
///     downstream: downstream.clone(),
/// };
/// let links = [link(&chicken, &egg), link(&egg, &chicken), link(&egg, &nest)];
/// let found = cycles(&links);
/// assert_eq!(found.len(), 2);
/// assert_eq!(found[0], (links[0].clone(), vec![egg.clone(), chicken, egg]));
/// ```
pub fn cycles<'a>(
    links: impl IntoIterator<Item = &'a WorkflowLink>,
) -> Vec<(WorkflowLink, Vec<ScheduledWorkflow>)> {
    let of_workflows = links.into_iter().filter_map(|link| match &link.upstream {
        Upstream::Workflow(upstream) => Some((upstream, link)),
        Upstream::Asset(_) => None,
    });
    let links: Vec<(&ScheduledWorkflow, &WorkflowLink)> = of_workflows.collect();
    let mut downstream = HashMap::<_, Vec<_>>::new();
    for (upstream, link) in links.iter().copied() {
        downstream.entry(upstream).or_default().push(&link.downstream);
    }
    let downstream_of = |of: &&ScheduledWorkflow| downstream.get(*of).cloned().unwrap_or_default();
    let mut found = Vec::new();
    for (upstream, link) in links {
        let Some(back) = way(&link.downstream, upstream, downstream_of) else { continue };
        let cycle = back.iter().chain(&back[..1]).copied().cloned().collect();
        found.push((link.clone(), cycle));
    }
    found
}

/// Returns the shortest way from one workflow to another, along links to downstream workflows, with
/// both ends. `None` if there is none. A link closes a cycle if there is a way from its downstream
/// workflow to its upstream one.
fn way<W: Clone + Eq + Hash>(
    from: W,
    to: W,
    downstream_of: impl Fn(&W) -> Vec<W>,
) -> Option<Vec<W>> {
    let mut seen = HashSet::from([from.clone()]);
    let mut ways = VecDeque::from([vec![from]]);
    while let Some(way) = ways.pop_front() {
        let last = way.last()?;
        if *last == to {
            return Some(way);
        }
        for next in downstream_of(last) {
            if seen.insert(next.clone()) {
                let mut longer = way.clone();
                longer.push(next);
                ways.push_back(longer);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_link_has_a_key_of_its_own_that_is_short_enough() {
        let run = RunId::random();
        let workflow = |number| Upstream::Workflow(ScheduledWorkflow::Number(number));
        let asset = |name: &str| Upstream::Asset(name.to_owned());
        let name = |name: &str| ScheduledWorkflow::Registered(name.to_owned());
        let number = ScheduledWorkflow::Number;
        let long = "n".repeat(200);
        let keys = [
            (workflow(1), name("17")),
            (workflow(1), number(17)),
            (workflow(1), number(18)),
            (asset("a"), name("17")),
            (asset("a"), number(17)),
            (asset("b"), number(17)),
            (asset(&long), name(&long)),
        ]
        .map(|(upstream, downstream)| downstream_key(&WorkflowLink { upstream, downstream }, run));
        assert_eq!(keys.iter().collect::<HashSet<_>>().len(), keys.len(), "{keys:?}");
        assert!(keys.iter().all(|key| key.len() <= 255), "{keys:?}");
    }

    #[test]
    fn a_way_leads_downstream() {
        let downstream_of = |workflow: &&str| match *workflow {
            "ingest" => vec!["clean"],
            "clean" => vec!["report"],
            _ => Vec::new(),
        };
        assert_eq!(way("ingest", "report", downstream_of), Some(vec!["ingest", "clean", "report"]));
        assert_eq!(way("report", "ingest", downstream_of), None);
    }

    #[test]
    fn a_way_is_the_shortest_and_ends_in_cycles_too() {
        let downstream_of = |of: &u8| match of {
            0 => vec![1, 3],
            1 => vec![2],
            2 => vec![1, 3],
            _ => Vec::new(),
        };
        assert_eq!(way(0, 3, downstream_of), Some(vec![0, 3]));
        assert_eq!(way(2, 1, downstream_of), Some(vec![2, 1]));
        assert_eq!(way(1, 1, downstream_of), Some(vec![1]));
        assert_eq!(way(1, 0, downstream_of), None);
    }
}
