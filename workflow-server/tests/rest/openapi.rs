//! The OpenAPI document.

use serde_json::{Value as Json, json};

#[test]
fn examples_fit_their_schemas() {
    let document = workflow_server::openapi();
    let mut count = 0;
    for (name, schema) in document["components"]["schemas"].as_object().expect("schemas") {
        let examples = schema.get("example").into_iter();
        let examples = examples.chain(schema["examples"].as_array().into_iter().flatten());
        for example in examples {
            count += 1;
            assert_fits(&document, &format!("#/components/schemas/{name}"), example);
        }
    }
    assert!(count >= 5, "{count} examples");
}

fn assert_fits(document: &Json, place: &str, example: &Json) {
    let schema = json!({ "$ref": place, "components": document["components"] });
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let wrong: Vec<String> =
        validator.iter_errors(example).map(|error| error.to_string()).collect();
    assert!(wrong.is_empty(), "{place}: {wrong:?}");
}
