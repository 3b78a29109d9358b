//! The two ways out: what is meant for programs, and what is meant for people. Nothing else of this
//! crate writes to the standard streams: text of others is cleaned here.

mod clean;

use std::fmt;
use std::io::{self, BufWriter, ErrorKind, IsTerminal as _, Write};
use std::time::Duration;

use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};

use crate::failure::Failure;

#[cfg(test)]
pub(crate) use clean::plain_text;
pub(crate) use clean::{Clean, Style, clean};

/// What went well.
pub(crate) const SUCCESS: Style = Style::Success;
/// What went wrong.
pub(crate) const ERROR: Style = Style::Error;
/// What deserves a look.
pub(crate) const WARNING: Style = Style::Warning;
/// What gives order to a text.
pub(crate) const HEADING: Style = Style::Heading;
/// What may be overlooked.
pub(crate) const DIM: Style = Style::Dim;

/// Decides about colours for the whole process.
pub(crate) fn set_color(choice: clap::ColorChoice) {
    let choice = match choice {
        clap::ColorChoice::Auto => anstream::ColorChoice::Auto,
        clap::ColorChoice::Always => anstream::ColorChoice::Always,
        clap::ColorChoice::Never => anstream::ColorChoice::Never,
    };
    choice.write_global();
}

/// Text in a style, which a stream that shows no colours leaves away.
pub(crate) fn styled(style: Style, text: impl fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Standard output, which cleans what is written.
pub(crate) fn stdout() -> impl Write {
    Clean(anstream::stdout())
}

/// Standard error, which cleans what is written.
pub(crate) fn stderr() -> impl Write {
    Clean(anstream::stderr())
}

/// Standard output for files and logs as they are: cleaned on a terminal, and byte for byte in a
/// file or a pipe.
pub(crate) fn raw_stdout() -> Box<dyn Write + Send> {
    match io::stdout().is_terminal() {
        true => Box::new(Clean(anstream::stdout())),
        false => Box::new(io::stdout()),
    }
}

/// Writes to standard output.
///
/// # Errors
///
/// Fails when that does, also because nobody reads any more.
pub(crate) fn print(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    let mut out = BufWriter::new(Clean(anstream::stdout().lock()));
    write(&mut out)?;
    Ok(out.flush()?)
}

/// Writes a value to standard output as a JSON document for people and programs.
///
/// # Errors
///
/// Fails when it is not to be written.
pub(crate) fn print_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    print(|out| {
        serde_json::to_writer_pretty(&mut *out, value)?;
        writeln!(out)
    })
}

/// Passes over that nobody reads any more.
///
/// # Errors
///
/// Fails when something else went wrong.
pub(crate) fn ignore_broken_pipe(written: Result<(), Failure>) -> Result<(), Failure> {
    match written {
        Err(Failure::Output(error)) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Says something on standard error. Where that is closed, there is nobody to tell.
pub(crate) fn message(text: impl fmt::Display) {
    let text = format!("{text}\n");
    let _nobody_listens = Clean(anstream::stderr().lock()).write_all(text.as_bytes());
}

/// Asks for something on standard error, on whose line the answer is typed.
///
/// # Errors
///
/// Fails when nobody can see it.
pub(crate) fn prompt(question: impl fmt::Display) -> io::Result<()> {
    let mut out = stderr();
    out.write_all(question.to_string().as_bytes())?;
    out.flush()
}

/// Says on standard error what is wrong.
pub(crate) fn error(error: &dyn fmt::Display) {
    message(format_args!("{ERROR}error{ERROR:#}: {error}"));
}

/// Says on standard error why a command failed.
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

/// Says on standard error what there is to say about a file, with the lines it is about.
pub(crate) fn diagnostics(diagnostics: &workflow_files::Diagnostics) {
    if !diagnostics.is_empty() {
        // Its control codes are its own: what it quotes of the file has been cleaned.
        let text = format!("{}\n\n", diagnostics.styled());
        let _nobody_listens = anstream::stderr().lock().write_all(text.as_bytes());
    }
}

/// A number of things, as people say it.
pub(crate) fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// A table without lines that keeps to the width of the terminal.
pub(crate) fn table() -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    let terminal = console::Term::stdout();
    if let Some((_, width)) = terminal.is_term().then(|| terminal.size_checked()).flatten() {
        table.set_width(width);
    }
    table
}

/// How many columns there are for what is written to standard output: those of the terminal, or as
/// `COLUMNS` says, or else 80.
pub(crate) fn terminal_width() -> usize {
    let terminal = console::Term::stdout();
    let of_terminal = terminal.is_term().then(|| terminal.size_checked()).flatten();
    let said = || std::env::var("COLUMNS").ok()?.parse().ok();
    of_terminal.map(|(_, width)| width.into()).or_else(said).unwrap_or(80)
}

/// Writes a table, without blanks around it.
///
/// # Errors
///
/// Fails when nobody reads it.
pub(crate) fn write_table(out: &mut dyn Write, mut table: Table) -> io::Result<()> {
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.lines().try_for_each(|line| writeln!(out, "{}", line.trim_end()))
}

/// What stands in a table where there is nothing.
pub(crate) fn or_dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

/// A duration in the unit that suits it.
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
    fn a_brief_duration_suits_its_length() {
        let spans = [(10, "<1ms"), (12_300, "12.3ms"), (3_000_000, "3.0s"), (61_000_000, "1m 01s")];
        for (micros, text) in spans {
            assert_eq!(short_duration(Duration::from_micros(micros)), text);
        }
        assert_eq!(short_duration(Duration::from_secs(3_725)), "1h 02m");
    }
}
