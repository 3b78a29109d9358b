//! The modules of the command line and the one way in which they may name each other.

#[path = "../../tests-support/layers.rs"]
mod support;

use support::Layers;

/// From the base to the top.
const ORDER: [&str; 32] = [
    "init",
    "progress",
    "failure",
    "logging",
    "output",
    "runtime",
    "input",
    "store",
    "target",
    "keep",
    "display",
    "interrupt",
    "show",
    "run_table",
    "detach",
    "watch",
    "conduct",
    "completions",
    "config",
    "list",
    "plan",
    "validate",
    "stats",
    "upkeep",
    "workflows",
    "run",
    "runs",
    "recover",
    "serve",
    "accounts",
    "arguments",
    "entry",
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
