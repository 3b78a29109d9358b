//! Resolves paths of rules to values of a configuration.

use super::setting::{Key, Kind, Setting};

/// The result of following a path.
pub(super) enum Reached<'s> {
    End(&'s Setting),
    /// The path leads beyond the tree; this is the last value on it.
    Above(&'s Setting),
}

/// Follows a path, whose field names may be spelled differently from those in the file.
pub(super) fn follow<'s>(setting: &'s Setting, path: &str) -> Reached<'s> {
    let path = path.trim_start_matches('.');
    if path.is_empty() {
        return Reached::End(setting);
    }
    let below = match &setting.kind {
        Kind::Map(entries) => entry_of(entries, path).or_else(|| renamed_entry_of(entries, path)),
        Kind::List(items) => item_of(items, path),
        _ => None,
    };
    below.map_or(Reached::Above(setting), |(setting, rest)| follow(setting, rest))
}

/// The separators before keys and indices.
const SEPARATORS: [char; 2] = ['.', '['];

/// The entry whose key the path begins with, and the rest of the path. Keys may contain dots.
fn entry_of<'s, 'p>(
    entries: &'s [(Key, Setting)],
    path: &'p str,
) -> Option<(&'s Setting, &'p str)> {
    entries.iter().find_map(|(key, setting)| {
        let rest = path.strip_prefix(&*key.text)?;
        (rest.is_empty() || rest.starts_with(SEPARATORS)).then_some((setting, rest))
    })
}

/// The entry of a field that serde renames: `max_retries` is `maxRetries` or `max-retries`.
fn renamed_entry_of<'s, 'p>(
    entries: &'s [(Key, Setting)],
    path: &'p str,
) -> Option<(&'s Setting, &'p str)> {
    let (field, rest) = path.split_at(path.find(SEPARATORS).unwrap_or(path.len()));
    let (_, setting) = entries.iter().find(|(key, _)| plain(&key.text).eq(plain(field)))?;
    Some((setting, rest))
}

/// The letters of a name in lower case, without separators of words.
fn plain(name: &str) -> impl Iterator<Item = char> {
    name.chars().filter(|letter| !matches!(letter, '_' | '-')).flat_map(char::to_lowercase)
}

fn item_of<'s, 'p>(items: &'s [Setting], path: &'p str) -> Option<(&'s Setting, &'p str)> {
    let (index, rest) = path.strip_prefix('[')?.split_once(']')?;
    Some((items.get(index.parse::<usize>().ok()?)?, rest))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::path::Path;
    use crate::place::Place;
    use crate::setting::Secrets;

    #[test]
    fn a_path_is_written_as_it_is_followed() {
        let source = Path::Key(&Path::Root, "source");
        let urls = Path::Key(&source, "urls");
        assert_eq!(Path::Index(&urls, 1).to_string(), "source.urls[1]");
        let tree = json!({ "source": { "urls": ["a", "b"], "a.b": [[1]], "maxRetries": 2 } });
        let tree = Setting::from_json(tree, &Place::defaults());
        let at = |path| match follow(&tree, path) {
            Reached::End(found) => found.to_json(Secrets::Masked),
            Reached::Above(last) => json!(format!("above: {}", last.to_json(Secrets::Masked))),
        };
        assert_eq!(at("source.urls[1]"), json!("b"));
        assert_eq!(at("source.a.b[0][0]"), json!(1));
        assert_eq!(at("source.max_retries"), json!(2));
        assert_eq!(at("source.urls[2].x"), json!(r#"above: ["a","b"]"#));
        assert_eq!(at("source.urls[1].x"), json!(r#"above: "b""#));
    }
}
