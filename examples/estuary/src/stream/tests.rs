//! Tests of the stream domain, with virtual time.

use futures::executor::block_on;
use workflow_core::prelude::*;

use super::{
    ACTIVITIES, Cleanup, HostReady, Quality, RecordingInput, StreamCleanupInput, StreamConfig,
    StreamInput, WORKFLOWS,
};
use crate::services::{Fault, Room};
use crate::testing::{Bench, Failed, assert_listed};

fn setup() -> StreamInput {
    let config = StreamConfig { quality: Quality::Hd };
    StreamInput { stream_id: 789, config, host: "host@example.com".to_owned() }
}

const RECORDING: RecordingInput = RecordingInput { stream_id: 789, poll_seconds: 7 };
const CLEANUP: StreamCleanupInput = StreamCleanupInput { stream_id: 789 };

#[test]
fn the_lists_are_complete() {
    assert_listed(Some("stream"), &WORKFLOWS, &ACTIVITIES);
}

#[test]
fn a_stream_goes_live_when_its_host_is_ready() -> Result<(), Failed> {
    let bench = Bench::new();
    let run = bench.start("StreamSetupWorkflow", setup())?;
    block_on(run.signal("host_ready", HostReady { name: "Ada".to_owned() }))?;
    let room: Room = bench.finish(&run)?.output()?;
    assert_eq!((&*room.name, &*room.quality), ("stream-789", "HD"));
    assert_eq!(bench.subjects(), ["Stream 789 is set up"]);
    Ok(())
}

#[test]
fn a_stream_without_a_host_is_torn_down_after_two_hours() -> Result<(), Failed> {
    let bench = Bench::new();
    let error = bench.run("StreamSetupWorkflow", setup()).err().ok_or("it went live")?;
    assert!(error.to_string().contains("wait_for_host"), "{error}");
    assert_eq!(bench.hours(), 2);
    assert_eq!(bench.video.rooms()?, []);
    Ok(())
}

#[test]
fn a_recording_is_watched_and_saved() -> Result<(), Failed> {
    let bench = Bench::new();
    let report = bench.run("StreamRecordingWorkflow", RECORDING)?;
    assert_eq!(report.output::<String>()?, "https://video.example.com/archive/789");
    assert_eq!(report.job("watch_recording").map(|job| job.attempts), Some(1));
    assert_eq!(report.job("abandon_recording").map(|job| job.status), Some(Status::Skipped));
    assert_eq!(bench.events(), ["stream.recorded https://video.example.com/archive/789"]);
    Ok(())
}

#[test]
fn a_recording_that_stalls_misses_its_heartbeat_and_is_watched_again() -> Result<(), Failed> {
    let bench = Bench::new();
    bench.faults.set("video.recording", Fault::Stalls, 4);
    let report = bench.run("StreamRecordingWorkflow", RECORDING)?;
    let watch = report.job("watch_recording").ok_or("not watched")?;
    assert_eq!((watch.attempts, watch.status), (2, Status::Completed));
    Ok(())
}

#[test]
fn a_recording_that_never_goes_on_is_abandoned() -> Result<(), Failed> {
    let bench = Bench::new();
    bench.faults.set("video.recording", Fault::Stalls, u32::MAX);
    let error = bench.run("StreamRecordingWorkflow", RECORDING).err().ok_or("it completed")?;
    let report = error.report().ok_or("it never began")?;
    assert!(error.to_string().contains("heartbeat"), "{error}");
    assert_eq!(report.job("watch_recording").map(|job| job.attempts), Some(4));
    assert_eq!(report.job("abandon_recording").map(|job| job.status), Some(Status::Completed));
    assert!(!bench.video.stop_recording(789)?);
    Ok(())
}

#[test]
fn a_cleanup_removes_what_is_there() -> Result<(), Failed> {
    let bench = Bench::new();
    bench.video.create_room("stream-789", "SD")?;
    bench.video.start_recording(789)?;
    let done = Cleanup { stream_id: 789, recording_stopped: Some(true), room_deleted: Some(true) };
    assert_eq!(bench.run("StreamCleanupWorkflow", CLEANUP)?.output::<Cleanup>()?, done);
    let again = bench.run("StreamCleanupWorkflow", CLEANUP)?.output::<Cleanup>()?;
    assert_eq!((again.recording_stopped, again.room_deleted), (Some(false), Some(false)));
    assert_eq!(bench.events(), ["stream.cleaned 789", "stream.cleaned 789"]);
    Ok(())
}

#[test]
fn a_cleanup_goes_on_after_a_step_that_failed() -> Result<(), Failed> {
    let bench = Bench::new();
    bench.video.create_room("stream-789", "SD")?;
    bench.faults.set("video.stop_recording", Fault::Unavailable, u32::MAX);
    let error = bench.run("StreamCleanupWorkflow", CLEANUP).err().ok_or("it completed")?;
    assert!(error.to_string().contains("video.stop_recording"), "{error}");
    assert_eq!(bench.video.rooms()?, []);
    assert_eq!(bench.events(), ["stream.cleanup_incomplete 789"]);
    Ok(())
}

#[test]
fn a_cancelled_cleanup_still_runs() -> Result<(), Failed> {
    let bench = Bench::new();
    bench.video.create_room("stream-789", "SD")?;
    let run = bench.start("StreamCleanupWorkflow", CLEANUP)?;
    run.cancel();
    if let Err(error) = bench.finish(&run) {
        assert!(error.to_string().contains("cancelled"), "{error}");
    }
    assert_eq!(bench.video.rooms()?, []);
    assert_eq!(bench.events(), ["stream.cleaned 789"]);
    Ok(())
}
