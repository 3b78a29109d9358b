//! What the jobs of a graph are called. Worked out only when someone asks.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::OnceLock;

/// The names of a graph's jobs: some given, the rest made from the names of their functions.
#[derive(Default)]
pub(crate) struct Names {
    /// The functions' names, each once.
    seeds: Vec<Cow<'static, str>>,
    seed_of: Vec<u32>,
    /// Empty, or one entry per job.
    given: Vec<Option<Box<str>>>,
    /// The jobs in the order in which they were added, as their numbers in the graph.
    order: Vec<u32>,
    resolved: OnceLock<Vec<Box<str>>>,
}

impl Names {
    pub(crate) fn with_capacity(jobs: usize) -> Self {
        Self { seed_of: Vec::with_capacity(jobs), ..Self::default() }
    }

    /// Adds a job.
    pub(crate) fn push(&mut self, seed: Cow<'static, str>, given: Option<String>) {
        let at = match self.seed_of.last() {
            Some(last) if self.seeds[*last as usize] == seed => *last,
            _ => self.intern(seed),
        };
        let job = self.seed_of.len();
        self.seed_of.push(at);
        if given.is_some() && self.given.is_empty() {
            self.given.resize_with(job, || None);
        }
        if given.is_some() || !self.given.is_empty() {
            self.given.push(given.map(String::into_boxed_str));
        }
    }

    fn intern(&mut self, seed: Cow<'static, str>) -> u32 {
        let at = self.seeds.iter().rposition(|known| *known == seed).unwrap_or_else(|| {
            self.seeds.push(seed);
            self.seeds.len() - 1
        });
        u32::try_from(at).unwrap_or(u32::MAX)
    }

    /// The names that were given, with their jobs.
    pub(crate) fn given(&self) -> impl Iterator<Item = (usize, &str)> {
        self.given.iter().enumerate().filter_map(|(job, name)| Some((job, name.as_deref()?)))
    }

    pub(crate) fn has_given(&self) -> bool {
        !self.given.is_empty()
    }

    /// Puts the jobs into another order: `order[new]` is the old number.
    pub(crate) fn reorder(&mut self, order: &[u32]) {
        self.seed_of = order.iter().map(|old| self.seed_of[*old as usize]).collect();
        if !self.given.is_empty() {
            self.given = order.iter().map(|old| self.given[*old as usize].take()).collect();
        }
        self.order = super::compile::invert(order);
    }

    pub(crate) fn get(&self, job: usize) -> &str {
        &self.resolve()[job]
    }

    pub(crate) fn resolve(&self) -> &[Box<str>] {
        self.resolved.get_or_init(|| {
            let taken: HashSet<&str> = self.given().map(|(_, name)| name).collect();
            let mut counts: Vec<u32> = vec![0; self.seeds.len()];
            let mut made = HashSet::new();
            let mut names = vec![Box::default(); self.seed_of.len()];
            // Numbers count the jobs as they were added, wherever the graph has put them.
            for job in 0..names.len() {
                let job = self.order.get(job).map_or(job, |job| *job as usize);
                let seed = self.seed_of[job] as usize;
                names[job] = match self.given.get(job) {
                    Some(Some(given)) => given.clone(),
                    _ => number(&self.seeds[seed], &mut counts[seed], &taken, &mut made),
                };
            }
            names
        })
    }
}

/// The next free one of `name`, `name_2`, `name_3`, ...
fn number(
    seed: &str,
    count: &mut u32,
    taken: &HashSet<&str>,
    made: &mut HashSet<Box<str>>,
) -> Box<str> {
    loop {
        *count += 1;
        let name: Box<str> =
            if *count == 1 { seed.into() } else { format!("{seed}_{count}").into_boxed_str() };
        if !taken.contains(&*name) && made.insert(name.clone()) {
            return name;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_names_keep_clear_of_given_ones() {
        let mut names = Names::default();
        for given in [None, Some("load_2"), None, None] {
            names.push("load".into(), given.map(str::to_owned));
        }
        names.push("load_3".into(), None);
        let all: Vec<&str> = (0..5).map(|job| names.get(job)).collect();
        assert_eq!(all, ["load", "load_2", "load_3", "load_4", "load_3_2"]);
    }
}
