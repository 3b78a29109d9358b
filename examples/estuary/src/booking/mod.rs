//! The life of a booking: confirmation, payment, reminders, and the end.

mod activities;
#[cfg(test)]
mod tests;
mod workflows;

pub use activities::{Cancellation, Reminder};
pub use workflows::{BookingInput, BookingOutcome};

/// The workflows of this domain.
pub const WORKFLOWS: [&str; 3] =
    ["BookingWorkflow", "BookingCreatedWorkflow", "BookingReminderWorkflow"];

/// The activities of this domain.
pub const ACTIVITIES: [&str; 9] = [
    "booking_confirmation",
    "booking_notice",
    "booking_text",
    "check_reminder",
    "created_event",
    "find_booking",
    "schedule_reminders",
    "set_booking_status",
    "time_to_session",
];
