//! The position of an attribute. The attributes generate types, functions and implementations,
//! which an `impl` block cannot contain. The compiler would report each of them without a cure.
//!
//! An attribute gets its item and nothing around it, so this reads the source file, but only as
//! much of the language as is necessary to match braces. Where it sees nothing (missing files, code
//! from other macros), the errors of the compiler remain.

use std::cell::RefCell;
use std::collections::HashMap;
use std::iter::Peekable;
use std::path::PathBuf;
use std::str::Chars;

use proc_macro::Span;

/// A block of items that belong to a type or a trait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Block {
    Impl,
    Trait,
}

/// The block around the attribute at `span`, if it can be found.
pub(crate) fn block(span: Span) -> Option<Block> {
    thread_local! {
        /// The files with attributes, each read once.
        static FILES: RefCell<HashMap<PathBuf, Vec<Braces>>> = RefCell::default();
    }
    let file = span.local_file()?;
    FILES.with_borrow_mut(|files| {
        let braces = files.entry(file).or_insert_with_key(|file| {
            std::fs::read_to_string(file)
                .map_or_else(|_| Vec::new(), |text| Scanner::new(&text).braces())
        });
        innermost(braces, Place { line: span.line(), column: span.column() })
    })
}

/// The kind of the innermost braces around a position.
fn innermost(braces: &[Braces], at: Place) -> Option<Block> {
    braces.iter().rfind(|braces| braces.open < at && at < braces.close)?.block
}

/// A position in a file; lines and columns count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    line: usize,
    column: usize,
}

impl Place {
    const END: Self = Self { line: usize::MAX, column: 0 };
}

/// A pair of braces.
struct Braces {
    open: Place,
    close: Place,
    /// The kind of their content.
    block: Option<Block>,
}

/// Something in braces, brackets or parentheses.
#[derive(Default)]
struct Group {
    /// The kind of bracket.
    braces: Option<usize>,
    /// The kind of the next braces, once the first word before them is known.
    next: Option<Option<Block>>,
}

/// Reads source text.
struct Scanner<'a> {
    rest: Peekable<Chars<'a>>,
    at: Place,
    /// The groups around the position; the outermost is the file.
    around: Vec<Group>,
    /// All braces so far, the outer before the inner.
    found: Vec<Braces>,
}

impl<'a> Scanner<'a> {
    fn new(source: &'a str) -> Self {
        let rest = source.chars().peekable();
        let at = Place { line: 1, column: 1 };
        Self { rest, at, around: vec![Group::default()], found: Vec::new() }
    }

    /// All matched braces.
    fn braces(mut self) -> Vec<Braces> {
        while self.token().is_some() {}
        self.found
    }

    fn token(&mut self) -> Option<()> {
        let at = self.at;
        match self.bump()? {
            '/' if self.take('/') => while self.bump_unless('\n') {},
            '/' if self.take('*') => self.comment(),
            '"' => self.text(0, true),
            '\'' => self.character(),
            '{' => {
                let block = self.here()?.next.flatten();
                self.around.push(Group { braces: Some(self.found.len()), next: None });
                self.found.push(Braces { open: at, close: Place::END, block });
            }
            '(' | '[' => self.around.push(Group::default()),
            ')' | ']' => drop(self.around.pop()),
            '}' => {
                let closed = self.around.pop().and_then(|group| group.braces);
                if let Some(braces) = closed {
                    self.found[braces].close = at;
                }
                self.here()?.next = None;
            }
            ';' => self.here()?.next = None,
            first if is_word(first) => self.word(first)?,
            // Attributes come before the first word.
            '#' | '!' => {}
            other if other.is_whitespace() => {}
            _ => {
                self.here()?.next.get_or_insert(None);
            }
        }
        Some(())
    }

    /// The innermost group.
    fn here(&mut self) -> Option<&mut Group> {
        self.around.last_mut()
    }

