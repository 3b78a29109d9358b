//! Unknown names in expressions: values, functions, filters and tests that do not exist. They are
//! reported before the run; the evaluation would fail only when it reaches them.

use std::ops::Range;

use super::{ENVIRONMENT, Expression, quoted};
use crate::words::{did_you_mean, is_one_of};

/// An unknown name.
#[derive(Debug, PartialEq)]
pub(crate) struct UnknownName {
    pub(crate) message: String,
    pub(crate) help: String,
    /// Where the name is in the source of the expression.
    pub(crate) place: Range<usize>,
}

/// The values that an expression can read.
const VALUES: &str = "input jobs";

/// The filters, for suggestions. The environment decides which exist.
const FILTERS: &str = "\
    abs attr batch bool capitalize chain count d default dictsort e escape first float format \
    groupby indent int items join last length lines list lower map max min pprint reject \
    rejectattr replace reverse round select selectattr slice sort split string sum title trim \
    upper";

/// The tests, for suggestions.
const TESTS: &str = "\
    boolean defined divisibleby endingwith eq even false float ge gt in integer le lt mapping none \
    number odd sequence startingwith string undefined";

const KEYWORDS: &str = "and or not in is if else true false none True False None null";

impl Expression {
    /// The unknown names, in the order of the text.
    pub(crate) fn unknown_names(&self) -> Vec<UnknownName> {
        let mut unknown = Vec::new();
        for word in words(&self.code) {
            let Some((message, help)) = word.complaint() else { continue };
            let place = place_of(word.name, &self.source);
            unknown.push(UnknownName { message, help, place });
        }
        unknown
    }
}

impl Expression {
    /// What is wrong with the functions, filters and tests, whatever values there are.
    pub(super) fn unknown_words(&self) -> Option<String> {
        let words = words(&self.code).into_iter().filter(|word| word.role != Role::Value);
        let complaints = words.filter_map(|word| word.complaint());
        let complaints: Vec<_> =
            complaints.map(|(message, help)| format!("{message}; {help}")).collect();
        (!complaints.is_empty()).then(|| complaints.join("; "))
    }
}

/// A word of an expression and its role.
struct Word<'a> {
    name: &'a str,
    role: Role,
}

#[derive(Clone, Copy, PartialEq)]
enum Role {
    Value,
    Function,
    Filter,
    Test,
}

impl Word<'_> {
    /// What is wrong with the name, and the cure.
    fn complaint(&self) -> Option<(String, String)> {
        if self.is_known() {
            return None;
        }
        let name = self.name;
        let available = |known: &str| format!("available: {}", known.replace(' ', ", "));
        let (what, known, others) = match self.role {
            Role::Value => (
                "value",
                VALUES,
                "an expression reads `input` and `jobs`; a command reads the environment: `$NAME`"
                    .to_owned(),
            ),
            Role::Function => ("function", "range dict", "use a filter: `a | length`".to_owned()),
            Role::Filter => ("filter", FILTERS, available(FILTERS)),
            Role::Test => ("test", TESTS, available(TESTS)),
        };
        let help = did_you_mean(name, known.split(' '), || others);
        Some((format!("there is no {what} `{name}`"), help))
    }

    fn is_known(&self) -> bool {
        let has = |test: &str| {
            let mut state = ENVIRONMENT.empty_state();
            state.perform_test(test, &[self.name.into()]).unwrap_or(false)
        };
        match self.role {
            Role::Filter => has("filter"),
            Role::Test => has("test"),
            Role::Value if is_one_of(self.name, VALUES) => true,
            Role::Value | Role::Function => {
                ENVIRONMENT.globals().any(|(name, _)| name == self.name)
            }
        }
    }
}

/// The words of a valid expression, without those that name a part of something: `.rows`, `sep=`.
fn words(code: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut rest = code;
    // The character before a word, without blanks; or `is`.
    let mut before = ' ';
    let mut after_is = false;
    while let Some(letter) = rest.chars().next() {
        let length = match letter {
            '"' | '\'' => quoted(rest, letter).unwrap_or(rest.len()),
            _ if letter.is_alphanumeric() || letter == '_' => {
                rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())
            }
            _ => letter.len_utf8(),
        };
        let (token, after) = rest.split_at(length);
        rest = after;
        if letter.is_whitespace() {
            continue;
        }
        let is_name = letter.is_alphabetic() || letter == '_';
        if is_name && after_is && token == "not" {
            continue;
        }
        if is_name && let Some(role) = role(token, before, after_is, after.trim_start()) {
            words.push(Word { name: token, role });
        }
        after_is = is_name && before != '.' && token == "is";
        before = letter;
    }
    words
}

