//! The order of the server's modules: each may only name modules before it.

#[path = "../../tests-support/layers.rs"]
mod support;

/// From the base to the top.
const ORDER: [&str; 18] = [
    "watch",
    "webhook",
    "options",
    "problem",
    "remote",
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
