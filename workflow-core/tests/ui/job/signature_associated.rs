use workflow_core::prelude::*;

struct Numbers;

impl Numbers {
    #[job]
    fn double(number: u64) -> u64 {
        number * 2
    }

    #[job]
    async fn four() -> u64 {
        Self::double(2)
    }
}

fn main() {
    let _ = (Numbers::double(2), Numbers::four());
}
