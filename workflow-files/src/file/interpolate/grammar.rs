//! A recognizer of the shell language: a strict subset of POSIX.1-2024 (Shell Command Language) and
//! of bash. A script is understood completely or not at all.
//!
//! It follows the grammar as far as necessary to know how the shell reads each value of a script.
//! Anything that it does not know for certain ends it, and then nothing is proven. It recurses up
//! to [`MAX_DEPTH`] levels.

mod compound;
mod document;
mod expansion;
mod readers;
mod simple;

use std::borrow::Cow;
use std::ops::Range;
use std::rc::Rc;

use readers::{CodeReaders, KnownReaders};

use super::variables::Variables;

/// Why a value must be an integer, such as "is in arithmetic".
pub(super) type Reason = Cow<'static, str>;

/// A character of a script, or a value by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Item {
    Char(char),
    Value(u32),
}

/// The shell that reads the script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Bash,
    /// Any POSIX shell: syntax that shells read differently proves nothing.
    Posix,
}

/// A position where a value is proven to be harmless.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Unquoted, in a word.
    Word,
    /// Between double quotes, in a here-document, or in a comment.
    Text,
    /// Between single quotes.
    Single,
    /// Between `$'` and `'`.
    Escaped,
}

/// What is proven about the values of a script.
#[derive(Debug)]
pub(super) struct Proof {
    /// The position of each value; `None` if nothing is proven.
    pub(super) places: Vec<Option<Place>>,
    refusals: Vec<Option<Reason>>,
    /// For each held value, why it must be an integer.
    pub(super) held: Vec<Option<Reason>>,
    /// What is not closed in the script; `None` also if something else is not understood.
    pub(super) unclosed: Option<&'static str>,
}

impl Proof {
    /// No proof for any of this number of values, and nothing known about the held ones.
    pub(super) fn none(values: usize, held: usize, reason: &str) -> Self {
        let refusals = vec![Some(Cow::Owned(reason.to_owned())); values];
        Self { places: vec![None; values], refusals, held: vec![None; held], unclosed: None }
    }

    pub(super) fn is_proven(&self, value: usize) -> bool {
        self.places[value].is_some()
    }

    /// Why a value must be an integer.
    pub(super) fn refusal(&self, value: usize) -> Option<&Cow<'static, str>> {
        self.refusals[value].as_ref()
    }
}

/// Proves which values of a script, and which held values, are harmless.
///
/// Reads a script again if some of it runs its stdin: which functions do so is known only when all
/// of them have been read.
pub(super) fn prove(items: &[Item], values: usize, held: &[&str], dialect: Dialect) -> Proof {
    let unread = |line: usize, what: &'static str| {
        let reason = format!("is in a script that is not understood: {what} in its line {line}");
        let unclosed = what.ends_with("is not closed").then_some(what);
        Proof { unclosed, ..Proof::none(values, held.len(), &reason) }
    };
    if items.len() > MAX_LENGTH {
        return unread(1, "it is too long");
    }
    let mut reader = Reader::new(items, values, dialect, Rc::default());
    let mut read = reader.script();
    if read.is_ok() && reader.readers.count > 0 {
        reader = Reader::new(items, values, dialect, Rc::new(reader.readers.found()));
        read = reader.script();
    }
    if let Err(Unread(what)) = read {
        let read = &items[..reader.pos.min(items.len())];
        let line = 1 + read.iter().filter(|item| **item == Item::Char('\n')).count();
        return unread(line, what);
    }
    if reader.readers.read_stdin {
        reader.variables.evaluate_stdin(&Cow::Borrowed("is read by a program that runs it"));
    }
    let Reader { places, mut refusals, variables, .. } = reader;
    let leaks = variables.leaks(values, held);
    for (value, reason) in leaks.values {
        refusals[value].get_or_insert(reason);
    }
    let mut held: Vec<_> = held.iter().map(|_| None).collect();
    for (number, reason) in leaks.held {
        held[number].get_or_insert(reason);
    }
    let places = places.into_iter().zip(&mut refusals).map(|(place, refusal)| {
        if place.is_none() {
            refusal.get_or_insert(Cow::Borrowed("is where the shell may run it"));
        }
        place.filter(|_| refusal.is_none())
    });
    let places = places.collect();
    Proof { places, refusals, held, unclosed: None }
}

