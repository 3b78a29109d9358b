//! What activities send and record.

use serde::{Deserialize, Serialize};

/// A mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Email {
    /// The address.
    pub to: String,
    /// The subject.
    pub subject: String,
    /// The text.
    pub body: String,
}

impl Email {
    /// Creates a mail.
    pub fn new(to: &str, subject: impl Into<String>, body: impl Into<String>) -> Self {
        Self { to: to.to_owned(), subject: subject.into(), body: body.into() }
    }
}

/// A text message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sms {
    /// The phone number.
    pub to: String,
    /// The text.
    pub text: String,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// What happened, such as `booking.created`.
    pub name: String,
    /// To what.
    pub subject: String,
}

impl Event {
    /// Creates an event.
    pub fn new(name: &str, subject: impl ToString) -> Self {
        Self { name: name.to_owned(), subject: subject.to_string() }
    }
}

/// A count for the analytics.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metric {
    /// The name, such as `bookings`.
    pub name: String,
    /// How much to add.
    pub value: u64,
}

impl Metric {
    /// Creates a metric.
    pub fn new(name: &str, value: u64) -> Self {
        Self { name: name.to_owned(), value }
    }
}
