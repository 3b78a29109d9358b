//! Formats the results as Markdown.

mod cells;
mod machine;
mod notes;
pub mod section;
mod table;

use crate::cases::{Case, Table};
use crate::contender::Contender;
use crate::contenders;
use crate::load::Load;
use crate::measure::Measured;
use notes::Notes;

/// All results.
pub struct Report {
    samples: usize,
    load: Load,
    cases: Vec<(&'static Case, Vec<Measured>)>,
    peaks: Vec<(&'static str, Option<f64>)>,
}

impl Report {
    /// Creates an empty report, and starts to measure the load of the machine.
    pub fn new(samples: usize) -> Self {
        Self { samples, load: Load::watch(), cases: Vec::new(), peaks: Vec::new() }
    }

    /// Adds a column.
    pub fn add_case(&mut self, case: &'static Case, measured: Vec<Measured>) {
        self.cases.push((case, measured));
    }

    /// Measures and adds the column of peak memory, in megabytes.
    pub fn add_peaks(
        &mut self,
        contenders: &[&'static dyn Contender],
        measure: impl Fn(&dyn Contender) -> Option<f64>,
    ) {
        let contenders = contenders.iter();
        self.peaks = contenders.map(|c| (c.name(), measure(*c))).collect();
    }

    /// All tables, with their explanation and the command that repeats them.
    pub fn to_markdown(&self, command: &str) -> String {
        let mut notes = Notes::default();
        let tables =
            [self.running(&mut notes), self.building(&mut notes), self.waiting(&mut notes)];
        let mut markdown = String::new();
        for table in tables.into_iter().flatten() {
            markdown += &table;
            markdown.push('\n');
        }
        markdown += &notes.to_markdown();
        markdown += &machine::describe(self.samples, &self.load, command);
        markdown
    }

    fn running(&self, notes: &mut Notes) -> Option<String> {
        let shown = |case: &Case| matches!(case.table, Table::PerJob | Table::PerRun);
        let mut rows = self.rows(shown, cells::running, notes)?;
        if !self.peaks.is_empty() {
            rows.column("peak memory", |contender| self.peak(contender));
        }
        let title = "Running trivial jobs: ns per job (`diamond`: µs per run of its four jobs), \
                     and the growth of resident memory by `random`, in MB";
        Some(rows.to_markdown(title, BASELINE))
    }

    fn building(&self, notes: &mut Notes) -> Option<String> {
        let shown = |case: &Case| case.table == Table::PerJob;
        let rows = self.rows(shown, cells::building, notes)?;
        Some(rows.to_markdown("Building the same graphs: ns per job", BASELINE))
    }

    fn waiting(&self, notes: &mut Notes) -> Option<String> {
        let shown = |case: &Case| matches!(case.table, Table::Busy | Table::Asleep);
        let rows = self.rows(shown, cells::waiting, notes)?;
        let title = "Jobs which take time: `layered` with busy jobs (1,000 layers if they take \
                     1 µs, 100 if they take 10 µs), and 10,000 independent jobs which sleep";
        Some(rows.to_markdown(title, FLOOR))
    }

    /// The rows of all contenders that support at least one of the `shown` cases.
    fn rows(
        &self,
        shown: impl Fn(&Case) -> bool,
        cell: impl Fn(&Case, &Measured, &[Measured]) -> String,
        notes: &mut Notes,
    ) -> Option<table::Rows> {
        let cases: Vec<_> = self.cases.iter().filter(|(case, _)| shown(case)).collect();
        let measured = |c: &dyn Contender| cases.iter().any(|(_, all)| find(all, c).is_some());
        let contenders = contenders::ALL.iter().copied();
        let contenders: Vec<_> = contenders.filter(|c| measured(*c)).collect();
        if contenders.is_empty() {
            return None;
        }
        let mut rows = table::Rows::new(contenders, notes);
        for (case, all) in cases {
            rows.column(case.name, |contender| {
                find(all, contender).map(|measured| cell(case, measured, all))
            });
        }
        Some(rows)
    }

    fn peak(&self, contender: &dyn Contender) -> Option<String> {
        let mut peaks = self.peaks.iter();
        let (_, peak) = peaks.find(|(name, _)| *name == contender.name())?;
        Some(peak.map_or_else(|| "n/a".into(), |peak| format!("{peak:.1}")))
    }
}

const BASELINE: &str = "In parentheses: relative to the baseline, *tokio, one spawned task per \
                        job*; less than 1 is faster.";

const FLOOR: &str = "Busy jobs: time relative to the sequential loop which does the same work; \
                     0.50 is all that two workers can reach.";

/// The figures of `contender`, if it was measured.
fn find<'a>(all: &'a [Measured], contender: &dyn Contender) -> Option<&'a Measured> {
    all.iter().find(|m| m.contender.name() == contender.name())
}
