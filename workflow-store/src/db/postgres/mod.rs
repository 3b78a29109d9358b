//! PostgreSQL, on threads with their own runtimes.

mod adopt;
mod cancel;
mod connection;
mod error;
mod listen;
mod migrate;
mod schema;
mod types;

use std::time::Duration;

use workflow_postgres::{Address, Connector};

use error::invalid_address;

use crate::db::connect::{Connect, Purpose, Watch};
use crate::db::sql::{Sql, SqlError};

/// Opens connections to one database.
#[derive(Debug, Clone)]
pub(crate) struct Opener {
    address: Address,
    /// The name of the database in errors, without the password.
    name: String,
}

impl Opener {
    pub(crate) fn new(url: &str) -> Result<Self, SqlError> {
        let mut address = Address::parse(url).map_err(invalid_address)?;
        // Reports unsupported settings at once.
        Connector::new(&address).map_err(invalid_address)?;
        let config = &mut address.config;
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(Duration::from_secs(10));
        }
        config.keepalives_idle(Duration::from_secs(30));
        if config.get_application_name().is_none() {
            config.application_name("workflow-store");
        }
        let name = config.get_dbname().or(config.get_user()).unwrap_or("postgres").to_owned();
        Ok(Self { address, name })
    }
}

impl Connect for Opener {
    fn connect(&self, purpose: Purpose) -> Result<Box<dyn Sql>, SqlError> {
        connection::open(&self.address, &self.name, purpose)
    }

    fn begin(&self) -> &'static str {
        "BEGIN"
    }

    fn watch(&self) -> Result<Option<Box<dyn Watch>>, SqlError> {
        listen::open(&self.address, &self.name).map(Some)
    }
}
