//! The modules of connections to PostgreSQL and the one way in which they may name each other.

#[path = "../../tests-support/layers.rs"]
mod support;

/// From the base to the top.
const ORDER: [&str; 6] = ["address", "connector_error", "plain", "tls", "connector", "handshake"];
