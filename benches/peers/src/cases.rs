//! The measured cases: graphs with the work of their jobs.

use crate::plan::{Plan, Work};
use crate::shapes::{self, Shape};

/// One column of a table.
pub struct Case {
    /// Its name on the command line and in the tables.
    pub name: &'static str,
    shape: fn() -> Shape,
    pub work: Work,
    /// How often the graph is run in a row.
    pub times: usize,
    pub table: Table,
}

/// The table a case belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// The cost of trivial jobs, per job.
    PerJob,
    /// The cost of a small graph that runs repeatedly, per run.
    PerRun,
    /// The speed-up with two workers.
    Busy,
    /// Jobs which wait.
    Asleep,
}

impl Case {
    const fn new(name: &'static str, shape: fn() -> Shape, work: Work, table: Table) -> Self {
        let times = 1;
        Self { name, shape, work, times, table }
    }

    const fn times(self, times: usize) -> Self {
        Self { times, ..self }
    }

    /// Makes the graph.
    pub fn plan(&self) -> &'static Plan {
        Plan::new((self.shape)(), self.work)
    }
}

/// All cases in the order of the tables.
///
/// Both busy cases have 100 ms of work. The system may take 10 ms to move a woken thread to another
/// core, which would dominate a shorter run.
pub static ALL: &[Case] = &[
    Case::new("chain", || shapes::chain(10_000), Work::Derive, Table::PerJob),
    Case::new("fan", || shapes::fan(10_000), Work::Derive, Table::PerJob),
    Case::new("layered", || shapes::layered(100, 100), Work::Derive, Table::PerJob),
    Case::new(RANDOM, || shapes::random(100_000), Work::Derive, Table::PerJob),
    Case::new("diamond", shapes::diamond, Work::Derive, Table::PerRun).times(10_000),
    Case::new("busy 1 µs", || shapes::layered(1_000, 100), Work::Spin(1), Table::Busy),
    Case::new("busy 10 µs", || shapes::layered(100, 100), Work::Spin(10), Table::Busy),
    Case::new("sleep 1 ms", || shapes::independent(10_000), Work::SleepMs(1), Table::Asleep),
];

/// The case whose peak memory is measured as well.
pub const RANDOM: &str = "random";
