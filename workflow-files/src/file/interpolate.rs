//! Interpolates values in shell commands so that no shell reads them as code.
//!
//! A value becomes a variable, `"${WORKFLOW_VALUE_1}"`, and only where [`grammar`] proves that the
//! shell reads it as a plain word or as text between plain quotes. Everywhere else it must be an
//! integer and becomes its digits; anything else is rejected. For a script that the grammar does
//! not understand, nothing is proven.
//!
//! [`grammar`] reads the shell language, [`commands`] knows which commands run their words as code,
//! and [`variables`] follows values through the variables of the script.

mod commands;
mod grammar;
#[cfg(test)]
mod tests;
mod variables;

use std::fmt::Write;

use grammar::{Dialect, Item, Place, Proof, Reason};
use variables::STDIN;

/// A script with values that are not interpolated yet.
#[derive(Default)]
pub(super) struct Script {
    items: Vec<Item>,
    values: Vec<String>,
    /// The environment variables of the command, and its stdin, that contain a value which is not
    /// an integer.
    held: Vec<String>,
}

/// The text for the shell, and the variables with its values.
#[derive(Debug, PartialEq)]
pub(super) struct Interpolated {
    pub(super) text: String,
    pub(super) variables: Vec<(String, String)>,
}

/// A value that is not safe at its position.
#[derive(Debug, PartialEq)]
pub(super) struct Refused {
    pub(super) what: Refusal,
    /// The reason, such as "is in arithmetic".
    pub(super) reason: String,
}

/// The rejected value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// A pushed value, by its number from 0.
    Value(usize),
    /// A value of an environment variable or of the stdin, by its number from 0.
    Held(usize),
}

impl Refused {
    /// Whether the script could read the value from an environment variable instead.
    pub(super) fn may_be_in_env(&self) -> bool {
        matches!(self.what, Refusal::Value(_)) && !self.reason.ends_with(commands::TRUSTED)
    }
}

/// The program that reads a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Interpreter {
    /// bash.
    Bash,
    /// A POSIX shell: dash, the `sh` of busybox, bash.
    Posix,
    /// Not a known shell.
    Other(String),
}

impl Interpreter {
    /// The program that the first line of a script names, or else the shell.
    pub(super) fn of(script: &str, shell_is_bash: bool) -> Self {
        let shell = if shell_is_bash { Self::Bash } else { Self::Posix };
        let Some(line) = script.trim_start().strip_prefix("#!") else { return shell };
        let line = line.lines().next().unwrap_or_default();
        let mut words = line.split_whitespace().map(commands::base_name);
        let is_env = |word: &&str| *word == "env" || word.starts_with('-') || word.contains('=');
        match words.find(|word| !is_env(word)) {
            Some("bash") => shell,
            Some("sh" | "dash" | "ash" | "busybox") => Self::Posix,
            Some(other) => Self::Other(other.to_owned()),
            None => Self::Other("its first line".to_owned()),
        }
    }
}

impl Script {
    /// Appends text of the script.
    pub(super) fn push(&mut self, text: &str) {
        self.items.extend(text.chars().map(Item::Char));
    }

    /// Appends a value.
    pub(super) fn push_value(&mut self, value: String) {
        self.items.push(Item::Value(self.values.len() as u32));
        self.values.push(value);
    }

    /// Declares that an environment variable contains a value that is not an integer, which the
    /// script must not evaluate either.
    pub(super) fn hold(&mut self, name: &str) {
        self.held.push(name.to_owned());
    }

    /// Declares that the stdin of the script contains a value that is not an integer.
    pub(super) fn hold_stdin(&mut self) {
        self.hold(STDIN);
    }

    /// Interpolates the values.
    ///
    /// # Errors
    ///
    /// Fails for the first value that is not an integer and is at a position where a shell may run
    /// it.
    pub(super) fn finish(&self, interpreter: &Interpreter) -> Result<Interpolated, Refused> {
        if self.values.is_empty() && self.held.is_empty() {
            return Ok(Interpolated { text: self.text(&[]), variables: Vec::new() });
        }
        let proof = self.prove(interpreter);
        self.check(&proof)?;
        let variables = self.values.iter().enumerate();
        let variables = variables
            .filter(|(number, _)| proof.is_proven(*number))
            .map(|(number, value)| (name(number), value.clone()));
        Ok(Interpolated { text: self.text(&proof.places), variables: variables.collect() })
    }

    /// What is not closed in the script, such as a quote.
    pub(super) fn unclosed(&self, interpreter: &Interpreter) -> Option<&'static str> {
        self.prove(interpreter).unclosed
    }

    fn prove(&self, interpreter: &Interpreter) -> Proof {
        let dialect = match interpreter {
            Interpreter::Bash => Dialect::Bash,
            Interpreter::Posix => Dialect::Posix,
            Interpreter::Other(program) => {
                let reason = format!("is in a script for `{program}`, which is not a known shell");
                return Proof::none(self.values.len(), self.held.len(), &reason);
            }
        };
        let held: Vec<&str> = self.held.iter().map(|held| &**held).collect();
        grammar::prove(&self.items, self.values.len(), &held, dialect)
    }

    fn check(&self, proof: &Proof) -> Result<(), Refused> {
        let refused = |what, reason: &Reason| Refused { what, reason: reason.to_string() };
        for (number, value) in self.values.iter().enumerate() {
            if let Some(reason) = proof.refusal(number).filter(|_| !is_integer(value)) {
                return Err(refused(Refusal::Value(number), reason));
            }
        }
        for (number, (name, reason)) in self.held.iter().zip(&proof.held).enumerate() {
            let own =
                commands::is_trusted_variable(name).then(|| commands::assigned_to(name).into());
            if let Some(reason) = own.as_ref().or(reason.as_ref()) {
                return Err(refused(Refusal::Held(number), reason));
            }
        }
        Ok(())
    }

    fn text(&self, places: &[Option<Place>]) -> String {
        let mut text = String::with_capacity(self.items.len() + 32 * self.values.len());
        for item in &self.items {
            let number = match item {
                Item::Char(letter) => {
                    text.push(*letter);
                    continue;
                }
                Item::Value(number) => *number as usize,
            };
            let name = name(number);
            let _ = match places.get(number).copied().flatten() {
                Some(Place::Word) => write!(text, "\"${{{name}}}\""),
                Some(Place::Text) => write!(text, "${{{name}}}"),
                Some(Place::Single) => write!(text, "'\"${{{name}}}\"'"),
                Some(Place::Escaped) => write!(text, "'\"${{{name}}}\"$'"),
                // An integer, which `check` has seen to.
                None => write!(text, "{}", self.values[number]),
            };
        }
        text
    }
}

/// The variable that holds a value.
fn name(number: usize) -> String {
    format!("WORKFLOW_VALUE_{}", number + 1)
}

/// Whether a text is digits alone, with a sign or without: harmless to every interpreter.
pub(super) fn is_integer(value: &str) -> bool {
    let digits = value.strip_prefix('-').unwrap_or(value);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}
