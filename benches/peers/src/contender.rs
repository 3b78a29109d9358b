//! The interface of a compared engine.

use crate::plan::{Plan, Work};

/// An engine.
pub trait Contender: Sync {
    /// Its name in the tables.
    fn name(&self) -> &'static str;

    /// Footnotes to its figures.
    fn notes(&self) -> &'static [Note] {
        &[]
    }

    /// Whether its jobs can do this kind of work.
    fn handles(&self, work: Work) -> bool {
        work == Work::Derive
    }

    /// Whether it is so slow that fewer samples are taken.
    fn slow(&self) -> bool {
        false
    }

    /// The threads from which it can run graphs. Every case is measured from each of them, and the
    /// fastest counts. Memory is measured from the first.
    fn places(&self) -> &'static [Place] {
        &[Place::Main]
    }

    /// Builds the graph; this is timed.
    fn prepare(&self, plan: &'static Plan) -> Box<dyn Prepared>;
}

/// A graph an engine has built.
pub trait Prepared {
    /// Runs all jobs, `times` in a row; this is timed. An engine that can run a graph only once
    /// rebuilds it before every further run, and has the note [`Note::Rebuilt`].
    fn execute(&mut self, times: usize, from: Place);

    /// The values of the last run; called once, not timed.
    fn outcome(&mut self) -> Outcome;
}

/// Where a graph is run from. It makes a difference for engines on top of the shared runtime.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The main thread, which sleeps while it waits for jobs.
    Main,
    /// One of the workers, which runs jobs while it waits for others.
    Worker,
}

/// The values of a run.
pub enum Outcome {
    /// The values of all jobs.
    All(Vec<u64>),
    /// The values of jobs without dependents, for engines that drop the others.
    #[allow(dead_code, reason = "no contender needs it at present")]
    Sinks(Vec<u64>),
}

/// A footnote.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Note {
    /// Runs all jobs on the calling thread.
    OneThread,
    /// Can run a graph only once.
    Rebuilt,
    /// Resets the graph between runs.
    Reset,
    /// Limits the number of inputs of a job.
    Narrowed(usize),
    /// Is measured from the main thread and from a worker.
    BestOfPlaces,
    /// Is measured less often.
    FewerSamples,
}
