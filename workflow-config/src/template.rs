//! The syntax of texts with variables: `${VAR}`, `${VAR:-default}`, `${VAR:?message}` and
//! `${secret:NAME}`, with `$${` for a literal `${`. Does not know the values.

use std::ops::Range;

/// The deepest nesting of defaults in `${A:-${B:-..}}`.
const DEFAULTS: usize = 16;

/// A piece of a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part<'t> {
    Text(&'t str),
    Reference(Reference<'t>),
}

/// A reference between `${` and `}`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reference<'t> {
    pub(super) name: &'t str,
    pub(super) kind: Kind,
    pub(super) fallback: Fallback<'t>,
    /// Its range in the text, with braces.
    pub(super) range: Range<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Variable,
    Secret,
}

/// What happens if a variable is unset or empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fallback<'t> {
    /// An error if it is unset; an empty value is accepted.
    None,
    /// A text, which may contain variables.
    Default(&'t str),
    /// An error with this text.
    Message(&'t str),
}

/// A syntax error in a text, with its range.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed {
    pub(super) message: String,
    pub(super) help: &'static str,
    pub(super) range: Range<usize>,
}

/// Parses a text into its parts.
pub(super) fn parse(text: &str) -> Result<Vec<Part<'_>>, Malformed> {
    let mut parts = Vec::new();
    let mut rest = 0;
    while let Some(mark) = next_mark(text, rest) {
        push_text(&mut parts, &text[rest..mark.at]);
        rest = match mark.kind {
            Mark::Escape => {
                parts.push(Part::Text("${"));
                mark.at + "$${".len()
            }
            Mark::Open => {
                let end = end_of(text, mark.at)?;
                parts.push(Part::Reference(reference(text, mark.at..end)?));
                end
            }
        };
    }
    push_text(&mut parts, &text[rest..]);
    Ok(parts)
}

/// Escapes a text: each `${` becomes `$${`.
pub(super) fn escape(text: &str) -> String {
    text.replace("${", "$${")
}

/// Whether the text refers to a secret.
pub(super) fn names_secret(text: &str) -> bool {
    text.contains(concat!("${", "secret:"))
}

fn push_text<'t>(parts: &mut Vec<Part<'t>>, text: &'t str) {
    if !text.is_empty() {
        parts.push(Part::Text(text));
    }
}

struct Found {
    at: usize,
    kind: Mark,
}

enum Mark {
    Open,
    Escape,
}

/// The next `${` or `$${`.
fn next_mark(text: &str, from: usize) -> Option<Found> {
    let at = from + text[from..].find("${")?;
    let is_escape = at > from && text.as_bytes()[at - 1] == b'$';
    Some(if is_escape {
        Found { at: at - 1, kind: Mark::Escape }
    } else {
        Found { at, kind: Mark::Open }
    })
}

/// The end of the reference that begins at `start`, after its brace.
fn end_of(text: &str, start: usize) -> Result<usize, Malformed> {
    let (mut at, mut open) = (start + "${".len(), 1);
    while let Some(rest) = text.as_bytes().get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with(b"$${") {
            at += "$${".len();
        } else if rest.starts_with(b"${") {
            at += "${".len();
            open += 1;
        } else {
            at += 1;
            open -= usize::from(rest[0] == b'}');
        }
        if open == 0 {
            return Ok(at);
        }
        if open > DEFAULTS {
            return Err(Malformed {
                message: format!("defaults are nested more than {DEFAULTS} levels deep"),
                help: "give one of the variables a plain default",
                range: start..at,
            });
        }
    }
    Err(Malformed {
        message: "this `${` is not closed".to_owned(),
        help: "add a `}`, or write `$${` for a literal `${`",
        range: start..text.len(),
    })
}

fn reference(text: &str, range: Range<usize>) -> Result<Reference<'_>, Malformed> {
    let inside = &text[range.start + "${".len()..range.end - 1];
    let (kind, inside) = match inside.strip_prefix("secret:") {
        Some(rest) => (Kind::Secret, rest),
        None => (Kind::Variable, inside),
    };
    let (name, fallback) = match inside.split_once(':') {
        None => (inside, Fallback::None),
        Some((name, after)) => (name, fallback(after, &range)?),
    };
    let is_sound = match kind {
        Kind::Variable => is_variable(name),
        Kind::Secret => is_secret(name),
    };
    if is_sound {
        return Ok(Reference { name, kind, fallback, range });
    }
    Err(match kind {
        Kind::Variable => Malformed {
            message: format!("`{name}` is not a valid variable name"),
            help: "use letters, digits and `_`, or write `$${` for a literal `${`",
            range,
        },
        Kind::Secret => Malformed {
            message: format!("`{name}` is not a valid secret name"),
            help: "use letters, digits, `_`, `-` and `.`, but do not start with `.`",
            range,
        },
    })
}

