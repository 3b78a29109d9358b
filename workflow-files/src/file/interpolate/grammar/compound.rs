//! Compound commands: loops, branches, groups, functions, `[[ .. ]]`.

use super::super::commands;
use super::{Inputs, Item, Parsed, Reader, Unread, Word, ends_word};

impl Reader<'_> {
    /// Reads a command of any kind.
    pub(super) fn command(&mut self) -> Parsed<()> {
        self.blanks();
        let (announced, readers) = (self.documents.len(), self.readers.count);
        if self.letter() == Some('(') {
            self.pos += 1;
            if self.letter() == Some('(') {
                self.only_bash("`((` is known only to bash")?;
                self.pos += 1;
                self.arithmetic(false)?;
            } else {
                self.list(&[])?;
                self.expect(')', "`(` is not closed")?;
            }
            return self.redirections(announced, readers);
        }
        let Some(keyword) = self.keyword() else { return self.simple() };
        match &*keyword {
            "{" => {
                self.pos += 1;
                self.list(&["}"])?;
                self.expect_keyword("}", "`{` is not closed")?;
            }
            "if" => self.branches()?,
            "while" | "until" => {
                self.pos += keyword.len();
                self.list(&["do"])?;
                self.body()?;
            }
            "for" => self.for_loop()?,
            "case" => self.case()?,
            "[[" => {
                self.only_bash("`[[` is known only to bash")?;
                self.pos += 2;
                self.condition(false)?;
            }
            "function" => {
                self.only_bash("`function` is known only to bash")?;
                self.pos += keyword.len();
                self.blanks();
                let name = self.word()?;
                self.blanks();
                if self.letter() == Some('(') {
                    return self.function(&name);
                }
                return self.function_body(&name);
            }
            _ => return self.simple(),
        }
        self.redirections(announced, readers)
    }

    /// Reads the redirections after a compound command.
    fn redirections(&mut self, announced: usize, readers: usize) -> Parsed<()> {
        let mut inputs = Inputs::default();
        loop {
            self.blanks();
            if !self.redirection(&mut inputs)? {
                break;
            }
        }
        if self.readers.count > readers {
            self.run_inputs(inputs, announced);
        }
        Ok(())
    }

    fn branches(&mut self) -> Parsed<()> {
        self.pos += "if".len();
        loop {
            self.list(&["then"])?;
            self.expect_keyword("then", "`if` has no `then`")?;
            self.list(&["elif", "else", "fi"])?;
            match self.keyword().as_deref() {
                Some("elif") => self.pos += "elif".len(),
                Some("else") => {
                    self.pos += "else".len();
                    self.list(&["fi"])?;
                    return self.expect_keyword("fi", "`if` has no `fi`");
                }
                _ => return self.expect_keyword("fi", "`if` has no `fi`"),
            }
        }
    }

    /// `do .. done`.
    fn body(&mut self) -> Parsed<()> {
        self.expect_keyword("do", "a loop has no `do`")?;
        self.list(&["done"])?;
        self.expect_keyword("done", "a loop has no `done`")
    }

    fn for_loop(&mut self) -> Parsed<()> {
        self.pos += "for".len();
        self.blanks();
        let Some(name) = self.identifier() else { return Err(Unread("`for` has no variable")) };
        self.lines()?;
        if self.keyword().as_deref() == Some("in") {
            self.pos += "in".len();
            loop {
                self.blanks();
                if self.letter() == Some('#') {
                    self.comment();
                }
                if self.ends_here() {
                    break;
                }
                let word = self.word()?;
                self.assign(&name, word.range);
            }
        } else {
            self.variables.assign_arguments(&name);
        }
        if self.letter() == Some(';') {
            self.pos += 1;
        }
        self.lines()?;
        self.body()
    }

    fn case(&mut self) -> Parsed<()> {
        self.pos += "case".len();
        self.blanks();
        self.word()?;
        self.lines()?;
        self.expect_keyword("in", "`case` has no `in`")?;
        loop {
            self.lines()?;
            if self.keyword().as_deref() == Some("esac") {
                self.pos += "esac".len();
                return Ok(());
            }
            if self.letter() == Some('(') {
                self.pos += 1;
            }
            loop {
                self.blanks();
                let pattern = self.word()?;
                self.refuse(pattern.range, "is in a pattern of `case`");
                self.blanks();
                if self.letter() != Some('|') {
                    break;
                }
                self.pos += 1;
            }
            self.expect(')', "a pattern of `case` is not closed")?;
            self.list(&["esac"])?;
            let ends: &[&str] = if self.is_bash() { &[";;&", ";;", ";&"] } else { &[";;"] };
            match ends.iter().find(|end| self.is_next(end)) {
                Some(end) => self.pos += end.len(),
                None if self.keyword().as_deref() == Some("esac") => {}
                None => return Err(Unread("a branch of `case` is not closed")),
            }
        }
    }

    /// `name()` and its body, after the name.
    pub(super) fn function(&mut self, name: &Word) -> Parsed<()> {
        self.pos += 1;
        self.blanks();
        self.expect(')', "a bracket is out of place")?;
        self.function_body(name)
    }

    fn function_body(&mut self, name: &Word) -> Parsed<()> {
        let Some(name) = name.literal.clone().filter(|_| name.is_bare) else {
            return Err(Unread("a function has no plain name"));
        };
        self.lines()?;
        let begin = self.pos;
        let compound = ["{", "if", "while", "until", "for", "case", "[["];
        let is_compound = self.letter() == Some('(')
            || self.keyword().is_some_and(|word| compound.contains(&&*word));
        if !is_compound {
            return Err(Unread("a function has no body"));
        }
        let readers = self.readers.begin();
        self.nested(Self::command)?;
        self.readers.define(&name, readers);
        self.variables.define(&name, &self.items[begin..self.pos]);
        Ok(())
    }
}

