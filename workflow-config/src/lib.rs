//! Layered configuration of workflows, with variables and secrets, read as checked types.
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
//! From the weakest to the strongest: the defaults of a [`Loader`]; the file; the file of the
//! profile (`config.production.yaml`, chosen by [`Loader::profile`] or `WORKFLOW_PROFILE`);
//! environment variables; the overrides of a [`Loader`]. Maps merge by key. Everything else is
//! replaced: a list replaces the whole list, and `null` any value. A value that replaces a secret
//! is a secret.
//!
//! The variable `WORKFLOW_PRICES__SOURCE__URL` sets `source.url` of `prices`. The name of the
//! workflow is in capitals, with `_` for everything but letters and digits; `__` separates levels.
//! Existing keys match in any case, and `-` matches `_`. If a variable matches two keys, or two
//! variables match one value, that is an error. New keys are in lower case. Workflows whose names
//! give the same prefix share their variables. Items of lists cannot be set.
//!
//! # Files
//!
//! The first of these that exists: the file or the folders of a [`Loader`]; the folders of
//! `WORKFLOW_CONFIG_DIR`; `workflows/<name>/config.yaml` in the working directory; `config.yaml`
//! beside the source of the registered function; `config.yaml` in the folder of its package, if
//! that folder has the name of the workflow. The first three contain a folder for each workflow.
//! The file may also end in `.yml`, `.json` or `.json5`.
//!
//! # Variables
//!
//! | written | means |
//! |---|---|
//! | `${VAR}` | the environment variable; an error if it is unset |
//! | `${VAR:-default}` | a default if it is unset or empty; the default may contain variables |
//! | `${VAR:?message}` | an error with this message if it is unset or empty |
//! | `${secret:NAME}` | the file `NAME` of `WORKFLOW_SECRETS_DIR` (`/run/secrets`), without its last line break, or else the environment variable; takes `:-` and `:?` as well |
//! | `$${` | the text `${` |
//!
//! Variables are replaced in strings of files only, not in keys, values of environment variables,
//! defaults or overrides. A value that is a single variable, quoted or not, is read as YAML, and so
//! is a value that an environment variable sets: `8080` is a number, `[a, b]` a list. If the type
//! is a string, the value is the text of the variable. Invalid YAML is text.
//!
//! # Secrets
//!
//! A value that contains a secret is a secret: always a string, and shown as `***` in
//! [`Config::value`], in [`ConfigEntry`] and in errors. So is a value that one of its types reads as
//! a [`Secret`], however it is written: a [declared](declare()) type, one that a [`check!`] reads, or
//! one that a job takes. serde hides the fields of `#[serde(flatten)]`, untagged and internally
//! tagged enums: write secrets in them as `${secret:NAME}`.
//!
//! # Cache
//!
//! A loaded configuration is cached until the time or length of one of its files changes, one of
//! its variables changes, or a file appears that takes precedence. Files that changed less than two
//! seconds before they were read are read again, because clocks of file systems are coarse.

mod cache;
mod de;
mod declared;
mod described;
mod environment;
mod error;
mod expand;
mod follow;
mod loaded;
mod loader;
mod origin;
mod overlay;
mod parameter;
mod path;
mod place;
mod redact;
mod rules;
mod search;
mod secret;
mod setting;
mod shown;
mod stamp;
mod template;
mod yaml;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::de::DeserializeOwned;

pub use error::ConfigError;
pub use loaded::Config;
pub use loader::{Loader, RawFile};
pub use origin::Origin;
pub use rules::{Rules, Violations};
pub use search::Found;
pub use secret::Secret;
pub use shown::ConfigEntry;

static LOADER: LazyLock<Loader> = LazyLock::new(Loader::new);

/// Loads the configuration of a workflow as a type, and checks the rules of the type.
///
/// Short for [`open`] and [`Config::read`]. [`Config::read_without_rules`] reads a type that has no
/// [`Rules`], and [`Config::value`] JSON.
///
/// # Errors
///
/// Fails when no configuration is found, or more than one; and with all mistakes in its values,
/// each with its file, line and column: unset variables, values that do not fit their fields, or
/// violated rules.
pub fn load<T: DeserializeOwned + Rules>(name: &str) -> Result<T, ConfigError> {
    LOADER.load(name)
}

