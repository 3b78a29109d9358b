//! Replaces encrypted connections in a build without TLS.

use tokio_postgres::NoTls;

use super::address::{Encryption, Mode, wrong};
use crate::db::sql::SqlError;

/// Rejects a URL that requires encryption.
pub(super) fn maker(encryption: &Encryption) -> Result<Option<NoTls>, SqlError> {
    match encryption.mode {
        Mode::Disable | Mode::Prefer => Ok(None),
        mode => Err(wrong(format!(
            "the URL requires an encrypted connection (sslmode={}), but this program was built without TLS; \
             build workflow-store with its feature `tls`, or use sslmode=disable in a trusted network",
            mode.as_str()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Opener;
    use crate::db::connect::{Connect as _, Purpose};

    #[test]
    fn unsupported_connection_options_are_refused() {
        let open = |query: &str| {
            let url = format!("postgres://ada@127.0.0.1:1/db?{query}");
            let opened = Opener::new(&url).and_then(|opener| opener.connect(Purpose::Read));
            opened.err().expect("refused").to_string()
        };
        for mode in ["require", "verify-ca", "verify-full"] {
            let said = open(&format!("sslmode={mode}"));
            assert!(said.contains(&format!("sslmode={mode}")) && said.contains("`tls`"), "{said}");
        }
        assert!(open("").contains("check that it is running"));
    }
}
