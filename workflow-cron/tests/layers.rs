//! The modules of the reader of schedules and the one way in which they may name each other.

#[path = "../../tests-support/layers.rs"]
mod support;

/// From the base to the top.
const ORDER: [&str; 8] = ["field", "read", "policy", "zone", "times", "past", "periods", "plan"];
