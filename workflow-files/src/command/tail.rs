//! The last lines of stderr, for errors.

/// Keeps the end of a stream.
#[derive(Default)]
pub(super) struct Tail {
    bytes: Vec<u8>,
    /// Whether something came before what is kept.
    cut: bool,
}

impl Tail {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let spare = bytes.len().saturating_sub(BYTES);
        self.bytes.extend_from_slice(&bytes[spare..]);
        let old = self.bytes.len().saturating_sub(BYTES);
        self.bytes.drain(..old);
        self.cut |= spare + old > 0;
    }

    /// The last lines with unprintable characters escaped.
    pub(super) fn text(&self) -> String {
        let text = String::from_utf8_lossy(&self.bytes);
        let mut lines: Vec<&str> = text.trim_end().lines().collect();
        if self.cut && lines.len() > 1 {
            // Its beginning is probably missing.
            lines.remove(0);
        }
        let first = lines.len().saturating_sub(LINES);
        let lines: Vec<String> = lines[first..].iter().map(|line| printable(line)).collect();
        lines.join("\n")
    }
}

fn printable(line: &str) -> String {
    let mut safe = String::with_capacity(line.len());
    for character in line.chars() {
        if character.is_control() && character != '\t' {
            safe.extend(character.escape_default());
        } else {
            safe.push(character);
        }
    }
    safe
}

const BYTES: usize = 2048;
const LINES: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn tail(parts: &[&[u8]]) -> String {
        let mut tail = Tail::default();
        parts.iter().for_each(|part| tail.push(part));
        tail.text()
    }

    #[test]
    fn the_last_ten_lines_are_kept() {
        let lines: Vec<String> = (1..=30).map(|line| line.to_string()).collect();
        let text = lines.join("\n") + "\n\n";
        assert_eq!(tail(&[text.as_bytes()]), lines[20..].join("\n"));
        assert_eq!(tail(&[]), "");
    }

    #[test]
    fn an_incomplete_first_line_is_left_out() {
        let long = "x".repeat(3000);
        assert_eq!(tail(&[long.as_bytes(), b"\nend\n"]), "end");
        assert_eq!(tail(&[long.as_bytes()]).len(), BYTES);
    }

    #[test]
    fn control_codes_are_escaped() {
        assert_eq!(tail(&[b"\x1b[2Jred\xff\tx\r\n"]), "\\u{1b}[2Jred\u{fffd}\tx");
    }
}
