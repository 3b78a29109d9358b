//! Finds input keys that are not in the schema but resemble one that is: likely misspellings. They
//! are warnings, not errors, since a type may accept keys that its schema does not list.

use serde_json::Value as Json;
use workflow_core::id::nearest;

/// Returns the path of each misspelled key with the key that was likely intended.
pub(super) fn keys(schema: &Json, input: &Json) -> Vec<(String, String)> {
    let mut found = Vec::new();
    SchemaWalk { root: schema, found: &mut found }.visit(&[schema], input, "");
    found
}

struct SchemaWalk<'a> {
    root: &'a Json,
    found: &'a mut Vec<(String, String)>,
}

impl<'a> SchemaWalk<'a> {
    /// Visits a value that any of these schemas may describe.
    fn visit(&mut self, schemas: &[&'a Json], value: &Json, path: &str) {
        let mut all = Vec::new();
        schemas.iter().for_each(|schema| self.alternatives(schema, 0, &mut all));
        match value {
            Json::Object(entries) => {
                let objects: Vec<_> =
                    all.iter().filter_map(|one| one.get("properties")?.as_object()).collect();
                for (key, value) in entries {
                    let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                    let known: Vec<_> = objects.iter().filter_map(|one| one.get(key)).collect();
                    let names = objects.iter().flat_map(|one| one.keys()).map(String::as_str);
                    match known.is_empty() {
                        false => self.visit(&known, value, &path),
                        true if all.iter().any(|one| is_open(one)) => {}
                        true => {
                            let near = nearest(key, names).map(str::to_owned);
                            self.found.extend(near.map(|near| (path, near)));
                        }
                    }
                }
            }
            Json::Array(items) => {
                let of_items: Vec<_> = all.iter().filter_map(|one| one.get("items")).collect();
                items.iter().for_each(|item| self.visit(&of_items, item, path));
            }
            _ => {}
        }
    }

    /// Collects the schema, the schema it refers to, and the schemas it combines.
    fn alternatives(&self, schema: &'a Json, depth: usize, all: &mut Vec<&'a Json>) {
        if depth > DEPTH {
            return;
        }
        all.push(schema);
        let named = schema.get("$ref").and_then(Json::as_str);
        let named = named.and_then(|name| self.root.pointer(name.strip_prefix('#')?));
        let combined = ["anyOf", "oneOf", "allOf"].into_iter();
        let combined = combined.filter_map(|word| schema.get(word)?.as_array()).flatten();
        combined.chain(named).for_each(|one| self.alternatives(one, depth + 1, all));
    }
}

/// The limit for schemas that refer to each other.
const DEPTH: usize = 8;

/// Whether the schema allows keys that it does not list.
fn is_open(schema: &Json) -> bool {
    schema.get("additionalProperties").is_some_and(|more| *more != Json::Bool(false))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn misspelled_keys_are_found() {
        let schema = json!({
            "properties": {
                "day": { "type": "string" },
                "source": { "anyOf": [{ "$ref": "#/$defs/Source" }, { "type": "null" }] },
                "stages": { "items": { "$ref": "#/$defs/Source" } },
                "labels": { "additionalProperties": { "type": "string" } },
            },
            "$defs": { "Source": { "properties": { "retries": {} } } },
        });
        let input = json!({
            "dya": 1,
            "weather": "fine",
            "source": { "retrys": 1 },
            "stages": [{ "retries": 1 }, { "retires": 2 }],
            "labels": { "lables": "x" },
        });
        let found = keys(&schema, &input);
        let found: Vec<_> = found.iter().map(|(key, near)| format!("{key}: {near}")).collect();
        assert_eq!(found, ["dya: day", "source.retrys: retries", "stages.retires: retries"]);
    }

    #[test]
    fn an_open_schema_has_no_misspelled_keys() {
        let input = json!({ "dya": 1 });
        for schema in [json!(null), json!(true), json!({ "$ref": "#" }), json!({ "anyOf": [] })] {
            assert!(keys(&schema, &input).is_empty(), "{schema}");
        }
    }
}
