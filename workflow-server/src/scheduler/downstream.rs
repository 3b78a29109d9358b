//! Starts runs of workflows after ended runs: of an upstream workflow, or those that made an asset.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use workflow_core::asset;
use workflow_core::definition::{EventTrigger, RunEnd};
use workflow_core::downstream::{causes, cycles, downstream_input, downstream_key};
use workflow_core::id::RunId;
use workflow_core::store::{ScheduledWorkflow, Store, StoredLink, Upstream, WorkflowLink};
use workflow_store::{Catalog, CatalogError, StoredWorkflow, Viewer};

use super::event::{self, Event, Outcome};
use crate::app::App;
use crate::launch;
use crate::problem::Problem;

/// The most downstream runs that a check starts for each link.
const BATCH: usize = 100;

/// The links whose downstream workflow runs here.
#[derive(Default)]
pub(super) struct Downstream {
    known: BTreeMap<WorkflowLink, Known>,
}

/// The workflows with triggers of which a scheduler takes care.
#[derive(Default)]
pub(super) struct Triggered {
    pub(super) workflows: Vec<Arc<StoredWorkflow>>,
    /// The IDs of those that do not run here.
    pub(super) elsewhere: HashSet<i64>,
    pub(super) problems: Problems,
}

/// By the ID of a workflow: why its triggers do not run here.
#[derive(Default)]
pub(super) struct Problems(pub(super) HashMap<i64, String>);

impl Problems {
    pub(super) fn add(&mut self, workflow: i64, reason: &str) {
        let reasons = self.0.entry(workflow).or_default();
        if !reasons.is_empty() {
            reasons.push_str("; ");
        }
        reasons.push_str(reason);
    }
}

struct Known {
    workflow: Arc<StoredWorkflow>,
    on: RunEnd,
}

impl Downstream {
    /// Reads the links from the metadata of workflows, and writes them to the store. On an error,
    /// those that are known stay.
    pub(super) async fn load(&mut self, app: &App) -> Result<Triggered, Problem> {
        let store = app.catalog.downstream_store();
        // Before the workflows, so that no link is removed that another server adds meanwhile.
        let stored = match store {
            Some(store) => store.links().await?,
            None => Vec::new(),
        };
        let mut triggered = Triggered::default();
        let Triggered { workflows, elsewhere, problems } = &mut triggered;
        for workflow in app.catalog.all_triggered().await? {
            match launch::check_owner(&workflow) {
                Ok(()) => workflows.push(Arc::new(workflow)),
                Err(problem) => problems.add(workflow.id, problem.detail()),
            }
        }
        let mut wanted = BTreeMap::new();
        for workflow in &*workflows {
            for (link, on) in links_of(app, workflow, problems).await? {
                wanted.insert(link, Known { workflow: Arc::clone(workflow), on });
            }
        }
        for (link, why) in on_cycles(&wanted) {
            if let Some(known) = wanted.remove(&link) {
                problems.add(known.workflow.id, &why);
            }
        }
        for workflow in &*workflows {
            // Perhaps another program on the store can run it.
            if let Err(problem) = launch::check(app, workflow).await {
                elsewhere.insert(workflow.id);
                problems.add(workflow.id, problem.detail());
            }
        }
        if let Some(store) = store {
            for StoredLink { link, .. } in &stored {
                if !wanted.contains_key(link) {
                    store.unlink(link).await?;
                }
            }
            let is_stored: HashSet<_> = stored.into_iter().map(|stored| stored.link).collect();
            for link in wanted.keys().filter(|link| !is_stored.contains(*link)) {
                store.link(link).await?;
            }
        }
        wanted.retain(|_, known| !elsewhere.contains(&known.workflow.id));
        self.known = wanted;
        Ok(triggered)
    }

