//! The activities that all domains share, and the outbox that they write to.

mod activities;
mod messages;
mod outbox;
mod smtp;
#[cfg(test)]
mod tests;

pub use activities::{log_event, send_email, send_sms, update_analytics};
pub use messages::{Email, Event, Metric, Sms};
pub use outbox::{Delivery, Outbox};
pub use smtp::Smtp;

/// The activities of this module. They have no domain.
pub const ACTIVITIES: [&str; 4] = ["log_event", "send_email", "send_sms", "update_analytics"];
