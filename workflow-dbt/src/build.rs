//! The build of a run: one process of dbt at a time, and the jobs that wait for its nodes.
//!
//! The first job that starts also starts the thread that drives dbt. Each job waits for the end of
//! its node in the log. What ended well is never built again: it is found in the logs of the run
//! and in what its jobs persisted. A later process builds the rest.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::channel::oneshot;
use workflow_core::error_text::io_reason;
use workflow_core::run_log::OutputStream;
use workflow_core::{JobContext, JobError};

use crate::event::{Level, LogEvent};
use crate::lineage::Nodes;
use crate::log::{LogFolder, ProcessFolder};
use crate::node::{NodeResult, NodeStatus};
use crate::results::BuildSummary;
use crate::settings::Settings;

/// The build of one run.
pub(crate) struct Build {
    pub(crate) settings: Arc<Settings>,
    pub(crate) nodes: Arc<Nodes>,
    pub(crate) folder: LogFolder,
    drive: Drive,
    state: Mutex<State>,
    stopping: Condvar,
}

/// The work of the thread.
pub(crate) type Drive = fn(&Build, Work) -> Result<BuildSummary, Arc<str>>;

/// What the thread does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// Builds the nodes that are left.
    Build,
    /// Only sums up what earlier processes have built.
    Summarize,
}

#[derive(Default)]
struct State {
    /// The nodes that ended well, in any process.
    finished: HashMap<String, NodeResult>,
    /// The failures that no attempt has taken yet.
    failed: HashMap<String, NodeResult>,
    /// The nodes whose jobs had failed before this host resumed the run.
    given_up: HashSet<String>,
    /// The nodes that the process builds, once they are known.
    selected: Option<HashSet<String>>,
    /// The nodes that failed in the process that runs, or ran last.
    settled: HashSet<String>,
    /// The last status of each node.
    statuses: HashMap<String, NodeStatus>,
    waiting: HashMap<String, Waiting>,
    /// Who waits for the end of the process.
    ends: Vec<oneshot::Sender<Answer>>,
    /// Lines about nodes whose jobs have not started yet.
    lines: HashMap<String, Vec<Line>>,
    /// Lines about no node.
    messages: Vec<Line>,
    errors: Vec<String>,
    /// How many processes have ended and have a log that was read.
    read: usize,
    runs: bool,
    stops: bool,
    /// How the last process of this host ended.
    end: Option<Result<BuildSummary, Arc<str>>>,
}

struct Waiting {
    context: JobContext,
    answer: oneshot::Sender<Answer>,
}

/// A line that a job prints.
type Line = (OutputStream, String);

/// What the thread tells a job.
pub(crate) enum Answer {
    /// The node has ended.
    DbtNode(NodeResult),
    /// dbt ended without this node, and why.
    Ended(Arc<str>),
    /// The process has ended: ask again.
    Again,
}

/// What a job does next.
pub(crate) enum Next {
    Done(NodeResult),
    Wait(oneshot::Receiver<Answer>),
}

/// The most lines that are kept for a job that has not started yet.
const MAX_LINES: usize = 1000;
const MAX_ERRORS: usize = 5;

impl Build {
    /// The build of the run of the context, with what its jobs have persisted.
    pub(crate) fn new(
        settings: Arc<Settings>,
        nodes: Arc<Nodes>,
        folder: LogFolder,
        drive: Drive,
        context: &JobContext,
    ) -> Result<Self, JobError> {
        let mut state = State::default();
        for node in nodes.iter() {
            if let Some(result) = context.persisted::<NodeResult>(&key(node))? {
                state.statuses.insert(node.to_owned(), result.status);
                if result.status.is_success() {
                    state.finished.insert(node.to_owned(), result);
                } else {
                    state.given_up.insert(node.to_owned());
                }
            }
        }
        let (state, stopping) = (Mutex::new(state), Condvar::new());
        Ok(Self { settings, nodes, folder, drive, state, stopping })
    }

    /// Starts or continues the attempt of a node's job: its result, or what to wait for.
    pub(crate) fn next(self: &Arc<Self>, node: &str, context: &JobContext) -> Next {
        let mut state = self.lock();
        for (stream, line) in state.lines.remove(node).unwrap_or_default() {
            context.print(stream, line);
        }
        if let Some(result) = state.finished.get(node) {
            return Next::Done(result.clone());
        }
        if let Some(result) = state.failed.remove(node) {
            return Next::Done(result);
        }
        state.given_up.remove(node);
        let (answer, receiver) = oneshot::channel();
        if state.runs && !state.can_wait(node) {
            // The next process builds it.
            state.ends.push(answer);
        } else {
            let context = context.clone();
            state.waiting.insert(node.to_owned(), Waiting { context, answer });
            self.start(&mut state, Work::Build);
        }
        Next::Wait(receiver)
    }

