//! The one reader of schedules. The attributes, workflow files, the store and the server read cron
//! expressions with it, so that what one of them takes, all of them run.
//!
//! Without features it has no dependencies, and suits a macro crate: it reads and explains. `times`
//! evaluates what was read, with croner; `zones` checks names of time zones.
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
mod read;
#[cfg(feature = "times")]
mod times;
#[cfg(feature = "zones")]
pub mod zone;

pub use read::{Cron, CronError};
#[cfg(feature = "times")]
pub use times::{TimeWindow, Times, TimesError, Watch};