/// The longest script in which anything is proven, in characters.
const MAX_LENGTH: usize = 1 << 20;
/// The deepest nesting of commands, substitutions and expansions.
const MAX_DEPTH: usize = 48;

/// Why a script is not understood.
#[derive(Debug)]
pub(super) struct Unread(pub(super) &'static str);

pub(super) type Parsed<T> = Result<T, Unread>;

/// A word of the shell.
#[derive(Debug)]
pub(super) struct Word {
    /// Its range.
    pub(super) range: Range<usize>,
    /// Its value, if it is known.
    pub(super) literal: Option<String>,
    /// Its text up to the first expansion or value.
    pub(super) prefix: String,
    /// Its text after the last expansion or value.
    pub(super) suffix: String,
    /// It contains no quotes, expansions or values.
    pub(super) is_bare: bool,
    /// It contains a character that is not quoted and may stand for others: `*`, `?`, `[`, `{`.
    pub(super) is_pattern: bool,
}

/// A here-document whose text is still to come.
struct Document {
    end: String,
    is_literal: bool,
    strips_tabs: bool,
    /// The name of the command that runs it as code.
    code: Option<Reason>,
}

/// The inputs of a command.
#[derive(Default)]
pub(super) struct Inputs {
    /// Files, or the texts themselves.
    words: Vec<Range<usize>>,
    has_document: bool,
    /// The command does not read the stdin of the script.
    replace_stdin: bool,
}

pub(super) struct Reader<'a> {
    items: &'a [Item],
    dialect: Dialect,
    pos: usize,
    /// The end of the text to read.
    end: usize,
    depth: usize,
    places: Vec<Option<Place>>,
    refusals: Vec<Option<Reason>>,
    documents: Vec<Document>,
    pub(super) readers: CodeReaders,
    pub(super) variables: Variables,
}

// Letters and values.
impl<'a> Reader<'a> {
    fn new(items: &'a [Item], values: usize, dialect: Dialect, known: Rc<KnownReaders>) -> Self {
        Self {
            items,
            dialect,
            pos: 0,
            end: items.len(),
            depth: 0,
            places: vec![None; values],
            refusals: vec![None; values],
            documents: Vec::new(),
            readers: CodeReaders::new(known),
            variables: Variables::default(),
        }
    }

    /// The next item; skips `\` before the end of a line.
    fn peek(&mut self) -> Option<Item> {
        while self.pos + 1 < self.end
            && self.items[self.pos] == Item::Char('\\')
            && self.items[self.pos + 1] == Item::Char('\n')
        {
            self.pos += 2;
        }
        self.raw(0)
    }

    /// The item at an offset from here, without skipping.
    fn raw(&self, ahead: usize) -> Option<Item> {
        let at = self.pos + ahead;
        if at < self.end { Some(self.items[at]) } else { None }
    }

    /// The next item, if it is a character.
    fn letter(&mut self) -> Option<char> {
        match self.peek() {
            Some(Item::Char(letter)) => Some(letter),
            _ => None,
        }
    }

    /// Whether this literal text comes next.
    fn is_next(&self, text: &str) -> bool {
        let mut ahead = 0;
        text.chars().all(|letter| {
            ahead += 1;
            self.raw(ahead - 1) == Some(Item::Char(letter))
        })
    }

    /// Consumes a required character.
    fn expect(&mut self, letter: char, otherwise: &'static str) -> Parsed<()> {
        if self.letter() != Some(letter) {
            return Err(Unread(otherwise));
        }
        self.pos += 1;
        Ok(())
    }

    fn only_bash(&self, what: &'static str) -> Parsed<()> {
        if self.dialect == Dialect::Bash { Ok(()) } else { Err(Unread(what)) }
    }

