//! Parameters: one entry of a file that stands for many. Values, their combinations, and the
//! texts in which they are put.

use std::borrow::Cow;
use std::fmt::Write;

use serde_json::Value as Json;

use super::{ParameterMode, Text};
use crate::document::{Findings, Format, Source, Span, Spanned, Table};
use crate::id::nearest;

/// The most entries that one file may grow to: a million.
pub(crate) const MAX_COPIES: usize = 1_000_000;

/// One value of a parameter.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Argument {
    Integer(i64),
    Number(f64),
    Text(Box<str>),
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
    pub(crate) fn constants(table: &Table<Spanned<super::Scalar>>) -> Self {
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

    fn names(&self) -> impl Iterator<Item = &str> {
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
        let mut sound = true;
        for name in self.used {
            let own = self.parameters.0.iter().any(|(key, _)| key.value == name.value);
            if own {
                continue;
            }
            match self.shared.0.iter().find(|(key, _)| key.value == name.value) {
                Some((key, value)) => sound &= self.push(key, value, &mut axes, findings),
                None => {
                    unknown_parameter(name, self.shared, findings);
                    sound = false;
                }
            }
        }
        for (key, value) in &self.parameters.0 {
            sound &= self.push(key, value, &mut axes, findings);
        }
        let span = self.parameters.0.first().map_or(Span::default(), |(key, _)| key.span);
        if !sound {
            return None;
        }
        let zipped = self.mode == Some(ParameterMode::Zip);
        let count =
            if zipped { zip(&axes, span, findings)? } else { product(&axes, span, findings)? };
        Some(Axes { axes, zipped, count })
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
            Err(reason) => {
                findings
                    .error(value.span, format!("the parameter `{}` {reason}", key.value))
                    .help("write a list, or a range: `0:9`, `0:100:10`, `0.0:1.0:0.25`");
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

fn product(
    axes: &[(Box<str>, Vec<Argument>)],
    span: Span,
    findings: &mut Findings,
) -> Option<usize> {
    let count = axes.iter().try_fold(1_usize, |count, (_, values)| count.checked_mul(values.len()));
    let count = count.filter(|count| *count <= MAX_COPIES);
    if count.is_none() {
        let message = format!("these parameters make more than {MAX_COPIES} copies");
        findings.error(span, message).help("use fewer values, or `parameter_mode: zip`");
    }
    count
}

fn zip(axes: &[(Box<str>, Vec<Argument>)], span: Span, findings: &mut Findings) -> Option<usize> {
    let Some((first, values)) = axes.first() else { return Some(1) };
    for (name, others) in axes {
        if others.len() != values.len() {
            let (one, other) = (values.len(), others.len());
            let message = format!("`{first}` has {one} values, and `{name}` has {other}");
            findings.error(span, message).help("`zip` takes lists of one length");
            return None;
        }
    }
    Some(values.len())
}

/// The values of a parameter, or what is wrong with it.
fn values(json: &Json, constants: &Axes) -> Result<Vec<Argument>, String> {
    let values = match json {
        Json::Array(items) => items.iter().map(argument).collect::<Result<Vec<_>, _>>()?,
        Json::String(text) => from_text(&fill(text, constants, 0))?,
        Json::Number(_) | Json::Bool(_) => vec![argument(json)?],
        Json::Null | Json::Object(_) => return Err("is no list and no range".to_owned()),
    };
    if values.is_empty() { Err("has no values".to_owned()) } else { Ok(values) }
}

fn argument(json: &Json) -> Result<Argument, String> {
    Ok(match json {
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => Argument::Integer(integer),
            (None, Some(number)) => Argument::Number(number),
            (None, None) => return Err(format!("holds {number}, which is out of range")),
        },
        Json::String(text) => Argument::Text(text.as_str().into()),
        Json::Bool(value) => Argument::Text(value.to_string().into()),
        _ => return Err("holds something else than texts and numbers".to_owned()),
    })
}

/// A range `first:last` or `first:last:step`, a list in a text, or one value.
fn from_text(text: &str) -> Result<Vec<Argument>, String> {
    let text = text.trim();
    if text.starts_with('[') {
        return listed(text);
    }
    let parts: Vec<&str> = text.split(':').map(str::trim).collect();
    let numeric = parts.iter().all(|part| part.parse::<f64>().is_ok());
    match parts.as_slice() {
        [_, _] | [_, _, _] if numeric => range(text, &parts),
        [one] => Ok(vec![single(one)]),
        _ => Err(format!("is `{text}`, which is no range of numbers")),
    }
}

fn single(text: &str) -> Argument {
    match (text.parse::<i64>(), text.parse::<f64>()) {
        (Ok(integer), _) => Argument::Integer(integer),
        (Err(_), Ok(number)) if number.is_finite() => Argument::Number(number),
        _ => Argument::Text(text.into()),
    }
}

/// A list as text, the way in which torc writes it: `[1,2]`, `['a','b']`.
fn listed(text: &str) -> Result<Vec<Argument>, String> {
    let source = Source::new("", text);
    let mut findings = Findings::new(&source);
    let node = source.parse(Format::Yaml, &mut findings).filter(|_| !findings.has_errors());
    match node.map(|node| node.to_json()) {
        Some(Json::Array(items)) => items.iter().map(argument).collect(),
        _ => Err(format!("is `{text}`, which is no list")),
    }
}

/// Counts in whole units of the last decimal that is written, so that nothing drifts.
fn range(text: &str, parts: &[&str]) -> Result<Vec<Argument>, String> {
    let decimals = parts.iter().map(|part| decimals(part)).max().flatten();
    let decimals = decimals.ok_or_else(|| format!("is `{text}`; write its numbers as decimals"))?;
    let units =
        |part: &str| scaled(part, decimals).ok_or_else(|| format!("is `{text}`, too large"));
    let (first, last) = (units(parts[0])?, units(parts[1])?);
    let step = match parts.get(2) {
        Some(step) => units(step)?,
        None => 10_i128.pow(decimals),
    };
    if step == 0 {
        return Err(format!("is `{text}`, whose step is 0"));
    }
    if (last - first).signum() * step.signum() < 0 {
        return Err(format!("is `{text}`, which holds nothing: it steps away from its end"));
    }
    let count = (last - first) / step + 1;
    if count > MAX_COPIES as i128 {
        return Err(format!("is `{text}`, which holds {count} values; the limit is {MAX_COPIES}"));
    }
    let values = (0..count).map(|index| first + index * step);
    if decimals == 0 && parts.iter().all(|part| !part.contains('.')) {
        return values
            .map(|value| i64::try_from(value).map(Argument::Integer))
            .collect::<Result<_, _>>()
            .map_err(|_| format!("is `{text}`, too large"));
    }
    let unit = 10_f64.powi(i32::try_from(decimals).unwrap_or(i32::MAX));
    Ok(values.map(|value| Argument::Number(value as f64 / unit)).collect())
}

/// How many decimals a number is written with; `None` when it is written in another way.
fn decimals(number: &str) -> Option<u32> {
    let unsigned = number.trim_start_matches(['-', '+']);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > 15 || whole.len() > 18 {
        return None;
    }
    u32::try_from(fraction.len()).ok()
}

fn scaled(number: &str, decimals: u32) -> Option<i128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let padding = decimals as usize - fraction.len();
    format!("{whole}{fraction}{}", "0".repeat(padding)).parse().ok()
}

/// The text with the values of a copy in the places of its parameters: `{i}`, `{i:03d}`,
/// `{rate:.4f}`.
///
/// `{{i}}` stands for `{i}`. Braces around anything else, and those after a `$`, stay as they are.
pub(crate) fn fill<'t>(text: &'t str, axes: &Axes, copy: usize) -> Cow<'t, str> {
    if axes.is_empty() || !text.contains('{') {
        return Cow::Borrowed(text);
    }
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        filled.push_str(&rest[..open]);
        let after = &rest[open..];
        let shell = filled.ends_with('$');
        if !shell
            && let Some((name, end)) = in_braces(&after[1..])
            && let Some(end) = end.strip_prefix('}')
            && place(name, axes, copy).is_some()
        {
            let _ = write!(filled, "{{{name}}}");
            rest = end;
            continue;
        }
        let inside = in_braces(after).filter(|_| !shell);
        match inside.and_then(|(name, end)| Some((place(name, axes, copy)?, end))) {
            Some((value, end)) => {
                filled.push_str(&value);
                rest = end;
            }
            None => {
                filled.push('{');
                rest = &after[1..];
            }
        }
    }
    filled.push_str(rest);
    Cow::Owned(filled)
}

