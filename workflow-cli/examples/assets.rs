//! A program with assets: three of them, with a partition for each day.

include!("assets/shared.rs");

/// The orders that count.
#[asset(partitions = daily("2026-01-01"))]
fn orders(raw: &Raw) -> Orders {
    Orders(raw.0.clone())
}
