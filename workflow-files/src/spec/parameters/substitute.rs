//! Substitutes parameters in texts.

use std::borrow::Cow;
use std::fmt::Write;

use super::{Argument, ArgumentKind, LONGEST_WIDTH, ParameterGrid};
use workflow_core::id::nearest;

/// Substitutes the parameters of a copy in a text: `{i}`, `{i:03d}`, `{rate:.4f}`.
///
/// `{{i}}` stands for `{i}`. Braces around anything else, and those after a `$`, stay as they are.
pub(crate) fn substitute<'t>(text: &'t str, grid: &ParameterGrid, copy: usize) -> Cow<'t, str> {
    if grid.is_empty() || !text.contains('{') {
        return Cow::Borrowed(text);
    }
    let mut substituted = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        substituted.push_str(&rest[..open]);
        let after = &rest[open..];
        let shell = substituted.ends_with('$');
        if !shell
            && let Some((name, end)) = in_braces(&after[1..])
            && let Some(end) = end.strip_prefix('}')
            && place(name, grid, copy).is_some()
        {
            let _ = write!(substituted, "{{{name}}}");
            rest = end;
            continue;
        }
        let inside = in_braces(after).filter(|_| !shell);
        match inside.and_then(|(name, end)| Some((place(name, grid, copy)?, end))) {
            Some((value, end)) => {
                substituted.push_str(&value);
                rest = end;
            }
            None => {
                substituted.push('{');
                rest = &after[1..];
            }
        }
    }
    substituted.push_str(rest);
    Cow::Owned(substituted)
}

/// Splits a text that begins with a brace into the text inside of the braces and the rest; `None`
/// if the next brace does not close it.
fn in_braces(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix('{')?;
    let end = inner.find(['{', '}'])?;
    Some((&inner[..end], inner[end..].strip_prefix('}')?))
}

/// The value for a placeholder such as `i` or `i:03d`; `None` if this is not a placeholder.
fn place(inside: &str, grid: &ParameterGrid, copy: usize) -> Option<String> {
    let (name, format) = inside.split_once(':').unwrap_or((inside, ""));
    let value = grid.value(copy, name)?;
    formatted(value, format)
}

/// Formats a value by `[0][width][.precision][kind]`, as Python does; `None` for any other format.
/// Without a kind and a precision, the text of the value is unchanged.
fn formatted(value: &Argument, format: &str) -> Option<String> {
    let kind = format.chars().last().filter(char::is_ascii_alphabetic);
    let numbers = format.strip_suffix(|last| Some(last) == kind).unwrap_or(format);
    let (width, precision) = numbers.split_once('.').unwrap_or((numbers, ""));
    let fill = if width.starts_with('0') { '0' } else { ' ' };
    let width = if width.is_empty() { 0 } else { width.parse::<usize>().ok()? }.min(LONGEST_WIDTH);
    let precision = match precision {
        "" => None,
        digits => Some(digits.parse::<usize>().ok()?.min(32)),
    };
    let written = || value.text.to_string();
    let text = match (kind, value.read()) {
        (None, Read::Text) | (Some('s' | 'd' | 'f' | 'e'), Read::Text) => written(),
        (None, _) if precision.is_none() => written(),
        (Some('d'), Read::Integer(value)) if precision.is_none() => value.to_string(),
        (Some('f'), Read::Integer(value)) => {
            format!("{:.*}", precision.unwrap_or(6), value as f64)
        }
        (Some('f'), Read::Number(value)) => format!("{:.*}", precision.unwrap_or(6), value),
        (None, Read::Number(value)) => format!("{:.*}", precision.unwrap_or(6), value),
        (Some('e'), Read::Number(value)) => format!("{:.*e}", precision.unwrap_or(6), value),
        (Some('d'), Read::Number(value)) => format!("{value:.0}"),
        (Some('x'), Read::Integer(value)) => format!("{value:x}"),
        _ => return None,
    };
    let missing = width.saturating_sub(text.chars().count());
    let (sign, digits) = match text.strip_prefix('-').filter(|_| fill == '0') {
        Some(digits) => ("-", digits),
        None => ("", text.as_str()),
    };
    let padding: String = std::iter::repeat_n(fill, missing).collect();
    Some(match value.read() {
        Read::Text => format!("{text}{}", padding.replace('0', " ")),
        _ => format!("{sign}{padding}{digits}"),
    })
}

/// A value, parsed as a number if it is one.
enum Read {
    Integer(i64),
    Number(f64),
    Text,
}

impl Argument {
    fn read(&self) -> Read {
        let number = match self.kind {
            ArgumentKind::Text => None,
            ArgumentKind::Integer => integer(&self.text).map(Read::Integer),
            ArgumentKind::Number => self.text.parse().ok().map(Read::Number),
        };
        number.unwrap_or(Read::Text)
    }
}

/// Parses an integer: `7`, `+7`, `0x1F`, `0o17`.
fn integer(text: &str) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_ascii_lowercase();
    let (digits, radix) = match (lower.strip_prefix("0x"), lower.strip_prefix("0o")) {
        (Some(digits), _) => (digits, 16),
        (_, Some(digits)) => (digits, 8),
        _ => (digits, 10),
    };
    i64::from_str_radix(&format!("{sign}{digits}"), radix).ok()
}

/// Names in braces that are similar to a parameter but are none: probably typos.
pub(crate) fn near_misses<'a>(text: &'a str, grid: &'a ParameterGrid) -> Vec<(&'a str, &'a str)> {
    let unknown = names_in_braces(text).filter(|name| !grid.names().any(|known| known == *name));
    unknown.filter_map(|name| Some((name, nearest(name, grid.names())?))).collect()
}

/// The names in braces.
pub(crate) fn names_in_braces(text: &str) -> impl Iterator<Item = &str> {
    let braces = text.match_indices('{').map(|(at, _)| at);
    let names = braces.filter(|at| !text[..*at].ends_with('$')).filter_map(|at| {
        let (inside, _) = in_braces(&text[at..])?;
        Some(inside.split(':').next().unwrap_or(inside))
    });
    names.filter(|name| super::is_name(name))
}
