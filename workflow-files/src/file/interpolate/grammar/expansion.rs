//! Parts of words: quotes, expansions, substitutions, arithmetic.

use super::{Item, Parsed, Place, Reader, Unread, Word};

const ARITHMETIC: &str = "is in arithmetic, which the shell evaluates";
const SUBSCRIPT: &str = "is in a subscript, which the shell evaluates";
const EXPANSION: &str = "is in the expansion of a variable";
const AFTER_BACKSLASH: &str = "is after a backslash";
const AFTER_DOLLAR: &str = "is after `$`";

// Quotes.
impl Reader<'_> {
    /// `\` and what follows it, unquoted.
    pub(super) fn escape(&mut self, word: &mut Word) -> Parsed<()> {
        self.pos += 1;
        match self.raw(0) {
            Some(Item::Char(letter)) => {
                word.push(letter);
                self.pos += 1;
                Ok(())
            }
            Some(Item::Value(_)) => {
                word.unknown();
                self.refuse_next(AFTER_BACKSLASH);
                Ok(())
            }
            None => Err(Unread("a backslash escapes nothing")),
        }
    }

    /// Skips a value that must be an integer.
    fn refuse_next(&mut self, reason: &'static str) {
        self.refuse(self.pos..self.pos + 1, reason);
        self.pos += 1;
    }

    pub(super) fn single(&mut self, word: &mut Word) -> Parsed<()> {
        self.pos += 1;
        loop {
            match self.raw(0) {
                Some(Item::Char('\'')) => {
                    self.pos += 1;
                    return Ok(());
                }
                Some(Item::Char(letter)) => {
                    word.push(letter);
                    self.pos += 1;
                }
                Some(Item::Value(value)) => {
                    word.unknown();
                    self.found(value, Place::Single);
                }
                None => return Err(Unread("`'` is not closed")),
            }
        }
    }

    /// `$'..'`, after the dollar sign.
    fn escaped(&mut self) -> Parsed<()> {
        self.pos += 1;
        loop {
            match self.raw(0) {
                Some(Item::Char('\'')) => {
                    self.pos += 1;
                    return Ok(());
                }
                Some(Item::Char('\\')) => {
                    self.pos += 1;
                    match self.raw(0) {
                        Some(Item::Char(_)) => self.pos += 1,
                        Some(Item::Value(_)) => self.refuse_next(AFTER_BACKSLASH),
                        None => return Err(Unread("`$'` is not closed")),
                    }
                }
                Some(Item::Char(_)) => self.pos += 1,
                Some(Item::Value(value)) => self.found(value, Place::Escaped),
                None => return Err(Unread("`$'` is not closed")),
            }
        }
    }

    pub(super) fn double(&mut self, word: &mut Word) -> Parsed<()> {
        self.pos += 1;
        loop {
            match self.peek() {
                Some(Item::Char('"')) => {
                    self.pos += 1;
                    return Ok(());
                }
                None => return Err(Unread("`\"` is not closed")),
                _ => self.quoted(word)?,
            }
        }
    }

    /// The text of a here-document, up to its end.
    pub(super) fn document_text(&mut self) -> Parsed<()> {
        let mut text = self.nothing();
        while self.peek().is_some() {
            self.quoted(&mut text)?;
        }
        Ok(())
    }

    /// A word with nothing known about it.
    pub(super) fn nothing(&self) -> Word {
        let mut word = Word::new(self.pos);
        word.unknown();
        word
    }

    /// One character, value or expansion between double quotes.
    fn quoted(&mut self, word: &mut Word) -> Parsed<()> {
        match self.peek() {
            Some(Item::Value(value)) => {
                word.unknown();
                self.found(value, Place::Text);
            }
            Some(Item::Char('\\')) => {
                self.pos += 1;
                match self.raw(0) {
                    Some(Item::Char(letter)) => {
                        if !matches!(letter, '$' | '`' | '"' | '\\') {
                            word.push('\\');
                        }
                        word.push(letter);
                        self.pos += 1;
                    }
                    Some(Item::Value(_)) => {
                        word.unknown();
                        self.refuse_next(AFTER_BACKSLASH);
                    }
                    None => {}
                }
            }
            Some(Item::Char('`')) => {
                word.unknown();
                self.backticks()?;
            }
            Some(Item::Char('$')) => self.dollar(true, word)?,
            Some(Item::Char(letter)) => {
                word.push(letter);
                self.pos += 1;
            }
            None => {}
        }
        Ok(())
    }
}

