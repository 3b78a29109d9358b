//! Options for the named inputs of a workflow, from the JSON Schema of its input.

use clap::{Arg, ArgMatches};
use serde_json::Value as Json;

use super::parameter::{Parameter, flag};

/// A named input.
pub(crate) struct Field {
    key: String,
    kind: Kind,
    description: Option<String>,
    is_required: bool,
    default: Option<String>,
    /// The values that the schema allows, if it names them.
    choices: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Integer,
    Number,
    Boolean,
    Json,
}

/// The prefix of the IDs of these options.
const ID: &str = "input.";
/// The prefix for inputs that are text even if they look like something else.
const TEXT_ID: &str = "input-text.";

/// Returns the named inputs of a schema; none if it is not that of an object, which may be optional.
pub(crate) fn fields(schema: &Json) -> Vec<Field> {
    let object = resolved(schema, schema);
    let required = object["required"].as_array().into_iter().flatten();
    let required: Vec<&str> = required.filter_map(Json::as_str).collect();
    let properties = object["properties"].as_object().into_iter().flatten();
    properties
        .map(|(key, property)| Field {
            key: key.clone(),
            kind: kind(schema, property),
            description: property["description"].as_str().map(str::to_owned),
            is_required: required.contains(&key.as_str()),
            default: property.get("default").filter(|value| !value.is_null()).map(text),
            choices: choices(schema, property),
        })
        .collect()
}

/// The schema that a part of a schema stands for: behind a reference within the schema, or beside
/// `null`. References are followed once.
fn resolved<'a>(schema: &'a Json, part: &'a Json) -> &'a Json {
    let variants = part["anyOf"].as_array().into_iter().flatten();
    let mut variants = variants.filter(|variant| variant["type"] != "null");
    let part = match (variants.next(), variants.next()) {
        (Some(only), None) => only,
        _ => part,
    };
    let referenced = part["$ref"].as_str().and_then(|place| place.strip_prefix('#'));
    referenced.and_then(|place| schema.pointer(place)).unwrap_or(part)
}

