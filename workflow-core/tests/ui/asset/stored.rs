use workflow_core::asset::asset;

struct NotStored(u32);

#[asset]
fn not_stored() -> NotStored {
    NotStored(1)
}

fn main() {}
