//! Mails by SMTP, with the feature `smtp`.

#[cfg(feature = "smtp")]
mod lettre_client {
    use std::io;

    use lettre::message::Mailbox;
    use lettre::{Message, SmtpTransport, Transport as _};

    use crate::shared::Email;

    /// A mail server.
    #[derive(Clone)]
    pub struct Smtp {
        transport: SmtpTransport,
        from: Mailbox,
    }

    impl Smtp {
        /// Configures a server, `smtps://user:password@host`. Mails come from `ESTUARY_FROM`, by
        /// default `estuary@localhost`.
        ///
        /// # Errors
        ///
        /// Fails when the address of the server or the sender is invalid.
        pub fn new(server: &str) -> Result<Self, String> {
            let transport = SmtpTransport::from_url(server)
                .map_err(|error| format!("invalid mail server in ESTUARY_SMTP: {error}"))?
                .build();
            let from = std::env::var("ESTUARY_FROM");
            let from = from.as_deref().unwrap_or("estuary@localhost");
            let from = from.parse().map_err(|error| {
                format!("invalid sender `{from}` in ESTUARY_FROM: {error}; use `name@host`")
            })?;
            Ok(Self { transport, from })
        }

        /// Sends a mail with a message ID made from the key.
        pub(crate) fn send(&self, key: &str, email: &Email) -> io::Result<()> {
            let to = email.to.parse().map_err(io::Error::other)?;
            let message = Message::builder()
                .from(self.from.clone())
                .to(to)
                .subject(email.subject.clone())
                .message_id(Some(format!("<{}@estuary>", key.replace('/', "."))))
                .body(email.body.clone())
                .map_err(io::Error::other)?;
            self.transport.send(&message).map(drop).map_err(io::Error::other)
        }
    }

    impl std::fmt::Debug for Smtp {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            // The address of the server may hold a password.
            f.debug_struct("Smtp").field("from", &self.from).finish_non_exhaustive()
        }
    }
}

#[cfg(feature = "smtp")]
pub use lettre_client::Smtp;

#[cfg(not(feature = "smtp"))]
mod no_client {
    use std::io;

    use crate::shared::Email;

    /// A mail server. Without the feature `smtp` there is none.
    #[derive(Debug, Clone)]
    pub struct Smtp {
        never: std::convert::Infallible,
    }

    impl Smtp {
        /// Fails, because the program was built without the feature `smtp`.
        ///
        /// # Errors
        ///
        /// Always.
        pub fn new(_: &str) -> Result<Self, String> {
            Err("ESTUARY_SMTP needs the feature `smtp`; build with `--features smtp`".to_owned())
        }

        pub(crate) fn send(&self, _: &str, _: &Email) -> io::Result<()> {
            match self.never {}
        }
    }
}

#[cfg(not(feature = "smtp"))]
pub use no_client::Smtp;
