//! Timing: contenders take turns, so that a disturbance affects all of them.

use std::time::Instant;

use crate::cases::Case;
use crate::contender::{Contender, Place};
use crate::contenders::FLOOR;
use crate::plan::Plan;

/// The maximum number of samples of a slow contender.
pub const SLOW_SAMPLES: usize = 3;

/// A slow contender runs repeated graphs less often by this factor.
const SLOW_SHARE: usize = 10;

/// The medians of one contender in one case, in nanoseconds.
pub struct Measured {
    pub contender: &'static dyn Contender,
    /// The number of jobs.
    pub jobs: usize,
    /// Building the graph.
    pub build: f64,
    /// Running it once.
    pub execute: f64,
}

/// Measures all `contenders` that support `case`.
pub fn measure(
    case: &Case,
    contenders: &[&'static dyn Contender],
    samples: usize,
) -> Vec<Measured> {
    let plan = case.plan();
    let able = contenders.iter().filter(|c| c.handles(case.work));
    let places = able.flat_map(|&c| c.places().iter().map(move |&place| (c, place)));
    let series = places.map(|(c, place)| Series::new(c, place, case, samples));
    let mut series: Vec<_> = series.collect();
    for round in 0..samples {
        for series in series.iter_mut().filter(|series| round < series.samples) {
            // An untimed run first, because the previous contender leaves cold caches.
            FLOOR.prepare(plan).execute(1, Place::Main);
            series.sample(plan);
        }
        // The order changes, so that no contender always follows the same one.
        series.reverse();
    }
    if samples % 2 == 1 {
        series.reverse();
    }
    let series = series.into_iter();
    best_places(series.map(|series| series.medians(plan)))
}

/// Selects the fastest thread from which a contender was measured.
fn best_places(all: impl Iterator<Item = Measured>) -> Vec<Measured> {
    let mut best: Vec<Measured> = Vec::new();
    for measured in all {
        match best.last_mut() {
            Some(last) if last.contender.name() == measured.contender.name() => {
                last.build = last.build.min(measured.build);
                last.execute = last.execute.min(measured.execute);
            }
            _ => best.push(measured),
        }
    }
    best
}

struct Series {
    contender: &'static dyn Contender,
    place: Place,
    samples: usize,
    times: usize,
    builds: Vec<f64>,
    executions: Vec<f64>,
}

impl Series {
    fn new(contender: &'static dyn Contender, place: Place, case: &Case, samples: usize) -> Self {
        let slow = contender.slow();
        Self {
            contender,
            place,
            samples: if slow { samples.min(SLOW_SAMPLES) } else { samples },
            times: if slow { case.times.div_ceil(SLOW_SHARE) } else { case.times },
            builds: Vec::new(),
            executions: Vec::new(),
        }
    }

    fn sample(&mut self, plan: &'static Plan) {
        let start = Instant::now();
        let mut prepared = self.contender.prepare(plan);
        let built = Instant::now();
        prepared.execute(self.times, self.place);
        let executed = Instant::now();
        plan.check(self.contender.name(), &prepared.outcome());
        self.builds.push((built - start).as_nanos() as f64);
        let execution = (executed - built).as_nanos() as f64;
        self.executions.push(execution / self.times as f64);
    }

    fn medians(self, plan: &Plan) -> Measured {
        Measured {
            contender: self.contender,
            jobs: plan.shape.len(),
            build: median(self.builds),
            execute: median(self.executions),
        }
    }
}

fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    let middle = samples.len() / 2;
    if samples.len().is_multiple_of(2) {
        (samples[middle - 1] + samples[middle]) / 2.0
    } else {
        samples[middle]
    }
}
