//! What commands make of their words: which take them for code, which evaluate them, which run
//! other commands.
//!
//! A program that is not listed takes its words as data, as nearly all do. The lists hold the
//! builtins of shells, shells themselves, and the common interpreters.

use std::ops::Range;

use super::grammar::{Parsed, Reader, Unread, Word};

pub(super) const NUMERIC_TEST: &str = "is compared as a number, which the shell evaluates";
const NAME_TEST: &str = "is tested as the name of a variable, which the shell evaluates";

/// Judges a command: refuses the values in its words that may become code.
pub(super) fn judge(reader: &mut Reader<'_>, words: &[Word]) -> Parsed<()> {
    let Some((first, arguments)) = words.split_first() else { return Ok(()) };
    if first.literal.is_none() {
        reader.evaluated(first.range.clone(), "names the command");
    }
    let Some(name) = command_name(first) else {
        interpreter(reader, Family::Unknown, "a variable", arguments);
        return Ok(());
    };
    reader.call(&name, all(arguments));
    match &*name {
        "test" | "[" => test(reader, arguments),
        "printf" => printf(reader, arguments),
        "set" => return set(reader, arguments),
        "shopt" => return shopt(arguments),
        "alias" | "unalias" | "enable" | "hash" => {
            return Err(Unread("a command that changes what others mean is"));
        }
        "read" | "mapfile" | "readarray" | "getopts" => read(reader, &name, arguments),
        "unset" => unset(reader, arguments),
        "declare" | "typeset" if !reader.is_bash() => {
            return Err(Unread("`declare`, which bash alone knows, is"));
        }
        _ if is_declaration(&name) => declaration(reader, &name, words),
        "find" => return find(reader, arguments),
        _ => match wrapper(&name) {
            Some(wrapper) => {
                return reader.nested(|reader| run_wrapped(reader, &name, &wrapper, arguments));
            }
            None => evaluator(reader, &name, arguments),
        },
    }
    if !DATA.contains(&&*name) && !is_declaration(&name) && !is_evaluator(&name) {
        run_within(reader, arguments);
        run_options(reader, &name, arguments);
    }
    Ok(())
}

/// Commands that run none of their words, even those that look like programs.
const DATA: [&str; 31] = [
    "echo",
    "cat",
    "tee",
    "grep",
    "egrep",
    "fgrep",
    "head",
    "tail",
    "wc",
    "sort",
    "uniq",
    "cut",
    "tr",
    "ls",
    "cp",
    "mv",
    "rm",
    "mkdir",
    "rmdir",
    "touch",
    "ln",
    "which",
    "type",
    "test",
    "[",
    "printf",
    "read",
    "mapfile",
    "readarray",
    "getopts",
    "unset",
];

/// The program that a word names: what follows the last `/`.
fn command_name(word: &Word) -> Option<String> {
    let text = word.literal.as_ref().or_else(|| Some(&word.suffix).filter(|s| s.contains('/')))?;
    Some(base_name(text).to_owned())
}

pub(super) fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

pub(super) fn is_name(text: &str) -> bool {
    let mut letters = text.chars();
    letters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

/// Where all of the words are.
fn all(words: &[Word]) -> Range<usize> {
    match (words.first(), words.last()) {
        (Some(first), Some(last)) => first.range.start..last.range.end,
        _ => 0..0,
    }
}

/// Says that these words may be run. Those that are written out hold no variables.
fn runs(reader: &mut Reader<'_>, program: &str, words: &[Word]) {
    for word in words.iter().filter(|word| word.literal.is_none()) {
        reader.evaluated(word.range.clone(), may_run(program));
    }
}

fn may_run(program: &str) -> String {
    format!("is a word for `{program}`, which may run it")
}

/// Says that these words are code of the shell.
fn runs_shell(reader: &mut Reader<'_>, program: &str, words: &[Word]) {
    for word in words {
        match &word.literal {
            Some(code) => reader.code(code, || may_run(program).into()),
            None => reader.evaluated(word.range.clone(), may_run(program)),
        }
    }
}

// Tests.

pub(super) fn is_comparison(operator: &str) -> bool {
    const TEXTS: [&str; 7] = ["=", "==", "!=", "=~", "-nt", "-ot", "-ef"];
    TEXTS.contains(&operator) || is_numeric(operator)
}

pub(super) fn is_numeric(operator: &str) -> bool {
    ["-eq", "-ne", "-lt", "-le", "-gt", "-ge"].contains(&operator)
}

/// Whether it tests one word: `-n`.
pub(super) fn is_word_test(operator: &str) -> bool {
    let letter = operator.strip_prefix('-').filter(|letter| letter.len() == 1);
    letter.is_some_and(|letter| "abcdefghknoprstuvwxzGLNORS".contains(letter))
}

/// What the shell does with a word that is tested so, if it evaluates it.
pub(super) fn evaluation_of(operator: &str) -> Option<&'static str> {
    match operator {
        "-v" | "-R" => Some(NAME_TEST),
        "-t" | "-o" => Some("is tested as something other than text"),
        _ => None,
    }
}

