mod orders {
    use workflow_core::prelude::*;

    struct Order(u64);

    #[job]
    pub fn find(number: u64) -> Order {
        Order(number)
    }
}

fn main() {}
