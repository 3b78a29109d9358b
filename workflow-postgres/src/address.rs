//! The URL of a database and its TLS settings.

use percent_encoding::percent_decode_str;
use tokio_postgres::Config;
use tokio_postgres::config::SslMode;

/// The settings of a URL.
#[derive(Debug, Clone)]
pub struct Address {
    /// The settings for tokio-postgres, without `sslrootcert`. Its `ssl_mode` says only whether
    /// encryption is required; a [`Connector`](crate::Connector) does the rest.
    pub config: Config,
    pub(crate) encryption: Encryption,
}

/// Why a URL is not the address of a database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// There is no such `sslmode`.
    #[error(
        "unknown sslmode `{0}`; use disable, prefer, require, verify-ca or \
         verify-full"
    )]
    UnknownMode(String),
    /// The rest of the URL is invalid.
    #[error(
        "invalid database URL ({0}); it should look like \
         postgres://user:password@host:5432/database?sslmode=verify-full"
    )]
    Invalid(String),
}

/// The encryption of a connection and the verification of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Encryption {
    pub(crate) mode: Mode,
    /// The file with the CA certificates.
    pub(crate) roots: Option<String>,
}

/// The values of `sslmode`, as in libpq.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Disable,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

impl Mode {
    const ALL: [(&'static str, Self); 5] = [
        ("disable", Self::Disable),
        ("prefer", Self::Prefer),
        ("require", Self::Require),
        ("verify-ca", Self::VerifyCa),
        ("verify-full", Self::VerifyFull),
    ];

    fn read(text: &str) -> Result<Self, AddressError> {
        let found = Self::ALL.into_iter().find(|(name, _)| *name == text);
        found.map(|(_, mode)| mode).ok_or_else(|| AddressError::UnknownMode(text.to_owned()))
    }

    #[cfg(not(feature = "tls"))]
    pub(crate) fn as_str(self) -> &'static str {
        Self::ALL.into_iter().find(|(_, mode)| *mode == self).map_or("", |(name, _)| name)
    }
}

impl Address {
    /// Reads a URL, or settings in the form `host=.. dbname=..`.
    ///
    /// ```
    /// use workflow_postgres::Address;
    ///
    /// let address = Address::parse("postgres://ada@localhost/shop?sslmode=require")?;
    /// assert_eq!(address.config.get_dbname(), Some("shop"));
    /// let error = Address::parse("postgres://localhost/shop?sslmode=always").unwrap_err();
    /// assert!(error.to_string().starts_with("unknown sslmode `always`"));
    /// # Ok::<(), workflow_postgres::AddressError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Fails when the URL is invalid, or has an option that is not supported, such as `sslcert`.
    pub fn parse(url: &str) -> Result<Self, AddressError> {
        let (mut mode, mut roots) = (None, None);
        let (base, query) = url.split_at(end_of_base(url));
        let mut rest = Vec::new();
        for part in query.trim_start_matches('?').split('&').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            match name {
                "sslmode" => mode = Some(Mode::read(value)?),
                "sslrootcert" => {
                    let path = percent_decode_str(value).decode_utf8_lossy().into_owned();
                    roots = (path != "system").then_some(path);
                }
                _ => rest.push(part),
            }
        }
        let url =
            if rest.is_empty() { base.to_owned() } else { format!("{base}?{}", rest.join("&")) };
        let mut config: Config = url.parse().map_err(|error: tokio_postgres::Error| {
            let cause = std::error::Error::source(&error);
            let cause = cause.map(|cause| format!(": {cause}")).unwrap_or_default();
            AddressError::Invalid(format!("{error}{cause}"))
        })?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(AddressError::Invalid("it has no host".to_owned()));
        }
        // The key-value form of PostgreSQL, `host=.. sslmode=..`.
        let mode = mode.unwrap_or(match config.get_ssl_mode() {
            SslMode::Disable => Mode::Disable,
            SslMode::Require => Mode::Require,
            _ => Mode::Prefer,
        });
        // As in libpq, naming certificates turns on their verification.
        let mode = if roots.is_some() && mode == Mode::Require { Mode::VerifyCa } else { mode };
        config.ssl_mode(match mode {
            Mode::Disable => SslMode::Disable,
            Mode::Prefer => SslMode::Prefer,
            _ => SslMode::Require,
        });
        Ok(Self { config, encryption: Encryption { mode, roots } })
    }
}

