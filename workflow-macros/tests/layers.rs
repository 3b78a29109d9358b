//! The modules of the attributes and the one way in which they may name each other.

#[path = "../../tests-support/layers.rs"]
mod support;

/// From the base to the top.
const ORDER: [&str; 7] =
    ["literal", "metadata", "parse", "validate", "expand", "fallback", "apply"];
