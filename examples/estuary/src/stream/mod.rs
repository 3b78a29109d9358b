//! Video streams: setup, recording, cleanup.

mod activities;
#[cfg(test)]
mod tests;
mod workflows;

pub use workflows::{
    Cleanup, HostReady, Quality, RecordingInput, StreamCleanupInput, StreamConfig, StreamInput,
};

/// The workflows of this domain.
pub const WORKFLOWS: [&str; 3] =
    ["StreamSetupWorkflow", "StreamRecordingWorkflow", "StreamCleanupWorkflow"];

/// The activities of this domain.
pub const ACTIVITIES: [&str; 14] = [
    "abandon_recording",
    "archive_recording",
    "cleanup_event",
    "cleanup_summary",
    "go_live",
    "provision_stream",
    "recording_event",
    "remove_stream_room",
    "start_recording",
    "stop_recording",
    "stream_invitation",
    "tear_down_stream",
    "wait_for_host",
    "watch_recording",
];
