//! Why an address has no connector.

/// Why there is no [`Connector`](crate::Connector) for an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectorError {
    /// The address requires an encrypted connection.
    #[error(
        "the URL requires an encrypted connection (sslmode={mode}), but this program was built \
         without TLS; enable the feature `tls` of workflow-postgres or workflow-store, or use \
         sslmode=disable in a trusted network"
    )]
    WithoutTls {
        /// The value of `sslmode`.
        mode: &'static str,
    },
    /// The file of `sslrootcert` has no certificates that can be read.
    #[error(
        "the certificates in `{path}` (sslrootcert) cannot be read: {reason}; \
         set sslrootcert=FILE to the certificate of the server's CA"
    )]
    Certificates {
        /// The file.
        path: String,
        /// The reason.
        reason: String,
    },
    /// The system has no certificates.
    #[error(
        "this system has no CA certificates; \
         set sslrootcert=FILE to the certificate of the server's CA"
    )]
    NoSystemCertificates,
    /// The TLS library cannot be set up.
    #[error("cannot set up TLS: {0}")]
    Setup(String),
}
