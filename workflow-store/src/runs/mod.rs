//! The half of the store that an engine uses. Each operation is written once for both databases.

mod append;
mod begin;
mod definition;
mod encode;
mod late;
mod lease;
mod message;
mod read;

pub(crate) use append::{Appended, append};
pub(crate) use begin::{Beginning, begin};
pub(crate) use definition::slug;
pub(crate) use encode::write as write_json;
pub(crate) use late::{Late, write as write_late};
pub(crate) use lease::{claim, orphans, release, renew};
pub(crate) use message::{inbox, messages, send};
pub(crate) use read::{events, run, status, trigger};
