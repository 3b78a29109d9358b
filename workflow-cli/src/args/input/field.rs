//! Options for the named inputs of a workflow, from the JSON Schema of its input.

use clap::{Arg, ArgMatches};
use serde_json::Value as Json;

use super::parameter::Parameter;

/// A named input.
pub(crate) struct Field {
    key: String,
    kind: Kind,
    description: Option<String>,
    is_required: bool,
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

/// The kind of a property.
fn kind(schema: &Json, property: &Json) -> Kind {
    let property = resolved(schema, property);
    // `null` beside another type: an optional value.
    let types = match &property["type"] {
        Json::Array(types) => types.iter().filter_map(Json::as_str).collect(),
        Json::String(one) => vec![one.as_str()],
        _ => Vec::new(),
    };
    match types.into_iter().find(|name| *name != "null") {
        Some("string") => Kind::Text,
        Some("integer") => Kind::Integer,
        Some("number") => Kind::Number,
        Some("boolean") => Kind::Boolean,
        _ => Kind::Json,
    }
}

impl Field {
    /// The name of the option.
    pub(crate) fn flag(&self) -> String {
        self.key.replace('_', "-")
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
        let about = self.description.clone().unwrap_or_else(|| format!("The input `{}`", self.key));
        let about = if self.is_required { format!("{about} (required)") } else { about };
        let argument = Arg::new(format!("{prefix}{}", self.key))
            .long(self.flag())
            .value_name(value)
            .help(about)
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
            true => Ok(Parameter::text(key, text)),
            false => Parameter::of_key(key, text),
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
                "dry": { "type": "boolean" },
                "place": { "$ref": "#/$defs/Place" },
                "rest": { "type": "array" },
            },
            "required": ["booking_id"],
            "$defs": { "Place": { "type": "string" } },
        });
        let command = clap::Command::new("trigger")
            .args(fields(&schema).into_iter().map(|field| field.argument("Inputs")));
        let help = command.clone().render_help().to_string();
        assert!(help.contains("--booking-id <INTEGER>  The booking (required)"), "{help}");
        assert!(help.contains("--dry [<BOOL>]"), "{help}");
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
