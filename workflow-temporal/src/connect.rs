//! The connection to a Temporal server.

use std::fmt;
use std::path::PathBuf;

use temporalio_client::errors::ClientConnectError;
use temporalio_client::{
    Client, ClientOptions, ClientTlsOptions, Connection, ConnectionOptions, TlsOptions, Url,
};
use workflow_core::error_text::io_reason;

use crate::message::reason;

/// How to connect to a Temporal server.
///
/// Options come from the environment variables of the official `temporal` command, and from the
/// methods, which take precedence:
///
/// | option | variable | default |
/// |---|---|---|
/// | [`address`](Self::address) | `TEMPORAL_ADDRESS` | `localhost:7233` |
/// | [`namespace`](Self::namespace) | `TEMPORAL_NAMESPACE` | `default` |
/// | [`api_key`](Self::api_key) | `TEMPORAL_API_KEY` | none |
/// | [`tls`](Self::tls) | `TEMPORAL_TLS` | on with an API key or another option of TLS |
/// | [`client_certificate`](Self::client_certificate) | `TEMPORAL_TLS_CLIENT_CERT_PATH`, `TEMPORAL_TLS_CLIENT_KEY_PATH` | none |
/// | [`server_ca`](Self::server_ca) | `TEMPORAL_TLS_SERVER_CA_CERT_PATH` | the roots of the system |
/// | [`server_name`](Self::server_name) | `TEMPORAL_TLS_SERVER_NAME` | the host of the address |
///
/// ```
/// use workflow_temporal::TemporalOptions;
///
/// let options: TemporalOptions = "temporal://localhost:7233/shop".parse()?;
/// assert_eq!(options.to_string(), "temporal://localhost:7233/shop");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use = "pass it to `connect`"]
pub struct TemporalOptions {
    address: Option<String>,
    namespace: Option<String>,
    api_key: Option<Secret>,
    tls: Option<Tls>,
    client_certificate: Option<(PathBuf, PathBuf)>,
    server_ca: Option<PathBuf>,
    server_name: Option<String>,
}

/// Whether the connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Tls {
    /// The connection is encrypted, and the server's certificate is verified.
    On,
    /// The connection is not encrypted.
    Off,
}

