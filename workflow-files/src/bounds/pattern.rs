//! Regular expressions: how long, how deeply nested, how large once compiled, and how often they
//! are held against names.

use regex::{Regex, RegexBuilder};

/// The longest pattern, in bytes: 4 KiB.
const BYTES: usize = 4 << 10;
/// The deepest nesting of groups and repetitions.
const DEPTH: u32 = 64;
/// The largest compiled pattern, in bytes: 1 MiB.
const LARGE: usize = 1 << 20;
/// A compiled pattern up to this size is small, in bytes: 32 KiB.
const SMALL: usize = 32 << 10;
/// The most large patterns of one file.
const LARGE_PATTERNS: usize = 64;
/// The most different patterns of one file.
const PATTERNS: usize = 20_000;
/// How often the patterns of one file are held against names.
const MATCHES: usize = 50_000_000;

/// What the patterns of one file have taken so far.
#[derive(Debug, Default)]
pub(crate) struct Patterns {
    compiled: usize,
    large: usize,
    matches: usize,
}

impl Patterns {
    /// Compiles a pattern; the error says what is wrong with it.
    pub(crate) fn compile(&mut self, text: &str) -> Result<Regex, String> {
        if text.len() > BYTES {
            return Err(format!("it has {} bytes; the limit is {BYTES}", text.len()));
        }
        self.compiled += 1;
        if self.compiled > PATTERNS {
            return Err(format!("a file has at most {PATTERNS} different patterns"));
        }
        match build(text, SMALL) {
            Err(regex::Error::CompiledTooBig(_)) => {}
            built => return built.map_err(|error| reason(&error)),
        }
        self.large += 1;
        if self.large > LARGE_PATTERNS {
            let reason = "patterns of more than";
            return Err(format!("a file has at most {LARGE_PATTERNS} {reason} {SMALL} bytes"));
        }
        build(text, LARGE).map_err(|error| reason(&error))
    }

    /// Counts names that a pattern is held against; whether the limit is kept.
    pub(crate) fn hold_against(&mut self, names: usize) -> Result<(), String> {
        self.matches = self.matches.saturating_add(names);
        if self.matches > MATCHES {
            return Err(format!("patterns are held against names more than {MATCHES} times"));
        }
        Ok(())
    }
}

fn build(text: &str, size: usize) -> Result<Regex, regex::Error> {
    RegexBuilder::new(text).size_limit(size).dfa_size_limit(LARGE).nest_limit(DEPTH).build()
}

fn reason(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(_) => {
            format!("it is too large: compiled, it takes more than {LARGE} bytes")
        }
        // The last line says what is wrong; the lines before it show where, as a picture.
        _ => {
            let text = error.to_string();
            text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
        }
    }
}
