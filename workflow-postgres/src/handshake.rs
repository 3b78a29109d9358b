//! Why a TLS handshake failed, and what to do about it.

use tokio_postgres::Error;

/// Why the TLS handshake of a connection failed.
///
/// ```
/// use workflow_postgres::HandshakeFailure;
///
/// let failure = HandshakeFailure::Unsupported;
/// assert_eq!(failure.to_string(), "the server does not encrypt connections");
/// assert!(failure.cure().contains("`ssl = on`"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeFailure {
    /// The server does not encrypt connections.
    #[error("the server does not encrypt connections")]
    Unsupported,
    /// No trusted CA vouches for the server's certificate.
    #[error("the server's certificate is not from a trusted CA")]
    UntrustedCertificate,
    /// The server's certificate is for other hosts than that of the URL.
    #[error("the server's certificate is for another host name")]
    WrongHost,
    /// The time is not between the dates in the server's certificate.
    #[error("the server's certificate has expired, or is not valid yet")]
    ExpiredCertificate,
    /// Something else, such as a server of another protocol.
    #[error("the TLS handshake failed: {0}")]
    Other(String),
}

impl HandshakeFailure {
    /// The failure behind an error; `None` if it is not of a handshake.
    pub fn of(error: &Error) -> Option<Self> {
        // The library does not show the kinds of its errors.
        if !error.to_string().starts_with("error performing TLS handshake") {
            return None;
        }
        let source = std::error::Error::source(error)?;
        let reason = source.to_string();
        if reason.contains("does not support TLS") {
            return Some(Self::Unsupported);
        }
        Some(of_certificate(source).unwrap_or(Self::Other(reason)))
    }

    /// What to do about it.
    pub fn cure(&self) -> &'static str {
        match self {
            Self::Unsupported => {
                "configure it with `ssl = on`, or use sslmode=disable in a trusted network"
            }
            Self::UntrustedCertificate => {
                "set sslrootcert=FILE to the certificate of the server's CA"
            }
            Self::WrongHost => {
                "use a host name of the certificate, or sslmode=verify-ca to accept any"
            }
            Self::ExpiredCertificate => "renew it, and check the clock of this machine",
            Self::Other(_) => "check that it is a PostgreSQL server",
        }
    }
}

#[cfg(feature = "tls")]
fn of_certificate(source: &(dyn std::error::Error + 'static)) -> Option<HandshakeFailure> {
    use rustls::CertificateError as Certificate;

    let inner = source.downcast_ref::<std::io::Error>()?.get_ref()?;
    let rustls::Error::InvalidCertificate(error) = inner.downcast_ref()? else { return None };
    Some(match error {
        // Another CA may have the name of the trusted one.
        Certificate::UnknownIssuer | Certificate::BadSignature => {
            HandshakeFailure::UntrustedCertificate
        }
        Certificate::NotValidForName | Certificate::NotValidForNameContext { .. } => {
            HandshakeFailure::WrongHost
        }
        Certificate::Expired
        | Certificate::ExpiredContext { .. }
        | Certificate::NotValidYet
        | Certificate::NotValidYetContext { .. } => HandshakeFailure::ExpiredCertificate,
        _ => return None,
    })
}

#[cfg(not(feature = "tls"))]
fn of_certificate(_: &(dyn std::error::Error + 'static)) -> Option<HandshakeFailure> {
    None
}
