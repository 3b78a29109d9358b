use workflow_core::prelude::*;

#[job]
fn many(
    n0: u8,
    n1: u8,
    n2: u8,
    n3: u8,
    n4: u8,
    n5: u8,
    n6: u8,
    n7: u8,
    n8: u8,
    n9: u8,
    n10: u8,
    n11: u8,
    n12: u8,
) -> u8 {
    n0 + n1 + n2 + n3 + n4 + n5 + n6 + n7 + n8 + n9 + n10 + n11 + n12
}

fn main() {}
