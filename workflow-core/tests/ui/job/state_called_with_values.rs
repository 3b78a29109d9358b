use workflow_core::prelude::*;

struct Pool;

#[job]
async fn save(db: State<Pool>, order: String) -> usize {
    let _ = db;
    order.len()
}

async fn unit_test() {
    save("tea".to_owned()).await;
}

fn main() {}
