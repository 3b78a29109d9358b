//! What the jobs of a graph are called. Worked out only when someone asks.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::OnceLock;

/// The names of a graph's jobs: some given, the rest made from the names of their functions. Kept
/// by the order in which the jobs were added.
#[derive(Default)]
pub(crate) struct Names {
    /// The functions' names, each once.
    seeds: Vec<Cow<'static, str>>,
    seed_of: Vec<u32>,
    given: Given,
    /// The number of each job in the graph.
    new_of: Vec<u32>,
    resolved: OnceLock<Vec<Box<str>>>,
    /// The jobs by their names, for who looks one up.
    sorted: OnceLock<Box<[u32]>>,
    /// Whether a name is like those that are made for jobs of jobs.
    has_made: OnceLock<bool>,
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

    /// How many jobs at most were given a name.
    pub(super) fn most_given(&self) -> usize {
        self.given.ends.len()
    }

    /// The names that were given.
    pub(super) fn given(&self) -> impl Iterator<Item = &str> {
        (0..self.most_given()).filter_map(|job| self.given.get(job))
    }

    /// Numbers the jobs as the graph does.
    pub(super) fn reorder(&mut self, new_of: Vec<u32>) {
        self.new_of = new_of;
    }

    /// The number in the graph of the job that was added as this one.
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

    /// A name that was [made](is_made) for a job of a job, told apart from the names of the graph:
    /// itself, or the next free one of `name_2`, `name_3`, ...
    pub(crate) fn apart(&self, made: String) -> String {
        let has_made =
            self.has_made.get_or_init(|| self.resolve().iter().any(|name| is_made(name)));
        if !*has_made || !self.contains(&made) {
            return made;
        }
        let numbered = (2_u64..).map(|number| format!("{made}_{number}"));
        { numbered }.find(|name| !self.contains(name)).unwrap_or(made)
    }

    pub(crate) fn resolve(&self) -> &[Box<str>] {
        self.resolved.get_or_init(|| {
            let taken: HashSet<&str> = self.given().collect();
            let mut counts: Vec<u32> = vec![0; self.seeds.len()];
            let mut made = HashSet::new();
            let mut names = vec![Box::default(); self.seed_of.len()];
            // Numbers count the jobs as they were added, wherever the graph has put them.
            for (job, seed) in self.seed_of.iter().enumerate() {
                let (seed, new) = (*seed as usize, self.number(job as u32) as usize);
                names[new] = match self.given.get(job) {
                    Some(given) => given.into(),
                    None => number(&self.seeds[seed], &mut counts[seed], &taken, &mut made),
                };
            }
            names
        })
    }
}

/// So many names are compared one by one.
const FEW: usize = 8;

/// Whether a name is like those that are made for elements of a map, `name[0]`, and for compensating jobs,
/// `undo name`, with or without a number behind it.
pub(crate) fn is_made(name: &str) -> bool {
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

/// Names that were given, one after another: a text for each would be an allocation for each.
#[derive(Default)]
struct Given {
    text: String,
    /// Where the name of each job ends; the last that has one comes last. It begins where that of
    /// the job before ends, which is the same place when the job has none.
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

/// Whether two names are the same; mostly they are, and in the same place.
fn same(one: &str, other: &str) -> bool {
    std::ptr::eq(one, other) || one == other
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
        let apart = |name: &str| names.apart(name.to_owned());
        assert_eq!(apart("map[0]"), "map[0]_3");
        assert_eq!(apart("undo map"), "undo map_2");
        assert_eq!(apart("map[1]"), "map[1]");
        assert_eq!(apart("map[2]"), "map[2]");
        assert!(["m[0]", "m[0][12]", "m[0]_2", "m[7]_2_3", "undo it"].into_iter().all(is_made));
        assert!(!["m", "m[]", "m[x]", "m[0] b", "m_2", "m[0]_x", "]"].into_iter().any(is_made));
    }
}
