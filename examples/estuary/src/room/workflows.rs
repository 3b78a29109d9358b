//! Workflows of the room domain.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use workflow_core::prelude::*;

use super::activities::{
    check_room, create_room, delete_room, find_unused_rooms, list_rooms, repair_room, room_event,
    room_name,
};
use crate::services::Room;
use crate::shared::{Event, Metric, log_event, update_analytics};

/// The input of the creation of a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RoomInput {
    /// The room
    pub room_id: u64,
    /// The quality of the video
    #[serde(default = "default_quality")]
    pub quality: String,
}

fn default_quality() -> String {
    "SD".to_owned()
}

/// Creates a room. The video service limits the rate of requests, so the job waits and tries again.
#[register_workflow(
    name = "RoomCreationWorkflow",
    domain = "room",
    description = "Room provisioning"
)]
fn room_creation(flow: &mut Flow, input: Handle<RoomInput>) -> Handle<Room> {
    let room = flow.job(create_room(input));
    let event = flow.job(room_event(room));
    flow.job(log_event(event));
    room
}

/// The input of the maintenance.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct MaintenanceInput {
    /// Only this room; without it, all rooms
    pub room_id: Option<u64>,
}

/// What the maintenance found and did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaintenanceReport {
    /// The number of rooms that were checked.
    pub checked: usize,
    /// The names of those that work again.
    pub repaired: Vec<String>,
}

/// The most rooms of one run.
const MAX_ROOMS: usize = 10_000;

/// Checks one room or all of them, and repairs those that do not work. Runs every night: each night is
/// a run of its own, so that no run gets longer and longer.
#[register_workflow(
    name = "RoomMaintenanceWorkflow",
    domain = "room",
    description = "Periodic maintenance",
    schedule = "0 4 * * *"
)]
async fn room_maintenance(
    ctx: WorkflowContext,
    input: Option<MaintenanceInput>,
) -> Result<MaintenanceReport, JobError> {
    let rooms = match input.unwrap_or_default().room_id {
        Some(id) => vec![room_name(id)],
        None => ctx.run(list_rooms, MAX_ROOMS).await?,
    };
    let checks = |rooms: Handle<Vec<String>>| {
        map(rooms, |room: Handle<String>| check_room(room)).concurrency(5).name("checks")
    };
    let checks = ctx.run(checks, rooms).await?;
    let broken = checks.iter().filter(|check| check.healthy != Some(true)).cloned();
    let broken: Vec<_> = broken.collect();
    let repairs = |broken| map(broken, repair_room).concurrency(2).name("repairs");
    ctx.run(repairs, broken.clone()).await?;
    let report = MaintenanceReport {
        checked: checks.len(),
        repaired: broken.into_iter().map(|check| check.room).collect(),
    };
    ctx.run(update_analytics, Metric::new("rooms.repaired", report.repaired.len() as u64)).await?;
    Ok(report)
}

/// The input of the cleanup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct CleanupInput {
    /// Delete rooms that nobody used for so many hours
    pub unused_hours: u64,
}

impl Default for CleanupInput {
    fn default() -> Self {
        Self { unused_hours: 48 }
    }
}

/// What the cleanup did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CleanupReport {
    /// The number of rooms that nobody used.
    pub unused: usize,
    /// The number of rooms that this run deleted.
    pub deleted: usize,
}

/// Deletes the rooms that nobody uses, several at once.
#[register_workflow(name = "RoomCleanupWorkflow", domain = "room", description = "Room cleanup")]
async fn room_cleanup(
    ctx: WorkflowContext,
    input: Option<CleanupInput>,
) -> Result<CleanupReport, JobError> {
    let rooms = ctx.run(find_unused_rooms, input.unwrap_or_default().unused_hours).await?;
    let unused = rooms.len();
    let deletions = |rooms: Handle<Vec<String>>| {
        map(rooms, |room: Handle<String>| delete_room(room)).concurrency(4).name("deletions")
    };
    let deleted = ctx.run(deletions, rooms).await?;
    let deleted = deleted.into_iter().filter(|deleted| *deleted).count();
    ctx.run(log_event, Event::new("rooms.cleaned", deleted)).await?;
    Ok(CleanupReport { unused, deleted })
}
