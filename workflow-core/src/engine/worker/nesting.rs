//! The nesting level of runs. A run that a job awaits, or a child workflow, is one level deeper
//! than the job's run. A bound on the levels ends workflows that call each other without end.

use std::cell::Cell;

use crate::engine::active::ActiveRun;
use crate::guard::discard;
use crate::job::{JobContext, JobError};
use crate::run::{Report, RunError};

/// The largest nesting level.
pub(in crate::engine) const MAX_LEVELS: u32 = 100;

/// The type of an error that stems from the bound, on its way out.
const ERROR_TYPE: &str = "NestedTooDeep";

/// The number of workflows that an error names, if none is in the chain twice.
const MAX_NAMES: usize = 10;

thread_local! {
    static PLACE: Cell<Place> = const { Cell::new(Place { level: 0, polling: false }) };
}

/// The run that a thread is working for.
#[derive(Clone, Copy)]
struct Place {
    /// The level of that run; 0 for none.
    level: u32,
    /// The thread belongs to an executor, and not to the run.
    polling: bool,
}

/// Marks the calling thread as working for a run, until it is dropped.
pub(in crate::engine) struct Inside {
    outer: Place,
}

impl Inside {
    /// Marks a thread of an executor, which polls the run.
    #[inline]
    pub(in crate::engine) fn polling(run: &ActiveRun) -> Self {
        Self { outer: PLACE.replace(Place { level: run.level, polling: true }) }
    }

    /// Marks a thread of the run, which may block.
    pub(in crate::engine) fn helping(run: &ActiveRun) -> Self {
        Self { outer: PLACE.replace(Place { level: run.level, polling: false }) }
    }
}

impl Drop for Inside {
    #[inline]
    fn drop(&mut self) {
        PLACE.set(self.outer);
    }
}

/// Whether the calling thread is polling a run for an executor, which would lose this thread if it
/// blocks.
pub(in crate::engine) fn is_polling() -> bool {
    PLACE.get().polling
}

/// Returns the level of a run that starts now: below `outer`, if that is given, and if it is
/// `awaited`, below the run that the calling thread is driving.
///
/// # Errors
///
/// Fails if the level would exceed the bound.
pub(in crate::engine) fn level_of(
    workflow: &dyn Fn() -> String,
    outer: Option<&JobContext>,
    awaited: bool,
) -> Result<u32, RunError> {
    let surrounding = if awaited { PLACE.get().level } else { 0 };
    let level = outer.map_or(0, JobContext::level).max(surrounding) + 1;
    if level <= MAX_LEVELS {
        return Ok(level);
    }
    let workflow = workflow();
    let callers = outer.map(JobContext::callers).unwrap_or_default();
    let chain = chain(&workflow, &callers);
    Err(RunError::NestedTooDeep { workflow, chain })
}

/// The chain of calls up to the first repetition, from the outside in. `callers` has the innermost
/// first.
fn chain(workflow: &str, callers: &[String]) -> String {
    let cycle = callers.iter().position(|caller| caller == workflow).map(|at| at + 1);
    let shown = cycle.unwrap_or_else(|| callers.len().min(MAX_NAMES));
    let cut = cycle.is_none() && shown < callers.len();
    let mut names: Vec<String> = cut.then(|| "..".to_owned()).into_iter().collect();
    names.extend(callers[..shown].iter().rev().map(|caller| format!("`{caller}`")));
    names.push(format!("`{workflow}`"));
    names.join(" -> ")
}

/// Keeps an error that stems from the bound as it is on its way out, from level to level: a retry
/// cannot help, and the innermost text names the cause.
pub(in crate::engine) fn propagate(error: JobError) -> JobError {
    let message = match error.downcast_ref::<RunError>() {
        Some(error @ RunError::NestedTooDeep { .. }) => error.to_string(),
        Some(RunError::Failed(report)) => match nesting_message(report) {
            Some(message) => message,
            None => return error,
        },
        _ => return error,
    };
    discard(error);
    JobError::terminal(message).with_type(ERROR_TYPE)
}

fn nesting_message(report: &Report) -> Option<String> {
    let mut failures = report.failures();
    failures.find(|failure| failure.error_type == ERROR_TYPE).map(|failure| failure.message.clone())
}

#[cfg(test)]
mod tests {
    use super::chain;

    #[test]
    fn a_chain_names_what_repeats() {
        let callers =
            |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(chain("a", &callers(&["a", "a", "a"])), "`a` -> `a`");
        assert_eq!(chain("a", &callers(&["c", "b", "a", "c"])), "`a` -> `b` -> `c` -> `a`");
        assert_eq!(chain("c", &callers(&["b", "a"])), "`a` -> `b` -> `c`");
        assert_eq!(chain("a", &[]), "`a`");
        let many: Vec<String> = (0..20).map(|number| number.to_string()).collect();
        let text = chain("a", &many);
        assert!(text.starts_with(".. -> `9` -> ") && text.ends_with("`1` -> `0` -> `a`"), "{text}");
    }
}
