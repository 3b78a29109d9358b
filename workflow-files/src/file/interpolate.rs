//! Puts values into the text of a shell command so that no shell reads them as code.
//!
//! A value is put in as a variable, `"${WORKFLOW_VALUE_1}"`, and only where [`grammar`] proves that
//! the shell takes it for a plain word or for text between plain quotes. Everywhere else only an
//! integer may stand, as its digits; anything else is refused. A script that the grammar does not
//! understand proves nothing.
//!
//! [`grammar`] reads the shell language, [`commands`] knows which commands take their words for
//! code, and [`variables`] follows values through the variables of the script.

mod commands;
mod grammar;
#[cfg(test)]
mod tests;
mod variables;

use std::fmt::Write;

use grammar::{Dialect, Item, Place, Proof, Reason};

/// A script with values in it, before it is known how they can be put in.
#[derive(Default)]
pub(super) struct Script {
    items: Vec<Item>,
    values: Vec<String>,
    /// Environment variables of the command that hold values.
    held: Vec<Held>,
}

/// An environment variable that holds a value.
struct Held {
    name: String,
    value: String,
}

/// The text for the shell, and the variables that hold its values.
#[derive(Debug, PartialEq)]
pub(super) struct Interpolated {
    pub(super) text: String,
    pub(super) variables: Vec<(String, String)>,
}

/// A value that cannot stand where it is.
#[derive(Debug, PartialEq)]
pub(super) struct Refused {
    pub(super) what: Refusal,
    /// Where it stands, as in "stands in arithmetic".
    pub(super) reason: String,
}

/// Which value is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The one that was pushed as this, from 0.
    Value(usize),
    /// The one that was held as this, from 0.
    Held(usize),
}

/// Which program reads a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Interpreter {
    /// bash.
    Bash,
    /// Some shell that knows what POSIX asks for: dash, the `sh` of busybox, bash.
    Posix,
    /// No shell that is known here.
    Other(String),
}

impl Interpreter {
    /// The program that reads a script: what its first line names, and else the shell.
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
    /// Goes on with text of the script.
    pub(super) fn push(&mut self, text: &str) {
        self.items.extend(text.chars().map(Item::Char));
    }

    /// Puts a value at this place.
    pub(super) fn push_value(&mut self, value: String) {
        self.items.push(Item::Value(self.values.len() as u32));
        self.values.push(value);
    }

    /// Says that an environment variable holds a value: the script may not evaluate it either.
    pub(super) fn hold(&mut self, name: &str, value: &str) {
        self.held.push(Held { name: name.to_owned(), value: value.to_owned() });
    }

    /// The script with its values.
    ///
    /// # Errors
    ///
    /// Fails for the first value that is no integer and stands where a shell may run it.
    pub(super) fn finish(&self, interpreter: &Interpreter) -> Result<Interpolated, Refused> {
        if self.values.is_empty() && self.held.iter().all(|held| is_integer(&held.value)) {
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

    fn prove(&self, interpreter: &Interpreter) -> Proof {
        let dialect = match interpreter {
            Interpreter::Bash => Dialect::Bash,
            Interpreter::Posix => Dialect::Posix,
            Interpreter::Other(program) => {
                let reason = format!("stands in a script for `{program}`, which is no known shell");
                return Proof::none(self.values.len(), &reason);
            }
        };
        let held: Vec<&str> = self.held.iter().map(|held| &*held.name).collect();
        grammar::prove(&self.items, self.values.len(), &held, dialect)
    }

    fn check(&self, proof: &Proof) -> Result<(), Refused> {
        let refused = |what, reason: &Reason| Refused { what, reason: reason.to_string() };
        for (number, value) in self.values.iter().enumerate() {
            if let Some(reason) = proof.refusal(number).filter(|_| !is_integer(value)) {
                return Err(refused(Refusal::Value(number), reason));
            }
        }
        for (number, held) in self.held.iter().enumerate() {
            if let Some(reason) = proof.held[number].as_ref().filter(|_| !is_integer(&held.value)) {
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
