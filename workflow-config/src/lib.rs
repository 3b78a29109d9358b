//! Settings in files beside workflows: layered, with variables and secrets, typed and checked.
//!
//! ```yaml
//! # workflows/prices/config.yaml
//! source:
//!   url: https://${SHOP_HOST:-shop.example.com}/prices
//!   token: ${secret:SHOP_TOKEN}
//! parameters:
//!   batch_size: ${BATCH_SIZE:-100}
//! ```
//!
//! ```no_run
//! use serde::Deserialize;
//! use workflow_config::{Rules, Secret, Violations};
//!
//! #[derive(Deserialize)]
//! struct Prices {
//!     source: Source,
//!     parameters: Parameters,
//! }
//!
//! #[derive(Deserialize)]
//! struct Source {
//!     url: String,
//!     token: Secret,
//! }
//!
//! #[derive(Deserialize)]
//! #[serde(deny_unknown_fields)]
//! struct Parameters {
//!     batch_size: u32,
//! }
//!
//! impl Rules for Prices {
//!     fn check(&self, violations: &mut Violations) {
//!         if self.parameters.batch_size == 0 {
//!             violations.add("parameters.batch_size", "must be 1 or more");
//!         }
//!     }
//! }
//!
//! # fn main() -> Result<(), workflow_config::ConfigError> {
//! let prices: Prices = workflow_config::load("prices")?;
//! # Ok(())
//! # }
//! ```
//!
//! # Layers
//!
//! From the weakest to the strongest: defaults that a [`Loader`] was given; the file; the file of
//! the profile (`config.production.yaml`, chosen by [`Loader::profile`] or `WORKFLOW_PROFILE`);
//! environment variables; overrides that a [`Loader`] was given. Maps merge by key. Everything
//! else replaces: a list the whole list, and `null` whatever was there. What replaces a secret is
//! one.
//!
//! The variable `WORKFLOW_PRICES__SOURCE__URL` sets `source.url` of `prices`. The name of the
//! workflow stands in capitals, with `_` for everything but letters and digits; `__` separates
//! levels. Keys that are there are found whatever their case, `-` and `_` being alike; if two keys
//! are meant, or two variables mean one value, that is an error. A new key is in small letters.
//! Workflows whose names come out alike share their variables. An item of a list cannot be set.
//!
//! # Files
//!
//! The first of these that is there: the file or the folders that a [`Loader`] was given; the
//! folders of `WORKFLOW_CONFIG_DIR`; `workflows/<name>/config.yaml` in the working directory;
//! `config.yaml` beside the source of the registered function. Each of the folders holds a folder
//! for each workflow. The file may also end in `.yml`, `.json` or `.json5`.
//!
//! # Variables
//!
//! | written | means |
//! |---|---|
//! | `${VAR}` | the environment variable; that it is unset is an error |
//! | `${VAR:-default}` | a text where it is unset or empty; the text may hold variables |
//! | `${VAR:?message}` | an error with this message where it is unset or empty |
//! | `${secret:NAME}` | the file `NAME` of `WORKFLOW_SECRETS_DIR` (`/run/secrets`), without its last line break, or else the environment variable; takes `:-` and `:?` as well |
//! | `$${` | the text `${` |
//!
//! They may stand anywhere in a string of a file, and nowhere else: keys, values of environment
//! variables, defaults and overrides are taken as they are. A value that is one whole variable,
//! quoted or not, is read as YAML, and so is a value that an environment variable sets: `8080` is
//! a number, `[a, b]` a list. Where a string is asked for, it is the variable's own text. What is
//! no YAML is text.
//!
//! # Secrets
//!
//! A value that a secret is a part of is a secret: always a string, shown as `***` in
//! [`load_value`], in [`ConfigEntry`] and in errors. In a type, [`Secret`] keeps it so.
//!
//! # Memory
//!
//! A configuration that was loaded is kept until one of its files changes its time or its length,
//! a variable that it was made of has another value, or a file comes that would be found earlier.
//! Files that changed within the two seconds before they were read are read again, because
//! clocks of file systems are coarse.

mod cache;
mod de;
mod declared;
mod environment;
mod error;
mod expand;
mod follow;
mod loaded;
mod loader;
mod origin;
mod overlay;
mod path;
mod place;
mod redact;
mod rules;
mod search;
mod secret;
mod setting;
mod stamp;
mod template;
mod yaml;

use std::sync::LazyLock;

use serde::de::DeserializeOwned;
use serde_json::Value as Json;

pub use error::ConfigError;
pub use loaded::{Config, ConfigEntry};
pub use loader::{Loader, RawFile};
pub use origin::Origin;
pub use rules::{Rules, Violations};
pub use search::Found;
pub use secret::Secret;

static LOADER: LazyLock<Loader> = LazyLock::new(Loader::new);

/// The configuration of a workflow as a type, whose rules hold.
///
/// # Errors
///
/// Fails when there is no configuration, or more than one; and with everything that is wrong with
/// its values, each with its file, line and column: variables that are not set, or a value that
/// does not fit its field, or all rules that are violated.
pub fn load<T: DeserializeOwned + Rules>(name: &str) -> Result<T, ConfigError> {
    LOADER.load(name)
}

/// The configuration of a workflow as a type, whose rules, if it has any, are not asked.
///
/// # Errors
///
/// Those of [`load`], but for violated rules.
pub fn load_without_rules<T: DeserializeOwned>(name: &str) -> Result<T, ConfigError> {
    open(name)?.read_without_rules()
}

/// The configuration of a workflow as it is, with `***` for secrets.
///
/// # Errors
///
/// Fails when there is no configuration, or more than one, and with everything that is wrong with
/// its files and variables.
pub fn load_value(name: &str) -> Result<Json, ConfigError> {
    Ok(open(name)?.value())
}

/// The configuration of a workflow, its layers merged, with the origin of each value.
///
/// # Errors
///
/// Those of [`load_value`].
pub fn open(name: &str) -> Result<Config, ConfigError> {
    LOADER.open(name)
}

/// Every configuration that can be found, sorted by name.
///
/// # Errors
///
/// Fails when a folder cannot be looked into, or when the registry is not sound.
pub fn list() -> Result<Vec<Found>, ConfigError> {
    LOADER.list()
}

/// Checks a configuration, and that it can be read as the types that were [declared](declare) for
/// it.
///
/// # Errors
///
/// Fails with all problems at once.
pub fn validate(name: &str) -> Result<Config, ConfigError> {
    LOADER.validate(name)
}

/// Says that the configuration of a workflow is read as `T`, for those who [`validate`] it
/// without running the workflow, such as the command line. A name may have several types.
pub fn declare<T: DeserializeOwned + Rules + 'static>(name: &str) {
    declared::declare::<T>(name);
}

/// The text that stands for `text` in a file: each `${` in it is written `$${`.
///
/// ```
/// use workflow_config::escape;
///
/// assert_eq!(escape("${HOME}, $5"), "$${HOME}, $5");
/// ```
pub fn escape(text: &str) -> String {
    template::escape(text)
}
