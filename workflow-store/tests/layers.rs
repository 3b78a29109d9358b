//! The modules of the store and the one way in which they may name each other.

#[path = "../../tests-support/layers.rs"]
mod support;

/// From the base to the top.
const ORDER: [&str; 19] = [
    "db",
    "histogram",
    "rows",
    "exec",
    "liveness",
    "visibility",
    "store",
    "catalog_error",
    "page",
    "rfc3339",
    "time",
    "accounts",
    "workflows",
    "runs",
    "catalog",
    "retry_run",
    "why",
    "open",
    "testing",
];
