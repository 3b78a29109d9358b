//! The modules of the store and the one way in which they may name each other.

#[path = "../../tests-support/layers.rs"]
mod support;

use support::Layers;

/// From the base to the top.
const ORDER: [&str; 17] = [
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
    "accounts",
    "workflows",
    "runs",
    "catalog",
    "retry_run",
    "open",
    "testing",
];

fn layers() -> Layers {
    Layers::of(env!("CARGO_MANIFEST_DIR"), &ORDER)
}

#[test]
fn a_module_names_only_modules_before_it() {
    layers().assert_order();
}

#[test]
fn every_module_has_a_place() {
    layers().assert_complete();
}

#[test]
fn architecture_shows_the_same_order() {
    layers().assert_documented();
}
