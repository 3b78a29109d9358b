//! Sets single values, from environment variables and overrides, in a tree.

use serde_json::Value as Json;

use super::environment::Environment;
use super::path::Path;
use super::place::Place;
use super::setting::{Key, Setting, same_key};
use workflow_files::document::Diagnostics;

/// How an existing key is matched.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Matching {
    Exact,
    /// Ignoring case, with `-` and `_` equal.
    Alike,
}

/// Sets the values of the workflow's environment variables.
pub(super) fn environment(
    tree: &mut Setting,
    workflow: &str,
    environment: &Environment,
    found: &mut Diagnostics,
) {
    let mut earlier: Vec<(Vec<String>, &str)> = Vec::new();
    for assignment in environment.assignments(workflow) {
        let variable = assignment.variable;
        let place = Place::environment(variable);
        let mut error = |message: String, help| {
            found.append(place.error(&Path::Root, message, help));
        };
        let Some(text) = assignment.text else {
            error(format!("`{variable}` is not UTF-8 text"), "");
            continue;
        };
        if let Some((_, other)) = earlier.iter().find(|(path, _)| *path == assignment.path) {
            let message = format!("`{other}` and `{variable}` set the same value");
            error(message, "unset one of them");
            continue;
        }
        let setting = Setting::from_text(text, &place);
        if let Err(obstacle) = place_at(tree, &assignment.path, setting, Matching::Alike) {
            error(format!("`{variable}` cannot be set: {}", obstacle.message), obstacle.help);
        }
        earlier.push((assignment.path, variable));
    }
}

/// Sets an override of the program; dots separate the keys.
pub(super) fn given(tree: &mut Setting, path: &str, value: &Json, found: &mut Diagnostics) {
    let place = Place::given(path);
    let keys: Vec<_> = path.split('.').map(str::to_owned).collect();
    let setting = Setting::from_json(value.clone(), &place);
    if let Err(obstacle) = place_at(tree, &keys, setting, Matching::Exact) {
        let message = format!("`{path}` cannot be set: {}", obstacle.message);
        found.append(place.error(&Path::Root, message, obstacle.help));
    }
}

/// Why a value cannot be set at a path.
struct Obstacle {
    message: String,
    help: &'static str,
}

fn place_at(
    tree: &mut Setting,
    path: &[String],
    setting: Setting,
    matching: Matching,
) -> Result<(), Obstacle> {
    let mut here = tree;
    for (depth, key) in path.iter().enumerate() {
        if key.is_empty() {
            let message = "one of its keys is empty".to_owned();
            return Err(Obstacle { message, help: "name each level between the separators" });
        }
        let Some(entries) = here.entries_or_new(&setting.place) else {
            let message = format!("`{}` is a list", path[..depth].join("."));
            return Err(Obstacle { message, help: "set the whole list, as YAML: `[a, b]`" });
        };
        let at = match position(entries, key, matching)? {
            Some(at) => at,
            None => {
                let key = Key { text: key.as_str().into(), place: setting.place.clone() };
                entries.push((key, Setting::empty_map(setting.place.clone())));
                entries.len() - 1
            }
        };
        here = &mut entries[at].1;
    }
    here.merge(setting);
    Ok(())
}

fn position(
    entries: &[(Key, Setting)],
    key: &str,
    matching: Matching,
) -> Result<Option<usize>, Obstacle> {
    let exact = entries.iter().position(|(known, _)| *known.text == *key);
    if exact.is_some() || matching == Matching::Exact {
        return Ok(exact);
    }
    let mut like = entries.iter().enumerate().filter(|(_, (known, _))| same_key(&known.text, key));
    match (like.next(), like.next()) {
        (Some((_, (one, _))), Some((_, (other, _)))) => Err(Obstacle {
            message: format!("it matches both `{}` and `{}`", one.text, other.text),
            help: "rename one of the keys",
        }),
        (one, _) => Ok(one.map(|(at, _)| at)),
    }
}
