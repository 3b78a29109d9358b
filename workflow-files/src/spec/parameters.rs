//! Parameters, which make many copies of one entry: their values, their combinations, and the texts
//! in which they are substituted.

mod range;
mod substitute;
#[cfg(test)]
mod tests;
mod values;

use super::{FileSpec, JobSpec, Text, UserDataSpec, WorkflowSpec};
use crate::bounds::file::{COPIES, SUBSTITUTED_BYTES};
use crate::document::{Findings, Scalar, Span, Spanned, Table, Verbatim, choice};
use crate::words::{did_you_mean, is_name};

use super::size::substituted_len;
pub(crate) use substitute::{names_in_braces, near_misses, substitute};
use values::{count, values};

/// The largest width of a placeholder, in characters: `{i:064d}`.
pub(crate) const LONGEST_WIDTH: usize = 64;
/// The most digits of a number written without an exponent.
const LONGEST_NUMBER: usize = 330;
/// The most further spans shown for parameters that cannot be combined.
const MAX_PLACES: usize = 5;

/// One value of a parameter: its text and its kind.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Argument {
    text: Box<str>,
    kind: ArgumentKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ArgumentKind {
    Integer,
    Number,
    Text,
}

impl Argument {
    fn new(kind: ArgumentKind, text: impl Into<Box<str>>) -> Self {
        Self { text: text.into(), kind }
    }
}

choice! {
    /// How several parameters combine.
    pub(crate) enum ParameterMode, "a parameter mode" {
        /// Combines each value of one with each value of the others.
        Product = "product",
        /// Combines the first values of all, then the second, and so on.
        Zip = "zip",
    }
}

/// The parameters of one entry with their values, and how they combine.
#[derive(Debug, Clone, Default)]
pub(crate) struct ParameterGrid {
    parameters: Vec<(Box<str>, Vec<Argument>)>,
    zipped: bool,
    count: usize,
}

impl ParameterGrid {
    /// No parameters: one copy.
    pub(crate) fn none() -> Self {
        Self { parameters: Vec::new(), zipped: false, count: 1 }
    }

    /// Constants, which make no copies.
    pub(crate) fn constants(table: &Table<Spanned<Scalar>>) -> Self {
        let parameters = table.0.iter().map(|(name, value)| {
            (name.value.clone(), vec![Argument::new(ArgumentKind::Text, value.value.0.clone())])
        });
        Self { parameters: parameters.collect(), zipped: false, count: 1 }
    }

    /// The length of the longest value of each parameter, in bytes.
    pub(crate) fn longest(&self) -> Vec<(&str, usize)> {
        let length = |value: &Argument| match value.kind {
            ArgumentKind::Text => value.text.len(),
            _ => value.text.len().max(LONGEST_NUMBER),
        };
        let longest = |values: &Vec<Argument>| values.iter().map(length).max().unwrap_or(0);
        self.parameters.iter().map(|(name, values)| (&**name, longest(values))).collect()
    }

    /// How many copies there are.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Whether there are no parameters.
    pub(crate) fn is_empty(&self) -> bool {
        self.parameters.is_empty()
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.parameters.iter().map(|(name, _)| &**name)
    }

    /// The value of a parameter in a copy, by its number. In a product the last parameter changes
    /// fastest.
    pub(crate) fn value(&self, copy: usize, name: &str) -> Option<&Argument> {
        let at = self.parameters.iter().position(|(known, _)| **known == *name)?;
        let values = &self.parameters[at].1;
        if self.zipped {
            return values.get(copy);
        }
        let faster: usize =
            self.parameters[at + 1..].iter().map(|(_, values)| values.len()).product();
        values.get(copy / faster.max(1) % values.len().max(1))
    }
}

/// The parameters of an entry as written in the file.
pub(crate) struct EntryParameters<'a> {
    parameters: &'a Table<Spanned<Verbatim>>,
    used: &'a [Text],
    mode: Option<ParameterMode>,
    /// The parameters of the workflow.
    shared: &'a Table<Spanned<Verbatim>>,
}

