//! What jobs print, each line with the name of its job.

use crate::output::{FAINT, styled};

/// Lines with the job's name, without what would move the cursor; `None` when there is nothing.
pub(crate) fn lines(job: &str, text: &str) -> Option<String> {
    let text = anstream::adapter::strip_str(text).to_string();
    // What a command writes over is shown as it stands in the end.
    let last = |line: &str| line.trim_end_matches('\r').rsplit('\r').next().map(harmless);
    let job = styled(FAINT, format_args!("{job} |"));
    let shown = text.lines().filter_map(last);
    let lines: Vec<_> = shown.map(|line| format!("  {job} {line}").trim_end().to_owned()).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

fn harmless(line: &str) -> String {
    line.chars().filter(|character| *character == '\t' || !character.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::plain_text;

    fn plain(text: &str) -> String {
        plain_text(&lines("a", text).expect("it is shown"))
    }

    #[test]
    fn what_moves_the_cursor_is_left_out() {
        assert_eq!(plain("\x1b[2J\x1b[31mred\x1b[0m\x07\n"), "  a | red");
        assert_eq!(plain(" 1 %\r 50 %\r100 %\r\nnext\r\n"), "  a | 100 %\n  a | next");
        assert_eq!(plain("größe \u{fffd}\n\n"), "  a | größe \u{fffd}\n  a |");
        assert_eq!(lines("a", ""), None);
    }
}
