//! The task of a contender: a graph, the work of each job, and the expected values.

use std::hint::black_box;
use std::time::Duration;

use crate::{derive, spin};
use crate::contender::Outcome;
use crate::shapes::Shape;
use crate::shapes::narrow::Step;

/// What a job does in addition to deriving its value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Nothing.
    Derive,
    /// Busy work of this many microseconds.
    Spin(u32),
    /// Sleeps for this many milliseconds.
    SleepMs(u32),
}

/// A graph together with the work of its jobs.
///
/// Plans are never dropped, so that no contender needs reference counts for them.
pub struct Plan {
    pub shape: Shape,
    rounds: u64,
    sleep: Option<Duration>,
    expected: Vec<u64>,
}

impl Plan {
    /// Plans `work` for every job of `shape`.
    pub fn new(shape: Shape, work: Work) -> &'static Self {
        let (rounds, sleep) = match work {
            Work::Derive => (0, None),
            Work::Spin(micros) => (spin::rounds(micros), None),
            Work::SleepMs(millis) => (0, Some(Duration::from_millis(millis.into()))),
        };
        let expected = expected(&shape);
        Box::leak(Box::new(Self { shape, rounds, sleep, expected }))
    }

    /// Does the work of `job` (except for sleeping) and returns its value.
    #[inline]
    pub fn run(&self, job: u32, inputs: impl IntoIterator<Item = u64>) -> u64 {
        self.keep_busy();
        derive::derive(job.into(), inputs)
    }

    /// Like [`run`](Self::run), for a node of a narrowed graph.
    #[inline]
    pub fn step(&self, step: Step, inputs: impl IntoIterator<Item = u64>) -> u64 {
        match step {
            Step::Job(job) => self.run(job, inputs),
            Step::Gather => derive::fold(inputs),
            Step::Merge => derive::merge(inputs),
            Step::Seal(job) => {
                self.keep_busy();
                derive::seal(job.into(), derive::merge(inputs))
            }
        }
    }

    /// The part of the work that is awaited. Sleeping is boxed, so that jobs without it stay small.
    #[inline]
    pub async fn pause(&self) {
        if let Some(time) = self.sleep {
            Box::pin(tokio::time::sleep(time)).await;
        }
    }

    #[inline]
    fn keep_busy(&self) {
        if self.rounds > 0 {
            black_box(spin::spin(self.rounds));
        }
    }

    /// Panics unless `outcome` has the expected values.
    pub fn check(&self, contender: &str, outcome: &Outcome) {
        let right = match outcome {
            Outcome::All(values) => *values == self.expected,
            Outcome::Sinks(values) => *values == self.expected_sinks(),
        };
        assert!(right, "{contender} came to wrong values");
    }

    fn expected_sinks(&self) -> Vec<u64> {
        let sinks = self.shape.sinks().into_iter();
        sinks.map(|job| self.expected[job as usize]).collect()
    }
}

fn expected(shape: &Shape) -> Vec<u64> {
    let mut values: Vec<u64> = Vec::with_capacity(shape.len());
    for job in shape.jobs() {
        let inputs = shape.inputs(job).iter().map(|&j| values[j as usize]);
        let value = derive::derive(job.into(), inputs);
        values.push(value);
    }
    values
}