/// A text that is not shown.
#[derive(Clone, PartialEq, Eq)]
struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl TemporalOptions {
    /// Creates options that come from the environment alone.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the address of the server, as `host:port`.
    pub fn address(mut self, address: impl Into<String>) -> Self {
        self.address = Some(address.into());
        self
    }

    /// Sets the namespace.
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = Some(namespace.into());
        self
    }

    /// Sets the API key.
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.api_key = Some(Secret(key.into()));
        self
    }

    /// Sets whether the connection is encrypted.
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Sets the files, in PEM form, of the certificate and the key with which this client
    /// authenticates itself (mTLS).
    pub fn client_certificate(
        mut self,
        certificate: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Self {
        self.client_certificate = Some((certificate.into(), key.into()));
        self
    }

    /// Sets the file, in PEM form, of the authority that signed the server's certificate.
    pub fn server_ca(mut self, certificate: impl Into<PathBuf>) -> Self {
        self.server_ca = Some(certificate.into());
        self
    }

    /// Sets the name that the server's certificate must have.
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.server_name = Some(name.into());
        self
    }

    /// Connects to the server.
    ///
    /// # Errors
    ///
    /// Fails if the options are invalid, and if the server does not answer or rejects the client.
    pub(crate) async fn connect(&self) -> Result<Client, ConnectError> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let (connection, client) = self.resolve(variable)?;
        let target = connection.target.to_string();
        let (_, address) = target.split_once("://").unwrap_or(("", &target));
        let address = address.trim_end_matches('/').to_owned();
        let connection = Connection::connect(connection).await;
        let connection = connection.map_err(|error| {
            let reason = match &error {
                ClientConnectError::SystemInfoCallError(status) => reason(status),
                error => reason(error),
            };
            ConnectError::Connect { address, reason }
        })?;
        let cannot = |error| ConnectError::Options(format!("{error}"));
        Client::new(connection, client).map_err(cannot)
    }

    /// Connection and namespace, with the options of the environment where these have none.
    fn resolve(
        &self,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<(ConnectionOptions, ClientOptions), ConnectError> {
        let set = |value: &Option<String>, name| value.clone().or_else(|| variable(name));
        let file = |value: Option<&PathBuf>, name| {
            value.cloned().or_else(|| variable(name).map(PathBuf::from))
        };
        let address = set(&self.address, "TEMPORAL_ADDRESS");
        let address = address.unwrap_or_else(|| "localhost:7233".to_owned());
        let key = self.api_key.as_ref().map(|key| key.0.clone());
        let key = key.or_else(|| variable("TEMPORAL_API_KEY"));
        let pair = self.client_certificate.as_ref();
        let certificate =
            file(pair.map(|(certificate, _)| certificate), "TEMPORAL_TLS_CLIENT_CERT_PATH");
        let certificate_key = file(pair.map(|(_, key)| key), "TEMPORAL_TLS_CLIENT_KEY_PATH");
        let authority = file(self.server_ca.as_ref(), "TEMPORAL_TLS_SERVER_CA_CERT_PATH");
        let server_name = set(&self.server_name, "TEMPORAL_TLS_SERVER_NAME");
        let implied =
            key.is_some() || certificate.is_some() || authority.is_some() || server_name.is_some();
        let tls = match (self.tls, variable("TEMPORAL_TLS").as_deref()) {
            (Some(tls), _) => tls == Tls::On,
            (None, Some("true" | "1")) => true,
            (None, Some("false" | "0")) => false,
            (None, None) => implied,
            (None, Some(other)) => {
                let problem = format!("TEMPORAL_TLS is `{other}`; write `true` or `false`");
                return Err(ConnectError::Options(problem));
            }
        };
        let scheme = if tls { "https" } else { "http" };
        let target = format!("{scheme}://{address}").parse::<Url>().map_err(|_| {
            ConnectError::Options(format!("invalid address `{address}`; write host:port"))
        })?;
        let tls = tls.then(|| tls_options(certificate, certificate_key, authority, server_name));
        let connection = ConnectionOptions::new(target)
            .maybe_api_key(key)
            .maybe_tls_options(tls.transpose()?)
            .build();
        let namespace = set(&self.namespace, "TEMPORAL_NAMESPACE");
        let namespace = namespace.unwrap_or_else(|| "default".to_owned());
        Ok((connection, ClientOptions::new(namespace).build()))
    }
}

/// Reads the files of an encrypted connection.
fn tls_options(
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    authority: Option<PathBuf>,
    server_name: Option<String>,
) -> Result<TlsOptions, ConnectError> {
    let read = |path: PathBuf| {
        std::fs::read(&path).map_err(|error| {
            let (path, reason) = (path.display(), io_reason(&error));
            ConnectError::Options(format!("cannot read `{path}`: {reason}"))
        })
    };
    let client = match (certificate, key) {
        (None, None) => None,
        (Some(certificate), Some(key)) => Some(
            ClientTlsOptions::builder()
                .client_cert(read(certificate)?)
                .client_private_key(read(key)?)
                .build(),
        ),
        (Some(_), None) | (None, Some(_)) => {
            let problem = "a client certificate and its key must be given together".to_owned();
            return Err(ConnectError::Options(problem));
        }
    };
    Ok(TlsOptions::builder()
        .maybe_client_tls_options(client)
        .maybe_server_root_ca_cert(authority.map(read).transpose()?)
        .maybe_domain(server_name)
        .build())
}

/// The scheme of the address of a Temporal server.
const SCHEME: &str = "temporal://";

/// Reads `temporal://host:port/namespace`. Without a namespace, it comes from the environment.
impl std::str::FromStr for TemporalOptions {
    type Err = TemporalAddressError;

    fn from_str(text: &str) -> Result<Self, TemporalAddressError> {
        let invalid = || TemporalAddressError(text.to_owned());
        let rest = text.strip_prefix(SCHEME).ok_or_else(invalid)?;
        let (address, namespace) = rest.split_once('/').unwrap_or((rest, ""));
        let port = address.rsplit_once(':').filter(|(host, _)| !host.is_empty());
        let (_, port) = port.ok_or_else(invalid)?;
        if port.parse::<u16>().is_err() || namespace.contains('/') {
            return Err(invalid());
        }
        let options = Self::new().address(address);
        Ok(if namespace.is_empty() { options } else { options.namespace(namespace) })
    }
}

