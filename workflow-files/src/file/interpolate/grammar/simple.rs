//! Simple commands: assignments, words, redirections.

use std::ops::Range;

use super::super::commands;
use super::{Document, Inputs, Item, Parsed, Place, Reader, Reason, Unread, Word, ends_word};
use crate::words::is_one_of;

impl Reader<'_> {
    pub(super) fn simple(&mut self) -> Parsed<()> {
        let begin = self.pos;
        let mut words: Vec<Word> = Vec::new();
        let mut inputs = Inputs::default();
        let announced = self.documents.len();
        while !self.ends_command() {
            if self.redirection(&mut inputs)? || self.assignment_beside(&mut words)? {
                continue;
            }
            let word = self.word()?;
            if words.is_empty() {
                Self::refuse_reserved(&word)?;
            }
            let is_first = word.range.start == begin;
            words.push(word);
            self.blanks();
            if self.letter() == Some('(') {
                return if is_first {
                    self.function(&words[0])
                } else {
                    Err(Unread("a bracket is out of place"))
                };
            }
        }
        if self.pos == begin {
            return Err(Unread("a command is missing"));
        }
        let readers = self.readers.count;
        commands::judge(self, &words)?;
        if self.readers.count > readers {
            self.readers.read_stdin |= !inputs.replace_stdin;
            self.run_inputs(inputs, announced);
        } else if self.readers.known().exist && commands::only_redirects(&words) {
            // The commands that follow have these inputs.
            self.run_inputs(inputs, announced);
        }
        Ok(())
    }

    /// Consumes blanks and a comment; true if the command ends after them.
    fn ends_command(&mut self) -> bool {
        self.blanks();
        match self.letter() {
            Some('#') => {
                self.comment();
                true
            }
            Some('\n' | ';' | ')' | '|') => true,
            Some('&') => !self.is_next("&>"),
            _ => self.peek().is_none(),
        }
    }

    /// Reads an assignment where one may stand: before the name of the command, or after the name
    /// of a declaration. False when there is none.
    fn assignment_beside(&mut self, words: &mut Vec<Word>) -> Parsed<bool> {
        let name = words.first().map(|word| word.literal.as_deref());
        let declares = name.flatten().is_some_and(commands::is_declaration);
        if !(words.is_empty() || declares) || !self.assignment()? {
            return Ok(false);
        }
        if declares {
            // Stands for the assignment, whose value has been checked.
            words.push(Word::new(self.pos));
        }
        Ok(true)
    }

    /// Refuses a reserved word as the name of a command.
    fn refuse_reserved(name: &Word) -> Parsed<()> {
        let text = name.literal.as_deref().unwrap_or_default();
        if name.is_bare && is_one_of(text, RESERVED) {
            return Err(Unread("a reserved word is out of place"));
        }
        Ok(())
    }

    /// The inputs of a command that runs its stdin.
    pub(super) fn run_inputs(&mut self, inputs: Inputs, announced: usize) {
        let reason = "is the input of a program that runs it";
        for word in inputs.words {
            self.evaluated(word, reason);
        }
        if inputs.has_document {
            for document in self.documents.get_mut(announced..).into_iter().flatten() {
                document.code.get_or_insert(Reason::Borrowed(reason));
            }
        }
    }

    /// Reads `name=value`, `name+=value`, `name[..]=value` or `name=(..)`; false when there is
    /// none.
    fn assignment(&mut self) -> Parsed<bool> {
        self.peek();
        let begin = self.pos;
        let Some(name) = self.identifier() else { return Ok(false) };
        let has_subscript = self.raw(0) == Some(Item::Char('['));
        if has_subscript {
            self.only_bash("a subscript is known only to bash")?;
            self.pos += 1;
            self.subscript()?;
        }
        let length = match (self.raw(0), self.raw(1)) {
            (Some(Item::Char('=')), _) => 1,
            (Some(Item::Char('+')), Some(Item::Char('='))) => 2,
            _ if has_subscript => return Err(Unread("a bracket is out of place")),
            _ => {
                self.pos = begin;
                return Ok(false);
            }
        };
        if length == 2 {
            self.only_bash("`+=` is known only to bash")?;
        }
        self.pos += length;
        let value = self.pos;
        if self.raw(0) == Some(Item::Char('(')) {
            self.only_bash("an array is known only to bash")?;
            self.array()?;
        } else if !self.ends_here() {
            self.value()?;
        }
        self.assign(&name, value..self.pos);
        Ok(true)
    }

    /// Records that this range is assigned to a variable.
    pub(in super::super) fn assign(&mut self, name: &str, value: Range<usize>) {
        if commands::is_trusted_variable(name) {
            self.evaluated(value, commands::assigned_to(name));
        } else {
            self.variables.assign(name, &self.items[value]);
        }
    }

    fn array(&mut self) -> Parsed<()> {
        self.pos += 1;
        loop {
            self.lines()?;
            match self.letter() {
                Some(')') => {
                    self.pos += 1;
                    return Ok(());
                }
                Some('[') => {
                    let word = self.word()?;
                    self.evaluated(word.range, "is in a subscript, which the shell evaluates");
                }
                _ if self.ends_here() => return Err(Unread("an array is not closed")),
                _ => {
                    self.word()?;
                }
            }
        }
    }

    /// Consumes the next name.
    pub(super) fn identifier(&mut self) -> Option<String> {
        let mut name = String::new();
        while let Some(Item::Char(letter)) = self.raw(0) {
            let of_names = letter.is_ascii_alphabetic()
                || letter == '_'
                || letter.is_ascii_digit() && !name.is_empty();
            if !of_names {
                break;
            }
            name.push(letter);
            self.pos += 1;
        }
        (!name.is_empty()).then_some(name)
    }

    /// Whether no word begins here.
    pub(super) fn ends_here(&mut self) -> bool {
        match self.peek() {
            None => true,
            Some(Item::Char(letter)) => ends_word(letter),
            Some(Item::Value(_)) => false,
        }
    }

    /// A word; there must be one.
    pub(super) fn word(&mut self) -> Parsed<Word> {
        if self.letter() == Some('#') {
            return Err(Unread("a comment is out of place"));
        }
        self.value()
    }

    /// A word, or the value of an assignment; there must be one.
    fn value(&mut self) -> Parsed<Word> {
        self.peek();
        let mut word = Word::new(self.pos);
        if self.is_next("<(") || self.is_next(">(") {
            self.process_substitution(&mut word)?;
        }
        while let Some(item) = self.peek() {
            let letter = match item {
                Item::Value(value) => {
                    self.found(value, Place::Word);
                    word.unknown();
                    continue;
                }
                Item::Char(letter) => letter,
            };
            match letter {
                _ if ends_word(letter) => break,
                '\\' => {
                    word.is_bare = false;
                    self.escape(&mut word)?;
                }
                '\'' => {
                    word.is_bare = false;
                    self.single(&mut word)?;
                }
                '"' => {
                    word.is_bare = false;
                    self.double(&mut word)?;
                }
                '`' => {
                    word.unknown();
                    self.backticks()?;
                }
                '$' => self.dollar(false, &mut word)?,
                _ => {
                    word.is_pattern |= matches!(letter, '*' | '?' | '[' | '{');
                    word.push(letter);
                    self.pos += 1;
                }
            }
        }
        word.range.end = self.pos;
        if word.range.is_empty() {
            return Err(Unread("a word is missing"));
        }
        // Shells differ in where the text of the here-document is.
        if !self.documents.is_empty() && self.items[word.range.clone()].contains(&Item::Char('\n'))
        {
            return Err(Unread("a line ends within a word, before a here-document"));
        }
        Ok(word)
    }

    /// Reads a redirection; false when there is none.
    pub(super) fn redirection(&mut self, inputs: &mut Inputs) -> Parsed<bool> {
        self.peek();
        let mut digits = 0;
        while matches!(self.raw(digits), Some(Item::Char(letter)) if letter.is_ascii_digit()) {
            digits += 1;
        }
        let operator = match self.raw(digits) {
            Some(Item::Char(letter @ ('<' | '>'))) => letter,
            Some(Item::Char('&')) if digits == 0 && self.is_next("&>") => {
                self.only_bash("`&>` is known only to bash")?;
                '&'
            }
            _ => return Ok(false),
        };
        if digits == 0 && (self.is_next("<(") || self.is_next(">(")) {
            return Ok(false);
        }
        let is_stdin = digits == 0 || digits == 1 && self.is_next("0");
        self.pos += digits;
        let operators: &[&str] = match operator {
            '<' => &["<<<", "<<-", "<<", "<&", "<>", "<"],
            '>' => &[">>", ">&", ">|", ">"],
            _ => &["&>>", "&>"],
        };
        let found = operators.iter().find(|text| self.is_next(text)).copied().unwrap_or_default();
        self.pos += found.len();
        self.blanks();
        match found {
            "<<" | "<<-" => {
                self.announce(found == "<<-")?;
                inputs.has_document = true;
                inputs.replace_stdin |= is_stdin;
            }
            _ => {
                if found == "<<<" {
                    self.only_bash("`<<<` is known only to bash")?;
                }
                let word = self.word()?;
                if found.ends_with('&') {
                    self.refuse(word.range.clone(), "is in place of a file descriptor");
                }
                if operator == '<' {
                    let is_other = found == "<<<" || found != "<&" && !commands::is_input(&word);
                    inputs.replace_stdin |= is_stdin && is_other;
                    inputs.words.push(word.range);
                }
            }
        }
        Ok(true)
    }

    fn announce(&mut self, strips_tabs: bool) -> Parsed<()> {
        let word = self.word()?;
        if self.has_values(word.range.clone()) {
            return Err(Unread("the end of a here-document is a value"));
        }
        let plain = |end: &String| !end.is_empty() && !end.contains('\n');
        let end = word.literal.filter(plain);
        let end = end.ok_or(Unread("unknown end of a here-document"))?;
        self.documents.push(Document { end, is_literal: !word.is_bare, strips_tabs, code: None });
        Ok(())
    }
}

const RESERVED: &str = "\
    if then else elif fi do done case esac while until for in { } ! time [[ ]] function select \
    coproc";
