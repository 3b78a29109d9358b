//! The modules of the crate and the one way in which they may name each other.

#![cfg(unix)]

#[path = "../../tests-support/layers.rs"]
mod support;

/// From the base to the top.
const ORDER: [&str; 15] = [
    "node", "event", "manifest", "lineage", "program", "process", "log", "results", "settings",
    "build", "drive", "asset", "job", "workflow", "project",
];
