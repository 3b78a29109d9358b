//! What commands print, line by line, each with the name of its job.

use std::collections::HashMap;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use workflow_core::command::{Chunk, Stream};
use workflow_core::{Event, EventKind};

use super::Screen;
use crate::output::{FAINT, styled};

/// Shows what commands print as soon as a line is whole, or its job has ended.
pub(crate) struct Prints {
    screen: Screen,
    jobs: Mutex<HashMap<String, Printing>>,
}

/// What a job has printed and nobody has seen.
#[derive(Default)]
struct Printing {
    /// Whether it has been shown that the job began.
    is_shown: bool,
    /// What came to standard output, and to standard error.
    unseen: [Vec<u8>; 2],
}

impl Prints {
    pub(crate) fn on(screen: Screen) -> Self {
        Self { screen, jobs: Mutex::default() }
    }

    /// Whether anybody sees them.
    pub(crate) fn are_shown(&self) -> bool {
        !matches!(self.screen, Screen::Quiet)
    }

    /// Takes a piece of output, on the thread that has read it.
    pub(crate) fn chunk(&self, chunk: &Chunk<'_>) {
        let mut jobs = self.jobs();
        let printing = jobs.entry(chunk.job.to_owned()).or_default();
        let unseen = &mut printing.unseen[usize::from(chunk.stream == Stream::Stderr)];
        unseen.extend_from_slice(chunk.bytes);
        if printing.is_shown {
            self.print(chunk.job, &whole_lines(unseen));
        }
    }

    /// Before an event is shown: when it ends an attempt, shows what that has printed last.
    pub(crate) fn before(&self, event: &Event) {
        if let EventKind::AttemptFailed { job, .. }
        | EventKind::JobCompleted { job, .. }
        | EventKind::JobFailed { job, .. }
        | EventKind::JobCancelled { job, .. } = &event.kind
        {
            let mut jobs = self.jobs();
            let rest = jobs.remove(job).map(|printing| printing.unseen);
            rest.iter().flatten().for_each(|unseen| self.print(job, unseen));
        }
    }

    /// After an event was shown: when it begins an attempt, shows what that has printed already.
    pub(crate) fn after(&self, event: &Event) {
        if let EventKind::JobStarted { job, .. } = &event.kind
            && self.are_shown()
        {
            let mut jobs = self.jobs();
            let printing = jobs.entry(job.clone()).or_default();
            printing.is_shown = true;
            printing.unseen.iter_mut().for_each(|unseen| self.print(job, &whole_lines(unseen)));
        }
    }

    fn jobs(&self) -> MutexGuard<'_, HashMap<String, Printing>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows lines of a job; under the lock, so that they stay in order.
    fn print(&self, job: &str, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.screen.print(&lines(job, bytes).join("\n"));
        }
    }
}

/// Splits off what ends in a line break; all of it, when the line is so long that nobody waits
/// for its end.
fn whole_lines(begun: &mut Vec<u8>) -> Vec<u8> {
    if begun.len() > LONGEST {
        return mem::take(begun);
    }
    let end = begun.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let rest = begun.split_off(end);
    mem::replace(begun, rest)
}

/// The longest part of a line that is kept until its end, in bytes.
const LONGEST: usize = 8192;

/// Lines with the job's name, without what would move the cursor.
fn lines(job: &str, bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let text = anstream::adapter::strip_str(&text).to_string();
    // What a command writes over is shown as it stands in the end.
    let last = |line: &str| line.trim_end_matches('\r').rsplit('\r').next().map(harmless);
    let shown = text.lines().filter_map(last);
    let job = styled(FAINT, format_args!("{job} |"));
    shown.map(|line| format!("  {job} {line}").trim_end().to_owned()).collect()
}

fn harmless(line: &str) -> String {
    line.chars().filter(|character| *character == '\t' || !character.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(bytes: &[u8]) -> String {
        anstream::adapter::strip_str(&lines("a", bytes).join("\n")).to_string()
    }

    #[test]
    fn a_line_is_shown_when_it_is_whole() {
        let mut begun = b"one\ntwo\nthr".to_vec();
        assert_eq!(whole_lines(&mut begun), b"one\ntwo\n");
        begun.extend_from_slice(b"ee");
        assert_eq!(whole_lines(&mut begun), b"");
        begun.push(b'\n');
        assert_eq!(whole_lines(&mut begun), b"three\n");
        begun.resize(LONGEST + 1, b'x');
        assert_eq!(whole_lines(&mut begun).len(), LONGEST + 1);
    }

    #[test]
    fn what_moves_the_cursor_is_left_out() {
        assert_eq!(plain(b"\x1b[2J\x1b[31mred\x1b[0m\x07\n"), "  a | red");
        assert_eq!(plain(b" 1 %\r 50 %\r100 %\r\nnext\r\n"), "  a | 100 %\n  a | next");
        assert_eq!(plain(b"gr\xc3\xb6\xc3\x9fe \xff\n\n"), "  a | größe \u{fffd}\n  a |");
    }
}
