//! The outbox: a directory with a file for each message.

use std::io;

use crate::services::{Faults, Folder, ServiceError};

use super::{Email, Smtp};

/// A directory with the messages that were sent: `email`, `sms`, `events` and `analytics`, with a file
/// for each message. The name of the file is the idempotency key of the activity, so that an activity
/// that is repeated sends one message.
#[derive(Debug, Clone)]
pub struct Outbox {
    folder: Folder,
    faults: Faults,
    smtp: Option<Smtp>,
}

/// Whether a message was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Delivery {
    /// It was sent now.
    Sent,
    /// An earlier attempt had sent it.
    Repeated,
}

impl Outbox {
    /// Opens the outbox. With a mail server, mails are also sent there.
    pub fn new(folder: Folder, faults: Faults, smtp: Option<Smtp>) -> Self {
        Self { folder, faults, smtp }
    }

    /// Sends a mail.
    ///
    /// The mail server gets the mail before the file is written: after a crash between the two it gets
    /// the mail again, under the same message ID.
    ///
    /// # Errors
    ///
    /// Fails when the mail server refuses the mail, and when the file cannot be written.
    pub fn email(&self, key: &str, email: &Email) -> Result<Delivery, ServiceError> {
        let Email { to, subject, body } = email;
        let text = format!("To: {to}\nSubject: {subject}\n\n{body}\n");
        self.deliver("email", key, &text, || match &self.smtp {
            Some(smtp) => smtp.send(key, email),
            None => Ok(()),
        })
    }

    /// Writes a message of another kind.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be written.
    pub fn write(&self, kind: &str, key: &str, text: &str) -> Result<Delivery, ServiceError> {
        self.deliver(kind, key, text, || Ok(()))
    }

    fn deliver(
        &self,
        kind: &str,
        key: &str,
        text: &str,
        send: impl FnOnce() -> io::Result<()>,
    ) -> Result<Delivery, ServiceError> {
        self.faults.check(&format!("outbox.{kind}"))?;
        let (folder, name) = (self.folder.under(kind), format!("{key}.txt"));
        if folder.read(&name)?.is_some() {
            return Ok(Delivery::Repeated);
        }
        send()?;
        folder.write(&name, text)?;
        self.faults.check(&format!("outbox.{kind}.answer"))?;
        Ok(Delivery::Sent)
    }

    /// The texts of all messages of a kind, sorted by key.
    ///
    /// # Errors
    ///
    /// Fails when the directory cannot be read.
    pub fn messages(&self, kind: &str) -> io::Result<Vec<String>> {
        let folder = self.folder.under(kind);
        let names = folder.names()?;
        names.iter().filter_map(|name| folder.read_file(name).transpose()).collect()
    }
}
