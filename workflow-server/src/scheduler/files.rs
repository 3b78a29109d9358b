//! Starts runs of workflows for files that have arrived in watched folders.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::{Either, select};
use serde_json::json;
use tokio::sync::watch;
use tokio::time::sleep;
use uuid::Uuid;
use workflow_core::definition::EventTrigger;
use workflow_core::error_text::io_reason;
use workflow_core::event::format_time;
use workflow_core::store::{FileStore, HandledFile};
use workflow_store::StoredWorkflow;

use super::downstream::Triggered;
use super::event::{self, Event, Outcome};
use crate::app::App;
use crate::problem::Problem;
use crate::watch::{Changes, FilePattern, FoundFile, Scan, Settling};

/// How often a folder is scanned without a change that its file system reports.
const SCAN_INTERVAL: Duration = Duration::from_secs(30);

/// The shortest time between two scans.
const SHORTEST_PAUSE: Duration = Duration::from_millis(200);

/// The time until a check that failed is made again.
const RETRY: Duration = Duration::from_secs(1);

/// The most runs that a check starts for each folder.
const BATCH: usize = 100;

/// A workflow that files start, with one of its patterns.
pub(super) struct FileWatch {
    workflow: Arc<StoredWorkflow>,
    pattern: FilePattern,
    settle: Duration,
}

impl FileWatch {
    /// Reads the triggers of the workflows that run here.
    pub(super) fn all(app: &App, triggered: &mut Triggered) -> Arc<[Self]> {
        let Triggered { workflows, elsewhere, problems } = triggered;
        let mut all = Vec::new();
        for workflow in workflows.iter().filter(|workflow| !elsewhere.contains(&workflow.id)) {
            for trigger in workflow.metadata.triggers() {
                let EventTrigger::File(file) = trigger else { continue };
                match known(app, &file.path) {
                    Ok(pattern) => all.push(Self {
                        workflow: Arc::clone(workflow),
                        pattern,
                        settle: file.settle,
                    }),
                    Err(problem) => {
                        problems.add(workflow.id, &format!("`file`: {problem}"));
                    }
                }
            }
        }
        all.into()
    }
}

/// Reads a pattern in a folder that this server watches.
fn known(app: &App, path: &str) -> Result<FilePattern, String> {
    let pattern = FilePattern::parse(path)?;
    let folder = &pattern.folder;
    match app.options.watched.get(folder) {
        None => Err(format!(
            "this server watches no folder `{folder}`; start it with --watch {folder}=DIR"
        )),
        Some(root) if root.to_str().is_none() => {
            Err(format!("the path of the folder `{folder}` is not UTF-8; rename it"))
        }
        Some(_) => Ok(pattern),
    }
}

/// Starts runs for files, until the future is dropped.
pub(super) async fn run(app: &App, mut watches: watch::Receiver<Arc<[FileWatch]>>) {
    let mut arrivals = Arrivals::new();
    loop {
        let current = Arc::clone(&watches.borrow_and_update());
        let began = Instant::now();
        let rest = arrivals.check(app, &current).await;
        // Most of the time goes to others.
        let pause = (began.elapsed() * 10).clamp(SHORTEST_PAUSE, SCAN_INTERVAL);
        sleep(pause).await;
        let waits = pin!(sleep(rest.saturating_sub(pause)));
        let changes = pin!(arrivals.changes.next());
        let reloaded = pin!(watches.changed());
        if let Either::Left((Err(_), _)) = select(reloaded, select(waits, changes)).await {
            return;
        }
    }
}

/// What is known of the watched folders.
struct Arrivals {
    changes: Changes,
    /// By folder.
    settling: HashMap<String, Settling>,
    /// By the ID of the workflow: the versions of the handled files, by name.
    handled: HashMap<i64, HashMap<String, String>>,
    /// By folder: the problems of the latest scan.
    problems: HashMap<String, BTreeSet<String>>,
}

