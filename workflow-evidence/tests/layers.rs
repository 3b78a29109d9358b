//! The modules of dashboards and the one way in which they may name each other.

#[path = "../../tests-support/layers.rs"]
mod support;

/// From the base to the top.
const ORDER: [&str; 2] = ["dashboard", "update"];
