//! Parameters: one entry of a file that stands for many. Values, their combinations, and the
//! texts in which they are put.

mod fill;
mod range;
#[cfg(test)]
mod tests;
mod values;

use serde_json::Value as Json;

use super::Text;
use crate::document::{Findings, Scalar, Span, Spanned, Table, choice};
use crate::id::nearest;

pub(crate) use fill::{fill, names_in_braces, near_misses};
use values::values;

/// The most entries that one file may grow to: a million.
pub(crate) const MAX_COPIES: usize = 1_000_000;
/// So many more places are shown where parameters cannot be combined.
const MAX_PLACES: usize = 5;

/// One value of a parameter.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Argument {
    Integer(i64),
    Number(f64),
    Text(Box<str>),
}

choice! {
    /// How several parameters combine.
    pub(crate) enum ParameterMode, "a parameter mode" {
        /// Each value of one with each of the others.
        Product = "product",
        /// The first of all, the second of all, and so on.
        Zip = "zip",
    }
}

/// The parameters of one entry: their names, and the values of each.
#[derive(Debug, Clone, Default)]
pub(crate) struct Axes {
    axes: Vec<(Box<str>, Vec<Argument>)>,
    zipped: bool,
    count: usize,
}

impl Axes {
    /// No parameters: one copy.
    pub(crate) fn none() -> Self {
        Self { axes: Vec::new(), zipped: false, count: 1 }
    }

    /// Constants, which make no copies.
    pub(crate) fn constants(table: &Table<Spanned<Scalar>>) -> Self {
        let axes = table
            .0
            .iter()
            .map(|(name, value)| (name.value.clone(), vec![Argument::Text(value.value.0.clone())]));
        Self { axes: axes.collect(), zipped: false, count: 1 }
    }

    /// How many copies there are.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Whether there are no parameters.
    pub(crate) fn is_empty(&self) -> bool {
        self.axes.is_empty()
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.axes.iter().map(|(name, _)| &**name)
    }

    /// The value of a parameter in the copy of this number. In a product the last parameter
    /// changes fastest.
    pub(crate) fn value(&self, copy: usize, name: &str) -> Option<&Argument> {
        let at = self.axes.iter().position(|(known, _)| **known == *name)?;
        let values = &self.axes[at].1;
        if self.zipped {
            return values.get(copy);
        }
        let faster: usize = self.axes[at + 1..].iter().map(|(_, values)| values.len()).product();
        values.get(copy / faster.max(1) % values.len().max(1))
    }
}

/// What makes copies of an entry, as it is written.
pub(crate) struct Written<'a> {
    pub(crate) parameters: &'a Table<Spanned<Json>>,
    pub(crate) used: &'a [Text],
    pub(crate) mode: Option<ParameterMode>,
    /// The parameters of the workflow.
    pub(crate) shared: &'a Table<Spanned<Json>>,
    pub(crate) constants: &'a Axes,
}

impl Written<'_> {
    /// The parameters with their values; `None` when they cannot be read, which was reported.
    pub(crate) fn axes(&self, findings: &mut Findings) -> Option<Axes> {
        let mut axes: Vec<(Box<str>, Vec<Argument>)> = Vec::new();
        let mut places = Vec::new();
        let mut sound = true;
        for name in self.used {
            let own = self.parameters.0.iter().any(|(key, _)| key.value == name.value);
            if own {
                continue;
            }
            match self.shared.0.iter().find(|(key, _)| key.value == name.value) {
                Some((key, value)) => {
                    sound &= self.push(key, value, &mut axes, findings);
                    places.push(name.span);
                }
                None => {
                    unknown_parameter(name, self.shared, findings);
                    sound = false;
                }
            }
        }
        for (key, value) in &self.parameters.0 {
            sound &= self.push(key, value, &mut axes, findings);
            places.push(key.span);
        }
        if !sound {
            return None;
        }
        let zipped = self.mode == Some(ParameterMode::Zip);
        let count = if zipped { zip(&axes) } else { product(&axes) };
        match count {
            Ok(count) => Some(Axes { axes, zipped, count }),
            Err((message, help)) => {
                no_combination(&message, help, &axes, &places, findings);
                None
            }
        }
    }

    fn push(
        &self,
        key: &Spanned<Box<str>>,
        value: &Spanned<Json>,
        axes: &mut Vec<(Box<str>, Vec<Argument>)>,
        findings: &mut Findings,
    ) -> bool {
        if !is_name(&key.value) {
            findings
                .error(key.span, format!("`{}` cannot be the name of a parameter", key.value))
                .help("use letters, digits and `_`");
            return false;
        }
        match values(&value.value, self.constants) {
            Ok(values) => axes.push((key.value.clone(), values)),
            Err(unfit) => {
                let place = unfit.place(value.span, findings.source());
                let message = format!("the parameter `{}` {}", key.value, unfit.reason);
                findings.error(place, message).help(unfit.help);
                return false;
            }
        }
        true
    }
}

fn unknown_parameter(name: &Text, shared: &Table<Spanned<Json>>, findings: &mut Findings) {
    let known = shared.0.iter().map(|(key, _)| &*key.value);
    let help = match nearest(&name.value, known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "define it under `parameters` of the workflow".to_owned(),
    };
    let message = format!("the workflow has no parameter `{}`", name.value);
    findings.error(name.span, message).help(help);
}

fn is_name(text: &str) -> bool {
    let mut letters = text.chars();
    letters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

/// How many combinations there are, or what is wrong with them and the cure.
type Count = Result<usize, (String, &'static str)>;

fn product(axes: &[(Box<str>, Vec<Argument>)]) -> Count {
    let count = axes.iter().fold(1_usize, |count, (_, values)| count.saturating_mul(values.len()));
    if count <= MAX_COPIES {
        return Ok(count);
    }
    let count = if count == usize::MAX { "too many".to_owned() } else { count.to_string() };
    let message = format!("these parameters make {count} copies; the limit is {MAX_COPIES}");
    Err((message, "use fewer values, or `parameter_mode: zip`"))
}

fn zip(axes: &[(Box<str>, Vec<Argument>)]) -> Count {
    let Some((first, values)) = axes.first() else { return Ok(1) };
    match axes.iter().find(|(_, others)| others.len() != values.len()) {
        None => Ok(values.len()),
        Some((name, others)) => {
            let (one, other) = (values.len(), others.len());
            let message = format!("`{first}` has {one} values, and `{name}` has {other}");
            Err((message, "`zip` takes lists of one length; `product` combines each with each"))
        }
    }
}

/// Reports parameters that cannot be combined, with the places that name them.
fn no_combination(
    message: &str,
    help: &str,
    axes: &[(Box<str>, Vec<Argument>)],
    places: &[Span],
    findings: &mut Findings,
) {
    let mut labelled = places.iter().zip(axes).map(|(place, (_, values))| {
        let count = values.len();
        (*place, if count == 1 { "1 value".to_owned() } else { format!("{count} values") })
    });
    let Some((first, label)) = labelled.next() else { return };
    let said = findings.error(first, message).label(label).help(help);
    labelled.take(MAX_PLACES).fold(said, |said, (place, label)| said.also(place, label));
}
