//! The booking service.

use std::fmt;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use workflow_core::engine::Clock;

use super::{Faults, Folder, ServiceError};

/// A booking of a session with a practitioner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Booking {
    /// The ID.
    pub id: u64,
    /// The name of the client.
    pub client: String,
    /// The client's address.
    pub email: String,
    /// The client's phone number.
    pub phone: String,
    /// The practitioner's address.
    pub practitioner: String,
    /// The beginning of the session.
    pub starts_at: Timestamp,
    /// The payment.
    pub payment_id: u64,
    /// How far it came.
    pub status: BookingStatus,
}

/// The status of a booking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum BookingStatus {
    /// Requested by the client.
    Created,
    /// Announced to both sides.
    Confirmed,
    /// The session took place.
    Completed,
    /// The client cancelled, or did not pay.
    Cancelled,
}

/// The booking service. It makes up a booking, in three days, for an ID that it does not know. The
/// ID 0 stays unknown.
#[derive(Clone)]
pub struct Bookings {
    records: Folder,
    faults: Faults,
    clock: Arc<dyn Clock>,
}

impl Bookings {
    /// Opens the service.
    pub fn new(records: Folder, faults: Faults, clock: Arc<dyn Clock>) -> Self {
        Self { records, faults, clock }
    }

    /// Finds a booking.
    ///
    /// # Errors
    ///
    /// Fails when the service is unavailable, and for the ID 0.
    pub fn find(&self, id: u64) -> Result<Booking, ServiceError> {
        self.faults.check("booking.find")?;
        if id == 0 {
            return Err(ServiceError::Missing { what: "booking", id: id.to_string() });
        }
        if let Some(booking) = self.records.get(id)? {
            return Ok(booking);
        }
        let booking = Booking {
            id,
            client: format!("Client {id}"),
            email: format!("client-{id}@example.com"),
            phone: format!("+44 20 7946 {:04}", id % 10_000),
            practitioner: "practitioner@example.com".to_owned(),
            starts_at: self.now() + SignedDuration::from_hours(72),
            payment_id: id,
            status: BookingStatus::Created,
        };
        self.save(&booking)?;
        Ok(booking)
    }

    /// Saves a booking.
    ///
    /// # Errors
    ///
    /// Fails when the service is unavailable.
    pub fn save(&self, booking: &Booking) -> Result<(), ServiceError> {
        self.faults.check("booking.save")?;
        Ok(self.records.put(booking.id, booking)?)
    }

    /// Sets the status of a booking, and returns the booking.
    ///
    /// # Errors
    ///
    /// As [`find`](Self::find).
    pub fn set_status(&self, id: u64, status: BookingStatus) -> Result<Booking, ServiceError> {
        let booking = Booking { status, ..self.find(id)? };
        self.save(&booking)?;
        Ok(booking)
    }

    /// The time of day at the service.
    pub fn now(&self) -> Timestamp {
        Timestamp::try_from(self.clock.time_of_day()).unwrap_or(Timestamp::MAX)
    }
}

impl fmt::Debug for Bookings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bookings").field("records", &self.records).finish_non_exhaustive()
    }
}
