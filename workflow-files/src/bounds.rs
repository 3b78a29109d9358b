//! Limits on files: how large, how deep, and how much their aliases, parameters and patterns may
//! multiply. Everything is counted before anything recurses over it, compiles or copies it.

mod expression;
pub(crate) mod file;
mod pattern;

pub(crate) use expression::{expression, serialized};
pub(crate) use pattern::Patterns;
pub(crate) use workflow_core::bounds::{NESTING, TooLarge, end_of_string, json, nested, value};