impl Arrivals {
    fn new() -> Self {
        Self {
            changes: Changes::default(),
            settling: HashMap::new(),
            handled: HashMap::new(),
            problems: HashMap::new(),
        }
    }

    /// Starts runs for the files that have arrived. Returns the time until the next check.
    async fn check(&mut self, app: &App, watches: &[FileWatch]) -> Duration {
        let mut by_folder = BTreeMap::<&str, Vec<&FileWatch>>::new();
        for one in watches {
            by_folder.entry(&one.pattern.folder).or_default().push(one);
        }
        let mut rest = SCAN_INTERVAL;
        for (folder, watches) in by_folder {
            let Some(root) = app.options.watched.get(folder) else { continue };
            let next = match self.check_folder(app, folder, root, &watches).await {
                Ok(next) => next,
                Err(problem) => {
                    let problem = problem.detail();
                    tracing::warn!(folder, problem, "cannot start runs for files; will retry");
                    RETRY
                }
            };
            rest = rest.min(next);
        }
        rest
    }

    async fn check_folder(
        &mut self,
        app: &App,
        folder: &str,
        root: &Path,
        watches: &[&FileWatch],
    ) -> Result<Duration, Problem> {
        let Some(scan) = self.scan(folder, root, watches).await else { return Ok(SCAN_INTERVAL) };
        let Some(store) = app.catalog.file_store() else { return Ok(SCAN_INTERVAL) };
        let now = Instant::now();
        self.settling.entry(folder.to_owned()).or_default().update(&scan.files, now);
        for one in watches {
            self.read_handled(store, &one.workflow).await?;
            if scan.problems.is_empty() {
                self.forget_gone(store, folder, &one.workflow, &scan).await?;
            }
        }
        let (mut next, mut left) = (SCAN_INTERVAL, BATCH);
        for one in watches {
            for file in scan.files.iter().filter(|file| one.pattern.matches(&file.relative)) {
                let name = format!("{folder}/{}", file.relative);
                let arrived = HandledFile { name, version: file.version() };
                if self.is_handled(&one.workflow, &arrived) {
                    continue;
                }
                let rest = self.settling[folder].rest(file, one.settle, now);
                if !rest.is_zero() || left == 0 {
                    next = next.min(rest);
                    continue;
                }
                left -= 1;
                match start(app, &one.workflow, root, &arrived, file).await {
                    Ok(Outcome::Handled) => {}
                    Ok(Outcome::Left) => break,
                    Err(problem) if problem.is_temporary() => return Err(problem),
                    Err(problem) => {
                        let (workflow, problem) = (&one.workflow.name, problem.detail());
                        let file = &arrived.name;
                        tracing::warn!(%workflow, file, problem, "cannot start the run for a file");
                    }
                }
                store.add_handled_file(&one.workflow.as_scheduled(), &arrived).await?;
                let handled = self.handled.entry(one.workflow.id).or_default();
                handled.insert(arrived.name, arrived.version);
            }
        }
        Ok(next)
    }

    /// Lists what a folder holds. Logs new problems.
    async fn scan(&mut self, folder: &str, root: &Path, watches: &[&FileWatch]) -> Option<Scan> {
        let levels = watches.iter().map(|one| one.pattern.levels()).max().unwrap_or(1);
        let (path, open) = (root.to_owned(), self.changes.opener(root));
        // Watched before it is scanned, so that no change is lost.
        let work = move || (open.map(|open| open()), Scan::of(&path, levels));
        let (opened, scanned) = match tokio::task::spawn_blocking(work).await {
            Ok((opened, scanned)) => (opened, scanned.map_err(|error| io_reason(&error))),
            Err(error) => (None, Err(error.to_string())),
        };
        let mut problems = BTreeSet::new();
        match opened {
            None => {}
            Some(Ok(watcher)) => self.changes.add(root, watcher),
            Some(Err(error)) => {
                let seconds = SCAN_INTERVAL.as_secs();
                problems.insert(format!(
                    "its changes are not reported, so it is scanned every {seconds} s: {error}"
                ));
            }
        }
        match &scanned {
            Ok(scan) => problems.extend(scan.problems.iter().cloned()),
            Err(problem) => {
                // One that comes back is watched anew.
                self.changes.forget(root);
                problems.insert(format!("`{}`: {problem}", root.display()));
            }
        }
        for problem in self.set_problems(folder, problems) {
            tracing::warn!(folder, problem, "cannot watch for files; will retry");
        }
        scanned.ok()
    }

