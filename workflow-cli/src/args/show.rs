//! How the progress and the result of a run are shown.

use clap::{Args, ValueEnum};

use crate::render::Screen;

/// How the progress and the result of a run are shown.
#[derive(Debug, Default, Args)]
pub(crate) struct ShowArguments {
    /// Output format
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    pub(crate) format: Format,
    /// Show no progress
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Readable report
    #[default]
    Text,
    /// Report as one JSON document
    Json,
    /// One JSON object per line: events as they happen, with the output of jobs, and finally
    /// `{"report": ...}`
    Jsonl,
}

impl ShowArguments {
    pub(crate) fn screen(&self) -> Screen {
        match self.format {
            // The events on standard output are the progress.
            Format::Jsonl => Screen::Quiet,
            _ if self.quiet => Screen::Quiet,
            _ => Screen::of_standard_error(),
        }
    }
}
