use serde::{Deserialize, Serialize};
use workflow_core::asset::asset;

#[derive(Serialize, Deserialize)]
struct A(u32);

#[asset(partition = daily("2026-01-01"))]
fn misspelled() -> A {
    A(1)
}

#[asset(partitions = daily)]
fn no_first() -> A {
    A(1)
}

#[asset(partitions = daily("2026-02-30"))]
fn no_day() -> A {
    A(1)
}

#[asset(partitions = yearly("2026"))]
fn no_period() -> A {
    A(1)
}

#[asset(partitions = hourly("2026-01-01T00", timezone = "Europe/Berlin"))]
fn hour_of_zone() -> A {
    A(1)
}

#[asset(partitions = ["eu", "eu"])]
fn twice() -> A {
    A(1)
}

#[asset(partitions = ["../eu"])]
fn path() -> A {
    A(1)
}

#[asset(partitions = [])]
fn none() -> A {
    A(1)
}

#[asset(freshness = "soon")]
fn fresh() -> A {
    A(1)
}

#[asset(checks = [positive])]
fn checked() -> A {
    A(1)
}

#[asset(name = "a/b")]
fn named() -> A {
    A(1)
}

#[asset(task_queue = "gpu")]
fn queued() -> A {
    A(1)
}

#[asset]
fn nothing() {}

#[asset]
#[workflow_core::job]
fn job() -> A {
    A(1)
}

#[asset]
fn generic<T>() -> A {
    A(1)
}

fn main() {}