fn fallback<'t>(after: &'t str, range: &Range<usize>) -> Result<Fallback<'t>, Malformed> {
    let default = after.strip_prefix('-').map(Fallback::Default);
    let found = default.or_else(|| after.strip_prefix('?').map(Fallback::Message));
    found.ok_or_else(|| Malformed {
        message: format!("`:{after}` is not valid after a variable name"),
        help: "write `${NAME}`, `${NAME:-default}` or `${NAME:?message}`",
        range: range.clone(),
    })
}

fn is_variable(name: &str) -> bool {
    let starts = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    starts && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Whether the name is that of a file in the folder of secrets.
fn is_secret(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    !name.is_empty() && !name.starts_with('.') && name.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn variable<'t>(name: &'t str, fallback: Fallback<'t>, range: Range<usize>) -> Part<'t> {
        Part::Reference(Reference { name, kind: Kind::Variable, fallback, range })
    }

    #[test]
    fn texts_and_variables_alternate() {
        let parts = parse("http://${HOST}:${PORT:-80}/").expect("well-formed");
        let expected = [
            Part::Text("http://"),
            variable("HOST", Fallback::None, 7..14),
            Part::Text(":"),
            variable("PORT", Fallback::Default("80"), 15..26),
            Part::Text("/"),
        ];
        assert_eq!(parts, expected);
    }

    #[test]
    fn a_default_may_hold_variables() {
        let text = "${A:-${B:-x}/${C}}";
        let expected = [variable("A", Fallback::Default("${B:-x}/${C}"), 0..text.len())];
        assert_eq!(parse(text).expect("well-formed"), expected);
    }

    #[test]
    fn a_message_is_taken_literally() {
        let parts = parse("${A:?set it: now}").expect("well-formed");
        assert_eq!(parts, [variable("A", Fallback::Message("set it: now"), 0..17)]);
    }

    #[test]
    fn a_dollar_without_braces_is_text() {
        for text in ["$HOME", "$", "$$", "a}b", "5$ {x}", "{param}"] {
            assert_eq!(parse(text).expect("well-formed"), [Part::Text(text)]);
        }
    }

    #[test]
    fn an_escape_inside_of_a_default_opens_nothing() {
        let parts = parse("${A:-$${x}").expect("well-formed");
        assert_eq!(parts, [variable("A", Fallback::Default("$${x"), 0..10)]);
    }

    #[test]
    fn names_of_secrets_cannot_leave_their_folder() {
        assert!(parse("${secret:db.password-1}").is_ok());
        for name in ["../passwd", "..", ".hidden", "a/b", "a\\b", ""] {
            let wrong = parse(&format!("${{secret:{name}}}")).expect_err("no name").message;
            assert_eq!(wrong, format!("`{name}` is not a valid secret name"));
        }
    }

    #[test]
    fn nested_defaults_are_limited() {
        let nested = |levels| format!("{}{}", "${A:-".repeat(levels), "}".repeat(levels));
        assert!(parse(&nested(DEFAULTS)).is_ok());
        let wrong = parse(&nested(1_000_000)).expect_err("too deep").message;
        assert_eq!(wrong, "defaults are nested more than 16 levels deep");
    }

    #[test]
    fn malformed_templates_are_reported_with_their_place() {
        let wrong = |text| parse(text).map_err(|wrong| (wrong.message, wrong.range)).expect_err("");
        assert_eq!(wrong("a${b"), ("this `${` is not closed".to_owned(), 1..4));
        assert_eq!(wrong("${a:-${b}"), ("this `${` is not closed".to_owned(), 0..9));
        assert_eq!(wrong("${}"), ("`` is not a valid variable name".to_owned(), 0..3));
        assert_eq!(wrong("${a b}"), ("`a b` is not a valid variable name".to_owned(), 0..6));
        let message = "`:+x` is not valid after a variable name".to_owned();
        assert_eq!(wrong("${a:+x}"), (message, 0..7));
    }

    fn joined(parts: &[Part<'_>]) -> Option<String> {
        let text = |part: &Part<'_>| match part {
            Part::Text(text) => Some((*text).to_owned()),
            Part::Reference(_) => None,
        };
        parts.iter().map(text).collect()
    }

    proptest! {
        #[test]
        fn reading_never_panics(text in r"[\$\{\}:\-\?a-cé \n]{0,40}") {
            if let Ok(parts) = parse(&text) {
                for part in parts {
                    if let Part::Reference(reference) = part {
                        let written = &text[reference.range];
                        let is_whole = written.starts_with("${") && written.ends_with('}');
                        prop_assert!(is_whole, "{written:?}");
                    }
                }
            }
        }

        #[test]
        fn what_is_escaped_is_read_back(text in r"[\$\{\}:\-a-cé]{0,40}") {
            let escaped = escape(&text);
            prop_assert_eq!(joined(&parse(&escaped).expect("well-formed")), Some(text));
        }
    }
}
