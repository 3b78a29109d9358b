//! What an engine has to offer in order to be compared.

use crate::plan::{Plan, Work};

/// An engine.
pub trait Contender: Sync {
    /// Its name in the tables.
    fn name(&self) -> &'static str;

    /// What a reader of its figures has to know.
    fn notes(&self) -> &'static [Note] {
        &[]
    }

    /// Whether its jobs can do this kind of work.
    fn handles(&self, work: Work) -> bool {
        work == Work::Derive
    }

    /// Whether it takes so long that fewer samples have to do.
    fn slow(&self) -> bool {
        false
    }

    /// Where it may run graphs from. Every case is measured from each of these places, and the
    /// fastest counts; memory is measured from the first.
    fn places(&self) -> &'static [Place] {
        &[Place::Main]
    }

    /// Builds the graph; this is timed.
    fn prepare(&self, plan: &'static Plan) -> Box<dyn Prepared>;
}

/// A graph an engine has built.
pub trait Prepared {
    /// Runs all jobs, `times` in a row; this is timed. An engine which can run a graph only once
    /// builds a new one before every run but the first, and says so by [`Note::Rebuilt`].
    fn execute(&mut self, times: usize, from: Place);

    /// What the last run came to; called once, not timed.
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

/// The values a run came to.
pub enum Outcome {
    /// Those of all jobs.
    All(Vec<u64>),
    /// Those of the jobs nothing depends on, for engines which do not keep the others.
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
