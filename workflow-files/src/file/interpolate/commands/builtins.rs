//! Builtins that set variables, by names and values among their words.

use super::super::grammar::{Parsed, Reader, Unread, Word};
use super::{all, runs};
use crate::words::{is_name, is_one_of};

/// Why a value may not be in a variable for which [`is_trusted_variable`] holds.
pub(in super::super) const TRUSTED: &str = "which changes what programs do";

/// "is assigned to `PATH`, which ..".
pub(in super::super) fn assigned_to(name: &str) -> String {
    format!("is assigned to `{name}`, {TRUSTED}")
}

/// Variables that change what programs do, or that bash treats as integers.
pub(in super::super) fn is_trusted_variable(name: &str) -> bool {
    const NAMES: &str = "\
        PATH IFS ENV BASH_ENV PS4 PROMPT_COMMAND SHELLOPTS BASHOPTS CDPATH SHELL EDITOR VISUAL \
        PAGER MANPAGER LESSOPEN LESSCLOSE BROWSER MAKEFLAGS GNUMAKEFLAGS JAVA_TOOL_OPTIONS \
        _JAVA_OPTIONS CLASSPATH SECONDS RANDOM SRANDOM LINENO HISTCMD OPTIND BASH_SUBSHELL EUID \
        UID PPID BASHPID BASH_COMPAT BASH_LOADABLES_PATH ZDOTDIR FCEDIT LESS VIMINIT EXINIT \
        TAR_OPTIONS RSYNC_CONNECT_PROG RSYNC_RSH CVS_RSH SVN_SSH RUSTC_WRAPPER JDK_JAVA_OPTIONS GCONV_PATH PSQLRC";
    // Their beginnings are dangerous, but these are only data.
    const DATA: &str = "\
        NODE_ENV NODE_VERSION PYTHON_VERSION PERL_VERSION RUBY_VERSION GIT_AUTHOR_NAME \
        GIT_AUTHOR_EMAIL GIT_AUTHOR_DATE GIT_COMMITTER_NAME GIT_COMMITTER_EMAIL \
        GIT_COMMITTER_DATE GIT_BRANCH GIT_COMMIT GIT_SHA GIT_REF GIT_TAG GIT_URL";
    const ENDINGS: [&str; 3] = ["EDITOR", "PAGER", "ASKPASS"];
    const BEGINNINGS: [&str; 9] =
        ["LD_", "DYLD_", "PYTHON", "PERL", "RUBY", "NODE_", "GIT_", "BASH_FUNC_", "AWK"];
    is_one_of(name, NAMES)
        || ENDINGS.iter().any(|ending| name.ends_with(ending))
        || BEGINNINGS.iter().any(|beginning| name.starts_with(beginning)) && !is_one_of(name, DATA)
}

/// Whether the words of a command may be assignments.
pub(in super::super) fn is_declaration(command: &str) -> bool {
    ["export", "readonly", "local", "declare", "typeset"].contains(&command)
}

pub(super) fn declaration(reader: &mut Reader<'_>, name: &str, words: &[Word]) {
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

pub(super) fn read(reader: &mut Reader<'_>, name: &str, words: &[Word]) {
    for word in words {
        match word.literal.as_deref() {
            Some(variable) if is_name(variable) => reader.variables.assign_input(variable),
            Some(option) if option.starts_with('-') => {}
            _ => reader.evaluated(word.range.clone(), "may be the name of a variable that is set"),
        }
    }
    reader.variables.assign_input(match name {
        "read" => "REPLY",
        "getopts" => "OPTARG",
        _ => "MAPFILE",
    });
}

pub(super) fn unset(reader: &mut Reader<'_>, words: &[Word]) {
    let is_plain = |word: &&Word| {
        word.is_name() || matches!(word.literal.as_deref(), Some("-v" | "-f" | "-n" | "--"))
    };
    for word in words.iter().filter(|word| !is_plain(word)) {
        reader
            .evaluated(word.range.clone(), "is the name of a variable, which the shell evaluates");
    }
}

/// `printf`, whose `-v` names a variable.
pub(super) fn printf(reader: &mut Reader<'_>, words: &[Word]) {
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
        reader.refuse(format.range.clone(), "is in the format of `printf`");
    }
    if format.literal.is_none() && words.len() > 1 && !format.prefix.starts_with(|c| c != '-') {
        runs(reader, "printf", words);
    }
}

pub(super) fn set(reader: &mut Reader<'_>, words: &[Word]) -> Parsed<()> {
    const OPTIONS: &str = "\
        errexit nounset pipefail xtrace noglob noclobber allexport verbose errtrace";
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
            return Err(Unread("`set` with an unknown option is"));
        }
        if option.ends_with('o') {
            let Some((name, rest)) = words.split_first() else { return Ok(()) };
            if !name.literal.as_deref().is_some_and(|name| is_one_of(name, OPTIONS)) {
                return Err(Unread("`set` with an unknown option is"));
            }
            words = rest;
        }
    }
    reader.set_arguments(all(words));
    Ok(())
}

pub(super) fn shopt(words: &[Word]) -> Parsed<()> {
    const OPTIONS: &str = "\
        -s -u -q nullglob globstar dotglob failglob lastpipe inherit_errexit nocasematch";
    let is_known = |word: &Word| word.literal.as_deref().is_some_and(|it| is_one_of(it, OPTIONS));
    if words.iter().all(is_known) {
        return Ok(());
    }
    Err(Unread("`shopt` with an unknown option is"))
}
