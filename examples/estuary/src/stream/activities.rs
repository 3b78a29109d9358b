//! Activities of the stream domain.

use std::time::Duration;

use workflow_core::prelude::*;

use super::workflows::{Cleanup, HostReady, RecordingInput, StreamCleanupInput, StreamInput};
use crate::services::{Recording, Room, ServiceError, Video};
use crate::shared::{Email, Event};

/// The name of a stream's room.
fn room_name(stream_id: u64) -> String {
    format!("stream-{stream_id}")
}

/// Creates the room of a stream.
#[job(
    domain = "stream",
    retry(maximum_attempts = 6, initial_interval = "1s", maximum_interval = "30s"),
    start_to_close = "20s"
)]
pub(super) fn provision_stream(input: &StreamInput, video: State<Video>) -> Result<Room, JobError> {
    let quality = input.config.quality.to_string();
    video.create_room(&room_name(input.stream_id), &quality).map_err(ServiceError::into_job)
}

/// Deletes the room of a stream that does not take place.
#[job(
    domain = "stream",
    retry(maximum_attempts = 10, initial_interval = "1s"),
    start_to_close = "20s"
)]
pub(super) fn tear_down_stream(room: &Room, video: State<Video>) -> Result<(), JobError> {
    video.delete_room(&room.name).map_err(ServiceError::into_job)?;
    tracing::info!(room = room.name, "the room is deleted");
    Ok(())
}

/// Writes the invitation to the host.
#[job(domain = "stream", inline)]
pub(super) fn stream_invitation(input: &StreamInput, room: &Room) -> Email {
    let text = format!("Please open {} and tell us when you are ready.", room.url);
    Email::new(&input.host, format!("Stream {} is set up", input.stream_id), text)
}

/// Waits for the signal `host_ready`, for two hours at most.
#[job(domain = "stream", schedule_to_close = "2h")]
pub(super) async fn wait_for_host(ctx: &JobContext, _invited: ()) -> Result<HostReady, JobError> {
    Ok(ctx.wait_signal::<Option<HostReady>>("host_ready").await?.unwrap_or_default())
}

/// Opens the room to the audience.
#[job(
    domain = "stream",
    retry(maximum_attempts = 6, initial_interval = "1s", maximum_interval = "30s"),
    start_to_close = "20s"
)]
pub(super) fn go_live(
    room: &Room,
    host: &HostReady,
    video: State<Video>,
) -> Result<Room, JobError> {
    let room = Room { unused_hours: 0, ..room.clone() };
    video.save_room(&room).map_err(ServiceError::into_job)?;
    tracing::info!(room = room.name, host = host.name, "live");
    Ok(room)
}

/// Starts a recording.
#[job(
    domain = "stream",
    retry(maximum_attempts = 5, initial_interval = "1s"),
    start_to_close = "20s"
)]
pub(super) fn start_recording(
    input: &RecordingInput,
    video: State<Video>,
) -> Result<Recording, JobError> {
    video.start_recording(input.stream_id).map_err(ServiceError::into_job)
}

/// Watches a recording until it is complete. Each new part is a heartbeat: a recording without
/// progress for 30 s fails the attempt.
#[job(
    domain = "stream",
    retry(maximum_attempts = 4, initial_interval = "5s"),
    heartbeat = "30s",
    schedule_to_close = "8h"
)]
pub(super) async fn watch_recording(
    ctx: &JobContext,
    input: &RecordingInput,
    recording: Recording,
    video: State<Video>,
) -> Result<Recording, JobError> {
    let mut seen = recording;
    while !seen.is_complete() {
        ctx.sleep(Duration::from_secs(input.poll_seconds.max(1))).await;
        let now = video.recording(input.stream_id).map_err(ServiceError::into_job)?;
        if now.parts > seen.parts {
            tracing::info!(stream_id = input.stream_id, parts = now.parts, "recording");
            ctx.heartbeat();
        }
        seen = now;
    }
    Ok(seen)
}

/// Saves a finished recording.
#[job(
    domain = "stream",
    retry(maximum_attempts = 8, initial_interval = "1s"),
    start_to_close = "1m"
)]
pub(super) fn archive_recording(
    recording: &Recording,
    video: State<Video>,
) -> Result<String, JobError> {
    video.archive(recording).map_err(ServiceError::into_job)
}

/// Stops a recording that failed.
#[job(
    domain = "stream",
    retry(maximum_attempts = 10, initial_interval = "1s"),
    start_to_close = "20s"
)]
pub(super) fn abandon_recording(
    input: &RecordingInput,
    video: State<Video>,
) -> Result<bool, JobError> {
    video.stop_recording(input.stream_id).map_err(ServiceError::into_job)
}

/// Describes a recording for the log of events.
#[job(domain = "stream", inline)]
pub(super) fn recording_event(address: &str) -> Event {
    Event::new("stream.recorded", address)
}

/// Stops the recording of a stream; false if there was none.
#[job(
    domain = "stream",
    retry(maximum_attempts = 4, initial_interval = "1s"),
    start_to_close = "20s",
    grace = "20s"
)]
pub(super) fn stop_recording(
    input: &StreamCleanupInput,
    video: State<Video>,
) -> Result<bool, JobError> {
    video.stop_recording(input.stream_id).map_err(ServiceError::into_job)
}

/// Deletes the room of a stream; false if there was none.
#[job(
    domain = "stream",
    retry(maximum_attempts = 4, initial_interval = "1s"),
    start_to_close = "20s",
    grace = "20s"
)]
pub(super) fn remove_stream_room(
    input: &StreamCleanupInput,
    video: State<Video>,
) -> Result<bool, JobError> {
    video.delete_room(&room_name(input.stream_id)).map_err(ServiceError::into_job)
}

/// Sums up a cleanup. Runs whatever happened.
#[job(domain = "stream", inline)]
pub(super) fn cleanup_summary(
    input: &StreamCleanupInput,
    recording: Option<&bool>,
    room: Option<&bool>,
) -> Cleanup {
    Cleanup {
        stream_id: input.stream_id,
        recording_stopped: recording.copied(),
        room_deleted: room.copied(),
    }
}

/// Describes a cleanup for the log of events.
#[job(domain = "stream", inline)]
pub(super) fn cleanup_event(cleanup: &Cleanup) -> Event {
    let is_done = cleanup.recording_stopped.is_some() && cleanup.room_deleted.is_some();
    let name = if is_done { "stream.cleaned" } else { "stream.cleanup_incomplete" };
    Event::new(name, cleanup.stream_id)
}
