//! Tests of the room domain, with virtual time.

use futures::executor::block_on;
use workflow_core::prelude::*;

use super::{
    ACTIVITIES, CleanupInput, CleanupReport, MaintenanceInput, MaintenanceReport, RoomInput,
    WORKFLOWS,
};
use crate::services::{Fault, Room};
use crate::testing::{Bench, Failed, assert_listed};

fn room(id: u64) -> RoomInput {
    RoomInput { room_id: id, quality: "HD".to_owned() }
}

#[test]
fn the_lists_are_complete() {
    assert_listed(Some("room"), &WORKFLOWS, &ACTIVITIES);
}

#[test]
fn a_limited_rate_delays_the_creation_of_a_room() -> Result<(), Failed> {
    let bench = Bench::new();
    bench.faults.set("video.create_room", Fault::RateLimited, 5);
    let report = bench.run("RoomCreationWorkflow", room(7))?;
    assert_eq!(report.output::<Room>()?.name, "room-7");
    assert_eq!(report.job("create_room").map(|job| job.attempts), Some(6));
    // 1, 2, 4, 8 and 16 s, each at most a fifth shorter.
    let waited = report.duration().as_secs_f64();
    assert!((24.8..=31.0).contains(&waited), "{waited}");
    assert_eq!(bench.events(), ["room.created room-7"]);
    Ok(())
}

#[test]
fn a_rate_that_stays_limited_fails_the_creation() -> Result<(), Failed> {
    let bench = Bench::new();
    bench.faults.set("video.create_room", Fault::RateLimited, u32::MAX);
    let error = bench.run("RoomCreationWorkflow", room(7)).err().ok_or("it was created")?;
    assert!(error.to_string().contains("too many requests"), "{error}");
    assert_eq!(bench.video.rooms()?, []);
    Ok(())
}

#[test]
fn maintenance_repairs_all_rooms_or_one() -> Result<(), Failed> {
    let bench = Bench::new();
    for id in 1..=3 {
        let room = bench.video.create_room(&format!("room-{id}"), "SD")?;
        bench.video.save_room(&Room { healthy: id != 2, ..room })?;
    }
    bench.faults.set("video.room", Fault::RateLimited, 2);
    // As its schedule starts it, without an input.
    let scheduled = bench.engine.run("RoomMaintenanceWorkflow").into_future();
    let report: MaintenanceReport = block_on(bench.clock.drive(scheduled))?.output()?;
    assert_eq!((report.checked, report.repaired), (3, vec!["room-2".to_owned()]));
    assert!(bench.video.rooms()?.iter().all(|room| room.healthy));
    let one = MaintenanceInput { room_id: Some(101) };
    let report: MaintenanceReport = bench.run("RoomMaintenanceWorkflow", one)?.output()?;
    assert_eq!((report.checked, report.repaired), (1, vec!["room-101".to_owned()]));
    assert_eq!(registry::get("RoomMaintenanceWorkflow")?.schedule(), Some("0 4 * * *"));
    Ok(())
}

#[test]
fn cleanup_deletes_unused_rooms() -> Result<(), Failed> {
    let bench = Bench::new();
    for id in 0..12 {
        let room = bench.video.create_room(&format!("room-{id:02}"), "SD")?;
        bench.video.save_room(&Room { unused_hours: id * 10, ..room })?;
    }
    bench.faults.set("video.delete_room", Fault::Unavailable, 3);
    let report = bench.run("RoomCleanupWorkflow", CleanupInput { unused_hours: 60 })?;
    assert_eq!(report.output::<CleanupReport>()?, CleanupReport { unused: 6, deleted: 6 });
    assert_eq!(bench.video.rooms()?.len(), 6);
    let default = bench.run("RoomCleanupWorkflow", None::<CleanupInput>)?;
    assert_eq!(default.output::<CleanupReport>()?, CleanupReport { unused: 1, deleted: 1 });
    Ok(())
}
