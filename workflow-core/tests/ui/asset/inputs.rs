use serde::{Deserialize, Serialize};
use workflow_core::asset::{All, Partition, asset};

struct Nobody;

#[derive(Serialize, Deserialize)]
struct Day(u32);

#[derive(Serialize, Deserialize)]
struct Sum(u32);

#[derive(Serialize, Deserialize)]
struct Total(u32);

#[derive(Serialize, Deserialize)]
struct Report(u32);

#[derive(Serialize, Deserialize)]
struct Copy(u32);

#[derive(Serialize, Deserialize)]
struct Page(u32);

#[asset(partitions = daily("2026-01-01"))]
fn day() -> Day {
    Day(1)
}

#[asset]
fn unknown(_nobody: &Nobody) -> Sum {
    Sum(0)
}

#[asset]
fn one_of_many(day: &Day) -> Total {
    Total(day.0)
}

#[asset]
fn all_of_one(total: All<Total>) -> Report {
    Report(total.values().map(|total| total.0).sum())
}

#[asset]
fn by_value(total: Total) -> Copy {
    Copy(total.0)
}

#[asset]
fn no_partition(_partition: Partition) -> Page {
    Page(1)
}

fn main() {}
