//! Jobs that others wait for as a whole.

use super::{Call, InputRef};

/// Jobs that others can wait for as a whole: made by [`Flow::group`](crate::Flow::group), given
/// to [`Call::after_group`].
///
/// A small copyable ticket, valid for the flow that gave it out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group {
    pub(crate) at: InputRef,
}

impl<T: Send + Sync + 'static> Call<T> {
    /// Makes the job wait for all jobs of a group, whose values it does not read.
    ///
    /// It means what [`after_all`](Self::after_all) with these jobs means, for every trigger rule
    /// and every way to end. Where many jobs wait for the same many others, it costs less: see
    /// [`Flow::group`](crate::Flow::group).
    pub fn after_group(mut self, group: Group) -> Self {
        self.raw.options.get_or_insert_default().after_groups.push(group);
        self
    }
}
