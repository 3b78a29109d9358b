//! Groups, which let many jobs wait for many others at the cost of the sum of both, not the
//! product.

use super::{GraphError, Lists};

/// Groups as they were added, by the numbers of jobs in a builder.
#[derive(Default)]
pub(crate) struct GroupBuilder {
    count: usize,
    /// Groups with their members.
    members: Vec<(u32, u32)>,
    /// Groups with the jobs that wait for them.
    waiting: Vec<(u32, u32)>,
}

impl GroupBuilder {
    /// Adds a group of these jobs and returns its number.
    pub(crate) fn add(&mut self, members: impl IntoIterator<Item = u32>) -> u32 {
        let group = u32::try_from(self.count).unwrap_or(u32::MAX);
        self.count += 1;
        self.members.extend(members.into_iter().map(|job| (group, job)));
        group
    }

    /// Makes a job wait for all members of a group.
    pub(crate) fn wait(&mut self, job: u32, group: u32) {
        self.waiting.push((group, job));
    }

    pub(super) fn members(&self) -> &[(u32, u32)] {
        &self.members
    }

    pub(super) fn waiting(&self) -> &[(u32, u32)] {
        &self.waiting
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Removes duplicates, and groups without members or without waiting jobs, which order nothing.
    /// Renumbers the rest.
    ///
    /// # Errors
    ///
    /// Fails if there are more groups or pairs than the graph can number.
    pub(super) fn normalize(&mut self) -> Result<(), GraphError> {
        let most = self.count.max(self.members.len()).max(self.waiting.len());
        u32::try_from(most).map_err(|_| GraphError::TooLarge)?;
        let mut has = vec![[false; 2]; self.count];
        for (side, pairs) in [&mut self.members, &mut self.waiting].into_iter().enumerate() {
            pairs.sort_unstable();
            pairs.dedup();
            pairs.iter().for_each(|(group, _)| has[*group as usize][side] = true);
        }
        let kept = has.iter().enumerate().filter(|(_, has)| **has == [true; 2]);
        let mut numbers = vec![None; self.count];
        self.count = 0;
        for (number, (group, _)) in (0_u32..).zip(kept) {
            numbers[group] = Some(number);
            self.count += 1;
        }
        for pairs in [&mut self.members, &mut self.waiting] {
            let kept = pairs.iter().filter_map(|(old, job)| Some((numbers[*old as usize]?, *job)));
            *pairs = kept.collect();
        }
        Ok(())
    }

    /// Returns the groups as flat lists, with the jobs numbered as they were added.
    pub(super) fn as_added(&self, jobs: usize) -> Groups {
        if self.count == 0 {
            return Groups::default();
        }
        let same: Vec<u32> = (0..jobs as u32).collect();
        self.compile(&same, &same)
    }

    /// Returns the groups as flat lists, with the jobs renumbered.
    pub(super) fn compile(&self, order: &[u32], new_of: &[u32]) -> Groups {
        if self.count == 0 {
            return Groups::default();
        }
        let new = |(group, job): &(u32, u32)| (*group, new_of[*job as usize]);
        let of_job = self.members.iter().map(new).map(|(group, job)| (job, group));
        let mut cells = vec![GroupState::default(); self.len()];
        self.members.iter().for_each(|(group, _)| cells[*group as usize].pending += 1);
        Groups {
            of_job: Lists::of(order.len(), of_job),
            waiting: Lists::of(self.len(), self.waiting.iter().map(new)),
            cells,
            added: order.to_vec(),
        }
    }
}

/// The groups of a graph, by the numbers of its jobs. Groups are not jobs: counts and names of jobs
/// do not include them.
#[derive(Default)]
pub(crate) struct Groups {
    /// For each job, the groups of which it is a member. Empty without groups.
    pub(crate) of_job: Lists,
    /// For each group, the jobs that wait for it, in the order in which they were added.
    pub(crate) waiting: Lists,
    /// The initial state of each group in a scheduler.
    pub(crate) cells: Vec<GroupState>,
    /// The position at which each job was added. Empty without groups.
    pub(crate) added: Vec<u32>,
}

/// The state of a group in a run.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct GroupState {
    /// The number of its members that have not ended.
    pub(crate) pending: u32,
    /// The marks of members that have ended.
    pub(crate) seen: u8,
}

impl Groups {
    pub(super) fn len(&self) -> usize {
        self.cells.len()
    }

    /// Returns the members of each group.
    pub(super) fn members(&self, jobs: usize) -> Lists {
        let jobs = 0..jobs as u32;
        let pairs =
            jobs.flat_map(|job| self.of_job.get(job).iter().map(move |group| (*group, job)));
        Lists::of(self.len(), pairs)
    }
}
