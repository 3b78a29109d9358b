//! The figures in the cells of the tables.

use super::find;
use crate::cases::{Case, Table};
use crate::contenders::{BASELINE, FLOOR};
use crate::measure::Measured;

/// The time of running a graph, and its ratio to the baseline.
pub(super) fn running(case: &Case, measured: &Measured, all: &[Measured]) -> String {
    let time = match case.table {
        Table::PerJob => measured.execute / measured.jobs as f64,
        _ => measured.execute / 1e3,
    };
    with_ratio(time, measured, all, |measured| measured.execute)
}

/// The time of building a graph, and its ratio to the baseline.
pub(super) fn building(_: &Case, measured: &Measured, all: &[Measured]) -> String {
    let time = measured.build / measured.jobs as f64;
    with_ratio(time, measured, all, |measured| measured.build)
}

/// The time of running jobs with work. For busy work, relative to the floor.
pub(super) fn waiting(case: &Case, measured: &Measured, all: &[Measured]) -> String {
    let millis = format!("{:.1} ms", measured.execute / 1e6);
    match find(all, FLOOR) {
        Some(floor) if case.table == Table::Busy => {
            format!("{:.2} ({millis})", measured.execute / floor.execute)
        }
        _ => millis,
    }
}

fn with_ratio(
    time: f64,
    measured: &Measured,
    all: &[Measured],
    of: impl Fn(&Measured) -> f64,
) -> String {
    let time = short(time);
    match find(all, BASELINE) {
        Some(baseline) => format!("{time} ({})", short(of(measured) / of(baseline))),
        None => time,
    }
}

/// A number with its significant digits.
fn short(number: f64) -> String {
    let digits = match number {
        100.0.. => 0,
        10.0.. => 1,
        0.1.. => 2,
        _ => 3,
    };
    format!("{number:.digits$}")
}
