//! Programs that run their words: shells, interpreters, and commands that take a program as a word.

use super::super::grammar::{Reader, Word};
use super::{all, is_input, may_run, runs, runs_shell, sed};
use crate::words::is_one_of;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Shell,
    Python,
    /// Other languages.
    Language,
    /// A program named by a variable.
    Unknown,
}

pub(super) fn is_evaluator(name: &str) -> bool {
    family(name).is_some() || program(name).is_some() || is_one_of(name, RUNS_ALL)
}

/// Programs that may run any of their words, or what they read.
pub(super) const RUNS_ALL: &str = "\
    eval xargs parallel ssh scp su runuser sshpass psql mysql mariadb sqlite3 duckdb osascript \
    expect gdb crontab tclsh rsh flock chroot nsenter m4 ed ex vim bc dc busybox";

/// As above, but only as the command itself: elsewhere they are probably plain words.
pub(super) const RUNS_ALL_AS_COMMAND: &str = "\
    trap let watch at batch script make gmake vi wait bind complete compgen compopt fc \
    tmux screen sg bsub hyperfine pdsh lftp sftp gnuplot history";

pub(super) fn family(name: &str) -> Option<Family> {
    let plain = name.trim_end_matches(|letter: char| letter.is_ascii_digit() || letter == '.');
    match plain {
        "sh" | "bash" | "dash" | "ash" | "zsh" | "ksh" | "mksh" | "fish" => Some(Family::Shell),
        "python" | "pypy" => Some(Family::Python),
        "perl" | "ruby" | "node" | "nodejs" | "php" | "lua" | "luajit" | "Rscript" | "julia"
        | "deno" | "bun" | "groovy" | "pwsh" | "tcl" | "guile" => Some(Family::Language),
        _ => None,
    }
}

pub(super) fn evaluator(reader: &mut Reader<'_>, name: &str, words: &[Word]) {
    if let Some(family) = family(name) {
        interpreter(reader, family, name, words);
    } else if let Some(program) = program(name) {
        run_program(reader, name, program, words);
    } else if ["eval", "trap"].contains(&name) {
        runs_shell(reader, name, words);
    } else if ["source", "."].contains(&name) {
        runs(reader, name, words);
        if words.first().is_none_or(is_input) {
            reader.readers.add();
        }
    } else if ["let", "wait"].contains(&name) {
        for word in words {
            reader.evaluated(word.range.clone(), may_run(name));
        }
    } else if is_one_of(name, RUNS_ALL) || is_one_of(name, RUNS_ALL_AS_COMMAND) {
        runs(reader, name, words);
        reader.readers.add();
    }
}

pub(super) enum Switch {
    Flag,
    /// A word follows.
    Takes,
    /// The next word names what is run; the rest are its arguments.
    Module,
    /// The next word is run.
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

/// A program that runs a script: words after the name of the script are data, all others may be
/// code.
pub(super) fn interpreter(reader: &mut Reader<'_>, family: Family, name: &str, words: &[Word]) {
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
                reader.readers.add();
                return;
            }
        }
    }
    let Some(script) = words.get(at) else {
        reader.readers.add();
        return;
    };
    if !script.prefix.is_empty() && is_input(script) {
        reader.readers.add();
    }
    let is_named = !script.prefix.is_empty() || !script.suffix.is_empty();
    if is_named {
        runs(reader, name, std::slice::from_ref(script));
    } else {
        runs(reader, name, &words[at..]);
    }
}

/// The words after `-c`: code and its arguments.
pub(super) fn run_code(reader: &mut Reader<'_>, family: Family, name: &str, words: &[Word]) {
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
            reader.readers.add();
        }
    }
}

/// A program that takes a program of its own as its first word.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Program {
    Awk,
    Sed,
    Jq,
}

pub(super) fn program(name: &str) -> Option<Program> {
    match name {
        "awk" | "gawk" | "mawk" | "nawk" => Some(Program::Awk),
        "sed" | "gsed" => Some(Program::Sed),
        "jq" | "yq" | "gojq" => Some(Program::Jq),
        _ => None,
    }
}

pub(super) enum ProgramSwitch {
    Flag,
    /// This many words follow that are data.
    Data(usize),
    /// The program follows.
    Program,
    /// The name of the program's file follows.
    File,
    Unknown,
}

impl Program {
    fn switch(self, option: &str) -> ProgramSwitch {
        let letters = option.strip_prefix('-').unwrap_or_default();
        let all_of = |known: &str| letters.chars().all(|letter| known.contains(letter));
        match (self, option) {
            (Self::Awk, "-F" | "-v") => ProgramSwitch::Data(1),
            (Self::Awk, _) if letters.starts_with('F') => ProgramSwitch::Flag,
            (_, "-f") | (Self::Sed, "--file") => ProgramSwitch::File,
            (Self::Sed, "--expression") => ProgramSwitch::Program,
            (Self::Sed, "-i" | "--quiet" | "--silent" | "--regexp-extended") => ProgramSwitch::Flag,
            (Self::Sed, _) if all_of("nErsuz") => ProgramSwitch::Flag,
            (Self::Sed, _) if letters.ends_with('e') && all_of("nErsuze") => ProgramSwitch::Program,
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

/// A program in the language of the command.
fn run_own(reader: &mut Reader<'_>, name: &str, program: Program, code: &Word) {
    runs(reader, name, std::slice::from_ref(code));
    let runs_lines = match &code.literal {
        Some(written) => sed::runs_lines(sed::program_in(written).unwrap_or(written)),
        None => sed::may_end_in_e(&code.suffix),
    };
    if program == Program::Sed && runs_lines {
        reader.readers.add();
    }
}

pub(super) fn run_program(reader: &mut Reader<'_>, name: &str, program: Program, words: &[Word]) {
    let mut has_program = false;
    let mut has_ended = false;
    let mut at = 0;
    while let Some(word) = words.get(at) {
        at += 1;
        if !has_ended && word.prefix.starts_with('-') {
            let option = word.literal.as_deref().unwrap_or_default();
            match program.switch(option) {
                _ if option == "--" => has_ended = true,
                _ if program == Program::Sed && sed::program_in(option).is_some() => {
                    has_program = true;
                    run_own(reader, name, program, word);
                }
                ProgramSwitch::Flag if option.len() > 1 => {}
                ProgramSwitch::Data(count) => {
                    let data = words.get(at..at + count).unwrap_or_default();
                    // Its name.
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
                        run_own(reader, name, program, code);
                    }
                    at += 1;
                }
                ProgramSwitch::File => {
                    has_program = true;
                    if let Some(file) = words.get(at) {
                        runs(reader, name, std::slice::from_ref(file));
                    }
                    at += 1;
                }
                _ => return runs(reader, name, words),
            }
        } else if !has_program {
            has_program = true;
            // Only now the options have ended for certain.
            has_ended |= program == Program::Awk;
            run_own(reader, name, program, word);
        } else if program == Program::Sed && !has_ended && word.prefix.is_empty() {
            let reason = "may be an option of `sed`, unless `--` comes before it";
            reader.refuse(word.range.clone(), reason);
        }
    }
}
