//! The bytes of an object. A thread requests them ahead.

use std::io::{self, Read, Seek, SeekFrom};
use std::sync::mpsc::{Receiver, sync_channel};

use bytes::{Buf, Bytes};

use super::{Object, chunks, runtime};
use crate::text::io_reason;

/// Holds at most three chunks: one is read, one waits, and one arrives.
pub(crate) struct Stream {
    object: Object,
    chunks: Receiver<Result<Bytes, String>>,
    current: Bytes,
    /// The bytes that are still to come after the current chunk.
    rest: u64,
}

impl Stream {
    /// Opens an object at its start.
    pub(super) fn open(object: Object) -> Result<Self, String> {
        Self::open_at(object, 0)
    }

    fn open_at(object: Object, start: u64) -> Result<Self, String> {
        let rest = object.size.saturating_sub(start);
        let (sender, chunks) = sync_channel(1);
        let opened = object.clone();
        let run = move || {
            let runtime = match runtime() {
                Ok(runtime) => runtime,
                Err(reason) => return drop(sender.send(Err(reason))),
            };
            for part in self::chunks(start..object.size) {
                let chunk = runtime.block_on(object.get(part));
                let is_last = chunk.is_err();
                // If nobody listens, the file was closed.
                if sender.send(chunk).is_err() || is_last {
                    return;
                }
            }
        };
        let started = std::thread::Builder::new().name("object".to_owned()).spawn(run);
        started.map_err(|error| io_reason(&error))?;
        Ok(Self { object: opened, chunks, current: Bytes::new(), rest })
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.current.is_empty() && self.rest > 0 {
            let ended = || Err("the connection ended without a reason".to_owned());
            let next = self.chunks.recv().unwrap_or_else(|_| ended());
            self.current = next.map_err(io::Error::other)?;
            self.rest = self.rest.saturating_sub(self.current.len() as u64);
        }
        let count = buffer.len().min(self.current.len());
        self.current.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}

/// Another place is another request.
impl Seek for Stream {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let size = self.object.size;
        let here = size - self.rest - self.current.len() as u64;
        let place = match to {
            SeekFrom::Start(place) => Some(place),
            SeekFrom::Current(distance) => here.checked_add_signed(distance),
            SeekFrom::End(distance) => size.checked_add_signed(distance),
        };
        let place = place.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        if place != here {
            *self =
                Self::open_at(self.object.clone(), place.min(size)).map_err(io::Error::other)?;
        }
        Ok(place)
    }
}
