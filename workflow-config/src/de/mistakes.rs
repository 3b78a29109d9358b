//! All values that do not fit a type, not only the first one.
//!
//! serde stops at the first error. So after each mistake, the rest is read without the wrong value.
//! What is missing then is no mistake.

use super::super::setting::{Kind, Setting};
use super::{Failure, Misread};

/// The most mistakes that are looked for.
const MOST: usize = 20;

/// The mistakes of a tree, of which the first one is known, and the rest. `read` reads it; `root` is
/// the path of the tree.
pub(super) fn all<T>(
    tree: &Setting,
    root: &str,
    first: Failure,
    read: impl Fn(&Setting) -> Result<T, Failure>,
) -> Misread<T> {
    let mut rest = tree.clone();
    let mut removed: Vec<String> = Vec::new();
    let (mut mistakes, mut value) = (Vec::new(), None);
    let mut next = Some(first);
    while let Some(mistake) = next.take() {
        let Some(path) = mistake.path().map(str::to_owned) else {
            mistakes.push(mistake);
            break;
        };
        let below = |field: &str| match path.as_str() {
            "" => field.to_owned(),
            path => format!("{path}.{field}"),
        };
        let is_removed = |field: &str| removed.contains(&below(field));
        // A field that is unknown there may be the missing one with another spelling.
        let is_known = mistake.missing().is_some_and(|field| {
            is_removed(field) || mistakes.iter().filter_map(Failure::unknown).any(is_removed)
        });
        if !is_known {
            mistakes.push(mistake);
        }
        let inner = path.strip_prefix(root).unwrap_or_default();
        let inner = whole_list(inner.trim_start_matches('.'));
        if mistakes.len() == MOST || !remove(&mut rest, inner) {
            break;
        }
        removed.push(path);
        match read(&rest) {
            Ok(read) => value = Some(read),
            Err(mistake) => next = Some(mistake),
        }
    }
    Misread { mistakes, rest: value }
}

/// The path to a list, for that to one of its items: the others would move.
fn whole_list(path: &str) -> &str {
    match path.rfind('[') {
        Some(start) if path.ends_with(']') => whole_list(&path[..start]),
        _ => path,
    }
}

/// Removes the entry at a path. Returns whether there was one.
fn remove(setting: &mut Setting, path: &str) -> bool {
    match &mut setting.kind {
        Kind::Map(entries) => {
            if let Some(at) = entries.iter().position(|(key, _)| *key.text == *path) {
                entries.remove(at);
                return true;
            }
            // Keys may contain dots.
            entries.iter_mut().any(|(key, setting)| {
                let rest = path.strip_prefix(&*key.text);
                let rest = rest.filter(|rest| rest.starts_with(['.', '[']));
                rest.is_some_and(|rest| remove(setting, rest.trim_start_matches('.')))
            })
        }
        Kind::List(items) => {
            let Some((index, rest)) = path.strip_prefix('[').and_then(|it| it.split_once(']'))
            else {
                return false;
            };
            let item = index.parse::<usize>().ok().and_then(|index| items.get_mut(index));
            item.is_some_and(|item| remove(item, rest.trim_start_matches('.')))
        }
        _ => false,
    }
}