/// Takes the parameters of each kind of entry, whose fields have the same names.
macro_rules! entry_parameters {
    ($($function:ident: $entry:ty,)+) => {
        impl<'a> EntryParameters<'a> {
            $(pub(crate) fn $function(entry: &'a $entry, spec: &'a WorkflowSpec) -> Self {
                Self {
                    parameters: &entry.parameters,
                    used: &entry.use_parameters,
                    mode: entry.parameter_mode,
                    shared: &spec.parameters,
                }
            })+
        }
    };
}

entry_parameters!(of_job: JobSpec, of_file: FileSpec, of_data: UserDataSpec,);

/// The length of the longest text that a parameter can substitute, in bytes.
fn longest(values: &Verbatim, constants: &[(&str, usize)]) -> usize {
    let length = |value: &Verbatim| match value {
        Verbatim::Text(text) => substituted_len(text, constants),
        Verbatim::Number(text) => digits(text),
        Verbatim::Integer(text) | Verbatim::Bool(text) => text.len(),
        Verbatim::Null | Verbatim::Map | Verbatim::List(_) => 0,
    };
    match values {
        Verbatim::List(items) => items.iter().map(length).max().unwrap_or(0),
        // A value of a range is never longer than the range. Any other text may be a number.
        Verbatim::Text(text) => length(values).max(digits(text.trim())),
        other => length(other),
    }
}

/// The longest form of a number in a placeholder with a format, which writes no exponent.
fn digits(text: &str) -> usize {
    match (text.parse::<i64>(), text.parse::<f64>()) {
        (Err(_), Ok(number)) if number.abs() > 1e15 => LONGEST_NUMBER.max(text.len()),
        _ => text.len(),
    }
}

/// The number of copies of an entry and the lengths of its substituted texts.
pub(crate) struct EntrySize<'a> {
    /// How many copies there are.
    pub(crate) copies: usize,
    /// For each parameter and constant, the length of the longest text that it substitutes, in
    /// bytes.
    pub(crate) longest: Vec<(&'a str, usize)>,
}

impl<'a> EntrySize<'a> {
    /// The size of an entry without parameters.
    pub(crate) fn one(constants: &'a ParameterGrid) -> Self {
        Self { copies: 1, longest: constants.longest() }
    }
}

impl EntryParameters<'_> {
    /// Reads the values of the parameters; `None` if they are invalid, which has been reported.
    pub(crate) fn grid(
        &self,
        constants: &ParameterGrid,
        findings: &mut Findings,
    ) -> Option<ParameterGrid> {
        let mut parameters: Vec<(Box<str>, Vec<Argument>)> = Vec::new();
        let mut places = Vec::new();
        let mut sound = true;
        for name in self.used {
            let own = self.parameters.0.iter().any(|(key, _)| key.value == name.value);
            if own {
                continue;
            }
            match self.shared.0.iter().find(|(key, _)| key.value == name.value) {
                Some((key, value)) => {
                    sound &= push(key, value, constants, &mut parameters, findings);
                    places.push(name.span);
                }
                None => {
                    unknown_parameter(name, self.shared, findings);
                    sound = false;
                }
            }
        }
        for (key, value) in &self.parameters.0 {
            sound &= push(key, value, constants, &mut parameters, findings);
            places.push(key.span);
        }
        if !sound {
            return None;
        }
        let zipped = self.mode == Some(ParameterMode::Zip);
        let count = if zipped { zip(&parameters) } else { product(&parameters) };
        match count {
            Ok(count) => Some(ParameterGrid { parameters, zipped, count }),
            Err((message, help)) => {
                no_combination(&message, help, &parameters, &places, findings);
                None
            }
        }
    }

    /// Whether there are few enough parameters to show them all.
    pub(crate) fn is_plain(&self) -> bool {
        self.parameters.0.len() + self.used.len() <= MAX_PLACES
    }
}

