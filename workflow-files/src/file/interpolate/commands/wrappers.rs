//! Commands that run other commands: `sudo`, `timeout`, `xargs`.

use super::super::grammar::{Parsed, Reader, Word};
use super::programs::{evaluator, is_evaluator};
use super::{base_name, judge, runs};
use crate::words::is_name;

/// The words of a command that runs another one.
pub(super) struct Wrapper {
    flags: &'static [&'static str],
    /// Options that are followed by a word.
    takes: &'static [&'static str],
    /// The number of words before the command.
    operands: usize,
}

pub(super) fn wrapper(name: &str) -> Option<Wrapper> {
    let (flags, takes, operands): (&[_], &[_], _) = match name {
        "command" => (&["-p"], &[], 0),
        "builtin" | "nohup" | "setsid" => (&[], &[], 0),
        "time" => (&["-p", "-v"], &["-f", "-o"], 0),
        "exec" => (&["-c", "-l"], &["-a"], 0),
        "env" => (&["-i", "-"], &["-u", "-C"], 0),
        "nice" => (&[], &["-n"], 0),
        "ionice" => (&[], &["-c", "-n"], 0),
        "timeout" => (&["-v", "--foreground", "--preserve-status"], &["-k", "-s"], 1),
        "sudo" | "doas" => (&["-n", "-E", "-H"], &["-u", "-g"], 0),
        "stdbuf" => (&["-oL", "-o0", "-eL", "-e0", "-i0"], &[], 0),
        _ => return None,
    };
    Some(Wrapper { flags, takes, operands })
}

pub(super) fn run_wrapped(
    reader: &mut Reader<'_>,
    name: &str,
    wrapper: &Wrapper,
    words: &[Word],
) -> Parsed<()> {
    let mut operands = wrapper.operands;
    let mut at = 0;
    while let Some(word) = words.get(at) {
        at += 1;
        let assigns =
            name == "env" && word.prefix.split_once('=').is_some_and(|(it, _)| is_name(it));
        match word.literal.as_deref() {
            Some("-v" | "-V") if name == "command" => return Ok(()),
            Some(option) if wrapper.flags.contains(&option) => {}
            Some(option) if wrapper.takes.contains(&option) => {
                if let Some(value) = words.get(at) {
                    runs(reader, name, std::slice::from_ref(value));
                }
                at += 1;
            }
            _ if word.prefix.starts_with('-') => {
                runs(reader, name, words);
                reader.readers.add();
                return Ok(());
            }
            _ if assigns => {
                let variable = word.prefix.split('=').next().unwrap_or_default();
                reader.assign(variable, word.range.clone());
            }
            _ if operands > 0 => {
                operands -= 1;
                runs(reader, name, std::slice::from_ref(word));
            }
            _ => return judge(reader, &words[at - 1..]),
        }
    }
    Ok(())
}

pub(super) fn find(reader: &mut Reader<'_>, words: &[Word]) -> Parsed<()> {
    let is_action = |word: &Word| {
        matches!(word.literal.as_deref(), Some("-exec" | "-execdir" | "-ok" | "-okdir"))
    };
    let mut rest = words;
    while let Some(at) = rest.iter().position(is_action) {
        rest = &rest[at + 1..];
        let is_end = |word: &Word| matches!(word.literal.as_deref(), Some(";" | "+"));
        let (command, after) = rest.split_at(rest.iter().position(is_end).unwrap_or(rest.len()));
        reader.nested(|reader| judge(reader, command))?;
        rest = after;
    }
    Ok(())
}

/// Looks for a program among the words of another one: `docker run image sh -c ..`.
pub(super) fn run_within(reader: &mut Reader<'_>, words: &[Word]) {
    let mut found = 0;
    for (at, word) in words.iter().enumerate() {
        let Some(name) = word.literal.as_deref().map(base_name) else { continue };
        if !is_evaluator(name) {
            continue;
        }
        found += 1;
        if found > MAX_WITHIN {
            runs(reader, name, &words[at..]);
            return;
        }
        evaluator(reader, name, &words[at + 1..]);
    }
}

/// The most programs to look for among the words of another one.
pub(super) const MAX_WITHIN: usize = 8;