// `[[ .. ]]`.
impl Reader<'_> {
    /// Reads the text after `[[`, or after a bracket inside of it, up to its end.
    fn condition(&mut self, is_group: bool) -> Parsed<()> {
        loop {
            self.condition_blanks();
            if self.keyword().as_deref() == Some("!") {
                self.pos += 1;
                continue;
            }
            if self.letter() == Some('(') {
                self.pos += 1;
                self.nested(|reader| reader.condition(true))?;
            } else {
                self.primary()?;
            }
            self.condition_blanks();
            if self.is_next("&&") || self.is_next("||") {
                self.pos += 2;
                continue;
            }
            return if is_group {
                self.expect(')', "a bracket within `[[` is not closed")
            } else {
                self.expect_keyword("]]", "`[[` is not understood")
            };
        }
    }

    fn condition_blanks(&mut self) {
        while matches!(self.letter(), Some(' ' | '\t' | '\n')) {
            self.pos += 1;
        }
    }

    /// A comparison, or a test of one word.
    fn primary(&mut self) -> Parsed<()> {
        if !self.documents.is_empty() {
            return Err(Unread("a here-document is not read before `[[`"));
        }
        if self.keyword().as_deref() == Some("]]") {
            return Err(Unread("`[[` is empty"));
        }
        let first = self.word()?;
        self.condition_blanks();
        if self.ends_primary() {
            return Ok(());
        }
        let operator = match self.letter() {
            Some(letter @ ('<' | '>')) => {
                self.pos += 1;
                letter.to_string()
            }
            _ => {
                let word = self.word()?;
                let bare = word.literal.as_deref().filter(|_| word.is_bare);
                let test = first.literal.as_deref().filter(|_| first.is_bare);
                match (test, bare) {
                    (_, Some(operator)) if commands::is_comparison(operator) => operator.to_owned(),
                    (Some(test), _) if commands::is_word_test(test) => {
                        if !word.is_name() {
                            let reason = commands::evaluation_of(test);
                            reason.into_iter().for_each(|reason| {
                                self.evaluated(word.range.clone(), reason);
                            });
                        }
                        return Ok(());
                    }
                    _ => return Err(Unread("unknown test in `[[`")),
                }
            }
        };
        self.condition_blanks();
        let begin = self.pos;
        match &*operator {
            "==" | "=" | "!=" | "=~" => self.pattern()?,
            _ => {
                self.word()?;
            }
        }
        let second = begin..self.pos;
        if operator == "=~" {
            self.assign("BASH_REMATCH", first.range);
        } else if commands::is_numeric(&operator) {
            self.evaluated(first.range, commands::NUMERIC_TEST);
            self.evaluated(second, commands::NUMERIC_TEST);
        }
        Ok(())
    }

    fn ends_primary(&mut self) -> bool {
        self.letter() == Some(')')
            || self.is_next("&&")
            || self.is_next("||")
            || self.keyword().as_deref() == Some("]]")
    }

    /// The pattern or the regular expression that something is compared with.
    fn pattern(&mut self) -> Parsed<()> {
        let begin = self.pos;
        let mut open = 0_usize;
        loop {
            match self.peek() {
                Some(Item::Char('(')) => open += 1,
                Some(Item::Char(')')) if open > 0 => open -= 1,
                Some(Item::Char('|')) if open > 0 => {}
                Some(Item::Char(letter)) if ends_word(letter) => break,
                None => break,
                _ => {
                    self.word()?;
                    continue;
                }
            }
            self.pos += 1;
        }
        if self.pos == begin || open > 0 {
            return Err(Unread("unknown pattern in `[[`"));
        }
        Ok(())
    }
}
