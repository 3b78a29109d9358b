//! The order of the server's modules: each may only name modules before it.

#[path = "../../tests-support/layers.rs"]
mod support;

use support::Layers;

/// From the base to the top.
const ORDER: [&str; 15] = [
    "options",
    "problem",
    "blocking",
    "events",
    "auth",
    "schedule",
    "app",
    "http",
    "launch",
    "scheduler",
    "model",
    "api",
    "page",
    "server",
    "serve",
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
