//! Flags of a job, small enough for the scheduler to hold one set per job.

use bitflags::bitflags;

use super::TriggerRule;

bitflags! {
    /// The properties of a job that need extra work. A job without flags takes the fast path.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub(crate) struct JobFlags: u16 {
        /// The trigger rule, as a number; read it with [`rule`](Self::rule).
        const RULE = 0b111;
        /// Has a named limit, or a task queue of its own.
        const LIMITED = 1 << 3;
        /// Has a retry policy.
        const RETRIED = 1 << 4;
        /// Has a timeout.
        const TIMED = 1 << 5;
        /// Only waits for jobs that it starts, and so does not count as running.
        const CONTAINER = 1 << 6;
        /// Has a condition on its inputs.
        const CONDITIONAL = 1 << 7;
        /// Was started by another job.
        const CHILD = 1 << 8;
        /// Its work can be compensated.
        const COMPENSATED = 1 << 9;
        /// Compensates the work of another.
        const COMPENSATION = 1 << 10;
        /// Takes a context, and so can be cancelled cooperatively.
        const WATCHES = 1 << 11;
        /// May block its thread.
        const BLOCKING = 1 << 12;
        /// Has a priority other than 0.
        const RANKED = 1 << 13;
        /// Processes one element of its parent's list, and fails with the others.
        const ELEMENT = 1 << 14;
        /// Is a member of a group that other jobs wait for.
        const MEMBER = 1 << 15;
    }
}

impl JobFlags {
    /// Returns these flags if `holds`, and none otherwise.
    pub(crate) fn when(self, holds: bool) -> Self {
        if holds { self } else { Self::empty() }
    }

    /// The flags of a job whose attempts are made elsewhere: no thread, no places of limits, and a
    /// token that cancels it. Jobs that only wait for other jobs keep their flags.
    pub(crate) fn delegated(self) -> Self {
        if self.intersects(Self::CONTAINER) {
            return self.difference(Self::LIMITED);
        }
        self.difference(Self::BLOCKING.union(Self::LIMITED)).union(Self::WATCHES)
    }

    /// The flags of a job whose attempts are made by the workers of its task queue: no thread, and a
    /// token that cancels it. `LIMITED` stays, as the mark of such a job.
    pub(crate) fn handed_out(self) -> Self {
        self.difference(Self::BLOCKING).union(Self::WATCHES)
    }

    pub(crate) fn with_rule(self, rule: TriggerRule) -> Self {
        let number = RULES.iter().position(|known| *known == rule).unwrap_or_default();
        self.difference(Self::RULE).union(Self::from_bits_retain(number as u16))
    }

    #[inline]
    pub(crate) fn rule(self) -> TriggerRule {
        RULES[usize::from(self.intersection(Self::RULE).bits())]
    }
}

/// Trigger rules by their numbers. `AllSuccess` is first, so that no flags mean the default.
const RULES: [TriggerRule; 8] = [
    TriggerRule::AllSuccess,
    TriggerRule::AllDone,
    TriggerRule::OneSuccess,
    TriggerRule::OneFailed,
    TriggerRule::NoneFailed,
    TriggerRule::Always,
    TriggerRule::AllSuccess,
    TriggerRule::AllSuccess,
];
