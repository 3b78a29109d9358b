//! The commands, one module each.

#[cfg(feature = "serve")]
pub(crate) mod accounts;
pub(crate) mod assets;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod list;
pub(crate) mod maintenance;
#[cfg(feature = "new")]
pub(crate) mod new;
pub(crate) mod plan;
pub(crate) mod recover;
pub(crate) mod run;
pub(crate) mod runs;
pub(crate) mod schedules;
#[cfg(feature = "serve")]
pub(crate) mod serve;
pub(crate) mod stats;
#[cfg(feature = "temporal")]
pub(crate) mod temporal;
#[cfg(feature = "new")]
pub(crate) mod test;
pub(crate) mod trigger;
pub(crate) mod validate;
pub(crate) mod worker;
pub(crate) mod workers;
pub(crate) mod workflows;