/// Where the options of a URL begin, or its end. Settings of the other form have none.
fn end_of_base(url: &str) -> usize {
    let Some((scheme, rest)) = url.split_once("://") else { return url.len() };
    let start = scheme.len() + "://".len();
    let user = user_of(rest).map_or(0, |user| user.len() + 1);
    rest[user..].find('?').map_or(url.len(), |options| start + user + options)
}

/// The user and the password. As for tokio-postgres, a password may have a `/` or a `?`. An `@` may
/// also be in the value of an option.
fn user_of(rest: &str) -> Option<&str> {
    let (before, _) = rest.split_once('@')?;
    let (host, options) = before.split_once('?').unwrap_or((before, ""));
    // An IPv6 address is in brackets.
    let after_address = host.rsplit(']').next().unwrap_or(host);
    let has_port = after_address.rsplit_once(':').is_none_or(|(_, port)| {
        let port = port.split('/').next().unwrap_or(port);
        port.bytes().all(|byte| byte.is_ascii_digit())
    });
    let is_value = has_port && options.contains('=');
    (!is_value).then_some(before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_may_have_characters_of_urls() {
        let secret = |url: &str| {
            let address = Address::parse(url).expect("an address");
            let password = address.config.get_password().map(|it| String::from_utf8_lossy(it));
            let name = address.config.get_dbname().map(str::to_owned);
            (password.map(String::from), name, address.encryption)
        };
        let roots = Some("/a@b/c.crt".to_owned());
        let encryption = Encryption { mode: Mode::VerifyFull, roots };
        let options = "sslmode=verify-full&sslrootcert=/a@b/c.crt";
        let shop = || Some("shop".to_owned());
        for password in ["secret", "se?cret", "se/cret", "12?secret", "12/secret", "a=b", "a?b=c"] {
            let found = secret(&format!("postgres://ada:{password}@localhost:5432/shop?{options}"));
            assert_eq!(found, (Some(password.to_owned()), shop(), encryption.clone()));
        }
        for host in ["one:5432,two:5433", "[::1]:5432", "[::1]", "localhost"] {
            let found = secret(&format!("postgres://{host}/shop?{options}"));
            assert_eq!(found, (None, shop(), encryption.clone()), "{host}");
        }
        let (password, name, _) = secret("host=localhost dbname=shop password=a?b/c@d");
        assert_eq!((password.as_deref(), name), (Some("a?b/c@d"), shop()));
    }

    fn read(query: &str) -> (Mode, Option<String>) {
        let address = Address::parse(&format!("postgres://ada@host/db{query}")).expect("fit");
        assert_eq!(address.config.get_dbname(), Some("db"));
        (address.encryption.mode, address.encryption.roots)
    }

    #[test]
    fn modes_are_those_of_postgresql() {
        assert_eq!(read(""), (Mode::Prefer, None));
        assert_eq!(read("?sslmode=require"), (Mode::Require, None));
        assert_eq!(read("?connect_timeout=3&sslmode=verify-ca"), (Mode::VerifyCa, None));
        let roots = Some("/a b/root.crt".to_owned());
        assert_eq!(read("?sslmode=require&sslrootcert=/a%20b/root.crt"), (Mode::VerifyCa, roots));
        assert_eq!(read("?sslrootcert=system&sslmode=verify-full"), (Mode::VerifyFull, None));
        let written = Address::parse("host=localhost user=ada sslmode=require").expect("fit");
        assert_eq!(written.encryption.mode, Mode::Require);
    }

    #[test]
    fn unknown_connection_options_are_named() {
        let error = |query: &str| {
            Address::parse(&format!("postgres://host/db?{query}")).expect_err("refused").to_string()
        };
        assert!(error("sslmode=always").contains("unknown sslmode `always`"));
        assert!(error("sslcert=a.crt").contains("sslcert"));
    }
}
