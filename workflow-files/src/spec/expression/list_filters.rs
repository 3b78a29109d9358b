//! Filters that compare the items of a list: mixing text and numbers is an error with a cure.
//! Jinja sorts all text above all numbers, so that `[9, "10"] | max` would be "10".

use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State, Value, filters};

use super::compare::{different, kind_of};

/// Adds the filters to an environment.
pub(super) fn add_to(environment: &mut Environment<'static>) {
    type Filter = fn(&State<'_, '_>, Value, Kwargs) -> Result<Value, Error>;
    let filters: [(&str, Filter); 4] = [
        ("sort", filters::sort),
        ("min", filters::min),
        ("max", filters::max),
        ("unique", filters::unique),
    ];
    for (name, filter) in filters {
        environment.add_filter(name, move |state: &State<'_, '_>, list: Value, options: Kwargs| {
            let list = items(name, list)?;
            check(name, &list, options.get("attribute")?)?;
            filter(state, Value::from(list), options)
        });
    }
    environment.add_filter("groupby", |list: Value, attribute: Option<&str>, options: Kwargs| {
        let list = items("groupby", list)?;
        let by = match attribute {
            Some(by) => by,
            None => options.get("attribute")?,
        };
        check("groupby", &list, Some(by))?;
        filters::groupby(Value::from(list), attribute, options)
    });
    environment.add_filter("dictsort", |map: Value, options: Kwargs| {
        let keys = items("dictsort", map.clone())?;
        if options.get::<Option<&str>>("by")? == Some("value") {
            let values = keys.iter().map(|key| map.get_item(key));
            check("dictsort", &values.collect::<Result<Vec<_>, _>>()?, None)?;
        }
        filters::dictsort(&map, options)
    });
}

/// The most items that a filter compares.
const MAX_ITEMS: usize = 10_000;

fn items(filter: &str, list: Value) -> Result<Vec<Value>, Error> {
    if list.is_undefined() {
        return Err(ErrorKind::UndefinedError.into());
    }
    let items: Vec<Value> = list.try_iter()?.take(MAX_ITEMS + 1).collect();
    if items.len() <= MAX_ITEMS {
        return Ok(items);
    }
    let message = format!("`{filter}` takes at most {MAX_ITEMS} items; compute the value in a job");
    Err(Error::new(ErrorKind::InvalidOperation, message))
}

/// Rejects items of different types, or items whose attributes have different types.
fn check(filter: &str, items: &[Value], attributes: Option<&str>) -> Result<(), Error> {
    let Some(attributes) = attributes else {
        return check_keys(filter, items);
    };
    for path in attributes.split(',').map(str::trim) {
        let keys = items.iter().map(|item| attribute(item, path));
        check_keys(filter, &keys.collect::<Vec<_>>())?;
    }
    Ok(())
}

fn attribute(item: &Value, path: &str) -> Value {
    path.split('.').try_fold(item.clone(), |item, name| item.get_attr(name)).unwrap_or_default()
}

fn check_keys(filter: &str, keys: &[Value]) -> Result<(), Error> {
    let is_scalar = |key: &&Value| {
        matches!(key.kind(), ValueKind::String | ValueKind::Number | ValueKind::Bool)
    };
    let first = keys.iter().find(is_scalar);
    let with_first = first.into_iter().flat_map(|first| keys.iter().map(move |key| (first, key)));
    let neighbours = keys.windows(2).map(|pair| (&pair[0], &pair[1]));
    match with_first.chain(neighbours).find_map(|(left, right)| different(left, right)) {
        None => Ok(()),
        Some((left, right)) => {
            let message = format!(
                "`{filter}` compares {}, with {}; convert them first: `map(\"int\")`, or \
                 `map(\"string\")`",
                kind_of(&left),
                kind_of(&right)
            );
            Err(Error::new(ErrorKind::InvalidOperation, message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Expression;
    use serde_json::json;

    fn value(source: &str) -> Result<serde_json::Value, String> {
        let known = json!({ "input": {
            "mixed": [9, "10", null], "late": [null, "a", 1], "numbers": [3, 1.5, true], "texts": ["b", "a"],
            "rows": [{ "n": 1, "m": { "x": "a" } }, { "n": "2", "m": { "x": 3 } }, {}],
            "map": { "a": 1, "b": "2" }, "nested": [[1, "a"], [1, 2]], "maps": [{ "a": 1 }, { "a": "1" }],
        }});
        Expression::checked(source)?.evaluate(&known)
    }

    #[test]
    fn items_that_are_alike_are_compared() {
        for (source, expected) in [
            ("input.numbers | sort", json!([true, 1.5, 3])),
            ("input.texts | sort(reverse=true)", json!(["b", "a"])),
            ("input.numbers | min", json!(true)),
            ("input.texts | max", json!("b")),
            ("[1, 1, 2] | unique | list", json!([1, 2])),
            ("input.mixed[:2] | map('int') | max", json!(10)),
            ("input.mixed[:2] | map('string') | sort", json!(["10", "9"])),
            ("input.rows[:1] | sort(attribute='n') | length", json!(1)),
            ("input.rows | groupby('z') | length", json!(1)),
            ("input.map | dictsort | length", json!(2)),
            ("'cab' | sort | join", json!("abc")),
            ("input.map | sort", json!(["a", "b"])),
            ("[] | sort", json!([])),
            ("[none, 2, 1] | sort", json!([null, 1, 2])),
        ] {
            assert_eq!(value(source), Ok(expected), "{source}");
        }
    }

    #[test]
    fn comparing_text_with_numbers_is_an_error() {
        for source in [
            "input.mixed | sort",
            "input.mixed | sort(reverse=true)",
            "input.late | sort",
            "input.mixed | min",
            "input.mixed | max",
            "input.mixed | unique | list",
            "input.rows | sort(attribute='n')",
            "input.rows | sort(attribute='z, m.x')",
            "input.rows | min(attribute='n')",
            "input.rows | max(attribute='m.x')",
            "input.rows | unique(attribute='n') | list",
            "input.rows | groupby('n')",
            "input.rows | groupby(attribute='m.x')",
            "input.map | dictsort(by='value')",
            "input.nested | sort",
            "input.maps | max",
            "[true, 'true'] | unique | list",
            "input.mixed | map('upper') | list + input.mixed | sort",
        ] {
            let told = value(source).expect_err(source);
            assert!(told.contains("convert them first") || told.contains("has no value"), "{told}");
        }
        assert_eq!(
            value("input.mixed | max").expect_err("mixed"),
            "`input.mixed | max` has no value: `max` compares 9, a number, with \"10\", a text; \
             convert them first: `map(\"int\")`, or `map(\"string\")`"
        );
    }

    #[test]
    fn missing_values_cannot_be_sorted() {
        assert!(value("input.nothing | sort").is_err());
        assert!(value("3 | sort").is_err());
        let long = value("range(100000) | sort").expect_err("it is too long");
        assert!(long.contains("has no value"), "{long}");
    }
}
