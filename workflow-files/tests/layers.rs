//! The modules of workflow files and the one way in which they may name each other.

#[path = "../../tests-support/layers.rs"]
mod support;

/// From the base to the top.
const ORDER: [&str; 5] = ["bounds", "document", "command", "spec", "file"];
