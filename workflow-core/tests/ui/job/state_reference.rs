use workflow_core::prelude::*;

struct Pool;

#[job]
fn behind(db: &State<Pool>, order: u64) -> u64 {
    let _ = db;
    order
}

#[job]
fn behind_mut(db: &mut State<Pool>) {
    let _ = db;
}

#[job]
fn perhaps(db: Option<State<Pool>>) {
    let _ = db;
}

#[job]
fn perhaps_behind(db: Option<&State<Pool>>) {
    let _ = db;
}

#[job]
fn holds(db: State<&str>) {
    let _ = db;
}

fn main() {
    let mut flow = Flow::new();
    let order = flow.value(1_u64);
    flow.job(behind(order));
}