/// What stands between the brace that the text begins with and the next one, if that closes it;
/// and what follows.
fn in_braces(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix('{')?;
    let end = inner.find(['{', '}'])?;
    Some((&inner[..end], inner[end..].strip_prefix('}')?))
}

/// The value that stands in a place such as `i` or `i:03d`; `None` when this is no such place.
fn place(inside: &str, axes: &Axes, copy: usize) -> Option<String> {
    let (name, format) = inside.split_once(':').unwrap_or((inside, ""));
    let value = axes.value(copy, name)?;
    formatted(value, format)
}

/// `[0][width][.precision][kind]`, as Python writes it; `None` for anything else.
fn formatted(value: &Argument, format: &str) -> Option<String> {
    let kind = format.chars().last().filter(char::is_ascii_alphabetic);
    let numbers = format.strip_suffix(|last| Some(last) == kind).unwrap_or(format);
    let (width, precision) = numbers.split_once('.').unwrap_or((numbers, ""));
    let fill = if width.starts_with('0') { '0' } else { ' ' };
    let width = if width.is_empty() { 0 } else { width.parse::<usize>().ok()? }.min(64);
    let precision = match precision {
        "" => None,
        digits => Some(digits.parse::<usize>().ok()?.min(32)),
    };
    let text = match (kind, value) {
        (None | Some('d'), Argument::Integer(value)) if precision.is_none() => value.to_string(),
        (Some('f'), Argument::Integer(value)) => {
            format!("{:.*}", precision.unwrap_or(6), *value as f64)
        }
        (Some('f'), Argument::Number(value)) => format!("{:.*}", precision.unwrap_or(6), value),
        (None, Argument::Number(value)) => match precision {
            Some(precision) => format!("{value:.precision$}"),
            None => value.to_string(),
        },
        (Some('e'), Argument::Number(value)) => format!("{:.*e}", precision.unwrap_or(6), value),
        (Some('d'), Argument::Number(value)) => format!("{value:.0}"),
        (Some('x'), Argument::Integer(value)) => format!("{value:x}"),
        (None | Some('s'), Argument::Text(text)) => text.to_string(),
        // A text in a place for numbers, as a table of mixed values has it.
        (Some('d' | 'f' | 'e'), Argument::Text(text)) => text.to_string(),
        _ => return None,
    };
    let missing = width.saturating_sub(text.chars().count());
    let (sign, digits) = match text.strip_prefix('-').filter(|_| fill == '0') {
        Some(digits) => ("-", digits),
        None => ("", text.as_str()),
    };
    let padding: String = std::iter::repeat_n(fill, missing).collect();
    Some(match value {
        Argument::Text(_) => format!("{text}{}", padding.replace('0', " ")),
        _ => format!("{sign}{padding}{digits}"),
    })
}

