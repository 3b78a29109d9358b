//! Bookings with practitioners, their payments, video streams and rooms: twelve workflows in four
//! domains, and the activities that all domains share.
//!
//! Each domain is a module with `workflows`, `activities` and `tests`, and a list of each kind.
//! `shared` has the activities that write to the outbox, `services` the stand-ins of other systems.
//! The README of the package has the commands.

pub mod booking;
mod host;
pub mod payment;
pub mod room;
pub mod services;
pub mod shared;
pub mod stream;
#[cfg(test)]
mod testing;

pub use host::{engine, main};
