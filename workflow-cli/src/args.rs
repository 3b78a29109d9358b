//! Arguments that several commands share.

pub(crate) mod input;
mod persistence;
mod show;
mod store;
mod target;
mod values;

pub(crate) use input::InputArguments;
pub(crate) use persistence::KeepArguments;
pub(crate) use show::{Format, ShowArguments};
pub(crate) use store::{HostStore, StoreArguments, user};
pub(crate) use target::{RUNS_DIR, Target, absolute, hint_at_folder, load, load_for_good};
pub(crate) use values::{ListFormat, PageArguments, WhichRun, moment, run_status, span};
