//! The places that all runs of an engine share.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use smallvec::SmallVec;

use super::active::ActiveRun;
use crate::graph::JobPolicy;
use crate::job::Traits;

/// The limits of an engine: how many jobs may run at once, in all and by name.
pub(super) struct Permits {
    /// The number in all is limit 0 when there is one; it has no name.
    sizes: Vec<usize>,
    total: bool,
    names: BTreeMap<String, usize>,
    state: Mutex<State>,
}

struct State {
    free: Vec<usize>,
    waiting: VecDeque<Waiter>,
}

struct Waiter {
    run: Weak<ActiveRun>,
    job: u32,
    needs: Needs,
}

/// The limits that one job counts against, and how much of each it takes.
type Needs = SmallVec<[(usize, usize); 2]>;

/// A job that now has its places.
pub(super) type Grant = (Arc<ActiveRun>, u32);

impl Permits {
    pub(super) fn new(total: Option<usize>, named: HashMap<String, usize>) -> Self {
        let mut sizes: Vec<usize> = total.into_iter().collect();
        let mut names = BTreeMap::new();
        for (name, size) in named {
            names.insert(name, sizes.len());
            sizes.push(size);
        }
        let state = Mutex::new(State { free: sizes.clone(), waiting: VecDeque::new() });
        Self { sizes, total: total.is_some(), names, state }
    }

    /// What [`new`](Self::new) was given.
    pub(super) fn sizes(&self) -> (Option<usize>, HashMap<String, usize>) {
        let named = self.names.iter().map(|(name, at)| (name.clone(), self.sizes[*at]));
        (self.total.then(|| self.sizes[0]), named.collect())
    }

    /// Whether a job with these traits counts against a limit at all.
    #[inline]
    pub(super) fn concern(&self, traits: Traits) -> bool {
        (self.total && !traits.has(Traits::CONTAINER)) || traits.has(Traits::LIMITED)
    }

    /// The name of a limit that the job asks for and the engine does not have.
    pub(super) fn missing<'a>(&self, policy: &'a JobPolicy) -> Option<&'a str> {
        let names = policy.limits.iter().map(|(name, _)| name.as_str());
        names.into_iter().find(|name| !self.names.contains_key(*name))
    }

    /// The names of the limits, without those of the machine.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let names = self.names.keys().map(String::as_str);
        names.filter(|name| !name.starts_with("machine."))
    }

    fn needs(&self, traits: Traits, policy: Option<&JobPolicy>) -> Needs {
        let total = (self.total && !traits.has(Traits::CONTAINER)).then_some((0, 1));
        let limits = policy.into_iter().flat_map(|policy| &policy.limits);
        let limits = limits.filter_map(|(name, amount)| Some((*self.names.get(name)?, *amount)));
        // Who asks for more than there is gets all of it.
        let fitting = limits.map(|(limit, amount)| (limit, amount.min(self.sizes[limit])));
        let mut needs: Needs = total.into_iter().chain(fitting).collect();
        // A limit that is named twice is counted once, for the larger amount.
        needs.sort_unstable_by_key(|(limit, amount)| (*limit, std::cmp::Reverse(*amount)));
        needs.dedup_by_key(|(limit, _)| *limit);
        needs
    }

    /// Takes the job's places, all or none. Without them it stands in line, and
    /// [`Self::release`] will grant them.
    pub(super) fn acquire(
        &self,
        run: &Arc<ActiveRun>,
        job: u32,
        traits: Traits,
        policy: Option<&JobPolicy>,
    ) -> bool {
        let needs = self.needs(traits, policy);
        let mut state = self.lock();
        let free = state.take(&needs);
        if !free {
            state.waiting.push_back(Waiter { run: Arc::downgrade(run), job, needs });
        }
        free
    }

    /// Gives the job's places back, and returns who has them now.
    pub(super) fn release(&self, traits: Traits, policy: Option<&JobPolicy>) -> Vec<Grant> {
        let needs = self.needs(traits, policy);
        let mut state = self.lock();
        for (limit, amount) in &needs {
            state.free[*limit] += amount;
        }
        state.grant(&needs)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self, needs: &Needs) -> bool {
        let free = needs.iter().all(|(limit, amount)| self.free[*limit] >= *amount);
        if free {
            needs.iter().for_each(|(limit, amount)| self.free[*limit] -= amount);
        }
        free
    }

    /// Serves those in line, first come first, who can use what was freed.
    fn grant(&mut self, freed: &Needs) -> Vec<Grant> {
        let mut grants = Vec::new();
        let mut at = 0;
        while at < self.waiting.len() && freed.iter().any(|(limit, _)| self.free[*limit] > 0) {
            let needs = self.waiting[at].needs.clone();
            if !self.take(&needs) {
                at += 1;
                continue;
            }
            match self
                .waiting
                .remove(at)
                .and_then(|waiter| Some((waiter.run.upgrade()?, waiter.job)))
            {
                Some(grant) => grants.push(grant),
                // Its run is gone.
                None => needs.iter().for_each(|(limit, amount)| self.free[*limit] += amount),
            }
        }
        grants
    }
}

impl fmt::Debug for Permits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        if self.total {
            map.entry(&"max_parallel", &self.sizes[0]);
        }
        map.entries(self.names().map(|name| (name, self.sizes[self.names[name]]))).finish()
    }
}
