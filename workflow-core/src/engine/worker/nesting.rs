//! How deep runs are inside of each other: a run that is awaited by a job, or that is the job, is
//! one level deeper than the job's run. Workflows that call each other without end come to an end.

use std::cell::Cell;

use crate::engine::active::ActiveRun;
use crate::guard::discard;
use crate::job::{JobContext, JobError};
use crate::run::{Report, RunError};

/// So many runs may be inside of each other.
pub(in crate::engine) const MOST_LEVELS: u32 = 100;

/// By what an error that stems from the bound is known on its way out.
const ERROR_TYPE: &str = "NestedTooDeep";

/// Of a chain in which no workflow comes twice, so many are named.
const MOST_NAMES: usize = 10;

thread_local! {
    static PLACE: Cell<Place> = const { Cell::new(Place { level: 0, polling: false }) };
}

/// What the thread is doing.
#[derive(Clone, Copy)]
struct Place {
    /// The level of the run that it is driving; 0 for none.
    level: u32,
    /// It belongs to an executor, and not to the run.
    polling: bool,
}

/// Notes which run the calling thread is driving.
pub(in crate::engine) struct Inside {
    outer: Place,
}

impl Inside {
    /// A thread of an executor, which polls the run.
    #[inline]
    pub(in crate::engine) fn polling(run: &ActiveRun) -> Self {
        Self { outer: PLACE.replace(Place { level: run.level, polling: true }) }
    }

    /// A thread of the run, which may block.
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

/// Whether the calling thread is polling a run for an executor, which has a thread less for as
/// long as it blocks.
pub(in crate::engine) fn is_polling() -> bool {
    PLACE.get().polling
}

/// The level of a run that begins now: inside of `outer`, if that is given, and where it is
/// `awaited` inside of the run that the calling thread is driving.
///
/// # Errors
///
/// Fails when the run would be too deep.
pub(in crate::engine) fn level_of(
    workflow: &dyn Fn() -> String,
    outer: Option<&JobContext>,
    awaited: bool,
) -> Result<u32, RunError> {
    let around = if awaited { PLACE.get().level } else { 0 };
    let level = outer.map_or(0, JobContext::level).max(around) + 1;
    if level <= MOST_LEVELS {
        return Ok(level);
    }
    let workflow = workflow();
    let callers = outer.map(JobContext::callers).unwrap_or_default();
    let chain = chain(&workflow, &callers);
    Err(RunError::NestedTooDeep { workflow, chain })
}

/// Which workflow called which, from the outside in, as far as that repeats itself. `callers` has
/// the innermost first.
fn chain(workflow: &str, callers: &[String]) -> String {
    let cycle = callers.iter().position(|caller| caller == workflow).map(|at| at + 1);
    let shown = cycle.unwrap_or_else(|| callers.len().min(MOST_NAMES));
    let cut = cycle.is_none() && shown < callers.len();
    let mut names: Vec<String> = cut.then(|| "..".to_owned()).into_iter().collect();
    names.extend(callers[..shown].iter().rev().map(|caller| format!("`{caller}`")));
    names.push(format!("`{workflow}`"));
    names.join(" -> ")
}

/// On its way out, from level to level, an error that stems from the bound stays what it is:
/// another attempt meets it again, and the innermost text names the cause.
pub(in crate::engine) fn pass_on(error: JobError) -> JobError {
    let message = match error.downcast_ref::<RunError>() {
        Some(error @ RunError::NestedTooDeep { .. }) => error.to_string(),
        Some(RunError::Failed(report)) => match message_of(report) {
            Some(message) => message,
            None => return error,
        },
        _ => return error,
    };
    discard(error);
    JobError::terminal(message).with_type(ERROR_TYPE)
}

fn message_of(report: &Report) -> Option<String> {
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
