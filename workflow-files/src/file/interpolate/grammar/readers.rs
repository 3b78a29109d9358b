//! Commands that run their stdin as code, and the functions that contain such commands.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::rc::Rc;

/// The commands of a script that run their stdin, as far as it has been read.
pub(in super::super) struct CodeReaders {
    /// How many there are.
    pub(super) count: usize,
    /// Whether one of them reads the stdin of the script.
    pub(super) read_stdin: bool,
    /// The names of all commands, which may be functions.
    calls: Vec<String>,
    functions: Vec<Function>,
    known: Rc<KnownReaders>,
}

/// A function, with the commands in its body.
struct Function {
    name: String,
    runs_stdin: bool,
    calls: Range<usize>,
}

/// What an earlier reading of the same script has found.
#[derive(Default)]
pub(super) struct KnownReaders {
    /// Some command of the script runs its stdin.
    pub(super) exist: bool,
    functions: HashSet<String>,
}

impl CodeReaders {
    pub(super) fn new(known: Rc<KnownReaders>) -> Self {
        Self { count: 0, read_stdin: false, calls: Vec::new(), functions: Vec::new(), known }
    }

    pub(super) fn known(&self) -> Rc<KnownReaders> {
        Rc::clone(&self.known)
    }

    /// Counts a command that runs its stdin.
    pub(in super::super) fn add(&mut self) {
        self.count += 1;
    }

    /// Records a command, and counts it if it is a function that runs its stdin.
    pub(super) fn call(&mut self, name: &str) {
        if self.known.functions.contains(name) {
            self.add();
        }
        self.calls.push(name.to_owned());
    }

    /// Where a function begins, for [`define`](Self::define).
    pub(super) fn begin(&self) -> (usize, usize) {
        (self.count, self.calls.len())
    }

    /// Records a function, after its body.
    pub(super) fn define(&mut self, name: &str, (count, calls): (usize, usize)) {
        let calls = calls..self.calls.len();
        let runs_stdin = self.count > count;
        self.functions.push(Function { name: name.to_owned(), runs_stdin, calls });
    }

    /// Adds the commands of another script that the same shell, or one with the same stdin, runs.
    pub(super) fn include(&mut self, other: Self) {
        let first = self.calls.len();
        let moved = |calls: Range<usize>| first + calls.start..first + calls.end;
        let functions = other.functions.into_iter();
        self.functions
            .extend(functions.map(|it| Function { calls: moved(it.calls.clone()), ..it }));
        self.calls.extend(other.calls);
        self.count += other.count;
    }

    /// The functions that run their stdin, or call one that does.
    pub(super) fn found(self) -> KnownReaders {
        let names: HashSet<&str> = self.functions.iter().map(|function| &*function.name).collect();
        let mut callers: HashMap<&str, Vec<&str>> = HashMap::new();
        for function in &self.functions {
            let calls = self.calls[function.calls.clone()].iter();
            for called in calls.filter(|called| names.contains(&***called)) {
                callers.entry(called).or_default().push(&function.name);
            }
        }
        let direct = self.functions.iter().filter(|function| function.runs_stdin);
        let mut left: Vec<&str> = direct.map(|function| &*function.name).collect();
        let mut functions = HashSet::new();
        while let Some(name) = left.pop() {
            if functions.insert(name.to_owned()) {
                left.extend(callers.remove(name).into_iter().flatten());
            }
        }
        KnownReaders { exist: self.count > 0, functions }
    }
}
