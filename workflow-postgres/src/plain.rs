//! Replaces encrypted connections in a build without TLS.

use tokio_postgres::NoTls;

use crate::address::{Encryption, Mode};
use crate::connector_error::ConnectorError;

pub(crate) type Maker = NoTls;

/// Rejects an address that requires encryption.
pub(crate) fn maker(encryption: &Encryption) -> Result<Maker, ConnectorError> {
    match encryption.mode {
        Mode::Disable | Mode::Prefer => Ok(NoTls),
        mode => Err(ConnectorError::WithoutTls { mode: mode.as_str() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Address;

    #[test]
    fn encryption_is_refused_and_never_left_out() {
        let made = |mode: &str| {
            let url = format!("postgres://ada@127.0.0.1:1/db?sslmode={mode}");
            maker(&Address::parse(&url).expect("an address").encryption)
        };
        for mode in ["require", "verify-ca", "verify-full"] {
            let said = made(mode).expect_err("refused").to_string();
            assert!(said.contains(&format!("sslmode={mode}")) && said.contains("`tls`"), "{said}");
        }
        for mode in ["disable", "prefer"] {
            assert!(made(mode).is_ok(), "{mode}");
        }
    }
}