/// Names in braces that look like parameters and are none of them, but near to one: likely typos.
pub(crate) fn near_misses<'a>(text: &'a str, axes: &'a Axes) -> Vec<(&'a str, &'a str)> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices('{') {
        let inside = in_braces(&text[at..]).map(|(inside, _)| inside);
        let name = inside.map(|inside| inside.split(':').next().unwrap_or(inside));
        if text[..at].ends_with('$') {
            continue;
        }
        if let Some(name) = name.filter(|name| is_name(name))
            && !axes.names().any(|known| known == name)
            && let Some(near) = nearest(name, axes.names())
        {
            found.push((name, near));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn axes(parameters: &[(&str, Json)], zipped: bool) -> Axes {
        let axes: Vec<_> = parameters
            .iter()
            .map(|(name, json)| ((*name).into(), values(json, &Axes::none()).expect("values")))
            .collect();
        let count = if zipped {
            axes[0].1.len()
        } else {
            axes.iter().map(|axis: &(Box<str>, Vec<Argument>)| axis.1.len()).product()
        };
        Axes { axes, zipped, count }
    }

    fn all(text: &str, axes: &Axes) -> Vec<String> {
        (0..axes.count()).map(|copy| fill(text, axes, copy).into_owned()).collect()
    }

    fn range_of(text: &str) -> Vec<String> {
        all("{i}", &axes(&[("i", json!(text))], false))
    }

    #[test]
    fn ranges_hold_both_ends() {
        assert_eq!(range_of("0:3"), ["0", "1", "2", "3"]);
        assert_eq!(range_of("0:100:25"), ["0", "25", "50", "75", "100"]);
        assert_eq!(range_of("3:1:-1"), ["3", "2", "1"]);
        assert_eq!(range_of("-1:1"), ["-1", "0", "1"]);
    }

    #[test]
    fn ranges_of_decimals_do_not_drift() {
        let tenths = range_of("0.0:1.0:0.1");
        assert_eq!(tenths.len(), 11);
        assert_eq!(tenths[3], "0.3");
        assert_eq!(range_of("0.1:0.3:0.05"), ["0.1", "0.15", "0.2", "0.25", "0.3"]);
    }

    #[test]
    fn lists_come_as_lists_or_as_texts() {
        let native = all("{x}", &axes(&[("x", json!(["adam", 0.001, 16]))], false));
        assert_eq!(native, ["adam", "0.001", "16"]);
        let text = all("{x}", &axes(&[("x", json!("['adam', 0.001, 16]"))], false));
        assert_eq!(text, native);
    }

    #[test]
    fn what_is_no_range_is_said() {
        let reason = |text: &str| values(&json!(text), &Axes::none()).expect_err("is no range");
        assert!(reason("0:9:0").contains("step is 0"));
        assert!(reason("9:0").contains("steps away"));
        assert!(reason("0:99999999").contains("limit"));
        assert!(reason("a:b").contains("no range"));
        assert!(reason("[1, 2").contains("no list"));
        assert!(reason("1e3:1e4").contains("as decimals"));
    }

    #[test]
    fn a_product_changes_its_last_parameter_fastest() {
        let axes = axes(&[("a", json!([1, 2])), ("b", json!(["x", "y"]))], false);
        assert_eq!(all("{a}{b}", &axes), ["1x", "1y", "2x", "2y"]);
    }

    #[test]
    fn a_zip_goes_through_all_at_once() {
        let axes = axes(&[("a", json!([1, 2])), ("b", json!(["x", "y"]))], true);
        assert_eq!(all("{a}{b}", &axes), ["1x", "2y"]);
    }

    #[test]
    fn places_have_formats() {
        let axes = axes(&[("i", json!([7])), ("r", json!([0.001])), ("s", json!(["ab"]))], false);
        let filled = |text: &str| fill(text, &axes, 0).into_owned();
        assert_eq!(filled("job_{i:03d}_{r:.4f}_{s}"), "job_007_0.0010_ab");
        assert_eq!(filled("{i:5}|{i:x}|{r:e}"), "    7|7|1.000000e-3");
    }

    #[test]
    fn other_braces_stay() {
        let axes = axes(&[("i", json!([7]))], false);
        let same =
            ["${i}", "awk '{print $1}'", "{\"a\": 1}", "{j}", "{", "{}", "{{.Names}}", "${{ i }}"];
        for text in same {
            assert_eq!(fill(text, &axes, 0), text);
        }
        assert_eq!(fill("{{i}} {i}", &axes, 0), "{i} 7");
        assert_eq!(fill("${files.input.f_{i}}", &axes, 0), "${files.input.f_7}");
    }
}
