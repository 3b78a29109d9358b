//! The reversed graph: for every job, its dependents.

use super::Shape;

/// Dependents in two flat arrays.
pub struct Successors {
    starts: Vec<u32>,
    waiting: Vec<u32>,
}

impl Successors {
    /// Reverses the dependencies of `shape`.
    pub fn of(shape: &Shape) -> Self {
        let mut ends = vec![0; shape.len() + 1];
        for &input in &shape.inputs {
            ends[input as usize] += 1;
        }
        let mut sum = 0;
        for end in &mut ends {
            sum += *end;
            *end = sum;
        }
        let mut waiting = vec![0; shape.inputs.len()];
        for job in (0..shape.len() as u32).rev() {
            for &input in shape.inputs(job) {
                let slot = &mut ends[input as usize];
                *slot -= 1;
                waiting[*slot as usize] = job;
            }
        }
        Self { starts: ends, waiting }
    }

    /// The dependents of `job`.
    #[inline]
    pub fn after(&self, job: u32) -> &[u32] {
        let job = job as usize;
        &self.waiting[self.starts[job] as usize..self.starts[job + 1] as usize]
    }
}
