use workflow_core::job;

struct State<T>(T);

#[job]
fn read(state: State<u64>, number: u64) -> u64 {
    state.0 + number
}

fn main() {}
