use workflow_core::prelude::*;

struct Numbers;

impl From<u64> for Numbers {
    #[register_workflow]
    fn from(number: u64) -> Self {
        let _ = number;
        Self
    }
}

fn main() {
    let _ = Numbers::from(2);
}
