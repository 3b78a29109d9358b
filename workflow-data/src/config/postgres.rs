//! The settings in a URL of PostgreSQL. No error shows the URL, which may have a password.

use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::Host;
use workflow_config::Secret;

/// How long a connection may take, unless the URL says otherwise.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The settings of the URL. The reasons of the parser may contain a part of the password.
pub(crate) fn settings(url: &Secret) -> Result<Config, String> {
    let url = url.expose();
    let mode = url.split_once("sslmode=").map(|(_, rest)| rest.split('&').next().unwrap_or(rest));
    if let Some(mode @ ("require" | "verify-ca" | "verify-full")) = mode {
        return Err(format!(
            "`sslmode={mode}` needs an encrypted connection, which this program does not have; \
             use `sslmode=disable` in a trusted network, or a proxy with TLS on this machine"
        ));
    }
    let mut config: Config = url.parse().map_err(|_| {
        "is not a valid URL of PostgreSQL; write `postgres://user:password@host:5432/database`, \
         with special characters of the password encoded, such as `%3F` for `?`"
            .to_owned()
    })?;
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT_TIMEOUT);
    }
    Ok(config)
}

/// The database of the URL: its name, and its servers with their ports. Without credentials.
pub(crate) fn database(config: &Config) -> String {
    let addresses: Vec<_> = match config.get_hostaddrs() {
        [] => hosts(config).collect(),
        addresses => addresses.iter().map(ToString::to_string).collect(),
    };
    let ports = config.get_ports();
    let servers = addresses.iter().enumerate().map(|(index, address)| {
        let port = ports.get(index).or(ports.last()).copied().unwrap_or(DEFAULT_PORT);
        format!("{address}:{port}")
    });
    // The server uses the name of the user if there is no other one.
    let name = config.get_dbname().or(config.get_user()).unwrap_or_default();
    format!("{name} at {}", servers.collect::<Vec<_>>().join(", "))
}

const DEFAULT_PORT: u16 = 5432;

/// The servers of the URL.
pub(crate) fn servers(config: &Config) -> String {
    let hosts = hosts(config).collect::<Vec<_>>().join(", ");
    let ports: Vec<_> = config.get_ports().iter().map(u16::to_string).collect();
    if ports.is_empty() { hosts } else { format!("{hosts}, port {}", ports.join(", ")) }
}

fn hosts(config: &Config) -> impl Iterator<Item = String> {
    config.get_hosts().iter().map(|host| match host {
        Host::Tcp(name) => name.clone(),
        #[cfg(unix)]
        Host::Unix(folder) => folder.display().to_string(),
    })
}