// Expansions.
impl Reader<'_> {
    /// `$` and what belongs to it.
    pub(super) fn dollar(&mut self, is_quoted: bool, word: &mut Word) -> Parsed<()> {
        self.pos += 1;
        let letter = match self.peek() {
            Some(Item::Value(_)) => {
                word.unknown();
                self.refuse_next(AFTER_DOLLAR);
                return Ok(());
            }
            Some(Item::Char(letter)) => letter,
            None => ' ',
        };
        match letter {
            '(' => {
                self.pos += 1;
                if self.letter() == Some('(') {
                    self.pos += 1;
                    self.nested(|reader| reader.arithmetic(is_quoted))?;
                } else {
                    self.nested(Self::substitution)?;
                }
            }
            '{' => {
                self.pos += 1;
                self.nested(|reader| reader.parameter(is_quoted))?;
            }
            '[' => {
                self.only_bash("`$[` is known only to bash")?;
                self.pos += 1;
                self.nested(|reader| reader.bracketed(is_quoted, ARITHMETIC))?;
            }
            '\'' if !is_quoted => {
                self.only_bash("`$'` is known only to bash")?;
                self.escaped()?;
            }
            '"' if !is_quoted => return Err(Unread("`$\"` is translated")),
            '@' | '*' | '#' | '?' | '-' | '$' | '!' => self.pos += 1,
            _ if letter.is_ascii_digit() => self.pos += 1,
            _ => {
                if self.identifier().is_none() {
                    word.push('$');
                    word.is_bare = false;
                    return Ok(());
                }
            }
        }
        word.unknown();
        Ok(())
    }

    /// The expansion of a variable, after `${`.
    fn parameter(&mut self, is_quoted: bool) -> Parsed<()> {
        let begin = self.pos;
        let mut is_indirect = false;
        match self.peek() {
            Some(Item::Char('!')) => {
                self.only_bash("`${!` is known only to bash")?;
                is_indirect = true;
                self.pos += 1;
            }
            Some(Item::Char('#')) if !self.is_next("#}") => self.pos += 1,
            _ => {}
        }
        let name = self.parameter_name()?;
        if is_indirect {
            self.evaluated(begin..self.pos, "names another variable");
        }
        if self.letter() == Some('[') {
            self.only_bash("a subscript is known only to bash")?;
            self.pos += 1;
            self.bracketed(is_quoted, SUBSCRIPT)?;
        }
        let Some(operator) = self.letter() else { return Err(Unread("`${` is not closed")) };
        self.pos += 1;
        let second = match operator {
            '}' => return Ok(()),
            '-' | '=' | '?' | '+' | '#' | '%' => None,
            ':' => self.letter().filter(|letter| matches!(letter, '-' | '=' | '?' | '+')),
            '/' | '^' | ',' | '@' => None,
            _ => return Err(Unread("unknown expansion")),
        };
        if second.is_some() {
            self.pos += 1;
        } else if matches!(operator, '/' | '^' | ',' | '@' | ':') {
            self.only_bash("an expansion is known only to bash")?;
        }
        let operand = self.pos;
        self.operand(is_quoted)?;
        let operand = operand..self.pos;
        self.refuse(operand.clone(), EXPANSION);
        match (operator, second) {
            ('=', _) | (':', Some('=')) => self.assign(&name, operand),
            (':', None) => self.evaluated(operand, ARITHMETIC),
            // Operators that are unknown here may run the content of a variable, as `P` does.
            ('@', _) => match self.items.get(operand.start) {
                Some(Item::Char('Q' | 'U' | 'u' | 'L' | 'A' | 'a')) => {}
                _ => self.evaluated(begin..operand.end, "is expanded like a prompt"),
            },
            _ => {}
        }
        self.expect('}', "`${` is not closed")
    }

    fn parameter_name(&mut self) -> Parsed<String> {
        self.peek();
        if let Some(name) = self.identifier() {
            return Ok(name);
        }
        let mut name = String::new();
        while let Some(letter) = self.letter().filter(char::is_ascii_digit) {
            name.push(letter);
            self.pos += 1;
        }
        if name.is_empty() {
            match self.letter() {
                Some(letter @ ('@' | '*' | '#' | '?' | '-' | '$' | '!')) => {
                    name.push(letter);
                    self.pos += 1;
                }
                _ => return Err(Unread("`${` without a name")),
            }
        }
        Ok(name)
    }

    /// Reads the text after the operator of an expansion, up to its closing bracket.
    fn operand(&mut self, is_quoted: bool) -> Parsed<()> {
        let mut word = self.nothing();
        loop {
            match self.peek() {
                None => return Err(Unread("`${` is not closed")),
                Some(Item::Char('}')) => return Ok(()),
                Some(Item::Value(_)) => self.pos += 1,
                Some(Item::Char('$')) => self.dollar(is_quoted, &mut word)?,
                Some(Item::Char('\\')) => self.escape(&mut word)?,
                Some(Item::Char('"')) if !is_quoted => self.double(&mut word)?,
                Some(Item::Char('\'')) if !is_quoted => self.single(&mut word)?,
                Some(Item::Char('"' | '\'' | '`')) => {
                    return Err(Unread("quotes are within `${`"));
                }
                Some(Item::Char('<' | '>')) if self.raw(1) == Some(Item::Char('(')) => {
                    return Err(Unread("commands are within `${`"));
                }
                Some(Item::Char(_)) => self.pos += 1,
            }
        }
    }
}

