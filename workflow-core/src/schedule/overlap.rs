//! Overlapping runs of an engine whose store does not enforce limits: the engine decides, for the
//! runs that it has started.

use std::collections::{HashMap, VecDeque};
use std::time::SystemTime;

use workflow_cron::{Admission, EarlierRun, Overlap};

use crate::engine::RunHandle;
use crate::run::Run as _;

/// The scheduled runs of an engine, by workflow.
#[derive(Default)]
pub(super) struct OwnRuns(HashMap<String, Own>);

#[derive(Default)]
struct Own {
    latest: Option<RunHandle>,
    waiting: VecDeque<SystemTime>,
}

/// The most times of a workflow that wait for the end of a run.
const MOST_WAITING: usize = 1000;

impl OwnRuns {
    /// Decides what to do with a time. A time that has to wait is kept for [`ready`](Self::ready).
    pub(super) fn admit(
        &mut self,
        workflow: &str,
        overlap: Overlap,
        at: SystemTime,
    ) -> Result<Admission, String> {
        if overlap == Overlap::Allow {
            return Ok(Admission::Start);
        }
        let own = self.0.entry(workflow.to_owned()).or_default();
        let admission = overlap.admit(own.earlier());
        match admission {
            Admission::Start => {}
            Admission::Skip => return Err(own.unfinished()),
            Admission::Wait if own.waiting.len() >= MOST_WAITING => {
                return Err(format!("{MOST_WAITING} times already wait for runs to end"));
            }
            Admission::Wait => own.waiting.push_back(at),
            Admission::CancelEarlier => {
                own.latest.iter().for_each(|run| run.cancel());
                own.waiting.clear();
                own.waiting.push_back(at);
            }
        }
        Ok(admission)
    }

    /// Records a run that has started.
    pub(super) fn started(&mut self, workflow: &str, overlap: Overlap, run: RunHandle) {
        if overlap != Overlap::Allow {
            self.0.entry(workflow.to_owned()).or_default().latest = Some(run);
        }
    }

    /// Takes the time of a workflow that waited for a run that has ended.
    pub(super) fn ready(&mut self, workflow: &str) -> Option<SystemTime> {
        let own = self.0.get_mut(workflow)?;
        if own.latest.as_ref().is_some_and(|run| !run.status().is_final()) {
            return None;
        }
        own.waiting.pop_front()
    }

    /// Puts back a time that was ready, but could not start.
    pub(super) fn wait_again(&mut self, workflow: &str, at: SystemTime) {
        self.0.entry(workflow.to_owned()).or_default().waiting.push_front(at);
    }

    /// Whether a time waits for the end of a run.
    pub(super) fn is_waiting(&self) -> bool {
        self.0.values().any(|own| !own.waiting.is_empty())
    }
}

impl Own {
    fn earlier(&self) -> EarlierRun {
        let is_running = self.latest.as_ref().is_some_and(|run| !run.status().is_final());
        match is_running || !self.waiting.is_empty() {
            true => EarlierRun::Unfinished,
            false => EarlierRun::Finished,
        }
    }

    fn unfinished(&self) -> String {
        let run = self.latest.as_ref().map(|run| run.id().to_string()).unwrap_or_default();
        format!("run {run} of an earlier time is unfinished")
    }
}
