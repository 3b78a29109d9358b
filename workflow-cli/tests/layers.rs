//! The layers of the modules of the command line.

#[path = "../../tests-support/layers.rs"]
mod support;

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
