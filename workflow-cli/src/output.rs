//! Standard output for results, and standard error for messages. Only this module writes to the
//! standard streams, because it escapes control codes in untrusted text.

mod clean;

use std::fmt;
use std::io::{self, BufWriter, ErrorKind, IsTerminal as _, Write};
use std::time::Duration;

use anstream::stream::RawStream;
use anstream::{AutoStream, ColorChoice};
use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};

use crate::failure::Failure;

#[cfg(test)]
pub(crate) use clean::plain_text;
pub(crate) use clean::{Clean, Colors, Style, clean, is_plain};

/// Success.
pub(crate) const SUCCESS: Style = Style::Success;
/// Failure.
pub(crate) const ERROR: Style = Style::Error;
/// Warnings, and outcomes between success and failure.
pub(crate) const WARNING: Style = Style::Warning;
/// Headings.
pub(crate) const HEADING: Style = Style::Heading;
/// Secondary text.
pub(crate) const DIM: Style = Style::Dim;

/// Sets the use of colours for the whole process.
pub(crate) fn set_color(choice: clap::ColorChoice) {
    let choice = match choice {
        clap::ColorChoice::Auto => ColorChoice::Auto,
        clap::ColorChoice::Always => ColorChoice::Always,
        clap::ColorChoice::Never => ColorChoice::Never,
    };
    choice.write_global();
}

/// Formats text in a style. Streams without colours drop the style.
pub(crate) fn styled(style: Style, text: impl fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Standard output with control codes escaped.
pub(crate) fn stdout() -> impl Write {
    cleaned(io::stdout())
}

/// The stream with control codes escaped, and without colours unless it shows them.
fn cleaned<S: RawStream>(stream: S) -> Clean<S> {
    let colors = match AutoStream::choice(&stream) {
        ColorChoice::Never => Colors::Off,
        _ => Colors::On,
    };
    Clean::new(stream, colors)
}

/// Standard error with control codes escaped.
pub(crate) fn stderr() -> impl Write {
    cleaned(io::stderr())
}

/// Standard output for files and logs: control codes are escaped on a terminal, and every byte is
/// preserved in a file or a pipe.
pub(crate) fn raw_stdout() -> Box<dyn Write + Send> {
    match io::stdout().is_terminal() {
        true => Box::new(cleaned(io::stdout())),
        false => Box::new(io::stdout()),
    }
}

/// Writes to standard output.
///
/// # Errors
///
/// Fails when writing fails, including on a closed pipe.
pub(crate) fn print(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    let mut out = BufWriter::new(cleaned(io::stdout().lock()));
    write(&mut out)?;
    Ok(out.flush()?)
}

/// Writes a value to standard output as an indented JSON document.
///
/// # Errors
///
/// Fails when writing fails.
pub(crate) fn print_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    print(|out| {
        serde_json::to_writer_pretty(&mut *out, value)?;
        writeln!(out)
    })
}

/// Turns the error of a closed pipe into success.
///
/// # Errors
///
/// Returns every other error.
pub(crate) fn ignore_broken_pipe(written: Result<(), Failure>) -> Result<(), Failure> {
    match written {
        Err(Failure::Output(error)) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Prints a message to standard error. Ignores errors: there is no other place to report them.
pub(crate) fn message(text: impl fmt::Display) {
    let text = format!("{text}\n");
    let _ignored = cleaned(io::stderr().lock()).write_all(text.as_bytes());
}

/// Prints a prompt to standard error, without a line break.
///
/// # Errors
///
/// Fails when writing fails.
pub(crate) fn prompt(question: impl fmt::Display) -> io::Result<()> {
    let mut out = stderr();
    out.write_all(question.to_string().as_bytes())?;
    out.flush()
}

/// Prints a warning to standard error.
pub(crate) fn warning(text: impl fmt::Display) {
    message(format_args!("{WARNING}warning{WARNING:#}: {text}"));
}

/// Prints a hint to standard error.
pub(crate) fn hint(text: impl fmt::Display) {
    message(format_args!("hint: {text}"));
}

/// Prints an error to standard error.
pub(crate) fn error(error: &dyn fmt::Display) {
    message(format_args!("{ERROR}error{ERROR:#}: {error}"));
}

/// Prints to standard error why a command failed.
pub(crate) fn failure(failure: &Failure) {
    match failure {
        Failure::File(problems) => diagnostics(problems),
        Failure::Config(error) => match error.problems() {
            Some(problems) => diagnostics(problems),
            None => self::error(error),
        },
        other => error(other),
    }
}

/// Prints the diagnostics of a file to standard error, with the lines they refer to.
pub(crate) fn diagnostics(diagnostics: &workflow_files::Diagnostics) {
    if !diagnostics.is_empty() {
        // The control codes are styles: text quoted from the file is already escaped.
        let text = format!("{}\n\n", diagnostics.styled());
        let _ignored = anstream::stderr().lock().write_all(text.as_bytes());
    }
}

/// Formats a count with its noun, such as `1 job` or `2 jobs`.
pub(crate) fn count<N: fmt::Display + PartialEq + From<u8>>(number: N, what: &str) -> String {
    if number == N::from(1) { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// Creates a table without borders, as wide as the terminal at most.
pub(crate) fn table() -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    let terminal = console::Term::stdout();
    if let Some((_, width)) = terminal.is_term().then(|| terminal.size_checked()).flatten() {
        table.set_width(width);
    }
    table
}

/// The width of standard output in columns: of the terminal, or from `COLUMNS`, or 80.
pub(crate) fn terminal_width() -> usize {
    let terminal = console::Term::stdout();
    let of_terminal = terminal.is_term().then(|| terminal.size_checked()).flatten();
    let from_environment = || std::env::var("COLUMNS").ok()?.parse().ok();
    of_terminal.map(|(_, width)| width.into()).or_else(from_environment).unwrap_or(80)
}

/// Writes a table without surrounding blanks.
///
/// # Errors
///
/// Fails when writing fails.
pub(crate) fn write_table(out: &mut dyn Write, mut table: Table) -> io::Result<()> {
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.lines().try_for_each(|line| writeln!(out, "{}", line.trim_end()))
}

/// Returns `-` for an empty cell.
pub(crate) fn or_dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

/// Formats a duration in a unit that fits its length.
pub(crate) fn short_duration(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0 if span < Duration::from_millis(1) => "<1ms".to_owned(),
        0..60 => format!("{span:.1?}"),
        60..3600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h {:02}m", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_durations_fit_their_length() {
        let spans = [(10, "<1ms"), (12_300, "12.3ms"), (3_000_000, "3.0s"), (61_000_000, "1m 01s")];
        for (micros, text) in spans {
            assert_eq!(short_duration(Duration::from_micros(micros)), text);
        }
        assert_eq!(short_duration(Duration::from_secs(3_725)), "1h 02m");
    }
}
