//! The interpreter in the first line of a script: `#!/usr/bin/env python3`.

use std::path::Path;

/// The interpreter of a script, from its first line.
///
/// The line is read as Linux reads it: a program, and the rest as one argument. The program is
/// started instead of the script, so that the script may be on a file system mounted with `noexec`.
#[derive(Debug, PartialEq)]
pub(crate) struct Interpreter<'s> {
    pub(super) program: &'s str,
    pub(super) argument: Option<&'s str>,
}

impl<'s> Interpreter<'s> {
    /// The interpreter that the script names; `None` for a script of the shell.
    pub(crate) fn of(script: &'s str) -> Option<Self> {
        let line = script.strip_prefix("#!")?.lines().next()?.trim();
        let (program, argument) = match line.split_once(char::is_whitespace) {
            Some((program, argument)) => (program, Some(argument.trim_start())),
            None => (line, None),
        };
        (!program.is_empty()).then_some(Self { program, argument })
    }

    /// Whether the program reads `${NAME}` as the shell does.
    pub(crate) fn is_shell(&self) -> bool {
        const SHELLS: [&str; 7] = ["sh", "bash", "dash", "ash", "ksh", "mksh", "zsh"];
        SHELLS.contains(&self.name())
    }

    /// The name of the program without its folder; for `env`, the program that `env` runs.
    pub(crate) fn name(&self) -> &'s str {
        let name = |program: &'s str| Path::new(program).file_name()?.to_str();
        let own = name(self.program).unwrap_or(self.program);
        if own != "env" {
            return own;
        }
        let words = self.argument.unwrap_or_default().split_whitespace();
        let mut words = words.filter(|word| !word.starts_with('-') && !word.contains('='));
        words.next().and_then(name).unwrap_or(own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_names_the_interpreter_and_its_argument() {
        let of = |script| {
            let found = Interpreter::of(script)?;
            Some((found.program, found.argument, found.name(), found.is_shell()))
        };
        assert_eq!(
            of("#!/usr/bin/env python3\nprint(1)"),
            Some(("/usr/bin/env", Some("python3"), "python3", false))
        );
        assert_eq!(
            of("#! /bin/bash -e -u \r\necho"),
            Some(("/bin/bash", Some("-e -u"), "bash", true))
        );
        assert_eq!(
            of("#!/usr/bin/env -S A=1 perl -w"),
            Some(("/usr/bin/env", Some("-S A=1 perl -w"), "perl", false))
        );
        for script in ["echo", "# !/bin/sh", "\n#!/bin/sh", " #!/bin/sh", "#!", "#!\necho"] {
            assert_eq!(of(script), None, "{script:?}");
        }
    }
}