    /// Starts the downstream runs of the runs that have ended.
    pub(super) async fn check(&self, app: &App) -> Result<(), Problem> {
        let Some(store) = app.catalog.downstream_store() else { return Ok(()) };
        if self.known.is_empty() {
            return Ok(());
        }
        for StoredLink { link, has_waiting } in store.links().await? {
            let Some(known) = self.known.get(&link).filter(|_| has_waiting) else { continue };
            for run in store.waiting(&link, BATCH).await? {
                match start(app, &link, known, run).await {
                    Ok(Outcome::Handled) => store.handled(&link, run).await?,
                    Ok(Outcome::Left) => break,
                    Err(problem) if problem.is_temporary() => return Err(problem),
                    Err(problem) => {
                        let (workflow, problem) = (&known.workflow.name, problem.detail());
                        tracing::warn!(%workflow, upstream = %run, problem, "cannot start the downstream run");
                        store.handled(&link, run).await?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// The links of a downstream workflow. Names of upstream workflows are resolved as its owner sees
/// them.
async fn links_of(
    app: &App,
    workflow: &StoredWorkflow,
    problems: &mut Problems,
) -> Result<Vec<(WorkflowLink, RunEnd)>, Problem> {
    let seen = seen_by_owner(app, workflow);
    let mut links = Vec::new();
    for trigger in workflow.metadata.triggers() {
        let (upstream, on) = match trigger {
            EventTrigger::After(after) => match seen.workflow(&after.workflow).await {
                Ok(upstream) => (Upstream::Workflow(upstream.as_scheduled()), after.on),
                Err(CatalogError::Store(error)) => return Err(error.into()),
                Err(error) => {
                    problems.add(workflow.id, &format!("`after`: {error}"));
                    continue;
                }
            },
            EventTrigger::Asset(asset) => {
                // Another program on the store may have it, so it is linked all the same.
                if let Some(problem) = asset_problem(app, &*seen, &asset.name).await? {
                    problems.add(workflow.id, &problem);
                }
                (Upstream::Asset(asset.name.clone()), RunEnd::Finished)
            }
            _ => continue,
        };
        links.push((WorkflowLink { upstream, downstream: workflow.as_scheduled() }, on));
    }
    Ok(links)
}

/// Why an asset starts nothing. `None` if this program has it, or if it was made, and the owner of the
/// downstream workflow may see runs that make assets.
async fn asset_problem(
    app: &App,
    seen: &dyn Catalog,
    name: &str,
) -> Result<Option<String>, Problem> {
    let unknown = format!(
        "`asset`: this server knows no asset `{name}` that the owner of the workflow may see, and \
         none was made; list the assets to see which there are"
    );
    let graph = asset::graph().ok();
    let known = graph.as_ref().and_then(|graph| Some(&graph.assets()[graph.number(name).ok()?]));
    let makers = known.map_or_else(|| vec![asset::WORKFLOW], |spec| spec.maker.workflows());
    let mut is_visible = false;
    for maker in makers {
        match seen.workflow(maker).await {
            Ok(_) => is_visible = true,
            Err(CatalogError::Store(error)) => return Err(error.into()),
            Err(_) => {}
        }
    }
    if !is_visible {
        return Ok(Some(unknown));
    }
    if known.is_some() {
        return Ok(None);
    }
    let made = match app.catalog.asset_store() {
        Some(records) => records.materializations(name, None, None, 1).await?,
        None => Vec::new(),
    };
    Ok(made.is_empty().then_some(unknown))
}

/// The store, as the owner of a workflow sees it.
fn seen_by_owner(app: &App, workflow: &StoredWorkflow) -> Arc<dyn Catalog> {
    app.catalog.seen_by(workflow.user.clone().map_or(Viewer::All, Viewer::User))
}

/// The links on cycles, with the reason.
fn on_cycles(wanted: &BTreeMap<WorkflowLink, Known>) -> Vec<(WorkflowLink, String)> {
    // Each workflow on a cycle is downstream of another one.
    let names: HashMap<&ScheduledWorkflow, &str> = wanted
        .iter()
        .map(|(link, known)| (&link.downstream, known.workflow.name.as_str()))
        .collect();
    let reason = |cycle: &[ScheduledWorkflow]| {
        let names: Vec<&str> = cycle.iter().filter_map(|on| names.get(on).copied()).collect();
        let cycle = names.join("` -> `");
        format!(
            "`after`: runs would start each other forever, `{cycle}`; remove one of these triggers"
        )
    };
    cycles(wanted.keys()).into_iter().map(|(link, cycle)| (link, reason(&cycle))).collect()
}

/// Starts the downstream run of an ended run, unless it exists or is not wanted.
async fn start(
    app: &App,
    link: &WorkflowLink,
    known: &Known,
    run: RunId,
) -> Result<Outcome, Problem> {
    let seen = seen_by_owner(app, &known.workflow);
    let records = app.catalog.asset_store();
    let Some(input) = downstream_input(&*seen, records, link, run, known.on).await? else {
        return Ok(Outcome::Handled);
    };
    if starts_itself(app, link, known, run).await? {
        return Ok(Outcome::Handled);
    }
    let event = Event { cause: format!("run {run}"), key: downstream_key(link, run), input };
    event::start(app, &known.workflow, event).await
}

/// Whether a run that has made an asset goes back to a run of the workflow that it would start. Logs
/// it.
async fn starts_itself(
    app: &App,
    link: &WorkflowLink,
    known: &Known,
    run: RunId,
) -> Result<bool, Problem> {
    let Upstream::Asset(asset) = &link.upstream else { return Ok(false) };
    let store: &dyn Store = &*app.catalog;
    for cause in causes(store, run).await? {
        if app.catalog.run_summary(cause.id).await?.workflow_id == known.workflow.id {
            let workflow = &known.workflow.name;
            tracing::warn!(
                %workflow, asset, upstream = %run,
                "the workflow has made the asset that starts it, and would start itself forever; \
                 started no run"
            );
            return Ok(true);
        }
    }
    Ok(false)
}
