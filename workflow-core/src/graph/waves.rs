//! The jobs in waves: what could run together.

use super::Graph;

impl Graph {
    /// The names of the jobs in waves: those that wait for nothing, then those that wait only for
    /// them, and so on. What is in one wave could run together.
    ///
    /// ```
    /// use workflow_core::{Definition, Graph};
    ///
    /// let definition = Definition::new("etl")?
    ///     .job("users", [])?
    ///     .job("orders", [])?
    ///     .job("report", ["users", "orders"])?;
    /// let graph = Graph::compile(&definition)?;
    /// assert_eq!(graph.waves(), [vec!["users", "orders"], vec!["report"]]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn waves(&self) -> Vec<Vec<&str>> {
        let mut wave_of = vec![0; self.len()];
        let mut wave_of_group = vec![0; self.groups.len()];
        let mut open: Vec<u32> = self.groups.cells.iter().map(|group| group.pending).collect();
        let mut waves: Vec<Vec<&str>> = Vec::new();
        // Jobs are numbered so that each comes after those that it waits for.
        for job in 0..self.len() {
            let (wave, next) = (wave_of[job], wave_of[job] + 1);
            if waves.len() <= wave {
                waves.resize_with(next, Vec::new);
            }
            waves[wave].push(self.names.get(job));
            raise(&mut wave_of, self.successors.get(job as u32), next);
            for group in self.groups.of_job.get(job as u32) {
                let at = *group as usize;
                wave_of_group[at] = next.max(wave_of_group[at]);
                open[at] -= 1;
                if open[at] == 0 {
                    raise(&mut wave_of, self.groups.waiting.get(*group), wave_of_group[at]);
                }
            }
        }
        waves
    }
}

/// Puts jobs into this wave, unless they are in a later one.
fn raise(wave_of: &mut [usize], jobs: &[u32], wave: usize) {
    for job in jobs {
        let at = &mut wave_of[*job as usize];
        *at = wave.max(*at);
    }
}
