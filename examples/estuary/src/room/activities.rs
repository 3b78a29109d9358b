//! Activities of the room domain.

use serde::{Deserialize, Serialize};
use workflow_core::prelude::*;

use super::workflows::RoomInput;
use crate::services::{Room, ServiceError, Video};
use crate::shared::Event;

/// The name of a room.
pub(super) fn room_name(room_id: u64) -> String {
    format!("room-{room_id}")
}

/// Creates a room. The service limits the rate of requests, so there are many attempts, further and
/// further apart.
#[job(
    domain = "room",
    retry(maximum_attempts = 8, initial_interval = "1s", maximum_interval = "1m"),
    start_to_close = "20s"
)]
pub(super) fn create_room(input: &RoomInput, video: State<Video>) -> Result<Room, JobError> {
    video.create_room(&room_name(input.room_id), &input.quality).map_err(ServiceError::into_job)
}

/// Describes a new room for the log of events.
#[job(domain = "room", inline)]
pub(super) fn room_event(room: &Room) -> Event {
    Event::new("room.created", &room.name)
}

/// Lists the names of the rooms.
#[job(
    domain = "room",
    retry(maximum_attempts = 5, initial_interval = "1s"),
    start_to_close = "20s"
)]
pub(super) fn list_rooms(video: State<Video>, limit: usize) -> Result<Vec<String>, JobError> {
    let rooms = video.rooms().map_err(ServiceError::into_job)?;
    Ok(rooms.into_iter().take(limit).map(|room| room.name).collect())
}

/// The state of a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// The name of the room.
    pub room: String,
    /// Whether it works; `None` if there is no such room.
    pub healthy: Option<bool>,
}

/// Checks whether a room works.
#[job(
    domain = "room",
    retry(maximum_attempts = 5, initial_interval = "1s", maximum_interval = "30s"),
    start_to_close = "20s"
)]
pub(super) fn check_room(room: &str, video: State<Video>) -> Result<Check, JobError> {
    let found = video.room(room).map_err(ServiceError::into_job)?;
    Ok(Check { room: room.to_owned(), healthy: found.map(|room| room.healthy) })
}

/// What was done to a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repair {
    /// It was missing.
    Created,
    /// It did not work.
    Repaired,
}

/// Makes a room work again.
#[job(
    domain = "room",
    retry(maximum_attempts = 5, initial_interval = "1s", maximum_interval = "30s"),
    start_to_close = "20s"
)]
pub(super) fn repair_room(check: &Check, video: State<Video>) -> Result<Repair, JobError> {
    let room = video.create_room(&check.room, "SD").map_err(ServiceError::into_job)?;
    video.save_room(&Room { healthy: true, ..room }).map_err(ServiceError::into_job)?;
    Ok(if check.healthy.is_none() { Repair::Created } else { Repair::Repaired })
}

/// Lists the names of the rooms that nobody used for so many hours.
#[job(
    domain = "room",
    retry(maximum_attempts = 5, initial_interval = "1s"),
    start_to_close = "20s"
)]
pub(super) fn find_unused_rooms(hours: u64, video: State<Video>) -> Result<Vec<String>, JobError> {
    let rooms = video.rooms().map_err(ServiceError::into_job)?;
    let unused = rooms.into_iter().filter(|room| room.unused_hours >= hours);
    Ok(unused.map(|room| room.name).collect())
}

/// Deletes a room; false if somebody else did.
#[job(
    domain = "room",
    retry(maximum_attempts = 5, initial_interval = "1s", maximum_interval = "30s"),
    start_to_close = "20s"
)]
pub(super) fn delete_room(room: &str, video: State<Video>) -> Result<bool, JobError> {
    video.delete_room(room).map_err(ServiceError::into_job)
}
