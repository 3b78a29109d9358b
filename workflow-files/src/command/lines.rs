//! Cuts a stream of output into pieces of whole lines.

use std::time::{Duration, Instant};

/// Buffers the beginning of a line until its end arrives.
#[derive(Default)]
pub(super) struct Lines {
    begun: Vec<u8>,
    /// When the line began, or was last passed on in part.
    since: Option<Instant>,
}

impl Lines {
    /// Takes output and passes on whole lines, or whole characters of a line that is too long to
    /// buffer. Each piece is at most `LONGEST` bytes longer than the input.
    pub(super) fn push<E>(
        &mut self,
        bytes: &[u8],
        now: Instant,
        pass: impl FnOnce(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let before = self.begun.len();
        self.begun.extend_from_slice(bytes);
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| before + at + 1);
        let is_too_long = self.begun.len() - whole > LONGEST;
        let end = if is_too_long { whole_characters(&self.begun) } else { whole };
        if end > 0 || before == 0 {
            self.since = Some(now);
        }
        self.pass(end, pass)
    }

    /// Passes on a line that has waited too long for its end.
    pub(super) fn push_stale<E>(
        &mut self,
        now: Instant,
        pass: impl FnOnce(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.since.is_none_or(|since| now.saturating_duration_since(since) < PATIENCE) {
            return Ok(());
        }
        self.since = Some(now);
        let end = whole_characters(&self.begun);
        self.pass(end, pass)
    }

    /// Passes on the rest at the end of the output.
    pub(super) fn finish<E>(&mut self, pass: impl FnOnce(&[u8]) -> Result<(), E>) -> Result<(), E> {
        self.pass(self.begun.len(), pass)
    }

    fn pass<E>(&mut self, end: usize, pass: impl FnOnce(&[u8]) -> Result<(), E>) -> Result<(), E> {
        if end == 0 {
            return Ok(());
        }
        let passed = pass(&self.begun[..end]);
        self.begun.drain(..end);
        passed
    }
}

/// The length of the bytes without an incomplete character at the end.
fn whole_characters(bytes: &[u8]) -> usize {
    let is_begun = |at: &usize| {
        let cut = std::str::from_utf8(&bytes[*at..]).err();
        cut.is_some_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
    };
    let last = bytes.len().saturating_sub(3);
    (last..bytes.len()).find(is_begun).unwrap_or(bytes.len())
}

/// The longest part of a line that is buffered, in bytes.
pub(super) const LONGEST: usize = 8 * 1024;
/// The shortest time that it is buffered.
const PATIENCE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    /// What is passed on after each of these is printed, and at the end.
    fn pieces(printed: &[&[u8]]) -> Vec<Vec<u8>> {
        let (mut lines, mut pieces) = (Lines::default(), Vec::new());
        let now = Instant::now();
        let mut pass = |piece: &[u8]| {
            pieces.push(piece.to_vec());
            Ok::<_, Infallible>(())
        };
        for bytes in printed {
            let Ok(()) = lines.push(bytes, now, &mut pass);
        }
        let Ok(()) = lines.finish(&mut pass);
        pieces
    }

    #[test]
    fn lines_are_forwarded_whole() {
        assert_eq!(
            pieces(&[b"one\ntwo\nth", b"r", b"ee\nfo"]),
            [b"one\ntwo\n".as_slice(), b"three\n", b"fo"]
        );
        assert!(pieces(&[b""]).is_empty());
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        let mut long = vec![b'x'; LONGEST];
        long.push("é".as_bytes()[0]);
        let cut = pieces(&[&long, &"é".as_bytes()[1..], b" end\n"]);
        assert_eq!(cut.iter().map(Vec::len).collect::<Vec<_>>(), [LONGEST, 7]);
        assert_eq!(String::from_utf8_lossy(&cut[1]), "é end\n");
    }

    #[test]
    fn no_byte_is_lost_at_chunk_boundaries() {
        let text: Vec<u8> = (0..=255).cycle().take(5 * LONGEST).collect();
        for size in [1, 3, 1000, LONGEST + 1, text.len()] {
            let chunks: Vec<&[u8]> = text.chunks(size).collect();
            let pieces = pieces(&chunks);
            assert!(pieces.iter().all(|piece| piece.len() <= LONGEST + size));
            assert_eq!(pieces.concat(), text);
        }
    }

    #[test]
    fn an_incomplete_line_is_held_back_for_a_while() {
        let (mut lines, now) = (Lines::default(), Instant::now());
        let mut passed = Vec::new();
        let mut pass = |piece: &[u8]| {
            passed.push(String::from_utf8_lossy(piece).into_owned());
            Ok::<_, Infallible>(())
        };
        let Ok(()) = lines.push(b"Really? ", now, &mut pass);
        let Ok(()) = lines.push_stale(now + PATIENCE / 2, &mut pass);
        let Ok(()) = lines.push_stale(now + PATIENCE, &mut pass);
        let Ok(()) = lines.push(b"y\n", now + PATIENCE, &mut pass);
        assert_eq!(passed, ["Really? ", "y\n"]);
    }
}
