//! What is special about a job, small enough for a scheduler to keep one per job.

use super::TriggerRule;

/// What a job asks for beyond its work, as bits: a job without any takes the short way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Traits(u16);

impl Traits {
    const RULE: u16 = 0b111;
    /// Has a named limit.
    pub(crate) const LIMITED: Self = Self(1 << 3);
    /// Has a retry policy.
    pub(crate) const RETRIED: Self = Self(1 << 4);
    /// Has a timeout.
    pub(crate) const TIMED: Self = Self(1 << 5);
    /// Only waits for jobs that it starts.
    pub(crate) const CONTAINER: Self = Self(1 << 6);
    /// Runs only if a test of its inputs says so.
    pub(crate) const CONDITIONAL: Self = Self(1 << 7);
    /// Was started by another job.
    pub(crate) const CHILD: Self = Self(1 << 8);
    /// Its work can be taken back.
    pub(crate) const UNDOABLE: Self = Self(1 << 9);
    /// Takes back the work of another.
    pub(crate) const UNDO: Self = Self(1 << 10);
    /// Looks at its context, and so can be asked to stop.
    pub(crate) const WATCHES: Self = Self(1 << 11);
    /// May block its thread.
    pub(crate) const BLOCKING: Self = Self(1 << 12);
    /// Works on one element of its parent's list, and needs the others.
    pub(crate) const ELEMENT: Self = Self(1 << 14);
    /// Has a priority other than 0.
    pub(crate) const RANKED: Self = Self(1 << 13);
    /// Is a member of a group that others wait for.
    pub(crate) const MEMBER: Self = Self(1 << 15);

    pub(crate) fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) fn when(self, holds: bool) -> Self {
        if holds { self } else { Self(0) }
    }

    pub(crate) fn with_rule(self, rule: TriggerRule) -> Self {
        Self(
            self.0 & !Self::RULE
                | RULES.iter().position(|known| *known == rule).map_or(0, |at| at as u16),
        )
    }

    #[inline]
    pub(crate) fn rule(self) -> TriggerRule {
        RULES[(self.0 & Self::RULE) as usize]
    }
}

/// Indexed by the rule's bits; `AllSuccess` first, so that no bits mean the default.
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
