//! Groups in a flow: many jobs that wait for many others.

use super::{CONSTANTS, Flow};
use crate::graph::GraphError;
use crate::job::{Group, Handle, InputRef};

impl Flow {
    /// Joins jobs into a group, which others wait for as a whole with
    /// [`Call::after_group`](crate::Call::after_group).
    ///
    /// When a thousand jobs wait for a thousand others, a group takes two thousand edges, and
    /// [`Call::after_all`](crate::Call::after_all) a million. The runs are the same. A group
    /// without jobs is nothing to wait for, and neither are handles of values that are known
    /// already.
    ///
    /// ```
    /// use workflow_core::prelude::*;
    ///
    /// #[job]
    /// fn load(shard: u32) -> u32 { shard }
    /// #[job]
    /// fn check(shard: u32) -> u32 { shard }
    ///
    /// let mut flow = Flow::new();
    /// let loads: Vec<_> = (0..1000).map(|shard| flow.job(load::draw(shard))).collect();
    /// let loaded = flow.group(loads);
    /// for shard in 0..1000 {
    ///     flow.job(check::draw(shard).after_group(loaded));
    /// }
    /// let plan = flow.plan()?;
    /// let (members, waiting) = plan.graph().groups().next().ok_or("a group")?;
    /// assert_eq!((members.len(), waiting.len()), (1000, 1000));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn group<T: ?Sized>(&mut self, jobs: impl IntoIterator<Item = Handle<T>>) -> Group {
        let mut members = Vec::new();
        for job in jobs {
            match self.own(job.at) {
                Some(index) if index < CONSTANTS => members.push(index),
                Some(_) => {}
                None => {
                    self.problem.get_or_insert(GraphError::ForeignMember);
                }
            }
        }
        let index = self.builder.groups.add(members);
        Group { at: InputRef { owner: self.owner, index } }
    }

    /// Notes that a job waits for groups.
    pub(super) fn wait_for_groups(&mut self, job: u32, name: &str, groups: &[Group]) {
        for group in groups {
            match self.own(group.at) {
                Some(index) => self.builder.groups.wait(job, index),
                None => {
                    self.problem.get_or_insert(GraphError::ForeignGroup(name.to_owned()));
                }
            }
        }
    }
}
