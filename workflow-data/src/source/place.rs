//! Line and column of a byte, found when an error needs them.

use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

/// Says where a byte of a file is, as `line 3, column 7`. Columns count characters. Nothing can be
/// read from the file afterwards.
pub(super) fn describe(file: &mut (impl Read + Seek), offset: u64) -> io::Result<String> {
    file.seek(SeekFrom::Start(0))?;
    let mut before = BufReader::with_capacity(1 << 16, file).take(offset);
    let (mut line, mut column) = (1_u64, 1_u64);
    loop {
        let bytes = before.fill_buf()?;
        if bytes.is_empty() {
            return Ok(format!("line {line}, column {column}"));
        }
        for byte in bytes {
            match byte {
                b'\n' => (line, column) = (line + 1, 1),
                // It continues a character.
                0x80..=0xbf => {}
                _ => column += 1,
            }
        }
        let count = bytes.len();
        before.consume(count);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn columns_count_characters() {
        let text = "a,b\nä,\"c";
        let place = |wanted| {
            let offset = text.find(wanted).expect("the text has it");
            describe(&mut Cursor::new(text), offset as u64).expect("texts can be read")
        };
        assert_eq!(place("a"), "line 1, column 1");
        assert_eq!(place("b"), "line 1, column 3");
        assert_eq!(place("ä"), "line 2, column 1");
        assert_eq!(place("\""), "line 2, column 3");
    }
}
