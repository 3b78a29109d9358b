//! The clock of a pipeline, which tests can set.

use std::time::SystemTime;

use jiff::Timestamp;

/// Where a pipeline takes the time from: the system, or one fixed time.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use workflow_data::RecordClock;
///
/// let clock = RecordClock::fixed(SystemTime::UNIX_EPOCH + Duration::from_secs(60));
/// assert_eq!(clock.timestamp(), "1970-01-01T00:01:00Z");
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct RecordClock {
    fixed: Option<SystemTime>,
}

impl RecordClock {
    /// The clock of the system.
    pub fn system() -> Self {
        Self::default()
    }

    /// A clock that always shows this time. Sources do not wait between requests.
    pub fn fixed(time: SystemTime) -> Self {
        Self { fixed: Some(time) }
    }

    /// The time, as RFC 3339 in UTC.
    pub fn timestamp(&self) -> String {
        self.now().to_string()
    }

    /// Microseconds since 1970.
    pub(crate) fn microseconds(&self) -> i64 {
        self.now().as_microsecond()
    }

    /// Blocks for a while. A clock with a fixed time does not wait.
    #[cfg(feature = "api")]
    pub(crate) fn pause(&self, time: std::time::Duration) {
        if self.fixed.is_none() {
            std::thread::sleep(time);
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        // Times outside of the years that RFC 3339 can write are shown as the start of 1970.
        self.fixed.map_or_else(Timestamp::now, |time| Timestamp::try_from(time).unwrap_or_default())
    }
}