    /// Goes one level deeper.
    pub(super) fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth == MAX_DEPTH {
            return Err(Unread("commands are nested too deep"));
        }
        self.depth += 1;
        let read = read(self);
        self.depth -= 1;
        read
    }

    fn found(&mut self, value: u32, place: Place) {
        self.places[value as usize] = Some(place);
        self.pos += 1;
    }

    /// Records that the values in this range must be integers. The first reason counts.
    pub(super) fn refuse(&mut self, range: Range<usize>, reason: impl Into<Reason>) {
        let reason = reason.into();
        for item in &self.items[range] {
            if let Item::Value(value) = item {
                self.refusals[*value as usize].get_or_insert_with(|| reason.clone());
            }
        }
    }

    /// Records that the shell evaluates this range: values in it and in the variables that it names
    /// must be integers.
    pub(super) fn evaluated(&mut self, range: Range<usize>, reason: impl Into<Reason>) {
        let reason = reason.into();
        self.refuse(range.clone(), reason.clone());
        self.variables.evaluate(&self.items[range], &reason);
    }

    /// Records that a text is shell code, whose variables may be evaluated.
    pub(super) fn code(&mut self, text: &str, reason: impl Fn() -> Reason) {
        let items: Vec<Item> = text.chars().map(Item::Char).collect();
        let mut reader = Reader::new(&items, 0, self.dialect, self.readers.known());
        reader.depth = self.depth + 1;
        let is_read = reader.depth < MAX_DEPTH && reader.script().is_ok();
        let Reader { variables, readers, .. } = reader;
        if is_read {
            self.variables.include(variables);
            self.readers.include(readers);
        } else {
            self.variables.evaluate(&items, &reason());
            self.readers.add();
        }
    }

    /// Records a command, which may be a function.
    pub(super) fn call(&mut self, name: &str, arguments: Range<usize>) {
        self.variables.call(name, &self.items[arguments]);
        self.readers.call(name);
    }

    pub(super) fn set_arguments(&mut self, words: Range<usize>) {
        self.variables.set_arguments(&self.items[words]);
    }

    /// Whether there are values in this range.
    pub(super) fn has_values(&self, range: Range<usize>) -> bool {
        self.items[range].iter().any(|item| matches!(item, Item::Value(_)))
    }

    pub(super) fn is_bash(&self) -> bool {
        self.dialect == Dialect::Bash
    }
}

