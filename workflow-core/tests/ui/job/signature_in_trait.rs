use workflow_core::prelude::*;

trait Numbers { #[job(inline)] fn double(number: u64) -> u64 { number * 2 } }

fn main() {}
