//! Words for errors of other libraries.

pub(crate) use workflow_core::error_text::io_reason;

/// A text as it is, and other values as JSON; `None` for null.
pub(crate) fn of_json(value: serde_json::Value) -> Option<String> {
    match value {
        serde_json::Value::Null => None,
        serde_json::Value::String(text) => Some(text),
        other => Some(other.to_string()),
    }
}

/// The most characters that are kept of a record that cannot be read.
pub(crate) const LONGEST_RAW: usize = 4096;

/// The start of a record that cannot be read, for the quarantine.
pub(crate) fn raw(bytes: &[u8]) -> String {
    let end = bytes.len().min(4 * LONGEST_RAW + 4);
    let mut text = String::from_utf8_lossy(&bytes[..end]).into_owned();
    if let Some((end, _)) = text.char_indices().nth(LONGEST_RAW) {
        text.truncate(end);
        text.push('…');
    }
    text
}

/// Names in backticks, such as `a`, `b`.
pub(crate) fn listed<'n>(names: impl IntoIterator<Item = &'n str>) -> String {
    let names = names.into_iter().map(|name| format!("`{name}`"));
    names.collect::<Vec<_>>().join(", ")
}

/// A question that names the most similar candidate; empty if none is similar.
pub(crate) fn suggestion<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let near = workflow_core::id::nearest(wanted, known);
    near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default()
}

/// Why a part of a configuration is refused that needs a feature of this crate.
#[cfg(not(all(
    feature = "api",
    feature = "object-store",
    feature = "parquet",
    feature = "postgres",
    feature = "sqlite"
)))]
pub(crate) fn missing_feature(name: &str) -> String {
    format!(
        "this program is built without the feature `{name}` of `workflow-data`; \
         enable it in `Cargo.toml`"
    )
}