/// Writes `temporal://host:port/namespace`.
impl fmt::Display for TemporalOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = self.address.as_deref().unwrap_or("localhost:7233");
        write!(f, "{SCHEME}{address}/{}", self.namespace.as_deref().unwrap_or("default"))
    }
}

/// A text that is not the address of a Temporal server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the address of a Temporal server; write `temporal://host:port/namespace`")]
pub struct TemporalAddressError(String);

/// Why a program cannot connect to a Temporal server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The options or the environment are invalid.
    #[error("invalid Temporal connection options: {0}")]
    Options(String),
    /// The server does not answer, or rejects the client.
    #[error(
        "cannot connect to Temporal at {address}: {reason}; check the address, and that the server \
         is running"
    )]
    Connect {
        /// The address, as `host:port`.
        address: String,
        /// The reason.
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_host_port_and_namespace() {
        let options: TemporalOptions = "temporal://cluster:7233/shop".parse().expect("an address");
        assert_eq!(options, TemporalOptions::new().address("cluster:7233").namespace("shop"));
        for wrong in [
            "http://a:1",
            "temporal://",
            "temporal://host",
            "temporal://h:x/n",
            "temporal://h:1/n/m",
        ] {
            let error = wrong.parse::<TemporalOptions>().expect_err(wrong).to_string();
            assert!(error.starts_with(&format!("`{wrong}` is not the address")), "{error}");
        }
    }

    fn resolved(
        options: &TemporalOptions,
        variables: &[(&str, &str)],
    ) -> Result<(ConnectionOptions, ClientOptions), String> {
        let variable = |name: &str| {
            let found = variables.iter().find(|(of, _)| *of == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        options.resolve(variable).map_err(|error| error.to_string())
    }

    #[test]
    fn options_take_precedence_over_the_environment() {
        let variables = [
            ("TEMPORAL_ADDRESS", "cluster:7233"),
            ("TEMPORAL_NAMESPACE", "theirs"),
            ("TEMPORAL_API_KEY", "hunter1"),
        ];
        let options = TemporalOptions::new().namespace("mine").api_key("hunter2");
        assert!(!format!("{options:?}").contains("hunter2"));
        let (connection, client) = resolved(&options, &variables).expect("they are valid");
        assert_eq!(connection.target.as_str(), "https://cluster:7233/");
        assert_eq!(client.namespace, "mine");
        assert_eq!(connection.api_key.as_deref(), Some("hunter2"));
        assert!(connection.tls_options.is_some(), "a key implies encryption");

        let (connection, client) = resolved(&TemporalOptions::new(), &[]).expect("defaults");
        assert_eq!(connection.target.as_str(), "http://localhost:7233/");
        assert_eq!((&*client.namespace, connection.tls_options.is_some()), ("default", false));
    }

    #[test]
    fn files_of_an_encrypted_connection_are_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, name).expect("a file");
            path
        };
        let options = TemporalOptions::new()
            .client_certificate(file("cert"), file("key"))
            .server_ca(file("ca"))
            .server_name("cluster");
        let (connection, _) = resolved(&options, &[]).expect("they are valid");
        let tls = connection.tls_options.expect("it is encrypted");
        let client = tls.client_tls_options.expect("a certificate");
        assert_eq!(
            (&*client.client_cert, &*client.client_private_key),
            (&b"cert"[..], &b"key"[..])
        );
        assert_eq!(tls.server_root_ca_cert.as_deref(), Some(&b"ca"[..]));
        assert_eq!(tls.domain.as_deref(), Some("cluster"));
    }

    #[test]
    fn invalid_options_name_the_cure() {
        let missing = folder_without("key.pem");
        for (variables, expected) in [
            (vec![("TEMPORAL_TLS", "maybe")], "TEMPORAL_TLS is `maybe`; write `true` or `false`"),
            (vec![("TEMPORAL_TLS_CLIENT_CERT_PATH", "c.pem")], "must be given together"),
            (vec![("TEMPORAL_TLS_SERVER_CA_CERT_PATH", &*missing)], "cannot read `"),
            (vec![("TEMPORAL_ADDRESS", "a b")], "invalid address `a b`"),
        ] {
            let error = resolved(&TemporalOptions::new(), &variables).expect_err(expected);
            assert!(error.contains(expected), "{error}");
        }
    }

    fn folder_without(name: &str) -> String {
        let folder = tempfile::tempdir().expect("a folder");
        folder.path().join(name).display().to_string()
    }
}
