//! The layers of the modules of the command line.

#[path = "../../tests-support/layers.rs"]
mod support;

use support::Layers;

/// All modules, from the base to the top.
const ORDER: [&str; 12] = [
    "init",
    "failure",
    "output",
    "logging",
    "runtime",
    "render",
    "args",
    "interrupt",
    "session",
    "commands",
    "cli",
    "command_line",
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