    /// The summary of the last process; or what to wait for, if it has not ended.
    pub(crate) fn summary(
        self: &Arc<Self>,
    ) -> Result<Result<BuildSummary, Arc<str>>, oneshot::Receiver<Answer>> {
        let mut state = self.lock();
        if let (false, Some(end)) = (state.runs, &state.end) {
            return Ok(end.clone());
        }
        let (answer, receiver) = oneshot::channel();
        state.ends.push(answer);
        self.start(&mut state, Work::Summarize);
        Err(receiver)
    }

    /// Completes when the process that runs has ended; `None` if none runs.
    pub(crate) fn end(&self) -> Option<oneshot::Receiver<Answer>> {
        let mut state = self.lock();
        let (answer, receiver) = oneshot::channel();
        state.runs.then(|| {
            state.ends.push(answer);
            receiver
        })
    }

    /// Starts the thread, unless it runs.
    fn start(self: &Arc<Self>, state: &mut State, work: Work) {
        if state.runs {
            return;
        }
        state.runs = true;
        state.end = None;
        state.selected = None;
        state.errors.clear();
        state.settled.clear();
        state.failed.clear();
        let build = Arc::clone(self);
        let thread = std::thread::Builder::new().name("dbt".to_owned());
        let started = thread.spawn(move || {
            // Answers also if the thread panics.
            let mut end = End { build: &build, end: None };
            end.end = Some((build.drive)(&build, work));
        });
        if let Err(error) = started {
            let reason = io_reason(&error);
            state.end(Err(format!("cannot start a thread for dbt: {reason}").into()));
        }
    }

    /// Stops dbt: it is interrupted, and killed after the grace period.
    pub(crate) fn stop(&self) {
        self.lock().stops = true;
        self.stopping.notify_all();
    }

    /// Waits for a request to stop, at most this long. Returns whether there is one.
    pub(crate) fn wait_for_stop(&self, at_most: Duration) -> bool {
        let state = self.lock();
        if state.stops {
            drop(state);
            std::thread::sleep(at_most);
            return true;
        }
        let waited = self.stopping.wait_timeout(state, at_most);
        waited.unwrap_or_else(PoisonError::into_inner).0.stops
    }

    pub(crate) fn stops(&self) -> bool {
        self.lock().stops
    }

    /// The folders of earlier processes whose logs this build has not read.
    pub(crate) fn unread(&self) -> impl Iterator<Item = ProcessFolder> {
        self.folder.processes().into_iter().skip(self.lock().read)
    }

    /// Records that the log of the next process was read to its end.
    pub(crate) fn has_read(&self) {
        self.lock().read += 1;
    }

    /// Takes what an earlier process has logged.
    pub(crate) fn recall(&self, event: LogEvent) {
        if let (Some(node), Some(result)) = (event.node, event.result)
            && self.nodes.contain(&node)
        {
            let mut state = self.lock();
            state.statuses.insert(node.clone(), result.status);
            if result.status.is_success() {
                state.answer(node, result);
            }
        }
    }

    /// Selects the nodes that are left to build. A job that has failed for good has decided about its node
    /// and all that depends on it.
    pub(crate) fn select(&self) -> Vec<&str> {
        let mut state = self.lock();
        let decided = state.given_up.iter().map(String::as_str);
        let decided = self.nodes.from(decided);
        let is_left = |node: &&str| !state.finished.contains_key(*node) && !decided.contains(node);
        let left: Vec<&str> = self.nodes.iter().filter(is_left).collect();
        state.selected = Some(left.iter().map(|&node| node.to_owned()).collect());
        left
    }

    /// Takes an event of the process that runs.
    pub(crate) fn take(&self, event: LogEvent) {
        let mut state = self.lock();
        let node = event.node.filter(|node| self.nodes.contain(node));
        if event.level >= Level::Error && state.errors.len() < MAX_ERRORS {
            state.errors.push(event.text.trim().to_owned());
        }
        if event.level >= Level::Info && !event.text.trim().is_empty() {
            state.print(node.as_deref(), event.level, event.text);
        }
        if let (Some(node), Some(result)) = (node, event.result) {
            state.statuses.insert(node.clone(), result.status);
            if !result.status.is_success() {
                state.settled.insert(node.clone());
            }
            state.answer(node, result);
        }
    }

    /// The last status of each node.
    pub(crate) fn statuses(&self) -> HashMap<String, NodeStatus> {
        self.lock().statuses.clone()
    }

    /// The errors of the process that runs, or ran last.
    pub(crate) fn errors(&self) -> String {
        self.lock().errors.join("; ")
    }

