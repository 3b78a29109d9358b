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

/// The limits that one job counts against.
type Needs = SmallVec<[usize; 2]>;

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
        policy.limits.iter().map(String::as_str).find(|name| !self.names.contains_key(*name))
    }

    /// The names of the limits.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(String::as_str)
    }

    fn needs(&self, traits: Traits, policy: Option<&JobPolicy>) -> Needs {
        let total = (self.total && !traits.has(Traits::CONTAINER)).then_some(0);
        let limits = policy.into_iter().flat_map(|policy| &policy.limits);
        let mut needs: Needs = total
            .into_iter()
            .chain(limits.filter_map(|name| self.names.get(name).copied()))
            .collect();
        // A limit that is named twice is counted once.
        needs.sort_unstable();
        needs.dedup();
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
        for limit in &needs {
            state.free[*limit] += 1;
        }
        state.grant(&needs)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self, needs: &Needs) -> bool {
        let free = needs.iter().all(|limit| self.free[*limit] > 0);
        if free {
            needs.iter().for_each(|limit| self.free[*limit] -= 1);
        }
        free
    }

    /// Serves those in line, first come first, who can use what was freed.
    fn grant(&mut self, freed: &Needs) -> Vec<Grant> {
        let mut grants = Vec::new();
        let mut at = 0;
        while at < self.waiting.len() && freed.iter().any(|limit| self.free[*limit] > 0) {
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
                None => needs.iter().for_each(|limit| self.free[*limit] += 1),
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
        map.entries(self.names.iter().map(|(name, limit)| (name, self.sizes[*limit]))).finish()
    }
}
