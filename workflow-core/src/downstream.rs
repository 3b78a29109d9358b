//! Runs that start because a run of another workflow ended: their keys, their inputs, and cycles.
//! Decides; schedulers act.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::Hash;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::event::{EventKind, Status};
use crate::id::RunId;
use crate::store::{ScheduledWorkflow, Store, StoreError, WorkflowLink};

/// A run that has ended, as its downstream workflows receive it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct EndedRun {
    /// The run.
    pub run: RunId,
    /// The name of its workflow.
    pub workflow: String,
    /// Its status.
    pub status: Status,
    /// Its output; `None` unless it completed.
    pub output: Option<Json>,
}

impl EndedRun {
    /// Reads a run. `None` if it has not ended, or if the store, or the viewer of this handle, does
    /// not have it.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read.
    pub async fn read(store: &dyn Store, run: RunId) -> Result<Option<Self>, StoreError> {
        let Some(stored) = store.run(run).await? else { return Ok(None) };
        if !stored.status.is_final() {
            return Ok(None);
        }
        let last = store.events(run, stored.events.saturating_sub(1), 1).await?.pop();
        let output = last.and_then(|event| match event.kind {
            EventKind::RunCompleted { output } => output,
            _ => None,
        });
        let (workflow, status) = (stored.workflow.name, stored.status);
        Ok(Some(Self { run, workflow, status, output: output.map(Arc::unwrap_or_clone) }))
    }

    /// The input of a downstream run: an object with `run`, `workflow`, `status` and `output`.
    pub fn input(&self) -> Json {
        let Self { run, workflow, status, output } = self;
        json!({ "run": run, "workflow": workflow, "status": status, "output": output })
    }
}

/// Returns the idempotency key of the downstream run of an ended one. With it, only one of several
/// programs on a store starts the run.
pub fn downstream_key(link: &WorkflowLink, run: RunId) -> String {
    match &link.downstream {
        ScheduledWorkflow::Registered(name) => format!("after:{run}:{name}"),
        ScheduledWorkflow::Number(number) => format!("after:{number}:{run}"),
    }
}

/// Returns the links on cycles, each with its shortest cycle: the workflows from the downstream one of
/// the link along links back to itself. Runs of these workflows would start each other forever.
///
/// ```
/// use workflow_core::downstream::cycles;
/// use workflow_core::store::{ScheduledWorkflow, WorkflowLink};
///
/// let [chicken, egg, nest] = [1, 2, 3].map(ScheduledWorkflow::Number);
/// let link = |upstream: &ScheduledWorkflow, downstream: &ScheduledWorkflow| WorkflowLink {
///     upstream: upstream.clone(),
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
    let links: Vec<&WorkflowLink> = links.into_iter().collect();
    let mut downstream = HashMap::<_, Vec<_>>::new();
    for link in links.iter().copied() {
        downstream.entry(&link.upstream).or_default().push(&link.downstream);
    }
    let downstream_of = |of: &&ScheduledWorkflow| downstream.get(*of).cloned().unwrap_or_default();
    let mut found = Vec::new();
    for link in links {
        let Some(back) = way(&link.downstream, &link.upstream, downstream_of) else { continue };
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
    fn names_and_numbers_have_different_keys() {
        let run = RunId::random();
        let key = |downstream: ScheduledWorkflow| {
            let upstream = ScheduledWorkflow::Number(1);
            downstream_key(&WorkflowLink { upstream, downstream }, run)
        };
        let number = key(ScheduledWorkflow::Number(17));
        assert_ne!(key(ScheduledWorkflow::Registered("17".to_owned())), number);
        assert_ne!(key(ScheduledWorkflow::Number(18)), number);
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
