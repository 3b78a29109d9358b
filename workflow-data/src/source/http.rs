//! What all clients of HTTP share: certificates, timeouts, and what failures mean.

mod mask;

use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use url::{Host, Url};

pub(super) use self::mask::Masks;
use crate::text::io_reason;

/// How clients name themselves.
pub(super) const USER_AGENT: &str = concat!("workflow-data/", env!("CARGO_PKG_VERSION"));

/// How long a server may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// For a connection.
    pub(super) connect: Duration,
    /// For a request with its response.
    pub(super) request: Duration,
}

/// Why there is no response.
pub(super) struct NoResponse {
    pub(super) reason: String,
    /// Whether another attempt may succeed.
    pub(super) is_transient: bool,
}

/// Whether a request with this status may succeed later.
pub(super) fn is_transient(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500..=599)
}

/// What an error of the library means.
pub(super) fn explain(error: ureq::Error, host: &str, limits: &Limits) -> NoResponse {
    use ureq::{Error, Timeout};
    match error {
        Error::Timeout(Timeout::Connect | Timeout::Resolve) => {
            let seconds = limits.connect.as_secs_f64();
            transient(format!("no connection within {seconds} s; raise `connect_timeout`"))
        }
        Error::Timeout(_) => {
            let seconds = limits.request.as_secs_f64();
            transient(format!("no response within {seconds} s; raise `timeout`"))
        }
        Error::HostNotFound => transient(format!("no address for the host `{host}`")),
        Error::ConnectionFailed => transient("the connection fails"),
        Error::Io(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            transient("the server closes the connection without a response")
        }
        Error::Io(error) => match error.get_ref().and_then(|inner| inner.downcast_ref()) {
            Some(error) => refused_by_tls(host, error),
            None => transient(io_reason(&error)),
        },
        Error::Rustls(error) => refused_by_tls(host, &error),
        Error::LargeResponseHeader(..) => terminal("the headers of the response are too long"),
        Error::Protocol(error) => {
            tracing::debug!(host, %error, "invalid HTTP response");
            terminal("the server does not answer in HTTP; check the URL")
        }
        other => terminal(other.to_string()),
    }
}

fn refused_by_tls(host: &str, error: &rustls::Error) -> NoResponse {
    use rustls::{CertificateError as Certificate, Error};
    let reason = match error {
        // Another CA may have the name of the trusted one.
        Error::InvalidCertificate(Certificate::UnknownIssuer | Certificate::BadSignature) => {
            "its certificate is not from a trusted CA; set SSL_CERT_FILE to a file with that of the CA"
        }
        Error::InvalidCertificate(
            Certificate::NotValidForName | Certificate::NotValidForNameContext { .. },
        ) => "its certificate is for another host name; use a host name of the certificate",
        Error::InvalidCertificate(
            Certificate::Expired
            | Certificate::ExpiredContext { .. }
            | Certificate::NotValidYet
            | Certificate::NotValidYetContext { .. },
        ) => {
            "its certificate has expired, or is not valid yet; renew it, and check the clock of this \
             machine"
        }
        Error::InvalidCertificate(_) => "its certificate is invalid; replace it",
        _ => "the TLS handshake failed; check that the URL is of an HTTPS server",
    };
    tracing::debug!(host, %error, "no encrypted connection");
    terminal(format!("no encrypted connection to `{host}`: {reason}"))
}

fn transient(reason: impl Into<String>) -> NoResponse {
    NoResponse { reason: reason.into(), is_transient: true }
}

fn terminal(reason: impl Into<String>) -> NoResponse {
    NoResponse { reason: reason.into(), is_transient: false }
}

/// Whether a server runs on this machine, which no proxy can reach.
pub(super) fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Trusts the certificates of the system, as the stores of the workspace do.
pub(crate) fn tls() -> Result<TlsConfig, String> {
    let found = rustls_native_certs::load_native_certs().certs;
    if found.is_empty() {
        return Err("this system has no CA certificates; \
            install them, or set SSL_CERT_FILE to a file with some"
            .to_owned());
    }
    let roots: RootCerts =
        found.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).into();
    let provider = Arc::new(ring::default_provider());
    Ok(TlsConfig::builder().root_certs(roots).unversioned_rustls_crypto_provider(provider).build())
}
