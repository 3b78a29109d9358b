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
    /// The password has special characters, which would end it.
    #[error(
        "the password of the database URL has a character with a meaning in URLs; write `%2F` for \
         `/`, `%3F` for `?` and `%40` for `@`"
    )]
    UnencodedPassword,
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
        if has_unencoded_password(url) {
            return Err(AddressError::UnencodedPassword);
        }
        let (mut mode, mut roots) = (None, None);
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        let mut rest = Vec::new();
        for part in query.split('&').filter(|part| !part.is_empty()) {
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

/// Whether a password seems to end at one of its characters. An error of the rest would show it.
fn has_unencoded_password(url: &str) -> bool {
    let Some((_, rest)) = url.split_once("://") else { return false };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    if authority.contains('@') {
        return false;
    }
    let is_port = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    // Several hosts are separated by commas; an IPv6 address is in brackets.
    let hosts = authority.split(',').map(|host| host.rsplit(']').next().unwrap_or(host));
    let mut ports = hosts.filter_map(|host| host.split_once(':'));
    let path = rest.split('=').next().unwrap_or(rest);
    ports.any(|(_, port)| !is_port(port)) || path.contains('@')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_that_is_not_encoded_is_not_shown() {
        for password in ["se?cret", "se/cret", "12?secret", "12/secret"] {
            let url = format!("postgres://ada:{password}@localhost:5432/shop?sslmode=require");
            let error = Address::parse(&url).expect_err("refused");
            assert_eq!(error, AddressError::UnencodedPassword, "{password}");
        }
        for sound in [
            "postgres://ada:se%3Fcret@localhost/shop",
            "postgres://one:5432,two:5433/shop?sslrootcert=/a@b/c.crt",
            "postgres://[::1]:5432/shop",
            "host=localhost password=a?b/c@d",
        ] {
            assert_eq!(Address::parse(sound).map(drop), Ok(()), "{sound}");
        }
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