fn role(token: &str, before: char, after_is: bool, after: &str) -> Option<Role> {
    let is_argument_name = after.starts_with('=') && !after.starts_with("==");
    match before {
        '.' => None,
        _ if after_is => Some(Role::Test),
        '|' => Some(Role::Filter),
        _ if is_one_of(token, KEYWORDS) || is_argument_name => None,
        _ if after.starts_with('(') => Some(Role::Function),
        _ => Some(Role::Value),
    }
}

/// The position of a name in a text as a whole word.
fn place_of(name: &str, text: &str) -> Range<usize> {
    let of_word = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '.');
    let places = text.match_indices(name).map(|(start, _)| start..start + name.len());
    let mut whole = places.filter(|place| {
        !text[..place.start].ends_with(of_word)
            && !text[place.end..].starts_with(|c: char| c.is_alphanumeric() || c == '_')
    });
    whole.next().unwrap_or(0..text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unknown(source: &str) -> Vec<String> {
        let expression = Expression::checked(source).expect("an expression");
        let names = expression.unknown_names();
        names.into_iter().map(|one| format!("{}; {}", one.message, one.help)).collect()
    }

    #[test]
    fn suggested_names_exist() {
        let known = |name: &&str, role| Word { name, role }.is_known();
        assert_eq!(FILTERS.split(' ').find(|name| !known(name, Role::Filter)), None);
        assert_eq!(TESTS.split(' ').find(|name| !known(name, Role::Test)), None);
        for name in ["range", "dict"] {
            assert!(known(&name, Role::Function));
        }
    }

    #[test]
    fn unknown_names_are_reported() {
        assert_eq!(unknown("inputs.day"), ["there is no value `inputs`; did you mean `input`?"]);
        assert_eq!(unknown("job.a.outputs.x"), ["there is no value `job`; did you mean `jobs`?"]);
        assert_eq!(
            unknown("input.n | nosuchfilter"),
            [format!(
                "there is no filter `nosuchfilter`; available: {}",
                FILTERS.replace(' ', ", ")
            )]
        );
        assert_eq!(
            unknown("input.n|lenght > 3"),
            ["there is no filter `lenght`; did you mean `length`?"]
        );
        assert_eq!(
            unknown("input.n is not defned"),
            ["there is no test `defned`; did you mean `defined`?"]
        );
        assert_eq!(
            unknown("env('HOME') ~ secrets.TOKEN"),
            [
                "there is no function `env`; use a filter: `a | length`",
                "there is no value `secrets`; an expression reads `input` and `jobs`; a command \
                 reads the environment: `$NAME`"
            ]
        );
    }

    #[test]
    fn known_names_are_accepted() {
        let sources = [
            "input.inputs.job | default('secrets') | join(sep=', ')",
            "jobs.count-rows.outputs.rows | int > 10 and not input.dry",
            "jobs['a b'].outputs.x is none or input.n is not divisibleby(3)",
            "range(3) | map('upper') | list if true else [1.5e3, 0x1f, none]",
            "input.n is in [1, 2] or input.n in {'a': 1}",
            "input is mapping and input.is.not == \"is nothing\"",
        ];
        for source in sources {
            assert!(unknown(source).is_empty(), "{source}: {:?}", unknown(source));
        }
    }

    #[test]
    fn unknown_functions_filters_and_tests_are_invalid() {
        let told = |source| Expression::parse(source).expect_err(source).to_string();
        assert_eq!(told("name|uper"), "there is no filter `uper`; did you mean `upper`?");
        assert_eq!(
            told("id is nosuchtest or env(id)"),
            format!(
                "there is no test `nosuchtest`; available: {}; there is no function `env`; use a \
                 filter: `a | length`",
                TESTS.replace(' ', ", ")
            )
        );
        assert!(Expression::parse("anything|upper is in other and a < b").is_ok());
    }

    #[test]
    fn the_place_is_that_of_the_unknown_word() {
        let source = "input.secret ~ secret ~ 'secrets'";
        let expression = Expression::checked(source).expect("an expression");
        assert_eq!(expression.unknown_names()[0].place, 15..21);
    }
}
