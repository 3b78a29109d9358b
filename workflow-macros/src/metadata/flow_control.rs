//! Checks of the flow control of a workflow: names and types. `workflow_core` checks the values.

use crate::literal::nearest;
use crate::metadata::{Entry, Json};

/// An option of a part of the metadata.
pub(super) struct Known {
    name: &'static str,
    wanted: &'static str,
    fits: fn(&Json) -> bool,
    is_required: bool,
}

pub(super) const fn option(
    name: &'static str,
    wanted: &'static str,
    fits: fn(&Json) -> bool,
) -> Known {
    Known { name, wanted, fits, is_required: false }
}

pub(super) const fn required(known: Known) -> Known {
    Known { is_required: true, ..known }
}

const KEY: Known = option("key", "a string such as \"${{ input.customer }}\"", is_text);
const LIMIT: Known = required(option("limit", "an integer of at least 1", is_count));

const CONCURRENCY: &[Known] = &[
    KEY,
    LIMIT,
    option(
        "on_conflict",
        "one of \"queue\", \"cancel_running\", \"cancel_new\" and \"skip\"",
        is_conflict,
    ),
];
const RATE_LIMIT: &[Known] =
    &[KEY, LIMIT, required(option("per", "a duration such as \"1s\"", is_duration))];
const DEBOUNCE: &[Known] = &[
    KEY,
    required(option("delay", "a duration such as \"5s\"", is_duration)),
    option("max_delay", "a duration such as \"1m\"", is_duration),
];
const FAIRNESS: &[Known] = &[required(KEY), option("weight", "an integer of at least 1", is_count)];

/// Checks a part of the flow control.
pub(super) fn part(entry: &Entry) -> syn::Result<()> {
    let known = match entry.key.as_str() {
        "singleton" if matches!(entry.value.json, Json::Bool(_)) => return Ok(()),
        "singleton" => {
            let message =
                format!("`singleton` is {}; it must be a boolean", entry.value.json.describe());
            return Err(syn::Error::new(entry.value.span, message));
        }
        "concurrency" => CONCURRENCY,
        "rate_limit" => RATE_LIMIT,
        "debounce" => DEBOUNCE,
        _ => FAIRNESS,
    };
    options(entry, known)
}

/// Checks the options of a part of the metadata.
pub(super) fn options(entry: &Entry, known: &[Known]) -> syn::Result<()> {
    let Json::Object(options) = &entry.value.json else {
        let found = entry.value.json.describe();
        let message = format!("`{}` is {found}; it must be an object", entry.key);
        return Err(syn::Error::new(entry.value.span, message));
    };
    for given in options {
        let Some(known) = known.iter().find(|known| known.name == given.key) else {
            return Err(unknown(&entry.key, given, known.iter().map(|known| known.name)));
        };
        if !(known.fits)(&given.value.json) {
            let message = format!("`{}` must be {}", given.key, known.wanted);
            return Err(syn::Error::new(given.value.span, message));
        }
    }
    let is_given = |known: &Known| options.iter().any(|given| given.key == known.name);
    match known.iter().find(|known| known.is_required && !is_given(known)) {
        None => Ok(()),
        Some(Known { name, wanted, .. }) => {
            let message = format!("`{}` needs `{name}`, {wanted}", entry.key);
            Err(syn::Error::new(entry.span, message))
        }
    }
}

/// The error for an option that a part of the metadata does not have.
pub(super) fn unknown(
    part: &str,
    given: &Entry,
    names: impl Iterator<Item = &'static str> + Clone,
) -> syn::Error {
    let hint = nearest(&given.key, names.clone()).map(|near| format!("; did you mean `{near}`?"));
    let list: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    let (hint, list, key) = (hint.unwrap_or_default(), list.join(", "), &given.key);
    let message = format!("`{part}` has no option `{key}`{hint}\nits options are {list}");
    syn::Error::new(given.span, message)
}

pub(super) fn is_text(json: &Json) -> bool {
    matches!(json, Json::Text(_))
}

fn is_count(json: &Json) -> bool {
    matches!(json, Json::Number(number) if number.as_u64().is_some_and(|count| (1..=u64::from(u32::MAX)).contains(&count)))
}

pub(super) fn is_duration(json: &Json) -> bool {
    matches!(json, Json::Number(_) | Json::Text(_))
}

fn is_conflict(json: &Json) -> bool {
    matches!(json, Json::Text(text) if ["queue", "cancel_running", "cancel_new", "skip"].contains(&text.as_str()))
}
