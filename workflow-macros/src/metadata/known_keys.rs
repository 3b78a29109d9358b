//! Checks of the well-known keys of a workflow's metadata.

use crate::metadata::{Entry, Json};

/// Checks one entry of a workflow's metadata.
pub(crate) fn entry(entry: &Entry) -> syn::Result<()> {
    match entry.key.as_str() {
        "description" | "owner" | "project" | "domain" | "version" => text(entry).map(drop),
        "schedule" => super::schedule::check(entry),
        "tags" => tags(entry),
        "triggers" => super::trigger::check(entry),
        "concurrency" | "rate_limit" | "debounce" | "singleton" | "fairness" => {
            super::flow_control::part(entry)
        }
        _ => Ok(()),
    }
}

fn text(entry: &Entry) -> syn::Result<&str> {
    match &entry.value.json {
        Json::Text(text) => Ok(text),
        other => {
            let message = format!("`{}` is {}; it must be a string", entry.key, other.describe());
            Err(syn::Error::new(entry.value.span, message))
        }
    }
}

fn tags(entry: &Entry) -> syn::Result<()> {
    let Json::List(tags) = &entry.value.json else {
        let found = entry.value.json.describe();
        let message = format!("`tags` is {found}; it must be a list of strings");
        return Err(syn::Error::new(entry.value.span, message));
    };
    match tags.iter().find(|tag| !matches!(tag.json, Json::Text(_))) {
        None => Ok(()),
        Some(tag) => {
            let message = format!("a tag is {}; it must be a string", tag.json.describe());
            Err(syn::Error::new(tag.span, message))
        }
    }
}

/// The warning for a project that is not in lower case with dashes.
pub(crate) fn project_hint(entry: &Entry) -> Option<String> {
    let Json::Text(text) = &entry.value.json else { return None };
    let part = |part: &str| {
        let plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
        !part.is_empty() && part.chars().all(plain)
    };
    if entry.key != "project" || text.split('-').all(part) {
        return None;
    }
    Some(format!(
        "the project {text:?} should be lower-case words joined by dashes, such as \"web-shop\""
    ))
}
