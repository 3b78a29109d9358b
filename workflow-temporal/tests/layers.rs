//! The modules of this crate and the one way in which they may name each other.

#[path = "../../tests-support/layers.rs"]
mod support;

/// From the base to the top.
const ORDER: [&str; 12] = [
    "names",
    "message",
    "payload",
    "connect",
    "bridge",
    "activity",
    "request",
    "hosted",
    "client",
    "worker",
    "replay",
    "schedules",
];
