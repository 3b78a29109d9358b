//! Follows values through the variables of a script, as far as its text shows: which variables the
//! shell evaluates, and which values flow into them.
//!
//! Looks only at names, not at the order of commands: a variable named in an assignment flows into
//! the assigned variable. So it finds too much rather than too little.

use std::collections::{HashMap, HashSet};

use super::grammar::{Item, Reason};

/// What is known about the variables of a script.
#[derive(Default)]
pub(super) struct Variables {
    assigned: Vec<(String, Origin)>,
    evaluated: Vec<(String, Reason)>,
    calls: Vec<(String, Origin)>,
    functions: HashSet<String>,
}

/// The content of a variable.
#[derive(Default)]
struct Origin {
    names: Vec<String>,
    values: Vec<u32>,
}

/// Values that are evaluated through variables, and why.
#[derive(Default)]
pub(super) struct Leaks {
    pub(super) values: Vec<(usize, Reason)>,
    /// The environment variables that contain values.
    pub(super) held: Vec<(usize, Reason)>,
}

/// The name for `$1`, `$@` and so on.
const ARGUMENTS: &str = "@";
/// The name for all input of commands.
const INPUT: &str = "<";
/// The name for the stdin of the script.
pub(super) const STDIN: &str = "<0";
/// Variables that the shell sets to arguments of commands.
const LAST_ARGUMENTS: [&str; 3] = ["_", "BASH_ARGV", "BASH_COMMAND"];

impl Variables {
    pub(super) fn assign(&mut self, name: &str, value: &[Item]) {
        self.assigned.push((name.to_owned(), Origin::of(value)));
    }

    /// Records that the arguments are assigned to a variable.
    pub(super) fn assign_arguments(&mut self, name: &str) {
        self.assign_name(name, ARGUMENTS);
    }

    /// Records that the input of a command is assigned to a variable.
    pub(super) fn assign_input(&mut self, name: &str) {
        self.assign_name(name, INPUT);
    }

    fn assign_name(&mut self, name: &str, from: &str) {
        let origin = Origin { names: vec![from.to_owned()], values: Vec::new() };
        self.assigned.push((name.to_owned(), origin));
    }

    /// Records the arguments of the script or of a function.
    pub(super) fn set_arguments(&mut self, words: &[Item]) {
        self.assign(ARGUMENTS, words);
    }

    pub(super) fn define(&mut self, function: &str, body: &[Item]) {
        self.functions.insert(function.to_owned());
        self.assign(function, body);
    }

    /// Records a command, which may be a function.
    pub(super) fn call(&mut self, name: &str, arguments: &[Item]) {
        self.calls.push((name.to_owned(), Origin::of(arguments)));
    }

    /// Records that the shell evaluates the variables that are named there.
    pub(super) fn evaluate(&mut self, items: &[Item], reason: &Reason) {
        let names = Origin::of(items).names.into_iter();
        self.evaluated.extend(names.map(|name| (name, reason.clone())));
    }

    /// Records that the stdin of the script is evaluated.
    pub(super) fn evaluate_stdin(&mut self, reason: &Reason) {
        self.evaluated.push((STDIN.to_owned(), reason.clone()));
    }

    /// Adds another script that shares the variables and has no values.
    pub(super) fn include(&mut self, other: Self) {
        self.assigned.extend(other.assigned);
        self.evaluated.extend(other.evaluated);
        self.calls.extend(other.calls);
        self.functions.extend(other.functions);
    }

    /// The values that are evaluated through variables, out of a number of values.
    pub(super) fn leaks(mut self, values: usize, held: &[&str]) -> Leaks {
        let mut origins: HashMap<&str, Vec<&Origin>> = HashMap::new();
        // A command may print, read or receive any of the values.
        let any = Origin {
            names: held.iter().map(|held| (*held).to_owned()).collect(),
            values: (0..values as u32).collect(),
        };
        let mut left = std::mem::take(&mut self.evaluated);
        for (name, origin) in &self.assigned {
            origins.entry(name).or_default().push(origin);
        }
        for (_, origin) in self.calls.iter().filter(|(name, _)| self.functions.contains(name)) {
            origins.entry(ARGUMENTS).or_default().push(origin);
        }
        for name in LAST_ARGUMENTS.into_iter().chain([INPUT]) {
            origins.insert(name, vec![&any]);
        }
        let mut known: HashSet<String> = HashSet::new();
        let mut leaks = Leaks::default();
        left.reverse();
        while let Some((name, reason)) = left.pop() {
            if !known.insert(name.clone()) {
                continue;
            }
            let because = |name: &str| -> Reason {
                match name {
                    ARGUMENTS => format!("is an argument, which {reason}").into(),
                    INPUT => format!("may be read by a command and {reason}").into(),
                    STDIN => format!("is in `stdin`, which {reason}").into(),
                    _ if LAST_ARGUMENTS.contains(&name) => {
                        format!("may be in `${name}`, which {reason}").into()
                    }
                    _ => format!("is in `{name}`, which {reason}").into(),
                }
            };
            let holding = held.iter().enumerate().filter(|(_, held)| **held == name);
            leaks.held.extend(holding.map(|(number, _)| (number, because(&name))));
            for origin in origins.get(&*name).into_iter().flatten() {
                let values = origin.values.iter();
                leaks.values.extend(values.map(|value| (*value as usize, because(&name))));
                left.extend(origin.names.iter().map(|other| (other.clone(), reason.clone())));
            }
        }
        leaks
    }
}

impl Origin {
    /// The names and the values in a part of a script.
    fn of(items: &[Item]) -> Self {
        let mut origin = Self::default();
        let mut word = String::new();
        let (mut before, mut opened) = (' ', false);
        for item in items.iter().copied().chain([Item::Char(' ')]) {
            let letter = match item {
                Item::Char(letter) => letter,
                Item::Value(value) => {
                    origin.values.push(value);
                    ' '
                }
            };
            let is_argument = matches!(before, '$' | '{')
                && (letter.is_ascii_digit() || matches!(letter, '@' | '*'));
            if is_argument {
                origin.names.push(ARGUMENTS.to_owned());
            }
            // A substituted command may print what it reads; `$((` is arithmetic.
            if opened && letter != '(' || letter == '`' {
                origin.names.push(STDIN.to_owned());
            }
            opened = before == '$' && letter == '(';
            if letter.is_ascii_alphanumeric() || letter == '_' {
                word.push(letter);
            } else if !word.is_empty() {
                origin.names.push(std::mem::take(&mut word));
            }
            before = letter;
        }
        origin
    }
}