/// `test` and `[`, which tell operators from words by how many there are.
fn test(reader: &mut Reader<'_>, words: &[Word]) {
    let words = match words.split_last() {
        Some((last, rest)) if last.literal.as_deref() == Some("]") => rest,
        _ => words,
    };
    let literal = |at: usize| words.get(at).and_then(|word| word.literal.as_deref());
    let negated = usize::from(words.len() > 2 && literal(0) == Some("!"));
    let is_known = match words.len() - negated {
        0 | 1 => true,
        2 => literal(negated).is_some_and(|operator| {
            operator == "!" || is_word_test(operator) && evaluation_of(operator).is_none()
        }),
        3 => literal(negated + 1).is_some_and(|operator| {
            matches!(operator, "<" | ">") || is_comparison(operator) && !is_numeric(operator)
        }),
        _ => false,
    };
    if is_known {
        return;
    }
    let reason = "is compared as a number, or is a part of a longer test";
    for (at, word) in words.iter().enumerate() {
        reader.refuse(word.range.clone(), reason);
        // A name that is written there is not evaluated.
        let is_tested = at > 0 && matches!(literal(at - 1), Some("-v" | "-R") | None);
        if is_tested && !word.is_name() && words.len() - negated != 3 {
            reader.evaluated(word.range.clone(), NAME_TEST);
        }
    }
}

// Builtins that set variables.

/// Variables that programs go by, or that bash takes for integers.
pub(super) fn is_trusted_variable(name: &str) -> bool {
    const NAMES: [&str; 34] = [
        "PATH",
        "IFS",
        "ENV",
        "BASH_ENV",
        "PS4",
        "PROMPT_COMMAND",
        "SHELLOPTS",
        "BASHOPTS",
        "CDPATH",
        "SHELL",
        "EDITOR",
        "VISUAL",
        "PAGER",
        "MANPAGER",
        "LESSOPEN",
        "LESSCLOSE",
        "BROWSER",
        "MAKEFLAGS",
        "GNUMAKEFLAGS",
        "JAVA_TOOL_OPTIONS",
        "_JAVA_OPTIONS",
        "CLASSPATH",
        "SECONDS",
        "RANDOM",
        "SRANDOM",
        "LINENO",
        "HISTCMD",
        "OPTIND",
        "BASH_SUBSHELL",
        "EUID",
        "UID",
        "PPID",
        "BASHPID",
        "BASH_COMPAT",
    ];
    const BEGINNINGS: [&str; 9] =
        ["LD_", "DYLD_", "PYTHON", "PERL", "RUBY", "NODE_", "GIT_", "BASH_FUNC_", "AWK"];
    NAMES.contains(&name) || BEGINNINGS.iter().any(|beginning| name.starts_with(beginning))
}

/// Whether the words of a command may be assignments.
pub(super) fn is_declaration(command: &str) -> bool {
    ["export", "readonly", "local", "declare", "typeset"].contains(&command)
}

fn declaration(reader: &mut Reader<'_>, name: &str, words: &[Word]) {
    for word in &words[1..] {
        match word.literal.as_deref() {
            Some("") => {}
            // Of integers and references to names what is assigned is evaluated.
            Some(option) if option.starts_with(['-', '+']) => {
                if option.contains(['i', 'n']) && name != "export" {
                    let reason = "is assigned to a variable that is evaluated";
                    reader.evaluated(all(words), reason);
                }
            }
            Some(variable) if is_name(variable) => {}
            _ => reader.evaluated(word.range.clone(), "names a variable"),
        }
    }
}

fn read(reader: &mut Reader<'_>, name: &str, words: &[Word]) {
    for word in words {
        match word.literal.as_deref() {
            Some(variable) if is_name(variable) => reader.variables.assign_input(variable),
            Some(option) if option.starts_with('-') => {}
            _ => reader.evaluated(word.range.clone(), "may name a variable that is set"),
        }
    }
    reader.variables.assign_input(match name {
        "read" => "REPLY",
        "getopts" => "OPTARG",
        _ => "MAPFILE",
    });
}

