//! How commands treat their words: which run them as code, which evaluate them, which run other
//! commands.
//!
//! Unlisted programs treat their words as data, as nearly all do. The lists contain the builtins of
//! shells, shells themselves, and the common interpreters.

mod builtins;
mod comparisons;
mod options;
mod programs;
mod sed;
mod wrappers;

use std::ops::Range;

pub(super) use builtins::{TRUSTED, assigned_to, is_declaration, is_trusted_variable};
use builtins::{declaration, printf, read, set, shopt, unset};
pub(super) use comparisons::{
    NUMERIC_TEST, evaluation_of, is_comparison, is_numeric, is_word_test,
};
use options::{git, run_known_options, run_options};
use programs::{Family, evaluator, interpreter, is_evaluator};
use wrappers::{find, run_within, run_wrapped, wrapper};

use super::grammar::{Parsed, Reader, Unread, Word};
use crate::words::is_one_of;

/// Checks a command: rejects values in its words that may become code.
pub(super) fn judge(reader: &mut Reader<'_>, words: &[Word]) -> Parsed<()> {
    let Some((first, arguments)) = words.split_first() else { return Ok(()) };
    if first.literal.is_none() {
        reader.evaluated(first.range.clone(), "names the command");
    }
    let Some(name) = command_name(first).filter(|name| !first.is_pattern || name == "[") else {
        interpreter(reader, Family::Unknown, "a variable", arguments);
        return Ok(());
    };
    reader.call(&name, all(arguments));
    match &*name {
        "test" | "[" => comparisons::test(reader, arguments),
        "printf" => printf(reader, arguments),
        "set" => return set(reader, arguments),
        "shopt" => return shopt(arguments),
        "alias" | "unalias" | "enable" | "hash" => {
            return Err(Unread("a command that redefines others is"));
        }
        "read" | "mapfile" | "readarray" | "getopts" => read(reader, &name, arguments),
        "unset" => unset(reader, arguments),
        "declare" | "typeset" if !reader.is_bash() => {
            return Err(Unread("`declare`, which only bash knows, is"));
        }
        _ if is_declaration(&name) => declaration(reader, &name, words),
        "find" => return find(reader, arguments),
        "git" => git(reader, arguments),
        _ => match wrapper(&name) {
            Some(wrapper) => {
                return reader.nested(|reader| run_wrapped(reader, &name, &wrapper, arguments));
            }
            None => evaluator(reader, &name, arguments),
        },
    }
    run_known_options(reader, &name, arguments);
    if !is_one_of(&name, DATA) && !is_declaration(&name) && !is_evaluator(&name) {
        run_within(reader, arguments);
        run_options(reader, &name, arguments);
    }
    Ok(())
}

/// Commands that never run their words, even if they look like programs.
const DATA: &str = "\
    echo cat tee grep egrep fgrep head tail wc sort uniq cut tr ls cp mv rm mkdir rmdir touch ln \
    which type test [ printf read mapfile readarray getopts unset";

/// Whether a command is an `exec` that has nothing to run, and so only opens files:
/// `exec 3<file`, `exec {fd}<file`.
pub(super) fn only_redirects(words: &[Word]) -> bool {
    let mut names = words.iter().map(|word| word.literal.as_deref().unwrap_or_default());
    let first = names.find(|name| !["command", "builtin"].contains(name));
    let is_descriptor = |name: &str| name.starts_with('{') && name.ends_with('}') || name == "--";
    first == Some("exec") && names.all(is_descriptor)
}

/// Whether a word may name an open file, such as the stdin: `-`, `/dev/stdin`, `/proc/self/fd/3`.
pub(super) fn is_input(word: &Word) -> bool {
    let begins = |folder: &&str| word.prefix.starts_with(*folder);
    word.prefix.is_empty() || word.prefix == "-" || ["/dev/", "/proc/"].iter().any(begins)
}

/// The program that a word names: the text after the last `/`.
fn command_name(word: &Word) -> Option<String> {
    let text = word.literal.as_ref().or_else(|| Some(&word.suffix).filter(|s| s.contains('/')))?;
    Some(base_name(text).to_owned())
}

pub(super) fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The range of all words.
fn all(words: &[Word]) -> Range<usize> {
    match (words.first(), words.last()) {
        (Some(first), Some(last)) => first.range.start..last.range.end,
        _ => 0..0,
    }
}

/// Records that these words may be run. Literal words contain no variables.
fn runs(reader: &mut Reader<'_>, program: &str, words: &[Word]) {
    for word in words.iter().filter(|word| word.literal.is_none()) {
        reader.evaluated(word.range.clone(), may_run(program));
    }
}

fn may_run(program: &str) -> String {
    format!("is an argument of `{program}`, which may run it")
}

/// Records that these words are shell code.
fn runs_shell(reader: &mut Reader<'_>, program: &str, words: &[Word]) {
    for word in words {
        match &word.literal {
            Some(code) => reader.code(code, || may_run(program).into()),
            None => reader.evaluated(word.range.clone(), may_run(program)),
        }
    }
}
