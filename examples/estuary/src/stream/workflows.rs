//! Workflows of the stream domain.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use workflow_core::prelude::*;

use super::activities::{
    abandon_recording, archive_recording, cleanup_event, cleanup_summary, go_live,
    provision_stream, recording_event, remove_stream_room, start_recording, stop_recording,
    stream_invitation, tear_down_stream, wait_for_host, watch_recording,
};
use crate::services::Room;
use crate::shared::{Metric, log_event, send_email, update_analytics};

/// The input of the setup of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StreamInput {
    /// The stream
    pub stream_id: u64,
    /// How to stream
    #[serde(default)]
    pub config: StreamConfig,
    /// The address of the host
    #[serde(default = "default_host")]
    pub host: String,
}

fn default_host() -> String {
    "host@example.com".to_owned()
}

/// How to stream.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct StreamConfig {
    /// The quality of the video
    pub quality: Quality,
}

/// The quality of a video.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Quality {
    /// Standard definition
    #[default]
    Sd,
    /// High definition
    Hd,
}

impl fmt::Display for Quality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sd => "SD",
            Self::Hd => "HD",
        })
    }
}

/// The payload of the signal `host_ready`, which may be missing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HostReady {
    /// The name of the host.
    pub name: String,
}

/// Creates the room of a stream, invites the host, and goes live when the signal `host_ready` comes. If
/// it does not come within two hours, the room is deleted.
#[register_workflow(
    name = "StreamSetupWorkflow",
    domain = "stream",
    description = "Stream room setup"
)]
fn stream_setup(flow: &mut Flow, input: Handle<StreamInput>) -> Handle<Room> {
    let room = flow.job(provision_stream(input).compensate(tear_down_stream));
    let invitation = flow.job(stream_invitation(input, room));
    let invited = flow.job(send_email(invitation));
    let host = flow.job(wait_for_host(invited));
    let live = flow.job(go_live(room, host));
    let metric = flow.value(Metric::new("streams.started", 1));
    flow.job(update_analytics(metric).after(live));
    live
}

/// The input of a recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RecordingInput {
    /// The stream
    pub stream_id: u64,
    /// How often to look at the recording, in seconds
    #[serde(default = "default_poll")]
    pub poll_seconds: u64,
}

fn default_poll() -> u64 {
    10
}

/// Records a stream and saves the recording. Returns its address. If the recording fails for good, it
/// is stopped.
#[register_workflow(
    name = "StreamRecordingWorkflow",
    domain = "stream",
    description = "Recording management"
)]
fn stream_recording(flow: &mut Flow, input: Handle<RecordingInput>) -> Handle<String> {
    let started = flow.job(start_recording(input));
    let recording = flow.job(watch_recording(input, started));
    let address = flow.job(archive_recording(recording));
    let event = flow.job(recording_event(address));
    flow.job(log_event(event));
    flow.job(abandon_recording(input).after(recording).trigger(TriggerRule::OneFailed));
    address
}

/// The input of a cleanup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StreamCleanupInput {
    /// The stream
    pub stream_id: u64,
}

/// What a cleanup did. `None` stands for a step that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cleanup {
    /// The stream.
    pub stream_id: u64,
    /// Whether there was a recording to stop.
    pub recording_stopped: Option<bool>,
    /// Whether there was a room to delete.
    pub room_deleted: Option<bool>,
}

/// Stops the recording of a stream and deletes its room. Each step runs whatever happens to the others,
/// and also if the run is cancelled: then it gets 20 s to end.
#[register_workflow(
    name = "StreamCleanupWorkflow",
    domain = "stream",
    description = "Post-stream cleanup"
)]
fn stream_cleanup(flow: &mut Flow, input: Handle<StreamCleanupInput>) -> Handle<Cleanup> {
    let recording = flow.job(stop_recording(input).trigger(TriggerRule::Always));
    let room = flow.job(remove_stream_room(input).trigger(TriggerRule::Always));
    let summary = flow.job(cleanup_summary(input, recording, room).trigger(TriggerRule::Always));
    let event = flow.job(cleanup_event(summary).trigger(TriggerRule::Always));
    flow.job(log_event(event).trigger(TriggerRule::Always));
    summary
}