fn unset(reader: &mut Reader<'_>, words: &[Word]) {
    let is_plain = |word: &&Word| {
        word.is_name() || matches!(word.literal.as_deref(), Some("-v" | "-f" | "-n" | "--"))
    };
    for word in words.iter().filter(|word| !is_plain(word)) {
        reader.evaluated(word.range.clone(), "names a variable, which the shell evaluates");
    }
}

/// `printf`, whose `-v` names a variable.
fn printf(reader: &mut Reader<'_>, words: &[Word]) {
    let mut words = words;
    if let Some(("-v", [variable, rest @ ..])) =
        words.split_first().and_then(|(first, rest)| Some((first.literal.as_deref()?, rest)))
    {
        match variable.literal.as_deref().filter(|name| reader.is_bash() && is_name(name)) {
            Some(name) => reader.assign(name, all(rest)),
            None => runs(reader, "printf -v", words),
        }
        words = rest;
    }
    if words.first().is_some_and(|word| word.literal.as_deref() == Some("--")) {
        words = &words[1..];
    }
    let Some(format) = words.first() else { return };
    if format.literal.is_none() {
        reader.refuse(format.range.clone(), "stands in the format of `printf`");
    }
    if format.literal.is_none() && words.len() > 1 && !format.prefix.starts_with(|c| c != '-') {
        runs(reader, "printf", words);
    }
}

fn set(reader: &mut Reader<'_>, words: &[Word]) -> Parsed<()> {
    const OPTIONS: [&str; 9] = [
        "errexit",
        "nounset",
        "pipefail",
        "xtrace",
        "noglob",
        "noclobber",
        "allexport",
        "verbose",
        "errtrace",
    ];
    let mut words = words;
    while let Some((first, rest)) = words.split_first() {
        let option = first.literal.as_deref().filter(|text| text.starts_with(['-', '+']));
        let Some(option) = option else {
            if first.prefix.is_empty() && first.literal.is_none() {
                // It may be an option.
                runs(reader, "set", words);
            }
            break;
        };
        words = rest;
        if option == "--" {
            break;
        }
        if !option[1..].chars().all(|letter| "euxvfaCEo".contains(letter)) {
            return Err(Unread("`set` with an option that is not known is"));
        }
        if option.ends_with('o') {
            let Some((name, rest)) = words.split_first() else { return Ok(()) };
            if !name.literal.as_deref().is_some_and(|name| OPTIONS.contains(&name)) {
                return Err(Unread("`set` with an option that is not known is"));
            }
            words = rest;
        }
    }
    reader.set_arguments(all(words));
    Ok(())
}

fn shopt(words: &[Word]) -> Parsed<()> {
    const OPTIONS: [&str; 10] = [
        "-s",
        "-u",
        "-q",
        "nullglob",
        "globstar",
        "dotglob",
        "failglob",
        "lastpipe",
        "inherit_errexit",
        "nocasematch",
    ];
    let is_known = |word: &Word| word.literal.as_deref().is_some_and(|it| OPTIONS.contains(&it));
    if words.iter().all(is_known) {
        return Ok(());
    }
    Err(Unread("`shopt` with an option that is not known is"))
}

// Commands that run others.

/// How a command that runs another one writes its own words.
struct Wrapper {
    flags: &'static [&'static str],
    /// Options that are followed by a word.
    takes: &'static [&'static str],
    /// How many words come before the command.
    operands: usize,
}

