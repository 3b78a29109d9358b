//! The parser of schedules. The attributes, workflow files, the store and the server parse cron
//! expressions with it, so that all of them accept the same.
//!
//! Without features it only parses and has no dependencies, which suits a macro crate. The feature
//! `times` computes times with croner, and plans what is due; `periods` has hours, days, weeks and
//! months in a row; `zones` checks names of time zones.
//!
//! ```
//! use workflow_cron::Cron;
//!
//! let cron = Cron::parse("0 9 * * FRI-SUN")?;
//! assert_eq!(cron.to_string(), "0 9 * * 0,5,6");
//! let error = Cron::parse("*/90 * * * *").unwrap_err();
//! assert!(error.to_string().contains("write `0` for once an hour"));
//! # Ok::<(), workflow_cron::CronError>(())
//! ```

mod field;
#[cfg(feature = "times")]
mod past;
#[cfg(feature = "periods")]
mod periods;
#[cfg(feature = "times")]
mod plan;
mod policy;
mod read;
#[cfg(feature = "times")]
mod times;
#[cfg(feature = "zones")]
pub mod zone;

#[cfg(feature = "times")]
pub use past::{PastRange, RangeError};
#[cfg(feature = "periods")]
pub use periods::{Dated, Period, PeriodError, Periods};
#[cfg(feature = "times")]
pub use plan::{Missed, Planner, ScheduleCheck, SchedulePlan};
pub use policy::{Admission, EarlierRun, Overlap, PolicyError, SchedulePolicy};
pub use read::{Cron, CronError};
#[cfg(feature = "times")]
pub use times::{TimeWindow, Times, TimesError};
