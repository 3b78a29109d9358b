//! Finds the records of a page, and what it says about the next one, in a JSON text.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// A page: its records as JSON texts, and the value at the path of the next cursor or URL.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) records: Vec<Box<RawValue>>,
    pub(super) next: Next,
}

/// What a page says about the next one.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The path is in the page, or is not looked for, and there is no next page.
    None,
    /// The path is not in the page, which has these keys.
    Missing(String),
    Value(String),
}

impl Page {
    /// Reads a page.
    ///
    /// # Errors
    ///
    /// Fails with the reason when the text is not JSON, or has no list of records.
    pub(super) fn read(
        text: &str,
        records_path: Option<&str>,
        next_path: Option<&str>,
    ) -> Result<Self, String> {
        let text = text.trim_start_matches('\u{feff}');
        let whole: &RawValue = serde_json::from_str(text).map_err(|error| {
            format!("the response is not JSON (line {}, column {})", error.line(), error.column())
        })?;
        let next = next_path.map_or(Ok(Next::None), |path| next(whole, path))?;
        Ok(Self { records: records(whole, records_path)?, next })
    }
}

fn records(whole: &RawValue, path: Option<&str>) -> Result<Vec<Box<RawValue>>, String> {
    let found = match path {
        None => whole,
        Some(path) => find(whole, path).map_err(|keys| {
            format!("the response has no `{path}`: {keys}; change `records_path`")
        })?,
    };
    // The text is valid JSON, so this fails only at another type.
    serde_json::from_str(found.get()).map_err(|_| match path {
        Some(path) => format!("`{path}` in the response is {}, not a list", kind(found)),
        None => format!(
            "the response is {}, not a list of records; set `records_path` to the path of the list",
            kind(found)
        ),
    })
}

fn next(whole: &RawValue, path: &str) -> Result<Next, String> {
    let found = match find(whole, path) {
        Ok(found) => found,
        Err(keys) => return Ok(Next::Missing(keys)),
    };
    match serde_json::from_str(found.get()) {
        Ok(serde_json::Value::Null | serde_json::Value::Bool(false)) => Ok(Next::None),
        Ok(serde_json::Value::String(text)) if text.is_empty() => Ok(Next::None),
        Ok(serde_json::Value::String(text)) => Ok(Next::Value(text)),
        // As it is written: a cursor may have more digits than a number of 64 bits.
        Ok(serde_json::Value::Number(_)) => Ok(Next::Value(found.get().to_owned())),
        _ => Err(format!("`{path}` in the response is {}, not a text", kind(found))),
    }
}

/// The value at a path of keys; else the keys that there are.
fn find<'t>(whole: &'t RawValue, path: &str) -> Result<&'t RawValue, String> {
    let mut found = whole;
    for (depth, key) in path.split('.').enumerate() {
        let entries = entries(found);
        let inner = entries.iter().flatten().rfind(|(name, _)| name == key);
        found = inner.map(|(_, value)| *value).ok_or_else(|| {
            let above: Vec<_> = path.split('.').take(depth).collect();
            let place =
                if above.is_empty() { "it".to_owned() } else { format!("`{}`", above.join(".")) };
            format!("{place} is {}", kind(found))
        })?;
    }
    Ok(found)
}

fn entries(value: &RawValue) -> Option<Vec<(String, &RawValue)>> {
    serde_json::from_str::<Entries<'_>>(value.get()).ok().map(|Entries(entries)| entries)
}

/// What a value is, for errors.
fn kind(value: &RawValue) -> String {
    match value.get().as_bytes().first() {
        Some(b'{') => {
            let names = entries(value).unwrap_or_default();
            let names: Vec<_> =
                names.iter().take(MOST_KEYS).map(|(name, _)| format!("`{name}`")).collect();
            match names.as_slice() {
                [] => "an empty object".to_owned(),
                names => format!("an object with {}", names.join(", ")),
            }
        }
        Some(b'[') => "a list".to_owned(),
        Some(b'"') => "a text".to_owned(),
        Some(b'n') => "null".to_owned(),
        Some(b't' | b'f') => "a boolean".to_owned(),
        _ => "a number".to_owned(),
    }
}

/// How many keys an error names.
const MOST_KEYS: usize = 20;

/// The fields of an object, unread.
struct Entries<'t>(Vec<(String, &'t RawValue)>);

impl<'de: 't, 't> Deserialize<'de> for Entries<'t> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntriesVisitor)
    }
}

struct EntriesVisitor;

impl<'de> Visitor<'de> for EntriesVisitor {
    type Value = Entries<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries<'de>, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Entries(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(text: &str, path: Option<&str>) -> String {
        Page::read(text, path, None).expect_err("a page without records")
    }

    #[test]
    fn records_are_found_by_their_path() {
        let text =
            r#"{"data": {"items": [{"id": 1}, 1e400]}, "meta": {"next": 12345678901234567890123}}"#;
        let page = Page::read(text, Some("data.items"), Some("meta.next"));
        let page = page.expect("a page");
        assert_eq!(page.records[1].get(), "1e400");
        assert_eq!(page.next, Next::Value("12345678901234567890123".to_owned()));
    }

    #[test]
    fn pages_without_records_say_what_they_have() {
        let object = r#"{"total": 1, "items": [], "meta": {"a": 1}}"#;
        assert_eq!(
            reason(object, None),
            "the response is an object with `total`, `items`, `meta`, not a list of records; \
             set `records_path` to the path of the list"
        );
        assert_eq!(
            reason(object, Some("meta.items")),
            "the response has no `meta.items`: `meta` is an object with `a`; change `records_path`"
        );
        assert_eq!(
            reason(object, Some("total")),
            "`total` in the response is a number, not a list"
        );
        assert_eq!(reason("<html>", None), "the response is not JSON (line 1, column 1)");
        assert!(reason("[1, 2", None).starts_with("the response is not JSON (line 1, column "));
    }

    #[test]
    fn the_last_page_has_no_next_one() {
        let next = |text: &str| Page::read(text, Some("a"), Some("next")).map(|page| page.next);
        assert_eq!(next(r#"{"a": [], "next": null}"#), Ok(Next::None));
        assert_eq!(next(r#"{"a": [], "next": ""}"#), Ok(Next::None));
        assert_eq!(next(r#"{"a": [], "next": false}"#), Ok(Next::None));
        assert_eq!(next(r#"{"a": []}"#), Ok(Next::Missing("it is an object with `a`".to_owned())));
        assert!(next(r#"{"a": [], "next": {}}"#).is_err());
    }
}
