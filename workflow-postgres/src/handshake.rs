//! Why a TLS handshake failed, and what to do about it.

use tokio_postgres::Error;

/// Why the TLS handshake of a connection failed.
///
/// ```
/// use workflow_postgres::HandshakeFailure;
///
/// assert!(HandshakeFailure::Unsupported.cure().contains("`ssl = on`"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum HandshakeFailure {
    /// The server does not encrypt connections.
    Unsupported,
    /// The server's certificate is not trusted, or is for another host.
    Certificate,
    /// Something else, such as a server of another protocol.
    Other,
}

impl HandshakeFailure {
    /// The failure behind an error; `None` if it is not of a handshake.
    pub fn of(error: &Error) -> Option<Self> {
        // The library does not show the kinds of its errors.
        if !error.to_string().starts_with("error performing TLS handshake") {
            return None;
        }
        let source = std::error::Error::source(error);
        let reason = source.map(ToString::to_string).unwrap_or_default();
        Some(if reason.contains("does not support TLS") {
            Self::Unsupported
        } else if reason.contains("certificate") {
            Self::Certificate
        } else {
            Self::Other
        })
    }

    /// What to do about it.
    pub fn cure(self) -> &'static str {
        match self {
            Self::Unsupported => {
                "configure it with `ssl = on`, or use sslmode=disable in a trusted network"
            }
            Self::Certificate => {
                "set sslrootcert=FILE to the certificate of the server's CA, \
                 and use the host name in the server's certificate"
            }
            Self::Other => "the TLS handshake failed; check that it is a PostgreSQL server",
        }
    }
}
