//! The modules of this crate and the one way in which they may name each other.

#[path = "../../tests-support/layers.rs"]
mod support;

/// From the base to the top.
const ORDER: [&str; 17] = [
    "names",
    "message",
    "payload",
    "labels",
    "continuation",
    "connect",
    "bridge",
    "logs",
    "activity_id",
    "activity",
    "request",
    "hosted",
    "history",
    "replay",
    "client",
    "worker",
    "schedules",
];