    /// Replaces the problems of a folder. Returns those that are new.
    fn set_problems(&mut self, folder: &str, problems: BTreeSet<String>) -> Vec<String> {
        let known = self.problems.entry(folder.to_owned()).or_default();
        let new = problems.difference(known).cloned().collect();
        *known = problems;
        new
    }

    /// Reads which files were handled, the first time.
    async fn read_handled(
        &mut self,
        store: &dyn FileStore,
        workflow: &StoredWorkflow,
    ) -> Result<(), Problem> {
        if let Entry::Vacant(unknown) = self.handled.entry(workflow.id) {
            let files = store.handled_files(&workflow.as_scheduled()).await?;
            unknown.insert(files.into_iter().map(|file| (file.name, file.version)).collect());
        }
        Ok(())
    }

    fn is_handled(&self, workflow: &StoredWorkflow, file: &HandledFile) -> bool {
        let handled = self.handled.get(&workflow.id);
        handled.and_then(|handled| handled.get(&file.name)) == Some(&file.version)
    }

    /// Forgets handled files that are no longer in their folder.
    async fn forget_gone(
        &mut self,
        store: &dyn FileStore,
        folder: &str,
        workflow: &StoredWorkflow,
        scan: &Scan,
    ) -> Result<(), Problem> {
        let Some(handled) = self.handled.get_mut(&workflow.id) else { return Ok(()) };
        let present: HashSet<&str> = scan.files.iter().map(|file| file.relative.as_str()).collect();
        let is_gone = |name: &&String| {
            let relative = name.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/'));
            relative.is_some_and(|relative| !present.contains(relative))
        };
        let gone: Vec<String> = handled.keys().filter(is_gone).cloned().collect();
        if !gone.is_empty() {
            store.forget_files(&workflow.as_scheduled(), &gone).await?;
            for name in &gone {
                handled.remove(name);
            }
        }
        Ok(())
    }
}

/// Starts the run for a file, unless it exists.
async fn start(
    app: &App,
    workflow: &StoredWorkflow,
    root: &Path,
    arrived: &HandledFile,
    file: &FoundFile,
) -> Result<Outcome, Problem> {
    let name = &arrived.name;
    let input = json!({
        "path": root.join(&file.relative).display().to_string(),
        "name": name,
        "size": file.size,
        "modified": format_time(file.modified),
    });
    let event = Event { cause: format!("file {name}"), key: key(workflow, arrived), input };
    event::start(app, workflow, event).await
}

/// The idempotency key of the run for a file. Names of files may be too long for one.
fn key(workflow: &StoredWorkflow, file: &HandledFile) -> String {
    let text = [file.name.as_str(), file.version.as_str()].join("\0");
    let digest = Uuid::new_v5(&Uuid::NAMESPACE_OID, text.as_bytes());
    format!("file:{}:{digest}", workflow.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_that_comes_back_is_new() {
        let mut arrivals = Arrivals::new();
        let mut new = |problems: &[&str]| {
            let problems = problems.iter().map(|&problem| problem.to_owned()).collect();
            arrivals.set_problems("inbox", problems)
        };
        assert_eq!(new(&["gone"]), ["gone"]);
        assert_eq!(new(&["full", "gone"]), ["full"]);
        assert!(new(&[]).is_empty());
        assert_eq!(new(&["gone"]), ["gone"]);
    }
}
