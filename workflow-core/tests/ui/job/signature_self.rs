use workflow_core::prelude::*;

struct Doubler;

impl Doubler {
    #[job]
    fn double(&self, number: &u64) -> u64 {
        number * 2
    }
}

fn main() {
    let _ = Doubler.double(&2);
}