    /// The lines about no node since the last call.
    pub(crate) fn messages(&self) -> Vec<Line> {
        std::mem::take(&mut self.lock().messages)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether the process that runs may still end the node.
    fn can_wait(&self, node: &str) -> bool {
        let is_selected = self.selected.as_ref().is_none_or(|selected| selected.contains(node));
        is_selected && !self.settled.contains(node)
    }

    /// Records the end of a node, and tells its job.
    fn answer(&mut self, node: String, result: NodeResult) {
        let waiting = self.waiting.remove(&node);
        if result.status.is_success() {
            self.finished.insert(node, result.clone());
        } else if waiting.is_none() {
            self.failed.insert(node, result);
            return;
        }
        if let Some(waiting) = waiting {
            // Fails if the attempt was dropped.
            let _ = waiting.answer.send(Answer::DbtNode(result));
        }
    }

    /// Prints a line for the job of its node, or keeps it until the job starts. What dbt says about
    /// a node after its end is a repetition.
    fn print(&mut self, node: Option<&str>, level: Level, text: String) {
        let stream = if level >= Level::Warn { OutputStream::Stderr } else { OutputStream::Stdout };
        let line = (stream, format!("{}\n", text.trim_end()));
        let Some(node) = node else { return keep(&mut self.messages, line) };
        if let Some(waiting) = self.waiting.get(node) {
            waiting.context.print(line.0, line.1);
        } else if !self.finished.contains_key(node) && !self.settled.contains(node) {
            keep(self.lines.entry(node.to_owned()).or_default(), line);
        }
    }

    fn end(&mut self, end: Result<BuildSummary, Arc<str>>) {
        self.runs = false;
        let reason = match &end {
            Ok(_) => "dbt ended without this node, as it does after a failure with `fail_fast`; \
                      if nodes were renamed or removed, load the project again"
                .into(),
            Err(reason) => Arc::clone(reason),
        };
        self.end = Some(end);
        for (_, waiting) in self.waiting.drain() {
            // Fails if the attempt was dropped, here and below.
            let _ = waiting.answer.send(Answer::Ended(Arc::clone(&reason)));
        }
        for waiting in self.ends.drain(..) {
            let _ = waiting.send(Answer::Again);
        }
    }
}

/// Tells all jobs that the process has ended.
struct End<'a> {
    build: &'a Build,
    end: Option<Result<BuildSummary, Arc<str>>>,
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        let end = self.end.take();
        let end = end.unwrap_or_else(|| Err("the thread that drives dbt panicked".into()));
        self.build.lock().end(end);
    }
}

fn keep(lines: &mut Vec<Line>, line: Line) {
    if lines.len() < MAX_LINES {
        lines.push(line);
    }
}

/// The key of the result of a node among the values of a run.
pub(crate) fn key(node: &str) -> String {
    format!("dbt {node}")
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;
    use crate::lineage::steps;
    use crate::manifest::Manifest;
    use crate::program::Program;

    const MANIFEST: &str = r#"{
        "metadata": {"dbt_schema_version": "https://schemas.getdbt.com/dbt/manifest/v12.json"},
        "nodes": {
            "model.a": {"resource_type": "model", "name": "a"},
            "model.b": {"resource_type": "model", "name": "b", "depends_on": {"nodes": ["model.a"]}},
            "model.c": {"resource_type": "model", "name": "c"}
        }
    }"#;

    /// Lets the test look at a process that has its selection.
    static SELECTED: Barrier = Barrier::new(2);

    fn drive(build: &Build, _: Work) -> Result<BuildSummary, Arc<str>> {
        let selected = build.select();
        SELECTED.wait();
        SELECTED.wait();
        for node in selected {
            build.take(LogEvent::read(&format!(
                r#"{{"info": {{"name": "NodeFinished"}}, "data": {{"node_info": {{"unique_id":
                    "{node}"}}, "run_result": {{"status": "success"}}}}}}"#
            )));
        }
        Ok(BuildSummary::default())
    }

    #[test]
    fn a_node_that_is_not_selected_waits_for_the_next_process() {
        let manifest = Manifest::parse(MANIFEST).expect("a manifest");
        let selected = manifest.nodes().keys().cloned().collect();
        let nodes = Arc::new(Nodes::of(&steps(&manifest, &selected)));
        let settings = Arc::new(Settings::new("/nowhere".into(), Program::unchecked("dbt")));
        let folder = LogFolder::new("/nowhere".as_ref());
        let context = JobContext::detached();
        let build = Build::new(settings, nodes, folder, drive, &context).expect("a build");
        build.lock().given_up.insert("model.a".to_owned());
        let build = Arc::new(build);
        let wait = |node| match build.next(node, &context) {
            Next::Wait(receiver) => receiver,
            Next::Done(result) => panic!("{node} is done: {result:?}"),
        };
        let answer =
            |receiver: oneshot::Receiver<Answer>| pollster::block_on(receiver).expect("an answer");

        let other = wait("model.c");
        SELECTED.wait();
        assert_eq!(build.lock().selected, Some(HashSet::from(["model.c".to_owned()])));
        let given_up = wait("model.a");
        SELECTED.wait();
        assert!(matches!(answer(other), Answer::DbtNode(_)));
        assert!(matches!(answer(given_up), Answer::Again));

        let again = wait("model.a");
        SELECTED.wait();
        SELECTED.wait();
        assert!(matches!(answer(again), Answer::DbtNode(_)));
        let end = build.end();
        drop(end.map(answer));
        assert!(matches!(build.next("model.b", &context), Next::Done(_)));
    }
}
