use workflow_core::prelude::*;

struct Pool;
type Db = State<Pool>;

#[job]
fn by_alias(db: Db) {
    let _ = db;
}

#[job]
fn behind_alias(db: &Db) {
    let _ = db;
}

fn main() {}
