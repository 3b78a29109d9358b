//! Programs of `sed` that run lines of their input: the command `e`, and the flag `e` of `s`.

use std::iter::Peekable;
use std::str::Chars;

/// The program in an option with its value: `--expression=..`, `-e..`.
pub(super) fn program_in(option: &str) -> Option<&str> {
    let short = option.strip_prefix("-e").filter(|program| !program.is_empty());
    option.strip_prefix("--expression=").or(short)
}

/// Whether a program may run lines of its input as commands. True for a program that is not
/// understood.
pub(super) fn runs_lines(program: &str) -> bool {
    let mut letters = program.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            // Addresses, and what stands around commands.
            _ if letter.is_whitespace() || letter.is_ascii_digit() => {}
            ';' | '{' | '}' | '!' | ',' | '$' | '~' | '+' | 'I' | 'M' => {}
            '/' => skip_pattern(&mut letters, '/'),
            '\\' => match letters.next() {
                Some(delimiter) => skip_pattern(&mut letters, delimiter),
                None => return true,
            },
            's' | 'y' => {
                let Some(delimiter) = letters.next() else { return true };
                skip_pattern(&mut letters, delimiter);
                skip_replacement(&mut letters, delimiter);
                if letter == 's' && has_flag(&mut letters) {
                    return true;
                }
            }
            // A text, a file or a label takes the rest of the line.
            'a' | 'i' | 'c' | '#' | 'r' | 'R' | 'w' | 'W' => skip_line(&mut letters),
            ':' | 'b' | 't' | 'T' => {
                while letters.next_if(|letter| !matches!(letter, ';' | '\n' | '}')).is_some() {}
            }
            '=' | 'd' | 'D' | 'g' | 'G' | 'h' | 'H' | 'l' | 'L' | 'n' | 'N' | 'p' | 'P' | 'q'
            | 'Q' | 'v' | 'x' | 'z' | 'F' => {}
            _ => return true,
        }
    }
    false
}

/// Whether one of the commands in the last part of a program seems to have the flag `e`; the part
/// before is not known.
pub(super) fn may_end_in_e(part: &str) -> bool {
    let commands = part.split([';', '}', '\n']);
    let flags = commands.filter_map(|command| {
        command.trim_end().rsplit_once(|letter: char| !letter.is_alphanumeric())
    });
    flags.into_iter().any(|(_, flags)| flags.contains('e'))
}

/// Skips a pattern and the delimiter after it.
fn skip_pattern(letters: &mut Peekable<Chars<'_>>, delimiter: char) {
    while let Some(letter) = letters.next() {
        match letter {
            _ if letter == delimiter => return,
            '\\' => {
                letters.next();
            }
            '[' => {
                // A delimiter in a class of characters does not end the pattern, and a `]` at the
                // beginning does not end the class.
                letters.next_if_eq(&'^');
                letters.next_if_eq(&']');
                letters.by_ref().find(|letter| *letter == ']');
            }
            _ => {}
        }
    }
}

/// Skips a replacement and the delimiter after it.
fn skip_replacement(letters: &mut Peekable<Chars<'_>>, delimiter: char) {
    while let Some(letter) = letters.next() {
        match letter {
            _ if letter == delimiter => return,
            '\\' => {
                letters.next();
            }
            _ => {}
        }
    }
}

/// Skips the flags of `s`; returns whether `e` is among them.
fn has_flag(letters: &mut Peekable<Chars<'_>>) -> bool {
    while let Some(flag) = letters.next_if(|letter| !matches!(letter, ';' | '\n' | '}' | '#')) {
        match flag {
            'e' => return true,
            'w' => {
                skip_line(letters);
                return false;
            }
            _ => {}
        }
    }
    false
}

/// Skips the rest of a line, and the lines that a `\` at its end adds.
fn skip_line(letters: &mut Peekable<Chars<'_>>) {
    while let Some(letter) = letters.next() {
        match letter {
            '\n' => return,
            '\\' => {
                letters.next();
            }
            _ => {}
        }
    }
}
