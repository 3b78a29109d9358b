//! What the program says about its own work: the log, on standard error.

use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::failure::Failure;

/// How the log is written.
#[derive(Debug, Args)]
pub(crate) struct LogArguments {
    /// How to write the log on standard error. RUST_LOG says what is in it, such as
    /// `info,workflow_core=debug` [default level: info for servers, warn else]
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

/// Whether a command shows its runs itself, or serves runs that others look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DefaultLevel {
    /// What becomes of runs is in the log alone.
    Info,
    /// It tells the user itself how its run goes.
    Warn,
}

impl DefaultLevel {
    /// What is in the log unless RUST_LOG says it.
    fn filter(self) -> &'static str {
        match self {
            Self::Info => "info",
            // The report has said how jobs and runs fail.
            Self::Warn => "warn,workflow_core::run=error",
        }
    }
}

impl LogArguments {
    /// Begins the log, unless the host has one.
    ///
    /// # Errors
    ///
    /// Fails when RUST_LOG cannot be read.
    pub(crate) fn init(&self, default_level: DefaultLevel) -> Result<(), Failure> {
        let wanted = std::env::var(EnvFilter::DEFAULT_ENV).ok().filter(|text| !text.is_empty());
        let filter = EnvFilter::try_new(wanted.as_deref().unwrap_or(default_level.filter()));
        let filter = filter.map_err(|error| {
            Failure::Usage(format!(
                "RUST_LOG cannot be read: {error}; write a level such as `info`, or \
                 `warn,workflow_core=debug`"
            ))
        })?;
        let log = tracing_subscriber::registry().with(filter);
        let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
        let begun = match self.log_format {
            LogFormat::Json => log.with(lines.json().flatten_event(true)).try_init(),
            LogFormat::Text => log.with(lines.with_ansi(colored())).try_init(),
        };
        // The host's own log is as good.
        drop(begun);
        Ok(())
    }
}

/// Whether standard error shows colours.
fn colored() -> bool {
    anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never
}
