//! The video service: rooms and recordings.

use serde::{Deserialize, Serialize};

use super::{Fault, Faults, Folder, ServiceError};

/// A room for video calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    /// The name.
    pub name: String,
    /// Where people meet.
    pub url: String,
    /// The quality of the video.
    pub quality: String,
    /// Whether it works.
    pub healthy: bool,
    /// Hours since somebody was in it.
    pub unused_hours: u64,
}

/// A recording in progress, or finished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recording {
    /// The stream.
    pub stream_id: u64,
    /// The recorded part.
    pub parts: u32,
    /// All parts.
    pub total: u32,
}

impl Recording {
    /// Whether all is recorded.
    pub fn is_complete(&self) -> bool {
        self.parts >= self.total
    }
}

/// The video service. A recording has three parts, and each call to look at it finds one more.
#[derive(Debug, Clone)]
pub struct Video {
    rooms: Folder,
    recordings: Folder,
    archive: Folder,
    faults: Faults,
}

/// The parts of a recording.
const PARTS: u32 = 3;

impl Video {
    /// Opens the service.
    pub fn new(records: Folder, faults: Faults) -> Self {
        let [rooms, recordings, archive] =
            ["rooms", "recordings", "archive"].map(|name| records.under(name));
        Self { rooms, recordings, archive, faults }
    }

    /// Creates a room, or returns the one of this name.
    ///
    /// # Errors
    ///
    /// Fails when the service is unavailable or limits the rate.
    pub fn create_room(&self, name: &str, quality: &str) -> Result<Room, ServiceError> {
        self.faults.check("video.create_room")?;
        if let Some(room) = self.rooms.get(name)? {
            return Ok(room);
        }
        let room = Room {
            name: name.to_owned(),
            url: format!("https://video.example.com/{name}"),
            quality: quality.to_owned(),
            healthy: true,
            unused_hours: 0,
        };
        self.save_room(&room)?;
        Ok(room)
    }

    /// Saves a room.
    ///
    /// # Errors
    ///
    /// Fails when the service is unavailable.
    pub fn save_room(&self, room: &Room) -> Result<(), ServiceError> {
        self.faults.check("video.save_room")?;
        Ok(self.rooms.put(&room.name, room)?)
    }

    /// Returns a room; `None` if there is none of this name.
    ///
    /// # Errors
    ///
    /// Fails when the service is unavailable.
    pub fn room(&self, name: &str) -> Result<Option<Room>, ServiceError> {
        self.faults.check("video.room")?;
        Ok(self.rooms.get(name)?)
    }

    /// Lists the rooms, sorted by name.
    ///
    /// # Errors
    ///
    /// Fails when the service is unavailable.
    pub fn rooms(&self) -> Result<Vec<Room>, ServiceError> {
        self.faults.check("video.rooms")?;
        Ok(self.rooms.all()?)
    }

    /// Deletes a room; false if there was none.
    ///
    /// # Errors
    ///
    /// Fails when the service is unavailable.
    pub fn delete_room(&self, name: &str) -> Result<bool, ServiceError> {
        self.faults.check("video.delete_room")?;
        Ok(self.rooms.remove(name)?)
    }

    /// Starts to record a stream, or returns the recording in progress.
    ///
    /// # Errors
    ///
    /// Fails when the service is unavailable.
    pub fn start_recording(&self, stream_id: u64) -> Result<Recording, ServiceError> {
        self.faults.check("video.start_recording")?;
        if let Some(recording) = self.recordings.get(stream_id)? {
            return Ok(recording);
        }
        let recording = Recording { stream_id, parts: 0, total: PARTS };
        self.recordings.put(stream_id, &recording)?;
        Ok(recording)
    }

    /// Returns how far the recording is.
    ///
    /// # Errors
    ///
    /// Fails when the service is unavailable, and when nothing is recorded.
    pub fn recording(&self, stream_id: u64) -> Result<Recording, ServiceError> {
        let Some(mut recording) = self.recordings.get::<Recording>(stream_id)? else {
            return Err(ServiceError::Missing { what: "recording", id: stream_id.to_string() });
        };
        match self.faults.next("video.recording") {
            None if !recording.is_complete() => {
                recording.parts += 1;
                self.recordings.put(stream_id, &recording)?;
            }
            None | Some(Fault::Stalls) => {}
            Some(_) => {
                return Err(ServiceError::Unavailable { call: "video.recording".to_owned() });
            }
        }
        Ok(recording)
    }

    /// Stops to record a stream; false if nothing was recorded.
    ///
    /// # Errors
    ///
    /// Fails when the service is unavailable.
    pub fn stop_recording(&self, stream_id: u64) -> Result<bool, ServiceError> {
        self.faults.check("video.stop_recording")?;
        Ok(self.recordings.remove(stream_id)?)
    }

    /// Copies a finished recording to the archive, and returns its address there.
    ///
    /// # Errors
    ///
    /// Fails when the service is unavailable.
    pub fn archive(&self, recording: &Recording) -> Result<String, ServiceError> {
        self.faults.check("video.archive")?;
        self.archive.put(recording.stream_id, recording)?;
        Ok(format!("https://video.example.com/archive/{}", recording.stream_id))
    }
}