fn wrapper(name: &str) -> Option<Wrapper> {
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

fn run_wrapped(
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
                reader.reads_code();
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

fn find(reader: &mut Reader<'_>, words: &[Word]) -> Parsed<()> {
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
fn run_within(reader: &mut Reader<'_>, words: &[Word]) {
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

/// Looks for options that are followed by a command: `tar --to-command=..`.
fn run_options(reader: &mut Reader<'_>, name: &str, words: &[Word]) {
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

/// So many programs are looked at among the words of another one.
const MAX_WITHIN: usize = 8;

// Programs that run what they are given.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Shell,
    Python,
    /// Other languages.
    Language,
    /// Whatever a variable names.
    Unknown,
}

fn is_evaluator(name: &str) -> bool {
    family(name).is_some() || program(name).is_some() || RUNS_ALL.contains(&name)
}

/// Programs that may run any of their words, or what they read.
const RUNS_ALL: [&str; 29] = [
    "eval",
    "xargs",
    "parallel",
    "ssh",
    "scp",
    "su",
    "runuser",
    "sshpass",
    "psql",
    "mysql",
    "mariadb",
    "sqlite3",
    "duckdb",
    "osascript",
    "expect",
    "gdb",
    "crontab",
    "tclsh",
    "rsh",
    "flock",
    "chroot",
    "nsenter",
    "m4",
    "ed",
    "ex",
    "vim",
    "bc",
    "dc",
    "busybox",
];

/// As these, but only where they are the command itself: elsewhere they are likely plain words.
const RUNS_ALL_AS_COMMAND: [&str; 17] = [
    "source", ".", "trap", "let", "watch", "at", "batch", "script", "make", "gmake", "vi", "wait",
    "bind", "complete", "compgen", "compopt", "fc",
];

fn family(name: &str) -> Option<Family> {
    let plain = name.trim_end_matches(|letter: char| letter.is_ascii_digit() || letter == '.');
    match plain {
        "sh" | "bash" | "dash" | "ash" | "zsh" | "ksh" | "mksh" | "fish" => Some(Family::Shell),
        "python" | "pypy" => Some(Family::Python),
        "perl" | "ruby" | "node" | "nodejs" | "php" | "lua" | "luajit" | "Rscript" | "julia"
        | "deno" | "bun" | "groovy" | "pwsh" | "tcl" | "guile" => Some(Family::Language),
        _ => None,
    }
}

fn evaluator(reader: &mut Reader<'_>, name: &str, words: &[Word]) {
    if let Some(family) = family(name) {
        interpreter(reader, family, name, words);
    } else if let Some(program) = program(name) {
        run_program(reader, name, program, words);
    } else if ["eval", "trap"].contains(&name) {
        runs_shell(reader, name, words);
    } else if ["let", "wait"].contains(&name) {
        for word in words {
            reader.evaluated(word.range.clone(), may_run(name));
        }
    } else if RUNS_ALL.contains(&name) || RUNS_ALL_AS_COMMAND.contains(&name) {
        runs(reader, name, words);
        reader.reads_code();
    }
}

enum Switch {
    Flag,
    /// A word follows.
    Takes,
    /// A word follows that names what is run; the rest are its arguments.
    Module,
    /// A word follows that is run.
    Code,
    Unknown,
}

impl Family {
    fn switch(self, option: &str) -> Switch {
        let letters = option.strip_prefix('-').unwrap_or_default();
        let all_of = |known: &str| letters.chars().all(|letter| known.contains(letter));
        match (self, option) {
            (Self::Shell, "--norc" | "--noprofile" | "--posix") => Switch::Flag,
            (Self::Shell, _) if all_of("euxvfaCn") => Switch::Flag,
            (Self::Shell, _) if letters.ends_with('o') && all_of("euxvfaCno") => Switch::Takes,
            (Self::Shell, _) if letters.ends_with('c') && all_of("euxvfaCnlc") => Switch::Code,
            (Self::Python, "-m") => Switch::Module,
            (Self::Python, "-W" | "-X") => Switch::Takes,
            (Self::Python, _) if all_of("uBOEsSIqvbP") => Switch::Flag,
            (Self::Python, _) if letters.ends_with('c') && all_of("uBOEsSIqvbPc") => Switch::Code,
            (Self::Language, "-w" | "-T" | "--vanilla") => Switch::Flag,
            (Self::Language, "-e" | "-E" | "--eval" | "-p" | "--print" | "-r") => Switch::Code,
            _ => Switch::Unknown,
        }
    }
}

/// A program that runs a script: what follows the name of a script is data, all else may be code.
fn interpreter(reader: &mut Reader<'_>, family: Family, name: &str, words: &[Word]) {
    let mut at = 0;
    while let Some(word) = words.get(at).filter(|word| word.prefix.starts_with('-')) {
        let option = word.literal.as_deref().unwrap_or_default();
        at += 1;
        match family.switch(option) {
            _ if option == "--" => break,
            Switch::Flag if option.len() > 1 => {}
            Switch::Takes => {
                if let Some(value) = words.get(at) {
                    runs(reader, name, std::slice::from_ref(value));
                }
                at += 1;
            }
            Switch::Module => break,
            Switch::Code => return run_code(reader, family, name, &words[at..]),
            _ => {
                runs(reader, name, words);
                reader.reads_code();
                return;
            }
        }
    }
    let Some(script) = words.get(at) else {
        reader.reads_code();
        return;
    };
    if script.literal.as_deref().is_some_and(|path| path == "-" || path.starts_with("/dev/")) {
        reader.reads_code();
    }
    let is_named = !script.prefix.is_empty() || !script.suffix.is_empty();
    if is_named {
        runs(reader, name, std::slice::from_ref(script));
    } else {
        runs(reader, name, &words[at..]);
    }
}

/// The words after `-c`: code, and what it is given.
fn run_code(reader: &mut Reader<'_>, family: Family, name: &str, words: &[Word]) {
    match words {
        [Word { literal: Some(_), .. }, ..] if family == Family::Python => {}
        [code @ Word { literal: Some(_), .. }, rest @ ..] => {
            if family == Family::Shell {
                runs_shell(reader, name, std::slice::from_ref(code));
            }
            reader.refuse(all(rest), may_run(name));
        }
        _ => {
            runs(reader, name, words);
            reader.reads_code();
        }
    }
}

/// A program that takes a program of its own as its first word.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Program {
    Awk,
    Sed,
    Jq,
}

fn program(name: &str) -> Option<Program> {
    match name {
        "awk" | "gawk" | "mawk" | "nawk" => Some(Program::Awk),
        "sed" | "gsed" => Some(Program::Sed),
        "jq" | "yq" | "gojq" => Some(Program::Jq),
        _ => None,
    }
}

enum ProgramSwitch {
    Flag,
    /// So many words follow that are data.
    Data(usize),
    /// The program follows, or the name of its file.
    Program,
    Unknown,
}

impl Program {
    fn switch(self, option: &str) -> ProgramSwitch {
        let letters = option.strip_prefix('-').unwrap_or_default();
        let all_of = |known: &str| letters.chars().all(|letter| known.contains(letter));
        match (self, option) {
            (Self::Awk, "-F" | "-v") => ProgramSwitch::Data(1),
            (Self::Awk, _) if letters.starts_with('F') => ProgramSwitch::Flag,
            (Self::Awk | Self::Jq, "-f") | (Self::Sed, "-e" | "-f") => ProgramSwitch::Program,
            (Self::Sed, "-i") => ProgramSwitch::Flag,
            (Self::Sed, _) if all_of("nErsuz") => ProgramSwitch::Flag,
            (Self::Jq, "--arg" | "--argjson" | "--slurpfile" | "--rawfile") => {
                ProgramSwitch::Data(2)
            }
            (Self::Jq, "--indent") => ProgramSwitch::Data(1),
            (Self::Jq, "--args" | "--jsonargs" | "--tab") => ProgramSwitch::Flag,
            (Self::Jq, _) if all_of("rcensSjaCM") => ProgramSwitch::Flag,
            _ => ProgramSwitch::Unknown,
        }
    }
}

fn run_program(reader: &mut Reader<'_>, name: &str, program: Program, words: &[Word]) {
    let mut has_program = false;
    let mut has_ended = false;
    let mut at = 0;
    while let Some(word) = words.get(at) {
        at += 1;
        if !has_ended && word.prefix.starts_with('-') {
            let option = word.literal.as_deref().unwrap_or_default();
            match program.switch(option) {
                _ if option == "--" => has_ended = true,
                ProgramSwitch::Flag if option.len() > 1 => {}
                ProgramSwitch::Data(count) => {
                    let data = words.get(at..at + count).unwrap_or_default();
                    // What it is to be called.
                    let name_of = |word: &Word| word.prefix.contains('=') || program == Program::Jq;
                    if count == 2 && data.iter().take(1).any(|word| word.literal.is_none())
                        || option == "-v" && !data.iter().all(name_of)
                    {
                        runs(reader, name, data);
                    }
                    at += count;
                }
                ProgramSwitch::Program => {
                    has_program = true;
                    if let Some(code) = words.get(at) {
                        runs(reader, name, std::slice::from_ref(code));
                    }
                    at += 1;
                }
                _ => return runs(reader, name, words),
            }
        } else if !has_program {
            has_program = true;
            // Only now is it known that options have ended.
            has_ended |= program == Program::Awk;
            runs(reader, name, std::slice::from_ref(word));
        } else if program == Program::Sed && !has_ended && word.prefix.is_empty() {
            let reason = "may be taken for an option of `sed`, unless `--` comes before";
            reader.refuse(word.range.clone(), reason);
        }
    }
}
