//! The log of the program on standard error.

use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::failure::Failure;

/// The format of the log.
#[derive(Debug, Args)]
pub(crate) struct LogArguments {
    /// Format of the log on standard error. RUST_LOG filters it, for example
    /// `info,workflow_core=debug` [default level: info for servers, warn otherwise]
    #[arg(
        long,
        global = true,
        display_order = 901,
        value_enum,
        value_name = "FORMAT",
        default_value_t
    )]
    log_format: LogFormat,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    #[default]
    Text,
    Json,
}

/// The level of the log when RUST_LOG is not set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DefaultLevel {
    /// For servers, whose log is the only place that shows how runs end.
    Info,
    /// For commands that show their run themselves.
    Warn,
}

impl DefaultLevel {
    /// The default filter.
    fn filter(self) -> &'static str {
        match self {
            Self::Info => "info",
            // The report already shows how jobs and runs fail.
            Self::Warn => "warn,workflow_core::run=error",
        }
    }
}

impl LogArguments {
    /// Installs the log, unless the host has installed one.
    ///
    /// # Errors
    ///
    /// Fails when RUST_LOG is invalid.
    pub(crate) fn init(&self, default_level: DefaultLevel) -> Result<(), Failure> {
        let from_environment =
            std::env::var(EnvFilter::DEFAULT_ENV).ok().filter(|text| !text.is_empty());
        let filter =
            EnvFilter::try_new(from_environment.as_deref().unwrap_or(default_level.filter()));
        let filter = filter.map_err(|_| {
            let text = from_environment.unwrap_or_default();
            Failure::Usage(format!(
                "invalid RUST_LOG `{text}`; use a level such as `info`, or \
                 `warn,workflow_core=debug`"
            ))
        })?;
        let log = tracing_subscriber::registry().with(filter);
        let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
        let installed = match self.log_format {
            LogFormat::Json => log.with(lines.json().flatten_event(true)).try_init(),
            LogFormat::Text => log.with(lines.with_ansi(colored())).try_init(),
        };
        // Fails only if the host has installed a log, which then stays.
        drop(installed);
        Ok(())
    }
}

/// Whether standard error shows colours.
fn colored() -> bool {
    anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never
}
