use serde::{Deserialize, Serialize};
use workflow_core::asset::asset;

#[derive(Serialize, Deserialize)]
struct Twice(u32);

#[asset]
fn first() -> Twice {
    Twice(1)
}

#[asset]
fn second() -> Twice {
    Twice(2)
}

#[asset]
fn of_another_crate() -> Vec<u32> {
    Vec::new()
}

fn main() {}
