//! Footnotes, numbered in the order of their appearance.

use crate::contender::Note;
use crate::measure::SLOW_SAMPLES;

const MARKS: [char; 9] = ['¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];

/// The footnotes used so far.
#[derive(Default)]
pub(super) struct Notes(Vec<Note>);

impl Notes {
    /// The marks of `notes`.
    pub(super) fn marks(&mut self, notes: &[Note]) -> String {
        let mut numbers: Vec<_> = notes.iter().map(|&note| self.number(note)).collect();
        numbers.sort_unstable();
        let marks: Vec<_> = numbers.iter().map(|&n| MARKS[n].to_string()).collect();
        marks.join(" ")
    }

    fn number(&mut self, note: Note) -> usize {
        let known = self.0.iter().position(|&known| known == note);
        known.unwrap_or_else(|| {
            self.0.push(note);
            self.0.len() - 1
        })
    }

    /// All footnotes used.
    pub(super) fn to_markdown(&self) -> String {
        let mut markdown = String::new();
        for (note, mark) in self.0.iter().zip(MARKS) {
            markdown += &format!("{mark} {}\\\n", text(*note));
        }
        if markdown.ends_with("\\\n") {
            markdown.truncate(markdown.len() - 2);
            markdown += "\n\n";
        }
        markdown
    }
}

fn text(note: Note) -> String {
    match note {
        Note::OneThread => "Runs all jobs on the calling thread.".into(),
        Note::Rebuilt => "Can run a graph only once: `diamond` includes building it anew for \
                          every run."
            .into(),
        Note::Reset => "Has to reset a graph between runs: `diamond` includes that.".into(),
        Note::Narrowed(limit) => format!(
            "Allows for {limit} inputs per job at most: the last job of `fan` reads through a \
             tree of additional jobs, which are part of the figures."
        ),
        Note::BestOfPlaces => "Measured from the main thread and from a worker, of which the \
                               faster one is shown."
            .into(),
        Note::FewerSamples => format!(
            "Takes so long that it gets {SLOW_SAMPLES} samples at most, and a tenth of the runs \
             of `diamond`."
        ),
    }
}
