//! The program `assets` after a function was changed.

include!("assets/shared.rs");

/// The orders that count.
#[asset(partitions = daily("2026-01-01"))]
fn orders(raw: &Raw) -> Orders {
    Orders(raw.0.iter().map(|order| order * 2).collect())
}
