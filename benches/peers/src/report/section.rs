//! The marked section of a Markdown file.

use std::io::{Error, ErrorKind, Result};
use std::path::Path;

const BEGIN: &str = "<!-- peers:begin -->";
const END: &str = "<!-- peers:end -->";

/// Writes `markdown` to the marked section of `file`, or appends a section.
pub fn write(file: &Path, markdown: &str) -> Result<()> {
    let old = match std::fs::read_to_string(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        old => old?,
    };
    let new = replace(&old, markdown).ok_or_else(|| Error::other("a marker is missing"))?;
    std::fs::write(file, new)
}

fn replace(old: &str, markdown: &str) -> Option<String> {
    let (before, after) = match old.split_once(BEGIN) {
        Some((before, rest)) => (before.to_owned(), rest.split_once(END)?.1),
        None if old.is_empty() => (String::new(), "\n"),
        None => (format!("{}\n\n", old.trim_end()), "\n"),
    };
    Some(format!("{before}{BEGIN}\n{}\n{END}{after}", markdown.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_added_once_and_replaced_from_then_on() {
        let first = replace("# Results\n", "old\n").unwrap();
        let with_end = first.clone() + "\nThe end.\n";
        let second = replace(&with_end, "new\n").unwrap();
        assert_eq!(first, format!("# Results\n\n{BEGIN}\nold\n{END}\n"));
        assert_eq!(second, format!("# Results\n\n{BEGIN}\nnew\n{END}\n\nThe end.\n"));
    }

    #[test]
    fn a_section_without_end_is_left_alone() {
        assert!(replace(BEGIN, "new").is_none());
    }
}
