//! Puts values into the text of a shell command in such a way that the shell never reads them as
//! code: the text gets a variable, and the variable the value.

use std::fmt::Write;

/// Follows a script as far as is needed to know how a variable is to be written at each place:
/// quotes, comments, and here-documents (POSIX.1-2017, Shell Command Language, 2.2 and 2.7.4).
#[derive(Default)]
pub(super) struct Script {
    text: String,
    values: Vec<(String, String)>,
    state: State,
    /// Here-documents whose text begins after the line at hand.
    announced: Vec<Document>,
    escaped: bool,
    /// How many brackets of `((` are open: in arithmetic the shell evaluates what values hold.
    arithmetic: usize,
}

#[derive(Clone, PartialEq, Default)]
enum State {
    #[default]
    Bare,
    Single,
    Double,
    Comment,
    /// Inside of the first of these; the others follow it.
    Document(Vec<Document>),
}

#[derive(Debug, Clone, PartialEq)]
struct Document {
    end: String,
    literal: bool,
    tabs: bool,
}

/// Why a value cannot stand in its place.
#[derive(Debug, PartialEq)]
pub(super) enum Refused {
    /// The shell puts no variables in there.
    Literal,
    /// The shell evaluates it there, and it is no number.
    NoNumber,
}

impl Script {
    /// Goes on with text of the script.
    pub(super) fn push(&mut self, text: &str) {
        for (at, letter) in text.char_indices() {
            self.text.push(letter);
            self.follow(letter, &text[at + letter.len_utf8()..]);
        }
    }

    /// Puts a value at this place.
    pub(super) fn push_value(&mut self, value: String) -> Result<(), Refused> {
        if self.arithmetic > 0 && !is_number(&value) {
            return Err(Refused::NoNumber);
        }
        let name = format!("WORKFLOW_VALUE_{}", self.values.len() + 1);
        let _ = match &self.state {
            _ if self.arithmetic > 0 => write!(self.text, "${{{name}}}"),
            State::Bare => write!(self.text, "\"${{{name}}}\""),
            State::Double | State::Comment => write!(self.text, "${{{name}}}"),
            State::Single => write!(self.text, "'\"${{{name}}}\"'"),
            State::Document(documents) if documents.first().is_some_and(|first| first.literal) => {
                return Err(Refused::Literal);
            }
            State::Document(_) => write!(self.text, "${{{name}}}"),
        };
        self.values.push((name, value));
        Ok(())
    }

    /// The script, and the variables that hold its values.
    pub(super) fn finish(self) -> (String, Vec<(String, String)>) {
        (self.text, self.values)
    }

    fn follow(&mut self, letter: char, rest: &str) {
        if std::mem::take(&mut self.escaped) {
            return;
        }
        if matches!(self.state, State::Bare | State::Double) && self.follow_arithmetic(letter) {
            return;
        }
        let begins_word = self.begins_word();
        let announces = self.text.ends_with("<<") && !self.text.ends_with("<<<");
        match (&mut self.state, letter) {
            (State::Bare | State::Double, '\\') => self.escaped = true,
            (State::Bare, '\'') => self.state = State::Single,
            (State::Bare, '"') => self.state = State::Double,
            (State::Single, '\'') | (State::Double, '"') => self.state = State::Bare,
            (State::Bare, '#') if begins_word => self.state = State::Comment,
            (State::Bare, '<') if announces && !rest.starts_with('<') => {
                self.announced.extend(document(rest));
            }
            (State::Bare | State::Comment, '\n') => {
                let announced = std::mem::take(&mut self.announced);
                self.state =
                    if announced.is_empty() { State::Bare } else { State::Document(announced) };
            }
            (State::Document(documents), '\n') => {
                let line = self.text[..self.text.len() - 1].rsplit('\n').next().unwrap_or_default();
                if documents.first().is_some_and(|first| first.ends_at(line)) {
                    documents.remove(0);
                }
                if documents.is_empty() {
                    self.state = State::Bare;
                }
            }
            _ => {}
        }
    }

    /// Counts the brackets of arithmetic; true while inside of it.
    fn follow_arithmetic(&mut self, letter: char) -> bool {
        match letter {
            '(' if self.arithmetic > 0 => self.arithmetic += 1,
            ')' if self.arithmetic > 0 => self.arithmetic -= 1,
            '(' if self.text.ends_with("$((") => self.arithmetic = 2,
            // A command of its own; elsewhere two brackets are two subshells.
            '(' if self.state == State::Bare && self.text.ends_with("((") => {
                let before = self.text[..self.text.len() - 2].trim_end_matches([' ', '\t']);
                let is_command = before.is_empty() || before.ends_with(['\n', ';', '&', '|']);
                let follows_word = ["if", "while", "until", "then", "do", "else", "for", "!"];
                let is_after_word = follows_word.iter().any(|word| before.ends_with(word));
                self.arithmetic = if is_command || is_after_word { 2 } else { 0 };
            }
            _ => {}
        }
        self.arithmetic > 0
    }

