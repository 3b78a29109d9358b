//! The layers of the modules of the command line.

#[path = "../../tests-support/layers.rs"]
mod support;

/// All modules, from the base to the top.
const ORDER: [&str; 16] = [
    "init",
    "failure",
    "output",
    "logging",
    "runtime",
    "render",
    "args",
    "interrupt",
    "foreground",
    "session",
    "scaffold",
    "project",
    "commands",
    "cli",
    "delegate",
    "command_line",
];
