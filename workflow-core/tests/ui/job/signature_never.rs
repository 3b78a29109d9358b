use workflow_core::prelude::*;

#[job]
async fn serve() -> ! {
    loop {}
}

fn main() {}
