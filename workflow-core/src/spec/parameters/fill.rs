//! Texts with places for parameters, and what is put there.

use std::borrow::Cow;
use std::fmt::Write;

use super::{Argument, Axes, LONGEST_WIDTH};
use crate::id::nearest;

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
    let width = if width.is_empty() { 0 } else { width.parse::<usize>().ok()? }.min(LONGEST_WIDTH);
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
    let unknown = names_in_braces(text).filter(|name| !axes.names().any(|known| known == *name));
    unknown.filter_map(|name| Some((name, nearest(name, axes.names())?))).collect()
}

/// The names that stand in braces, where parameters would.
pub(crate) fn names_in_braces(text: &str) -> impl Iterator<Item = &str> {
    let braces = text.match_indices('{').map(|(at, _)| at);
    let names = braces.filter(|at| !text[..*at].ends_with('$')).filter_map(|at| {
        let (inside, _) = in_braces(&text[at..])?;
        Some(inside.split(':').next().unwrap_or(inside))
    });
    names.filter(|name| super::is_name(name))
}
