//! The names of the jobs of a graph, which are resolved on first use.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::OnceLock;

/// The names of a graph's jobs, in the order in which they were added. Some are given, and the
/// others are generated from the names of their functions.
#[derive(Default)]
pub(crate) struct Names {
    /// The functions' names, each once.
    seeds: Vec<Cow<'static, str>>,
    seed_of: Vec<u32>,
    given: Given,
    /// The number of each job in the graph.
    new_of: Vec<u32>,
    resolved: OnceLock<Vec<Box<str>>>,
    /// The jobs sorted by name, for lookups.
    sorted: OnceLock<Box<[u32]>>,
    /// Whether a job has a name like the generated names of children.
    has_generated: OnceLock<bool>,
}

impl Names {
    pub(crate) fn with_capacity(jobs: usize) -> Self {
        Self { seed_of: Vec::with_capacity(jobs), ..Self::default() }
    }

    /// Adds a job.
    pub(crate) fn push(&mut self, seed: Cow<'static, str>, given: Option<&str>) {
        let at = match self.seed_of.last() {
            Some(last) if same(&self.seeds[*last as usize], &seed) => *last,
            _ => self.intern(seed),
        };
        if let Some(name) = given {
            self.given.push(self.seed_of.len(), name);
        }
        self.seed_of.push(at);
    }

    fn intern(&mut self, seed: Cow<'static, str>) -> u32 {
        let at = self.seeds.iter().rposition(|known| *known == seed).unwrap_or_else(|| {
            self.seeds.push(seed);
            self.seeds.len() - 1
        });
        u32::try_from(at).unwrap_or(u32::MAX)
    }

    /// Returns an upper bound for the number of given names.
    pub(super) fn most_given(&self) -> usize {
        self.given.ends.len()
    }

    /// Returns the given names.
    pub(super) fn given(&self) -> impl Iterator<Item = &str> {
        (0..self.most_given()).filter_map(|job| self.given.get(job))
    }

    /// Numbers the jobs as the graph does.
    pub(super) fn reorder(&mut self, new_of: Vec<u32>) {
        self.new_of = new_of;
    }

    /// Returns the number in the graph of the job that was added at this position.
    pub(crate) fn number(&self, added: u32) -> u32 {
        self.new_of.get(added as usize).copied().unwrap_or(added)
    }

    pub(crate) fn get(&self, job: usize) -> &str {
        &self.resolve()[job]
    }

    /// Whether a job has this name.
    pub(crate) fn contains(&self, name: &str) -> bool {
        let names = self.resolve();
        if names.len() <= FEW {
            return names.iter().any(|known| **known == *name);
        }
        let sorted = self.sorted.get_or_init(|| {
            let mut jobs: Box<[u32]> = (0..names.len() as u32).collect();
            jobs.sort_unstable_by_key(|job| &names[*job as usize]);
            jobs
        });
        sorted.binary_search_by_key(&name, |job| &names[*job as usize]).is_ok()
    }

    /// Makes the [generated](is_generated) name of a child distinct from the names of the graph:
    /// the name itself, or the next free one of `name_2`, `name_3`, ...
    pub(crate) fn distinct(&self, generated: String) -> String {
        let has_generated =
            self.has_generated.get_or_init(|| self.resolve().iter().any(|name| is_generated(name)));
        if !*has_generated || !self.contains(&generated) {
            return generated;
        }
        let numbered = (2_u64..).map(|number| format!("{generated}_{number}"));
        { numbered }.find(|name| !self.contains(name)).unwrap_or(generated)
    }

    pub(crate) fn resolve(&self) -> &[Box<str>] {
        self.resolved.get_or_init(|| {
            let taken: HashSet<&str> = self.given().collect();
            let mut counts: Vec<u32> = vec![0; self.seeds.len()];
            let mut generated = HashSet::new();
            let mut names = vec![Box::default(); self.seed_of.len()];
            // Numbers count the jobs as they were added, wherever the graph has put them.
            for (job, seed) in self.seed_of.iter().enumerate() {
                let (seed, new) = (*seed as usize, self.number(job as u32) as usize);
                names[new] = match self.given.get(job) {
                    Some(given) => given.into(),
                    None => number(&self.seeds[seed], &mut counts[seed], &taken, &mut generated),
                };
            }
            names
        })
    }
}

/// Up to this many names are compared one by one.
const FEW: usize = 8;

/// Whether a name is like a generated one: `name[0]` for elements of a map, `undo name` for
/// compensations, with or without a number at the end.
pub(crate) fn is_generated(name: &str) -> bool {
    name.starts_with("undo ") || is_element(name)
}

fn is_element(name: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let numbered = name.rsplit_once('_').filter(|(_, number)| is_number(number));
    match name.strip_suffix(']').and_then(|name| name.rsplit_once('[')) {
        Some((_, index)) => is_number(index),
        None => numbered.is_some_and(|(name, _)| is_element(name)),
    }
}

/// Given names, concatenated to avoid an allocation for each.
#[derive(Default)]
struct Given {
    text: String,
    /// Where the name of each job ends, up to the last job with a name. A name starts where the
    /// previous one ends, and is empty for a job without one.
    ends: Vec<usize>,
}

impl Given {
    fn push(&mut self, job: usize, name: &str) {
        self.ends.resize(job, self.text.len());
        self.text.push_str(name);
        self.ends.push(self.text.len());
    }

    fn get(&self, job: usize) -> Option<&str> {
        let end = *self.ends.get(job)?;
        let start = job.checked_sub(1).map_or(0, |before| self.ends[before]);
        (start < end).then(|| &self.text[start..end])
    }
}

/// Whether two names are the same. Compares the addresses first, which are mostly equal.
fn same(one: &str, other: &str) -> bool {
    std::ptr::eq(one, other) || one == other
}

/// Returns the next free one of `name`, `name_2`, `name_3`, ...
fn number(
    seed: &str,
    count: &mut u32,
    taken: &HashSet<&str>,
    generated: &mut HashSet<Box<str>>,
) -> Box<str> {
    loop {
        *count += 1;
        let name: Box<str> =
            if *count == 1 { seed.into() } else { format!("{seed}_{count}").into_boxed_str() };
        if !taken.contains(&*name) && generated.insert(name.clone()) {
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
            names.push("load".into(), given);
        }
        names.push("load_3".into(), None);
        let all: Vec<&str> = (0..5).map(|job| names.get(job)).collect();
        assert_eq!(all, ["load", "load_2", "load_3", "load_4", "load_3_2"]);
    }

    #[test]
    fn made_names_are_told_apart_from_those_of_the_graph() {
        let mut names = Names::default();
        for given in ["map[0]", "map[0]_2", "undo map", "map[2]_2"] {
            names.push("map".into(), Some(given));
        }
        let distinct = |name: &str| names.distinct(name.to_owned());
        assert_eq!(distinct("map[0]"), "map[0]_3");
        assert_eq!(distinct("undo map"), "undo map_2");
        assert_eq!(distinct("map[1]"), "map[1]");
        assert_eq!(distinct("map[2]"), "map[2]");
        assert!(
            ["m[0]", "m[0][12]", "m[0]_2", "m[7]_2_3", "undo it"].into_iter().all(is_generated)
        );
        assert!(
            !["m", "m[]", "m[x]", "m[0] b", "m_2", "m[0]_x", "]"].into_iter().any(is_generated)
        );
    }
}
