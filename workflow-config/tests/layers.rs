//! The modules of configuration and the one way in which they may name each other.

#[path = "../../tests-support/layers.rs"]
mod support;

/// From the base to the top.
const ORDER: [&str; 24] = [
    "template",
    "environment",
    "stamp",
    "secret",
    "path",
    "place",
    "setting",
    "redact",
    "origin",
    "expand",
    "overlay",
    "de",
    "error",
    "rules",
    "search",
    "follow",
    "yaml",
    "loaded",
    "described",
    "declared",
    "cache",
    "loader",
    "shown",
    "parameter",
];
