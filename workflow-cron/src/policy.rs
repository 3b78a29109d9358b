//! What a scheduler does when runs overlap, when times were missed, and when many schedules are due
//! at once.

use std::fmt;
use std::time::Duration;

/// The policy of a schedule. By default, runs may overlap, missed times are skipped, and runs start
/// on time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SchedulePolicy {
    /// What happens at a time while the run of an earlier time is unfinished.
    pub overlap: Overlap,
    /// How long a missed time can still start a run. Zero: missed times are skipped.
    pub catch_up: Duration,
    /// The longest delay after a time. Each time has its own delay, the same on every machine.
    pub jitter: Duration,
}

/// What happens at a time while the run of an earlier time is unfinished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Overlap {
    /// Another run starts beside it.
    #[default]
    Allow,
    /// The time is skipped.
    Skip,
    /// Another run starts when it has ended. Every time that passes meanwhile waits.
    Queue,
    /// It is cancelled, and another run starts when it has ended.
    Cancel,
}

/// Whether the run of an earlier time is finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EarlierRun {
    /// It has ended, or there is none.
    Finished,
    /// It is in progress, or waits.
    Unfinished,
}

/// What to do with a time that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Admission {
    /// Start its run.
    Start,
    /// Skip it.
    Skip,
    /// Start its run when the earlier run has ended.
    Wait,
    /// Cancel the earlier run, and start this one when that has ended.
    CancelEarlier,
}

/// Why a policy is invalid: what is wrong, and the cure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyError(String);

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for PolicyError {}

/// The longest catch-up window: 366 days.
const LONGEST_CATCH_UP: Duration = Duration::from_secs(366 * 24 * 3600);

/// The longest jitter: a day.
const LONGEST_JITTER: Duration = Duration::from_secs(24 * 3600);

impl SchedulePolicy {
    /// Checks the durations.
    ///
    /// # Errors
    ///
    /// Fails when the catch-up window is longer than 366 days, or the jitter longer than a day.
    pub fn check(&self) -> Result<(), PolicyError> {
        let fail = |reason: &str| Err(PolicyError(reason.to_owned()));
        if self.catch_up > LONGEST_CATCH_UP {
            return fail("`catch_up` is longer than 366 days; make it shorter");
        }
        if self.jitter > LONGEST_JITTER {
            return fail("`jitter` is longer than a day; make it shorter, or change the schedule");
        }
        Ok(())
    }
}

impl Overlap {
    /// The four values.
    pub const ALL: [Self; 4] = [Self::Allow, Self::Skip, Self::Queue, Self::Cancel];

    /// The value as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Skip => "skip",
            Self::Queue => "queue",
            Self::Cancel => "cancel",
        }
    }

    /// Decides what to do with a time that is due.
    pub fn admit(self, earlier: EarlierRun) -> Admission {
        match (self, earlier) {
            (Self::Allow, _) | (_, EarlierRun::Finished) => Admission::Start,
            (Self::Skip, EarlierRun::Unfinished) => Admission::Skip,
            (Self::Queue, EarlierRun::Unfinished) => Admission::Wait,
            (Self::Cancel, EarlierRun::Unfinished) => Admission::CancelEarlier,
        }
    }
}

impl fmt::Display for Overlap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Overlap {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        let found = Self::ALL.into_iter().find(|one| one.as_str() == text);
        found.ok_or_else(|| {
            let cure = "write `allow`, `skip`, `queue` or `cancel`";
            PolicyError(format!("`{text}` is not an overlap policy; {cure}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlap_policies_are_read_as_they_are_written() {
        for overlap in Overlap::ALL {
            assert_eq!(overlap.to_string().parse(), Ok(overlap));
        }
        let error = "Skip".parse::<Overlap>().map_err(|error| error.to_string());
        assert_eq!(
            error,
            Err("`Skip` is not an overlap policy; write `allow`, `skip`, `queue` or `cancel`"
                .to_owned())
        );
    }

    #[test]
    fn only_an_unfinished_run_stops_another() {
        for overlap in Overlap::ALL {
            assert_eq!(overlap.admit(EarlierRun::Finished), Admission::Start);
        }
        let beside = Overlap::ALL.map(|overlap| overlap.admit(EarlierRun::Unfinished));
        let wanted = [Admission::Start, Admission::Skip, Admission::Wait, Admission::CancelEarlier];
        assert_eq!(beside, wanted);
    }

    #[test]
    fn long_durations_are_refused() {
        let policy = SchedulePolicy { catch_up: LONGEST_CATCH_UP, ..Default::default() };
        assert_eq!(policy.check(), Ok(()));
        let longer = SchedulePolicy { catch_up: Duration::MAX, ..Default::default() };
        assert!(longer.check().is_err_and(|error| error.to_string().contains("366 days")));
        let jitter = SchedulePolicy { jitter: Duration::MAX, ..Default::default() };
        assert!(jitter.check().is_err_and(|error| error.to_string().contains("a day")));
    }
}
