//! The command line, by its real binaries.

mod support;

mod assets;
mod commands;
mod configured;
mod control_codes;
mod data;
mod external_writer;
mod files;
mod help;
mod host_store;
mod job_queues;
#[cfg(unix)]
mod limits;
#[cfg(target_os = "linux")]
mod live;
mod new;
mod persistence;
mod postgres;
#[cfg(target_os = "linux")]
mod processes;
mod queues;
mod schedules;
mod serve;
mod stopping;
mod store;
mod store_help;
#[cfg(feature = "temporal")]
mod temporal;
mod terminal;
#[cfg(unix)]
mod tools;
mod values;
