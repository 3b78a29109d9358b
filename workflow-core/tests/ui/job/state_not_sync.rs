use workflow_core::prelude::*;

#[job]
fn read(cell: State<std::cell::Cell<u64>>) -> u64 {
    cell.get()
}

fn main() {}