    fn begins_word(&self) -> bool {
        let before = self.text.chars().rev().nth(1);
        before
            .is_none_or(|before| before.is_whitespace() || matches!(before, ';' | '&' | '|' | '('))
    }
}

fn is_number(value: &str) -> bool {
    let digits = value.strip_prefix(['-', '+']).unwrap_or(value);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

impl Document {
    fn ends_at(&self, line: &str) -> bool {
        let line = if self.tabs { line.trim_start_matches('\t') } else { line };
        line == self.end
    }
}

/// The here-document that is announced by the word after `<<`.
fn document(after: &str) -> Option<Document> {
    let (tabs, after) = match after.strip_prefix('-') {
        Some(after) => (true, after),
        None => (false, after),
    };
    let word = after.trim_start_matches([' ', '\t']);
    let ends = |letter: char| {
        letter.is_whitespace() || matches!(letter, ';' | '&' | '|' | '<' | '>' | ')')
    };
    let word = &word[..word.find(ends).unwrap_or(word.len())];
    let end: String = word.chars().filter(|letter| !matches!(letter, '\'' | '"' | '\\')).collect();
    let literal = end.len() < word.len();
    (!end.is_empty()).then_some(Document { literal, end, tabs })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spliced(parts: &[&str]) -> String {
        let mut script = Script::default();
        for (at, part) in parts.iter().enumerate() {
            if at > 0 {
                script.push_value("value".to_owned()).expect("a place for variables");
            }
            script.push(part);
        }
        script.finish().0
    }

    #[test]
    fn a_variable_is_written_as_its_place_asks() {
        assert_eq!(spliced(&["echo ", " x"]), "echo \"${WORKFLOW_VALUE_1}\" x");
        assert_eq!(spliced(&["echo \"a ", "\""]), "echo \"a ${WORKFLOW_VALUE_1}\"");
        assert_eq!(spliced(&["echo 'a ", "'"]), "echo 'a '\"${WORKFLOW_VALUE_1}\"''");
        assert_eq!(spliced(&["echo \\' ", ""]), "echo \\' \"${WORKFLOW_VALUE_1}\"");
        assert_eq!(spliced(&["a # it's\nb ", ""]), "a # it's\nb \"${WORKFLOW_VALUE_1}\"");
        assert_eq!(spliced(&["a#'", "'"]), "a#''\"${WORKFLOW_VALUE_1}\"''");
    }

    #[test]
    fn here_documents_take_bare_variables() {
        assert_eq!(
            spliced(&["cat <<END\n", "\nEND\n", ""]),
            "cat <<END\n${WORKFLOW_VALUE_1}\nEND\n\"${WORKFLOW_VALUE_2}\""
        );
        assert_eq!(spliced(&["cat <<< ", ""]), "cat <<< \"${WORKFLOW_VALUE_1}\"");
    }

    #[test]
    fn a_literal_here_document_takes_none() {
        let mut script = Script::default();
        script.push("cat <<'END'\n");
        assert_eq!(script.push_value("x".to_owned()), Err(Refused::Literal));
    }

    #[test]
    fn arithmetic_takes_numbers_only() {
        let value = |script: &str, value: &str| {
            let mut spliced = Script::default();
            spliced.push(script);
            spliced.push_value(value.to_owned())
        };
        for script in ["echo $(( 1 + (", "echo \"$((", "if ((", "((", "x=1; (( "] {
            assert_eq!(value(script, "-41"), Ok(()), "{script}");
            assert_eq!(value(script, "a[$(reboot)]"), Err(Refused::NoNumber), "{script}");
        }
        for script in ["echo $((1<<2)) ", "((x)); echo ", "echo '$((' ", "(cd a; (b "] {
            assert_eq!(value(script, "text"), Ok(()), "{script}");
        }
        assert_eq!(
            spliced(&["x=$((1<<2))\necho '", "'"]),
            "x=$((1<<2))\necho ''\"${WORKFLOW_VALUE_1}\"''"
        );
    }

    #[test]
    fn no_value_is_read_as_code() {
        let mut script = Script::default();
        script.push("echo ");
        script.push_value("$(reboot); `reboot` \"' \n".to_owned()).expect("a place");
        let (text, values) = script.finish();
        assert!(!text.contains("reboot"));
        assert_eq!(
            values,
            [("WORKFLOW_VALUE_1".to_owned(), "$(reboot); `reboot` \"' \n".to_owned())]
        );
    }
}
