//! Addresses of PostgreSQL, and the connector that encrypts connections and verifies the server.
//!
//! `sslmode` and `sslrootcert` of a URL mean what they mean in libpq. The default is
//! `sslmode=prefer`; use `verify-full` over a network.
//!
//! ```
//! use workflow_postgres::{Address, Connector};
//!
//! let address = Address::parse("postgres://ada@localhost/shop?sslmode=disable")?;
//! let connector = Connector::new(&address)?;
//! // For `address.config.connect(connector)`.
//! # let _ = connector;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Without the feature `tls`, the modes `disable` and `prefer` connect without encryption, and the
//! connector refuses the others.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod address;
mod connector;
mod connector_error;
mod handshake;
#[cfg(not(feature = "tls"))]
mod plain;
#[cfg(feature = "tls")]
mod tls;

pub use address::{Address, AddressError};
pub use connector::Connector;
pub use connector_error::ConnectorError;
pub use handshake::HandshakeFailure;
