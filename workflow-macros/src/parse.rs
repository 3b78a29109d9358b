//! Reads attributes and functions. Judges only what it must know to continue; the rest is for
//! [`validate`](crate::validate).

pub(crate) mod args;
pub(crate) mod asset_args;
pub(crate) mod function;
mod keys;
pub(crate) mod kind;
pub(crate) mod options;
pub(crate) mod place;
