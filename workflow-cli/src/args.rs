//! Arguments that several commands share.

#[cfg(feature = "temporal")]
mod backend;
pub(crate) mod input;
mod persistence;
mod show;
mod store;
mod target;
mod values;

#[cfg(feature = "temporal")]
pub(crate) use backend::BackendArguments;
pub(crate) use input::{InputArguments, Keys};
pub(crate) use persistence::PersistenceArguments;
pub(crate) use show::{Format, ShowArguments};
#[cfg(feature = "temporal")]
pub(crate) use store::memory_store;
pub(crate) use store::{HostStore, StoreArguments, current_user};
pub(crate) use target::{
    RUNS_DIR, Target, absolute, current_folder, is_file, load, load_absolute, print_cwd_hint,
};
pub(crate) use values::{
    ListFormat, PageArguments, RunSelector, integer, parse_run_status, parse_timeout,
};
