//! Servers of PostgreSQL. No error shows a URL, which may have a password.

use std::error::Error as _;
use std::fmt;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_postgres::config::Host;
use tokio_postgres::{Client, Config, Error};
use workflow_config::Secret;
use workflow_postgres::{Address, AddressError, Connector, HandshakeFailure};

use crate::text::io_reason;

/// A server, and how to connect to it.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    config: Config,
    connector: Connector,
}

/// How long a connection may take, unless the URL says otherwise.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

impl Server {
    /// The server of a URL. Certificates are read, and nothing is connected yet.
    ///
    /// # Errors
    ///
    /// Fails with what is wrong with the URL or its certificates.
    pub(crate) fn new(url: &Secret) -> Result<Self, String> {
        let address = address(url)?;
        let connector = Connector::new(&address).map_err(|error| error.to_string())?;
        let mut config = address.config;
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        Ok(Self { config, connector })
    }

    /// Connects, in a runtime. The task drives the connection until the client is dropped.
    ///
    /// # Errors
    ///
    /// Fails with the server and the reason.
    pub(crate) async fn connect(&self) -> Result<(Client, JoinHandle<()>), String> {
        let connected = self.config.connect(self.connector.clone()).await;
        let (client, connection) =
            connected.map_err(|error| format!("cannot connect to {self}: {}", reason(&error)))?;
        let driver = async {
            // Its errors are those of the statements.
            let _ = connection.await;
        };
        Ok((client, tokio::spawn(driver)))
    }
}

/// The hosts and ports of the URL.
impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hosts(&self.config).collect::<Vec<_>>().join(", "))?;
        let ports: Vec<_> = self.config.get_ports().iter().map(u16::to_string).collect();
        if ports.is_empty() { Ok(()) } else { write!(f, ", port {}", ports.join(", ")) }
    }
}

/// The database of a URL: its name, and its servers with their ports. Without credentials. `None`
/// if the URL is invalid.
pub(crate) fn database(url: &Secret) -> Option<String> {
    let config = address(url).ok()?.config;
    let addresses: Vec<_> = match config.get_hostaddrs() {
        [] => hosts(&config).collect(),
        addresses => addresses.iter().map(ToString::to_string).collect(),
    };
    let ports = config.get_ports();
    let servers = addresses.iter().enumerate().map(|(index, address)| {
        let port = ports.get(index).or(ports.last()).copied().unwrap_or(DEFAULT_PORT);
        format!("{address}:{port}")
    });
    // The server uses the name of the user if there is no other one.
    let name = config.get_dbname().or(config.get_user()).unwrap_or_default();
    Some(format!("{name} at {}", servers.collect::<Vec<_>>().join(", ")))
}

const DEFAULT_PORT: u16 = 5432;

fn address(url: &Secret) -> Result<Address, String> {
    Address::parse(url.expose()).map_err(|error| match error {
        // Without the reason: a URL of the configuration may be a secret as a whole.
        AddressError::Invalid(_) => "is not a valid PostgreSQL URL; write \
            `postgres://user:password@host:5432/database?sslmode=verify-full`, \
            with special characters of the password encoded, such as `%3F` for `?`"
            .to_owned(),
        other => other.to_string(),
    })
}

fn hosts(config: &Config) -> impl Iterator<Item = String> {
    config.get_hosts().iter().map(|host| match host {
        Host::Tcp(name) => name.clone(),
        #[cfg(unix)]
        Host::Unix(folder) => folder.display().to_string(),
    })
}

/// The reason of an error.
pub(crate) fn reason(error: &Error) -> String {
    reason_at(error, "")
}

/// The reason of an error, with a place that follows what is wrong.
pub(crate) fn reason_at(error: &Error, place: &str) -> String {
    if let Some(error) = error.as_db_error() {
        let hint = error.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
        return format!("{}{place}{hint}", error.message());
    }
    if let Some(failure) = HandshakeFailure::of(error) {
        return format!("{failure}; {}", failure.cure());
    }
    let source = error.source();
    let io = source.and_then(|source| source.downcast_ref()).map(io_reason);
    io.unwrap_or_else(|| match source {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    })
}
