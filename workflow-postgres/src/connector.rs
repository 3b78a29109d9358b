//! The connector of an address.

use tokio_postgres::Socket;
use tokio_postgres::tls::MakeTlsConnect;

use crate::address::Address;
use crate::connector_error::ConnectorError;
#[cfg(not(feature = "tls"))]
use crate::plain as tls;
#[cfg(feature = "tls")]
use crate::tls;

/// Encrypts connections to an address and verifies its server, as `sslmode` and `sslrootcert` say.
///
/// It is for [`Config::connect`](tokio_postgres::Config::connect) of [`Address::config`], and for
/// [`CancelToken::cancel_query`](tokio_postgres::CancelToken::cancel_query).
#[derive(Clone)]
pub struct Connector(tls::Maker);

impl Connector {
    /// Reads the certificates that an address names. Nothing is connected yet.
    ///
    /// # Errors
    ///
    /// Fails when there are no certificates that can be read, and when the address requires
    /// encryption without the feature `tls`.
    pub fn new(address: &Address) -> Result<Self, ConnectorError> {
        tls::maker(&address.encryption).map(Self)
    }
}

impl MakeTlsConnect<Socket> for Connector {
    type Stream = <tls::Maker as MakeTlsConnect<Socket>>::Stream;
    type TlsConnect = <tls::Maker as MakeTlsConnect<Socket>>::TlsConnect;
    type Error = <tls::Maker as MakeTlsConnect<Socket>>::Error;

    fn make_tls_connect(&mut self, host: &str) -> Result<Self::TlsConnect, Self::Error> {
        MakeTlsConnect::<Socket>::make_tls_connect(&mut self.0, host)
    }
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connector").finish_non_exhaustive()
    }
}