    fn word(&mut self, first: char) -> Option<()> {
        let mut word = String::from(first);
        while let Some(next) = self.rest.next_if(|next| is_word(*next)) {
            self.at.column += 1;
            word.push(next);
        }
        if ["r", "br", "cr"].contains(&word.as_str()) {
            let mut hashes = 0;
            while self.take('#') {
                hashes += 1;
            }
            if self.take('"') {
                self.text(hashes, false);
            }
        }
        let block = match word.as_str() {
            "pub" | "unsafe" | "default" | "const" | "auto" => return Some(()),
            "impl" => Some(Block::Impl),
            "trait" => Some(Block::Trait),
            _ => None,
        };
        self.here()?.next.get_or_insert(block);
        Some(())
    }

    /// Skips the rest of a text, up to a quote with so many hashes behind it.
    fn text(&mut self, hashes: usize, escapes: bool) {
        while let Some(next) = self.bump() {
            if next == '\\' && escapes {
                self.bump();
            } else if next == '"' && (0..hashes).all(|_| self.take('#')) {
                return;
            }
        }
    }

    /// Skips the rest of a character, or of nothing where the quote begins a lifetime.
    fn character(&mut self) {
        let mut ahead = self.rest.clone();
        match (ahead.next(), ahead.next()) {
            (Some('\\'), _) => {
                self.bump();
                self.bump();
                while self.bump_unless('\'') {}
                self.bump();
            }
            (Some(_), Some('\'')) => {
                self.bump();
                self.bump();
            }
            _ => {}
        }
    }

    /// Skips the rest of a comment, which may have others in it.
    fn comment(&mut self) {
        let mut depth = 1;
        while depth > 0 {
            match self.bump() {
                Some('*') if self.take('/') => depth -= 1,
                Some('/') if self.take('*') => depth += 1,
                Some(_) => {}
                None => return,
            }
        }
    }

    fn bump(&mut self) -> Option<char> {
        let next = self.rest.next()?;
        if next == '\n' {
            self.at = Place { line: self.at.line + 1, column: 1 };
        } else {
            self.at.column += 1;
        }
        Some(next)
    }

    fn bump_unless(&mut self, last: char) -> bool {
        self.rest.peek().is_some_and(|next| *next != last) && self.bump().is_some()
    }

    fn take(&mut self, wanted: char) -> bool {
        let taken = self.rest.peek() == Some(&wanted);
        taken && self.bump().is_some()
    }
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is around the `@`.
    fn around(source: &str) -> Option<Block> {
        let before = source.split('@').next().expect("there is something before");
        let column = before.chars().rev().take_while(|character| *character != '\n').count();
        let at = Place { line: before.matches('\n').count() + 1, column: column + 1 };
        innermost(&Scanner::new(source).braces(), at)
    }

    #[test]
    fn items_of_types_and_traits_are_seen() {
        for source in [
            "impl X { @ }",
            "struct Y;\n\n#[doc = \"x\"]\nimpl X\n{\n    fn f() {}\n    @\n}",
            "mod m { pub struct X(u8); impl<T: A<'_>> X for [T; 2] { const A: u8 = { 1 }; @ } }",
            "macro_rules! m { () => { impl X { @ } } }",
            "unsafe impl X { fn f() -> char { '{' } fn g<'a>() { b'\\''; '\\u{1}'; } @ }",
            "impl X { /* { /* { */ */ // {\n /// {\n @ }",
            r####"impl X { const A: &str = "\"{"; const B: &str = r#"{"{"#; const C = r"\"; @ }"####,
        ] {
            assert_eq!(around(source), Some(Block::Impl), "{source}");
        }
        assert_eq!(around("pub(crate) unsafe trait X: Y { @ }"), Some(Block::Trait));
    }

    #[test]
    fn functions_and_modules_are_not_impl_blocks() {
        for source in [
            "    @",
            "mod m { @ }",
            "impl X { fn f() { @ } }",
            "impl X {} mod m { impl X {} @ }",
            "fn f() -> impl Fn() { @ }",
            "fn f() { let x = impl_(|| { @ }); }",
            "trait X {}\n\n#[cfg(test)]\nmod tests { @ }",
            "r#impl! { @ }",
            "\"impl X {\" @",
            "}}} @",
        ] {
            assert_eq!(around(source), None, "{source}");
        }
    }
}
