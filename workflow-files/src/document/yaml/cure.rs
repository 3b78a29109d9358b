//! Cures for invalid YAML, found from the parser's message and the line of the mistake.

use crate::document::{SourceText, Span};

/// The cure for a mistake at this position.
pub(super) fn cure(reason: &str, source: &SourceText, at: usize) -> String {
    let (_, line) = source.lines_around(Span::new(at, at + 1));
    let line = source.slice(line).trim();
    let mentions = |words: &[&str]| words.iter().any(|word| reason.contains(word));
    if mentions(&["tab"]) {
        return "indent with spaces".to_owned();
    }
    if mentions(&["escape"]) {
        return format!(
            "in double quotes `\\` begins an escape: use single quotes, or {}",
            below(line)
        );
    }
    if mentions(&["unclosed", "block scalar"]) {
        return match line.contains('|') || line.contains('>') {
            true => format!("put the text into the lines below, or in quotes: {}", below(line)),
            false => {
                format!("close the quotes; write a text that contains quotes below `{}`", bar(line))
            }
        };
    }
    if entry(line).is_some_and(|(_, value)| needs_quotes(value)) {
        return format!("put the text in quotes, or {}", below(line));
    }
    if mentions(&["flow", "':' indicator", "',' or"]) {
        return "close the bracket further up, or quote texts that contain braces, brackets or commas"
            .to_owned();
    }
    match entry(line) {
        None if mentions(&["simple key"]) => {
            "write `key: value`, with `: ` between them".to_owned()
        }
        _ => "start the entries of a list or map in the same column".to_owned(),
    }
}

/// The key and the value of a line such as `- command: echo`.
fn entry(line: &str) -> Option<(&str, &str)> {
    let line = line.strip_prefix("- ").unwrap_or(line).trim_start();
    let (key, value) = line.split_once(": ")?;
    let is_name = !key.is_empty() && !key.contains([' ', '"', '\'']);
    is_name.then_some((key, value.trim()))
}

/// Whether YAML reads the value as something else than a text.
fn needs_quotes(value: &str) -> bool {
    const SPECIAL: [char; 12] = ['@', '`', '%', '[', '{', '"', '\'', '*', '&', '!', '>', '|'];
    value.starts_with(SPECIAL) || value.starts_with("- ") || value.contains(": ")
}

/// The cure that works for any text.
fn below(line: &str) -> String {
    format!("write it below `{}`", bar(line))
}

fn bar(line: &str) -> String {
    format!("{}: |", entry(line).map_or("key", |(key, _)| key))
}
