//! How a run is shown, and in which format.

use clap::{Args, ValueEnum};

use crate::render::Screen;

/// How a run is shown.
#[derive(Debug, Default, Args)]
pub(crate) struct ShowArguments {
    /// What to write to standard output
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    pub(crate) format: Format,
    /// Show nothing while the run goes on
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A report for people
    #[default]
    Text,
    /// The report as one JSON document
    Json,
    /// Each event, and what jobs print, as a line of JSON as it happens, and in the last line
    /// `{"report": ...}`
    Jsonl,
}

impl ShowArguments {
    pub(crate) fn screen(&self) -> Screen {
        match self.format {
            // The events are all that is to be shown.
            Format::Jsonl => Screen::Quiet,
            _ if self.quiet => Screen::Quiet,
            _ => Screen::of_standard_error(),
        }
    }
}