// Lists of commands.
impl Reader<'_> {
    fn script(&mut self) -> Parsed<()> {
        self.list(&[])?;
        match self.peek() {
            None if self.documents.is_empty() => Ok(()),
            None => Err(Unread("a here-document is not closed")),
            Some(_) => Err(Unread("a closing bracket or word without an opening one")),
        }
    }

    /// Reads commands up to one of these words, a closing bracket, the end of a branch of `case`,
    /// or the end of the text.
    fn list(&mut self, closing: &[&str]) -> Parsed<()> {
        loop {
            self.lines()?;
            if self.ends_list(closing) {
                return Ok(());
            }
            self.and_or()?;
            self.blanks();
            match self.letter() {
                Some(';') if !self.is_next(";;") && !self.is_next(";&") => self.pos += 1,
                Some('&') => self.pos += 1,
                Some('\n') => {}
                _ if self.ends_list(closing) => return Ok(()),
                _ => return Err(Unread("the end of a command is not understood")),
            }
        }
    }

    fn ends_list(&mut self, closing: &[&str]) -> bool {
        match self.peek() {
            None | Some(Item::Char(')')) => true,
            Some(Item::Char(';')) => self.is_next(";;") || self.is_next(";&"),
            _ => self.keyword().is_some_and(|word| closing.contains(&&*word)),
        }
    }

    fn and_or(&mut self) -> Parsed<()> {
        loop {
            self.pipeline()?;
            self.blanks();
            if !self.is_next("&&") && !self.is_next("||") {
                return Ok(());
            }
            self.pos += 2;
            self.lines()?;
        }
    }

    fn pipeline(&mut self) -> Parsed<()> {
        loop {
            self.blanks();
            match self.keyword().as_deref() {
                Some("!") => self.pos += 1,
                Some("time") => {
                    self.only_bash("`time` is known only to bash")?;
                    self.pos += "time".len();
                    self.blanks();
                    if self.keyword().as_deref() == Some("-p") {
                        self.pos += 2;
                    }
                }
                _ => break,
            }
        }
        let (mut begin, mut first) = (self.pos, self.documents.len());
        loop {
            let (stage, announced, readers) = (self.pos, self.documents.len(), self.readers.count);
            self.nested(Self::command)?;
            if self.readers.count > readers && stage > begin {
                let reason = "is piped into a program that runs its input";
                self.evaluated(begin..stage, reason);
                for document in self.documents.get_mut(first..announced).into_iter().flatten() {
                    document.code.get_or_insert(Cow::Borrowed(reason));
                }
                (begin, first) = (stage, announced);
            }
            self.blanks();
            if self.letter() != Some('|') || self.is_next("||") {
                return Ok(());
            }
            self.pos += 1;
            if self.letter() == Some('&') {
                self.only_bash("`|&` is known only to bash")?;
                self.pos += 1;
            }
            self.lines()?;
        }
    }

    /// Skips blanks.
    fn blanks(&mut self) {
        while matches!(self.letter(), Some(' ' | '\t')) {
            self.pos += 1;
        }
    }

    /// Skips blanks, comments, line breaks, and the here-documents after these.
    fn lines(&mut self) -> Parsed<()> {
        loop {
            self.blanks();
            match self.letter() {
                Some('\n') => {
                    self.pos += 1;
                    self.read_documents()?;
                }
                Some('#') => self.comment(),
                _ => return Ok(()),
            }
        }
    }

    fn comment(&mut self) {
        while let Some(item) = self.raw(0).filter(|item| *item != Item::Char('\n')) {
            match item {
                Item::Value(value) => self.found(value, Place::Text),
                Item::Char(_) => self.pos += 1,
            }
        }
    }

    /// Peeks at the next word, if it may be a reserved word.
    fn keyword(&mut self) -> Option<String> {
        self.peek();
        let of_words = |letter: char| {
            letter.is_ascii_alphabetic() || matches!(letter, '{' | '}' | '!' | '[' | ']' | '-')
        };
        let mut word = String::new();
        loop {
            match self.raw(word.len()) {
                Some(Item::Char(letter)) if of_words(letter) && word.len() < 16 => {
                    word.push(letter);
                }
                None => break,
                Some(Item::Char(letter)) if ends_word(letter) => break,
                _ => return None,
            }
        }
        (!word.is_empty()).then_some(word)
    }

    /// Consumes a required reserved word.
    fn expect_keyword(&mut self, word: &str, otherwise: &'static str) -> Parsed<()> {
        if self.keyword().as_deref() != Some(word) {
            return Err(Unread(otherwise));
        }
        self.pos += word.len();
        Ok(())
    }
}

impl Word {
    /// A word that begins here.
    fn new(at: usize) -> Self {
        Self {
            range: at..at,
            literal: Some(String::new()),
            prefix: String::new(),
            suffix: String::new(),
            is_bare: true,
            is_pattern: false,
        }
    }

    fn push(&mut self, letter: char) {
        match &mut self.literal {
            Some(literal) => {
                literal.push(letter);
                self.prefix.push(letter);
            }
            None => self.suffix.push(letter),
        }
    }

    /// Skips a part whose value is not known.
    fn unknown(&mut self) {
        self.literal = None;
        self.suffix.clear();
        self.is_bare = false;
    }

    /// Whether its literal text is the name of a variable.
    pub(super) fn is_name(&self) -> bool {
        self.literal.as_deref().is_some_and(crate::words::is_name)
    }
}

/// Whether an unquoted character ends a word.
fn ends_word(letter: char) -> bool {
    matches!(letter, ' ' | '\t' | '\n' | ';' | '&' | '|' | '<' | '>' | '(' | ')')
}