/// A value as it is written on the command line.
fn text(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The values that a property may have, if the schema names them. Of an object, those of its keys.
fn choices(schema: &Json, property: &Json) -> Vec<String> {
    let property = resolved(schema, property);
    let listed = property["enum"].as_array().into_iter().flatten();
    let described = property["oneOf"].as_array().into_iter().flatten();
    let described = described.map(|variant| variant.get("const")).collect::<Option<Vec<_>>>();
    let named = listed.chain(described.into_iter().flatten()).filter(|value| !value.is_null());
    let keys = property["properties"].as_object().into_iter().flatten();
    let of_keys = keys.filter_map(|(key, property)| {
        let choices = choices_of_key(schema, property);
        (!choices.is_empty()).then(|| format!("{key}: {}", choices.join("|")))
    });
    named.map(text).chain(of_keys).collect()
}

/// The values of a key of an object, which may refer to itself.
fn choices_of_key(schema: &Json, property: &Json) -> Vec<String> {
    let property = resolved(schema, property);
    match property.get("properties") {
        Some(_) => Vec::new(),
        None => choices(schema, property),
    }
}

/// The kind of a property.
fn kind(schema: &Json, property: &Json) -> Kind {
    let property = resolved(schema, property);
    // `null` beside another type: an optional value.
    let types = match &property["type"] {
        Json::Array(types) => types.iter().filter_map(Json::as_str).collect(),
        Json::String(one) => vec![one.as_str()],
        _ => Vec::new(),
    };
    let is_text =
        |variants: &Vec<Json>| variants.iter().all(|variant| variant["const"].is_string());
    match types.into_iter().find(|name| *name != "null") {
        Some("string") => Kind::Text,
        None if property["oneOf"].as_array().is_some_and(is_text) => Kind::Text,
        Some("integer") => Kind::Integer,
        Some("number") => Kind::Number,
        Some("boolean") => Kind::Boolean,
        _ => Kind::Json,
    }
}

impl Field {
    /// The name of the option.
    pub(crate) fn flag(&self) -> String {
        flag(&self.key)
    }

    /// The key of the input.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// Whether the input needs it.
    pub(crate) fn is_required(&self) -> bool {
        self.is_required
    }

    /// What the help says about it.
    fn about(&self) -> String {
        let mut about =
            self.description.clone().unwrap_or_else(|| format!("The input `{}`", self.key));
        if self.is_required {
            about += " (required)";
        }
        if let Some(default) = &self.default {
            about += &format!(" [default: {default}]");
        }
        if !self.choices.is_empty() {
            about += &format!(" [possible values: {}]", self.choices.join(", "));
        }
        about
    }

    /// The option.
    pub(crate) fn argument(self, heading: &'static str) -> Arg {
        let prefix = if self.kind == Kind::Text { TEXT_ID } else { ID };
        let value = match self.kind {
            Kind::Text => "TEXT",
            Kind::Integer => "INTEGER",
            Kind::Number => "NUMBER",
            Kind::Boolean => "BOOL",
            Kind::Json => "JSON",
        };
        let argument = Arg::new(format!("{prefix}{}", self.key))
            .long(self.flag())
            .value_name(value)
            .help(self.about())
            .help_heading(heading)
            .allow_negative_numbers(true);
        match self.kind {
            Kind::Boolean => argument.num_args(0..=1).default_missing_value("true"),
            _ => argument,
        }
    }
}

/// Returns the values of these options as parameters.
///
/// # Errors
///
/// Fails when a number in JSON would lose digits.
pub(super) fn parameters(matches: &ArgMatches) -> Result<Vec<Parameter>, String> {
    let given = |id: &clap::Id| {
        let (key, is_text) = match (id.as_str().strip_prefix(ID), id.as_str().strip_prefix(TEXT_ID))
        {
            (Some(key), _) => (key, false),
            (None, key) => (key?, true),
        };
        let text = matches.try_get_one::<String>(id.as_str()).ok().flatten()?;
        Some(match is_text {
            true => Ok(Parameter::text_of_field(key, text)),
            false => Parameter::of_field(key, text),
        })
    };
    matches.ids().filter_map(given).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn options_have_the_types_of_the_schema() {
        let schema = json!({
            "type": "object",
            "properties": {
                "booking_id": { "type": "integer", "description": "The booking" },
                "note": { "type": ["string", "null"] },
                "dry": { "type": "boolean", "default": false },
                "quality": { "$ref": "#/$defs/Quality", "default": "SD" },
                "config": { "$ref": "#/$defs/Config", "default": { "quality": "SD" } },
                "place": { "$ref": "#/$defs/Place" },
                "rest": { "type": "array" },
            },
            "required": ["booking_id"],
            "$defs": {
                "Place": { "type": "string" },
                "Quality": { "oneOf": [{ "type": "string", "const": "SD" }, { "const": "HD" }] },
                "Config": { "properties": { "quality": { "$ref": "#/$defs/Quality" } } },
            },
        });
        let command = clap::Command::new("trigger")
            .args(fields(&schema).into_iter().map(|field| field.argument("Inputs")));
        let help = command.clone().render_help().to_string();
        assert!(help.contains("--booking-id <INTEGER>  The booking (required)"), "{help}");
        assert!(help.contains("--dry [<BOOL>]"), "{help}");
        assert!(help.contains("The input `dry` [default: false]"), "{help}");
        let quality = "The input `quality` [default: SD] [possible values: SD, HD]";
        assert!(help.contains("--quality <TEXT>"), "{help}");
        assert!(help.contains(quality), "{help}");
        assert!(help.contains(r#"[default: {"quality":"SD"}]"#), "{help}");
        assert!(help.contains("quality: SD|HD]"), "{help}");
        let given = ["trigger", "--booking-id", "-7", "--note", "12", "--dry", "--place", "x"];
        let matches = command.try_get_matches_from(given).expect("they parse");
        let input = super::super::parameter::set_to_fit(
            &parameters(&matches).expect("they are exact"),
            &serde_json::Map::new(),
            &|_| true,
        );
        let expected = json!({ "booking_id": -7, "note": "12", "dry": true, "place": "x" });
        assert_eq!(input, Ok(expected));
        assert!(fields(&json!({ "type": "integer" })).is_empty());
    }

    #[test]
    fn an_optional_object_has_fields() {
        let schema = json!({
            "anyOf": [{ "$ref": "#/$defs/Wanted" }, { "type": "null" }],
            "$defs": {
                "Wanted": {
                    "type": "object",
                    "properties": {
                        "room_id": { "type": ["integer", "null"] },
                        "place": { "anyOf": [{ "$ref": "#/$defs/Place" }, { "type": "null" }] },
                    },
                },
                "Place": { "type": "string" },
            },
        });
        let found = fields(&schema);
        let found: Vec<_> = found.iter().map(|field| (field.flag(), field.kind)).collect();
        let expected = [("place", Kind::Text), ("room-id", Kind::Integer)];
        assert_eq!(found, expected.map(|(flag, kind)| (flag.to_owned(), kind)));
    }
}