// Substitutions.
impl Reader<'_> {
    /// The commands of `$(..)`, after the bracket.
    fn substitution(&mut self) -> Parsed<()> {
        let outer = std::mem::take(&mut self.documents);
        self.list(&[])?;
        if !self.documents.is_empty() {
            return Err(Unread("a here-document is not closed"));
        }
        self.documents = outer;
        self.expect(')', "`$(` is not closed")
    }

    pub(super) fn backticks(&mut self) -> Parsed<()> {
        self.pos += 1;
        let begin = self.pos;
        loop {
            match self.raw(0) {
                Some(Item::Char('`')) => break,
                Some(Item::Char('\\')) => return Err(Unread("a backslash is between backticks")),
                Some(_) => self.pos += 1,
                None => return Err(Unread("a backtick is not closed")),
            }
        }
        let end = self.pos;
        self.within(begin..end, |reader| reader.nested(|reader| reader.list(&[])))?;
        self.pos = end + 1;
        Ok(())
    }

    /// `<(..)`: a file from which the output of commands is read.
    pub(super) fn process_substitution(&mut self, word: &mut Word) -> Parsed<()> {
        self.only_bash("`<(` is known only to bash")?;
        if self.is_next(">(") {
            return Err(Unread("`>(` is not followed"));
        }
        word.unknown();
        self.pos += 2;
        self.nested(Self::substitution)
    }
}

// What the shell evaluates.
impl Reader<'_> {
    /// Arithmetic up to `))`, after the brackets that open it.
    pub(super) fn arithmetic(&mut self, is_quoted: bool) -> Parsed<()> {
        let begin = self.pos;
        let mut open = 0_usize;
        loop {
            match self.peek() {
                Some(Item::Char(')')) if open > 0 => {
                    open -= 1;
                    self.pos += 1;
                }
                Some(Item::Char(')')) => {
                    self.evaluated(begin..self.pos, ARITHMETIC);
                    if !self.is_next("))") {
                        return Err(Unread("`((` may be two brackets"));
                    }
                    self.pos += 2;
                    return Ok(());
                }
                Some(Item::Char('(')) => {
                    open += 1;
                    self.pos += 1;
                }
                _ => self.evaluated_item(is_quoted)?,
            }
        }
    }

    /// Reads the text between square brackets, after the opening one.
    fn bracketed(&mut self, is_quoted: bool, reason: &'static str) -> Parsed<()> {
        let begin = self.pos;
        let mut open = 0_usize;
        loop {
            match self.peek() {
                Some(Item::Char(']')) if open == 0 => {
                    self.evaluated(begin..self.pos, reason);
                    self.pos += 1;
                    return Ok(());
                }
                Some(Item::Char(']')) => {
                    open -= 1;
                    self.pos += 1;
                }
                Some(Item::Char('[')) => {
                    open += 1;
                    self.pos += 1;
                }
                Some(Item::Char('\n')) => return Err(Unread("`[` has no end in its line")),
                _ => self.evaluated_item(is_quoted)?,
            }
        }
    }

    pub(super) fn subscript(&mut self) -> Parsed<()> {
        self.bracketed(false, SUBSCRIPT)
    }

    /// Reads one character, value or expansion of evaluated text.
    fn evaluated_item(&mut self, is_quoted: bool) -> Parsed<()> {
        let mut word = self.nothing();
        match self.peek() {
            None => Err(Unread("arithmetic is not closed")),
            Some(Item::Value(_)) => {
                self.pos += 1;
                Ok(())
            }
            Some(Item::Char('$')) => self.dollar(true, &mut word),
            Some(Item::Char('"')) if !is_quoted => self.double(&mut word),
            Some(Item::Char('\'' | '"' | '`' | '\\' | ';')) => {
                Err(Unread("arithmetic contains quotes"))
            }
            Some(Item::Char(_)) => {
                self.pos += 1;
                Ok(())
            }
        }
    }
}
