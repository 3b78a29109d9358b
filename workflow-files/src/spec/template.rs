//! Texts with placeholders: `${files.input.name}`, and `${{ .. }}` for values that are known when
//! the job begins. Every other `$` is left to the shell. `$${` stands for `${`.

use super::expression::{EXAMPLE, Expression};

/// A parsed text.
#[derive(Debug, Default)]
pub(crate) struct Template {
    pub(crate) parts: Vec<Part>,
}

#[derive(Debug)]
pub(crate) enum Part {
    Text(String),
    /// A file or named data that the job reads or writes.
    Named {
        kind: NamedKind,
        use_as: Use,
        name: String,
    },
    /// Evaluated when the job begins.
    Expression(Expression),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NamedKind {
    File,
    Data,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    Input,
    Output,
}

/// The mistake in a template, and the part of the text that it is about.
#[derive(Debug, PartialEq)]
pub(crate) struct TemplateError {
    pub(crate) part: String,
    pub(crate) message: String,
    pub(crate) help: &'static str,
}

const NAMED: [(&str, NamedKind, Use); 4] = [
    ("files.input.", NamedKind::File, Use::Input),
    ("files.output.", NamedKind::File, Use::Output),
    ("user_data.input.", NamedKind::Data, Use::Input),
    ("user_data.output.", NamedKind::Data, Use::Output),
];

impl Template {
    /// Parses a text.
    pub(crate) fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut template = Self::default();
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            if rest[..at].ends_with('$') {
                template.push_text(&rest[..at]);
                template.push_text("{");
                rest = &rest[at + 2..];
                continue;
            }
            template.push_text(&rest[..at]);
            rest = template.place(&rest[at..])?;
        }
        template.push_text(rest);
        Ok(template)
    }

    fn push_text(&mut self, text: &str) {
        match self.parts.last_mut() {
            Some(Part::Text(last)) => last.push_str(text),
            _ if text.is_empty() => {}
            _ => self.parts.push(Part::Text(text.to_owned())),
        }
    }

    /// Parses the placeholder at the beginning of the text, and returns the rest.
    fn place<'t>(&mut self, text: &'t str) -> Result<&'t str, TemplateError> {
        if let Some(inside) = text.strip_prefix("${{") {
            let Some((code, rest)) = inside.split_once("}}") else {
                return Err(TemplateError {
                    part: text.lines().next().unwrap_or(text).to_owned(),
                    message: "`${{` is not closed".to_owned(),
                    help: "close it with `}}`, or write `$${{` for a literal `${{`",
                });
            };
            let expression = Expression::checked(code).map_err(|message| TemplateError {
                part: code.trim().to_owned(),
                message,
                help: EXAMPLE,
            })?;
            self.parts.push(Part::Expression(expression));
            return Ok(rest);
        }
        let inside = &text[2..];
        let named = NAMED.iter().find_map(|(prefix, kind, use_as)| {
            let (name, rest) = inside.strip_prefix(prefix)?.split_once('}')?;
            Some((Part::Named { kind: *kind, use_as: *use_as, name: name.to_owned() }, rest))
        });
        match named {
            Some((part, rest)) => {
                self.parts.push(part);
                Ok(rest)
            }
            None => {
                self.push_text("${");
                Ok(inside)
            }
        }
    }

    /// The parts, each with the number of expressions before it.
    pub(crate) fn numbered(&self) -> impl Iterator<Item = (usize, &Part)> {
        self.parts.iter().scan(0, |expressions, part| {
            let before = *expressions;
            *expressions += usize::from(matches!(part, Part::Expression(_)));
            Some((before, part))
        })
    }

    pub(crate) fn expressions(&self) -> impl Iterator<Item = &Expression> {
        self.parts.iter().filter_map(|part| match part {
            Part::Expression(expression) => Some(expression),
            _ => None,
        })
    }

    pub(crate) fn named(&self) -> impl Iterator<Item = (NamedKind, Use, &str)> {
        self.parts.iter().filter_map(|part| match part {
            Part::Named { kind, use_as, name } => Some((*kind, *use_as, name.as_str())),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Vec<String> {
        let parts = Template::parse(text).expect("a template").parts;
        let show = |part| match part {
            Part::Text(text) => text,
            Part::Named { kind, use_as, name } => format!("<{kind:?} {use_as:?} {name}>"),
            Part::Expression(expression) => format!("<{}>", expression.source()),
        };
        parts.into_iter().map(show).collect()
    }

    #[test]
    fn expressions_are_distinguished_from_shell_variables() {
        assert_eq!(parsed("echo ${HOME} $x ${x:-1}"), ["echo ${HOME} $x ${x:-1}"]);
        assert_eq!(parsed("cp ${files.input.a} b"), ["cp ", "<File Input a>", " b"]);
        assert_eq!(parsed("x${{ input.n }}y"), ["x", "<input.n>", "y"]);
        assert_eq!(parsed("$${{ a }} $${b}"), ["${{ a }} ${b}"]);
    }

    #[test]
    fn an_unclosed_expression_is_an_error() {
        let error = Template::parse("echo ${{ jobs.a").expect_err("it is not closed");
        assert_eq!(error.part, "${{ jobs.a");
    }
}
