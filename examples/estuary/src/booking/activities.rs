//! Activities of the booking domain.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use workflow_core::prelude::*;

use super::workflows::BookingInput;
use crate::services::{Booking, BookingStatus, Bookings, ServiceError};
use crate::shared::{Email, Event, Sms};

/// Finds a booking.
#[job(
    domain = "booking",
    retry(maximum_attempts = 5, initial_interval = "500ms", maximum_interval = "30s"),
    start_to_close = "10s"
)]
pub(super) fn find_booking(
    input: &BookingInput,
    bookings: State<Bookings>,
) -> Result<Booking, JobError> {
    bookings.find(input.booking_id).map_err(ServiceError::into_job)
}

/// Sets the status of a booking.
#[job(
    domain = "booking",
    retry(maximum_attempts = 5, initial_interval = "500ms", maximum_interval = "30s"),
    start_to_close = "10s"
)]
pub(super) fn set_booking_status(
    booking_id: u64,
    status: BookingStatus,
    bookings: State<Bookings>,
) -> Result<Booking, JobError> {
    tracing::info!(booking_id, ?status, "the booking changes");
    bookings.set_status(booking_id, status).map_err(ServiceError::into_job)
}

/// Enters the reminders of a booking in the calendar, and confirms it.
#[job(
    domain = "booking",
    retry(maximum_attempts = 5, initial_interval = "500ms", maximum_interval = "30s"),
    start_to_close = "10s"
)]
pub(super) fn schedule_reminders(
    booking: &Booking,
    bookings: State<Bookings>,
) -> Result<Vec<String>, JobError> {
    bookings.set_status(booking.id, BookingStatus::Confirmed).map_err(ServiceError::into_job)?;
    Ok(Reminder::ALL.map(|reminder| reminder.due_at(booking).to_string()).to_vec())
}

/// Writes the mail to the client.
#[job(domain = "booking", inline)]
pub(super) fn booking_confirmation(booking: &Booking) -> Email {
    let Booking { id, client, email, starts_at, .. } = booking;
    let body = format!("Dear {client},\n\nyour session starts at {starts_at}.");
    Email::new(email, format!("Booking {id} is confirmed"), body)
}

/// Writes the mail to the practitioner.
#[job(domain = "booking", inline)]
pub(super) fn booking_notice(booking: &Booking) -> Email {
    let Booking { id, client, practitioner, starts_at, .. } = booking;
    let body = format!("{client} comes at {starts_at}.");
    Email::new(practitioner, format!("New booking {id}"), body)
}

/// Writes the text message to the client.
#[job(domain = "booking", inline)]
pub(super) fn booking_text(booking: &Booking) -> Sms {
    let text = format!("Booking {} is confirmed for {}.", booking.id, booking.starts_at);
    Sms { to: booking.phone.clone(), text }
}

/// Describes the creation of a booking for the log of events.
#[job(domain = "booking", inline)]
pub(super) fn created_event(booking: &Booking) -> Event {
    Event::new("booking.created", booking.id)
}

/// A reminder before a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reminder {
    /// 24 hours before, by mail.
    DayBefore,
    /// 1 hour before, by text message.
    HourBefore,
}

impl Reminder {
    /// All reminders, in order.
    pub(super) const ALL: [Self; 2] = [Self::DayBefore, Self::HourBefore];

    fn lead(self) -> SignedDuration {
        match self {
            Self::DayBefore => SignedDuration::from_hours(24),
            Self::HourBefore => SignedDuration::from_hours(1),
        }
    }

    fn due_at(self, booking: &Booking) -> jiff::Timestamp {
        booking.starts_at - self.lead()
    }
}

/// What to do about a reminder now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ReminderCheck {
    /// Wait for so many milliseconds, and check again.
    Wait(u64),
    /// Remind the client of this booking.
    Send(Booking),
    /// There is nothing to remind of, for this reason.
    Skip(String),
}

/// Decides about a reminder. Reads the booking again, because it may have moved or been cancelled.
#[job(
    domain = "booking",
    retry(maximum_attempts = 0, initial_interval = "1s", maximum_interval = "5m"),
    start_to_close = "10s"
)]
pub(super) fn check_reminder(
    booking_id: u64,
    reminder: Reminder,
    bookings: State<Bookings>,
) -> Result<ReminderCheck, JobError> {
    let booking = bookings.find(booking_id).map_err(ServiceError::into_job)?;
    if booking.status == BookingStatus::Cancelled {
        return Ok(ReminderCheck::Skip("the booking is cancelled".to_owned()));
    }
    let left = reminder.due_at(&booking).duration_since(bookings.now());
    if left.is_positive() {
        // Rounded up, so that the next check does not come too early.
        return Ok(ReminderCheck::Wait(left.as_millis().unsigned_abs() as u64 + 1));
    }
    // After half of the time there is no point in it any more.
    Ok(match -left > reminder.lead() / 2 {
        true => ReminderCheck::Skip("it is too late".to_owned()),
        false => ReminderCheck::Send(booking),
    })
}

/// A request to cancel a booking: the payload of the signal `cancel`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancellation {
    /// The client's reason.
    #[serde(default)]
    pub reason: String,
}

/// The milliseconds until the session of a booking starts.
#[job(
    domain = "booking",
    retry(maximum_attempts = 5, initial_interval = "500ms", maximum_interval = "30s"),
    start_to_close = "10s"
)]
pub(super) fn time_to_session(booking_id: u64, bookings: State<Bookings>) -> Result<u64, JobError> {
    let booking = bookings.find(booking_id).map_err(ServiceError::into_job)?;
    let left = booking.starts_at.duration_since(bookings.now());
    Ok(u64::try_from(left.as_millis()).unwrap_or_default())
}