impl<'a> EntryParameters<'a> {
    /// The size of the expanded entry, found without making its values. Mistakes are left to
    /// [`grid`](Self::grid).
    pub(crate) fn size(&self, constants: &'a ParameterGrid) -> EntrySize<'a> {
        let own = self.parameters.0.iter();
        let used = self.used.iter().filter_map(|name| {
            let is_own = self.parameters.0.iter().any(|(key, _)| key.value == name.value);
            let found = self.shared.0.iter().find(|(key, _)| key.value == name.value);
            found.filter(|_| !is_own)
        });
        let zipped = self.mode == Some(ParameterMode::Zip);
        let mut size = EntrySize { copies: 1, longest: Vec::new() };
        let of_constants = constants.longest();
        for (key, values) in own.chain(used) {
            let longest = longest(&values.value, &of_constants);
            // A text that is too long is rejected for its length before anything is substituted.
            let is_too_long = longest > SUBSTITUTED_BYTES;
            let count = if is_too_long { 1 } else { count(&values.value, constants).max(1) };
            size.copies = match zipped {
                true => size.copies.max(count),
                false => size.copies.saturating_mul(count),
            };
            size.longest.push((&*key.value, longest));
        }
        size.longest.extend(of_constants);
        size
    }
}

fn push(
    key: &Spanned<Box<str>>,
    value: &Spanned<Verbatim>,
    constants: &ParameterGrid,
    parameters: &mut Vec<(Box<str>, Vec<Argument>)>,
    findings: &mut Findings,
) -> bool {
    if !is_name(&key.value) {
        findings
            .error(key.span, format!("`{}` is not a valid parameter name", key.value))
            .help("use letters, digits and `_`");
        return false;
    }
    match values(&value.value, constants) {
        Ok(values) => parameters.push((key.value.clone(), values)),
        Err(unfit) => {
            let place = unfit.place(value.span, findings.source());
            let message = format!("the parameter `{}` {}", key.value, unfit.reason);
            findings.error(place, message).help(unfit.help);
            return false;
        }
    }
    true
}

fn unknown_parameter(name: &Text, shared: &Table<Spanned<Verbatim>>, findings: &mut Findings) {
    let known = shared.0.iter().map(|(key, _)| &*key.value);
    let otherwise = || "define it under `parameters` of the workflow".to_owned();
    let help = did_you_mean(&name.value, known, otherwise);
    let message = format!("the workflow has no parameter `{}`", name.value);
    findings.error(name.span, message).help(help);
}

/// The number of combinations, or the mistake in them and its cure.
type Count = Result<usize, (String, &'static str)>;

fn product(parameters: &[(Box<str>, Vec<Argument>)]) -> Count {
    let count =
        parameters.iter().fold(1_usize, |count, (_, values)| count.saturating_mul(values.len()));
    if count <= COPIES {
        return Ok(count);
    }
    let count = if count == usize::MAX { "too many".to_owned() } else { count.to_string() };
    let message = format!("these parameters make {count} copies; the limit is {COPIES}");
    Err((message, "use fewer values, or `parameter_mode: zip`"))
}

fn zip(parameters: &[(Box<str>, Vec<Argument>)]) -> Count {
    let Some((first, values)) = parameters.first() else { return Ok(1) };
    match parameters.iter().find(|(_, others)| others.len() != values.len()) {
        None => Ok(values.len()),
        Some((name, others)) => {
            let (one, other) = (values.len(), others.len());
            let message = format!("`{first}` has {one} values, and `{name}` has {other}");
            Err((
                message,
                "`zip` needs lists of equal length; `product` combines each value with each",
            ))
        }
    }
}

/// Reports parameters that cannot be combined, with their spans.
fn no_combination(
    message: &str,
    help: &str,
    parameters: &[(Box<str>, Vec<Argument>)],
    places: &[Span],
    findings: &mut Findings,
) {
    let mut labelled = places.iter().zip(parameters).map(|(place, (_, values))| {
        let count = values.len();
        (*place, if count == 1 { "1 value".to_owned() } else { format!("{count} values") })
    });
    let Some((first, label)) = labelled.next() else { return };
    let diagnostic = findings.error(first, message).label(label).help(help);
    labelled
        .take(MAX_PLACES)
        .fold(diagnostic, |diagnostic, (place, label)| diagnostic.also(place, label));
}