/// Opens the configuration of a workflow: its merged layers, with the origin of each value.
///
/// ```no_run
/// let config = workflow_config::open("prices")?;
/// let batch_size = &config.value()["parameters"]["batch_size"];
/// # Ok::<(), workflow_config::ConfigError>(())
/// ```
///
/// # Errors
///
/// Fails when no configuration is found, or more than one, and with all mistakes in its files and
/// variables.
pub fn open(name: &str) -> Result<Config, ConfigError> {
    LOADER.open(name)
}

/// Lists all configurations, sorted by name.
///
/// # Errors
///
/// Fails when a folder cannot be read, or the registry is invalid.
pub fn list() -> Result<Vec<Found>, ConfigError> {
    LOADER.list()
}

/// Checks a configuration and reads it as each of its types: the [declared](declare()) ones, and
/// those that the jobs of its workflow take as [`Config<T>`](Config).
///
/// # Errors
///
/// Fails with all problems at once.
pub fn validate(name: &str) -> Result<Config, ConfigError> {
    LOADER.validate(name)
}

/// Declares that the configuration of a workflow is read as `T`, for [`validate`], which checks it
/// without running the workflow. A name may have several types.
pub fn declare<T: DeserializeOwned + Rules + 'static>(name: &str) {
    declared::declare::<T>(name);
}

/// Whether the configuration of this name is [declared](declare()), so that [`validate`] checks more
/// than its form.
pub fn is_declared(name: &str) -> bool {
    declared::names().contains(name)
}

/// Checks every configuration that has a type, as a host does when it starts: it is
/// [declared](declare()), or a job of a registered workflow takes it as [`Config<T>`](Config). The
/// commands `serve` and `worker` of `workflow-cli` do so.
///
/// # Errors
///
/// Fails with the problems of all of them, sorted by name.
pub fn validate_declared() -> Result<(), Vec<ConfigError>> {
    LOADER.validate_declared()
}

/// Describes each registered workflow by its configuration. See
/// [`Loader::describe_registered`].
///
/// # Errors
///
/// Fails with the mistakes of all configurations, after the others have been applied.
pub fn describe_registered() -> Result<(), Vec<ConfigError>> {
    LOADER.describe_registered()
}

/// The origins of the metadata that the configuration of a workflow has set, by key: `title`,
/// `description`, `schedule`, `schedule.timezone` and the like.
pub fn metadata_origins(workflow: &str) -> BTreeMap<String, Origin> {
    described::origins(workflow)
}

/// Declares, where it is linked, that the configuration of a workflow is read as a type. The
/// function [`declare`](fn@declare) does the same when it is called.
///
/// ```
/// #[derive(serde::Deserialize)]
/// struct Prices {
///     currency: String,
/// }
///
/// impl workflow_config::Rules for Prices {}
///
/// workflow_config::declare!("prices", Prices);
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! declare {
    ($name:expr, $type:ty) => {
        $crate::__private::submit! {
            $crate::__private::Declaration::new::<$type>($name)
        }
    };
}

/// Declares, where it is linked, a function that checks the configuration of a workflow, for what no
/// type can express. Hosts call it when they start, and so does `config validate`.
///
/// ```
/// use workflow_config::{Config, ConfigError};
///
/// fn has_stages(config: &Config) -> Result<(), ConfigError> {
///     match config.read_part::<Vec<serde_json::Value>>("stages")? {
///         Some(stages) if !stages.is_empty() => Ok(()),
///         _ => Err(config.error_at("stages", "name at least one stage")),
///     }
/// }
///
/// workflow_config::check!("prices", has_stages);
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! check {
    ($name:expr, $check:expr) => {
        $crate::__private::submit! {
            $crate::__private::Declaration::check($name, $check)
        }
    };
}

/// For the code of [`declare!`] and [`check!`].
#[doc(hidden)]
pub mod __private {
    pub use crate::declared::Declaration;
    pub use inventory::submit;
}

/// Escapes a text for a file: each `${` becomes `$${`.
///
/// ```
/// use workflow_config::escape;
///
/// assert_eq!(escape("${HOME}, $5"), "$${HOME}, $5");
/// ```
pub fn escape(text: &str) -> String {
    template::escape(text)
}
