//! The modules of data workflows and the one way in which they may name each other.

#[path = "../../tests-support/layers.rs"]
mod support;

/// From the base to the top.
const ORDER: [&str; 20] = [
    "text",
    "clock",
    "staged",
    "row",
    "value",
    "cursor",
    "batch",
    "config",
    "postgres",
    "policy",
    "normalize",
    "source",
    "openlineage",
    "stage",
    "sink",
    "preview",
    "table_file",
    "summary",
    "pipeline",
    "build",
];
