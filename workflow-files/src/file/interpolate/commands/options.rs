//! Options of programs that are followed by a command: `tar --to-command=..`.

use super::super::grammar::{Reader, Word};
use super::runs;
use crate::words::is_one_of;

/// Looks for options that are followed by a command: `tar --to-command=..`.
pub(super) fn run_options(reader: &mut Reader<'_>, name: &str, words: &[Word]) {
    const PARTS: [&str; 6] = ["command", "exec", "eval", "action", "rsh", "shell"];
    let is_about =
        |option: &str| option.starts_with("--") && PARTS.iter().any(|part| option.contains(part));
    for (at, word) in words.iter().enumerate() {
        let option = word.prefix.split('=').next().unwrap_or_default();
        if is_about(option) {
            let follows = usize::from(!word.prefix.contains('='));
            let end = (at + 1 + follows).min(words.len());
            runs(reader, name, &words[at..end]);
        }
    }
}

/// Options that are followed by a command, for each program that has such.
const OPTIONS: [(&str, &[&str]); 9] = [
    ("split", &["--filter"]),
    (
        "tar gtar bsdtar",
        &["-I", "-F", "--use-compress-program", "--info-script", "--new-volume-script"],
    ),
    ("sort", &["--compress-program"]),
    ("rsync", &["-e", "--rsh"]),
    ("sbatch", &["--wrap"]),
    ("nix-shell nix", &["--run", "-c"]),
    ("zip", &["-TT"]),
    ("man", &["-P", "-H"]),
    ("rg", &["--pre"]),
];

/// Looks for the options of this program that are followed by a command.
pub(super) fn run_known_options(reader: &mut Reader<'_>, name: &str, words: &[Word]) {
    let known = OPTIONS.iter().find(|(programs, _)| is_one_of(name, programs));
    for option in known.into_iter().flat_map(|(_, options)| *options) {
        run_option(reader, name, option, words);
    }
    // The letters of the first word may be options, whose values follow in their order.
    let first = words.first().and_then(|first| first.literal.as_deref());
    let has_program = |letters: &str| !letters.starts_with("--") && letters.contains('I');
    if name.ends_with("tar") && first.is_some_and(has_program) {
        runs(reader, name, words);
    }
    if name == "sbatch" {
        reader.readers.add();
    }
}

fn run_option(reader: &mut Reader<'_>, name: &str, option: &str, words: &[Word]) {
    for (at, word) in words.iter().enumerate() {
        let end = at + place_of(option, word);
        runs(reader, name, &words[at..end.min(words.len())]);
    }
}

/// The number of words, from this one on, that an option and its value have; 0 if it is not this
/// option. Long options may be abbreviated, and the value may be in the same word.
fn place_of(option: &str, word: &Word) -> usize {
    let written = word.prefix.split('=').next().unwrap_or_default();
    let is_alone = word.literal.as_deref() == Some(written);
    let is_same = match option.strip_prefix("--") {
        Some(_) => written.len() > 3 && option.starts_with(written),
        None => written.starts_with(option) || is_alone && ends_with_letter(written, option),
    };
    match (is_same, is_alone) {
        (false, _) => 0,
        (true, true) => 2,
        (true, false) => 1,
    }
}

/// Whether the last of several letters after a dash is this option: `-ave` for `-e`.
fn ends_with_letter(written: &str, option: &str) -> bool {
    let is_short = written.starts_with('-') && !written.starts_with("--");
    is_short && option.strip_prefix('-').is_some_and(|letter| written.ends_with(letter))
}

/// `git`, whose settings may be commands: `git -c alias.x=!..`.
pub(super) fn git(reader: &mut Reader<'_>, words: &[Word]) {
    let mut at = 0;
    while let Some(option) = words.get(at).filter(|word| word.prefix.starts_with('-')) {
        let name = option.literal.as_deref();
        let takes = matches!(name, Some("-c" | "-C" | "--git-dir" | "--work-tree"));
        let end = (at + 1 + usize::from(takes)).min(words.len());
        if name == Some("-c") {
            set(reader, &words[at + 1..end]);
        }
        at = end;
    }
    let literal = |at: usize| words.get(at).and_then(|word| word.literal.as_deref());
    let (command, rest) = (literal(at), words.get(at + 1..).unwrap_or_default());
    match (command, literal(at + 1)) {
        (Some("config"), _) => set(reader, rest),
        (Some("clone"), _) => {
            run_option(reader, "git clone", "-c", rest);
            run_option(reader, "git clone", "--config", rest);
        }
        (Some("rebase"), _) => run_option(reader, "git rebase", "-x", rest),
        (Some("filter-branch"), _) | (Some("bisect"), Some("run")) => runs(reader, "git", rest),
        (Some("submodule"), Some("foreach")) => runs(reader, "git", rest),
        _ => {}
    }
}

/// The name and the value of a setting of `git`.
fn set(reader: &mut Reader<'_>, words: &[Word]) {
    const DATA: [&str; 9] =
        ["user.", "author.", "committer.", "safe.", "init.", "color.", "http.", "url.", "branch."];
    let name = words.iter().find(|word| !word.prefix.starts_with('-'));
    let is_data = |name: &Word| DATA.iter().any(|data| name.prefix.starts_with(data));
    if !name.is_some_and(is_data) {
        runs(reader, "git", words);
    }
}
