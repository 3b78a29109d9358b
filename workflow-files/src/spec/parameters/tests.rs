use super::values::values;
use super::*;
use crate::document::{Format, SourceText};
use serde_json::{Value as Json, json};

fn grid(parameters: &[(&str, Json)], zipped: bool) -> ParameterGrid {
    let parameters: Vec<_> = parameters
        .iter()
        .map(|(name, json)| {
            ((*name).into(), values(&verbatim(json), &ParameterGrid::none()).expect("values"))
        })
        .collect();
    let count = if zipped {
        parameters[0].1.len()
    } else {
        parameters.iter().map(|axis: &(Box<str>, Vec<Argument>)| axis.1.len()).product()
    };
    ParameterGrid { parameters, zipped, count }
}

/// JSON as it is written.
fn verbatim(json: &Json) -> Verbatim {
    let text = json.to_string();
    let source = SourceText::new("", text);
    let mut findings = Findings::new(&source);
    let node = source.parse(Format::Json, &mut findings).expect("JSON");
    Verbatim::of(&node, &source)
}

fn all(text: &str, grid: &ParameterGrid) -> Vec<String> {
    (0..grid.count()).map(|copy| substitute(text, grid, copy).into_owned()).collect()
}

fn range_of(text: &str) -> Vec<String> {
    all("{i}", &grid(&[("i", json!(text))], false))
}

#[test]
fn ranges_include_both_ends() {
    assert_eq!(range_of("0:3"), ["0", "1", "2", "3"]);
    assert_eq!(range_of("0:100:25"), ["0", "25", "50", "75", "100"]);
    assert_eq!(range_of("3:1:-1"), ["3", "2", "1"]);
    assert_eq!(range_of("-1:1"), ["-1", "0", "1"]);
}

#[test]
fn ranges_of_decimals_do_not_drift() {
    let tenths = range_of("0.0:1.0:0.1");
    assert_eq!(tenths.len(), 11);
    assert_eq!(tenths[3], "0.3");
    assert_eq!(range_of("0.1:0.3:0.05"), ["0.1", "0.15", "0.2", "0.25", "0.3"]);
}

#[test]
fn lists_may_be_lists_or_strings() {
    let native = all("{x}", &grid(&[("x", json!(["adam", 0.001, 16]))], false));
    assert_eq!(native, ["adam", "0.001", "16"]);
    let text = all("{x}", &grid(&[("x", json!("['adam', 0.001, 16]"))], false));
    assert_eq!(text, native);
}

#[test]
fn invalid_ranges_are_explained() {
    let unfit = |text: &str| {
        values(&verbatim(&json!(text)), &ParameterGrid::none()).expect_err("is no range")
    };
    for (text, reason, help) in [
        ("0:9:0", "its step is 0", "`0:9`"),
        ("9:0", "steps of 1 lead away from 0", "`9:0:-1`, or reverse it: `0:9`"),
        ("0:9:-3", "steps of -3 lead away from 9", "`0:9:3`, or reverse it: `9:0:-3`"),
        ("0:99999999", "has 100000000 values", "`0:99999999:100`"),
        ("0.0:2000.0:0.001", "has 2000001 values", "`0.0:2000.0:0.003`"),
        ("a:b", "`a` is not a number", "`['a:b']`"),
        ("0:nan", "`nan` is not a number", "`0:9`"),
        ("0:-", "`-` is not a number", "`0:9`"),
        ("0:", "without a last value", "`0:9`"),
        (":9", "without a first value", "`0:9`"),
        ("0:9:", "without a step", "`first:last`"),
        ("0:1:2:3", "too many colons", "`first:last:step`"),
        ("1e3:2e3", "`1e3` is written with an exponent", "`1000`"),
        ("0:0.1234567890123456", "too many digits", "15 after it"),
        ("0:1234567890123456789", "too many digits", "at most 18"),
        ("[1, 2", "is not closed", "`]`"),
        ("[1: 2]x]", "not a list", "as YAML"),
    ] {
        let told = unfit(text);
        assert!(told.reason.contains(reason), "{text}: {}", told.reason);
        assert!(told.help.contains(help), "{text}: {}", told.help);
    }
}

#[test]
fn the_suggested_step_makes_the_range_fit() {
    for (text, cured) in [("0:99999999", "0:99999999:100"), ("0:1000000", "0:1000000:2")] {
        let told = values(&verbatim(&json!(text)), &ParameterGrid::none()).expect_err("too many");
        assert!(told.help.contains(cured), "{}", told.help);
        assert!(values(&verbatim(&json!(cured)), &ParameterGrid::none()).is_ok(), "{cured}");
    }
}

#[test]
fn a_product_changes_its_last_parameter_fastest() {
    let grid = grid(&[("a", json!([1, 2])), ("b", json!(["x", "y"]))], false);
    assert_eq!(all("{a}{b}", &grid), ["1x", "1y", "2x", "2y"]);
}

#[test]
fn zipped_parameters_advance_together() {
    let grid = grid(&[("a", json!([1, 2])), ("b", json!(["x", "y"]))], true);
    assert_eq!(all("{a}{b}", &grid), ["1x", "2y"]);
}

#[test]
fn placeholders_have_formats() {
    let grid = grid(&[("i", json!([7])), ("r", json!([0.001])), ("s", json!(["ab"]))], false);
    let substituted = |text: &str| substitute(text, &grid, 0).into_owned();
    assert_eq!(substituted("job_{i:03d}_{r:.4f}_{s}"), "job_007_0.0010_ab");
    assert_eq!(substituted("{i:5}|{i:x}|{r:e}"), "    7|7|1.000000e-3");
}

#[test]
fn values_keep_their_spelling() {
    let read = |format: Format, text: &str| {
        let source = SourceText::new("", text);
        let mut findings = Findings::new(&source);
        let node = source.parse(format, &mut findings).expect("a value");
        values(&Verbatim::of(&node, &source), &ParameterGrid::none()).expect("values")
    };
    let texts = |values: Vec<Argument>| -> Vec<String> {
        values.iter().map(|value| value.text.to_string()).collect()
    };
    let numbers = "3.10 007 1234e8 18446744073709551615 184467440737095516160 1.0 0x1F -0 +5 true";
    for number in numbers.split(' ').chain(["False", "1e400", "00501", "0.10000000000000000001"]) {
        for text in [number.to_owned(), format!("[{number}]"), format!("\"{number}\"")] {
            assert_eq!(texts(read(Format::Yaml, &text)), [number], "{text}");
        }
        assert_eq!(texts(read(Format::Yaml, &format!("\"[{number}]\""))), [number]);
        assert_eq!(texts(read(Format::Json, &format!("\"{number}\""))), [number]);
        assert_eq!(texts(read(Format::Json, &format!("[\"{number}\"]"))), [number]);
    }
    for number in ["3.10", "1234e8", "18446744073709551615", "1.0", "0x1F", "-0", "+5", ".50"] {
        assert_eq!(texts(read(Format::Json, &format!("[{number}]"))), [number]);
    }
    let grid = grid(&[("i", json!(["x"]))], false);
    let shown = |value: &str, format: &str| {
        let mut grid = grid.clone();
        grid.parameters[0].1 = read(Format::Yaml, value);
        substitute(&format!("{{i{format}}}"), &grid, 0).into_owned()
    };
    assert_eq!(shown("007", ""), "007");
    assert_eq!(shown("007", ":d"), "7");
    assert_eq!(shown("0x1F", ":d"), "31");
    assert_eq!(shown("3.10", ":.1f"), "3.1");
    assert_eq!(shown("3.10", ":6"), "  3.10");
    assert_eq!(shown("18446744073709551615", ":d"), "18446744073709551615");
}

#[test]
fn the_estimated_size_of_a_value_is_an_upper_bound() {
    let constants = ParameterGrid::none();
    let numbers = ["3.10", "007", "1e300", "-1.5E+300", "0x7fffffffffffffff", "1e-300", "false"];
    let mut written: Vec<String> =
        numbers.iter().flat_map(|text| [(*text).to_owned(), format!("[7, {text}]")]).collect();
    written.extend(numbers.map(|text| format!("\" {text} \"")));
    written.extend(
        ["\"0:2:0.001\"", "\"-3:3\"", "\"[1, 2000]\"", "[abc, \"1e300\"]"].map(String::from),
    );
    for text in written {
        let source = SourceText::new("", text.clone());
        let mut findings = Findings::new(&source);
        let node = source.parse(Format::Yaml, &mut findings).expect("a value");
        let read = Verbatim::of(&node, &source);
        let most = longest(&read, &[]);
        let made = values(&read, &constants).expect("values");
        assert!(made.len() <= count(&read, &constants), "{text}");
        let grid = ParameterGrid {
            count: made.len(),
            parameters: vec![("i".into(), made)],
            zipped: false,
        };
        for place in ["{i}", "{i:d}", "{i:x}", "{i:.3f}", "{i:.2e}", "{i:08}", "{i:64.32f}"] {
            let size = substituted_len(place, &[("i", most)]);
            for substituted in all(place, &grid) {
                assert!(substituted.len() <= size, "{text} {place}: {substituted}");
            }
        }
    }
}

#[test]
fn other_braces_are_left_alone() {
    let grid = grid(&[("i", json!([7]))], false);
    let same =
        ["${i}", "awk '{print $1}'", "{\"a\": 1}", "{j}", "{", "{}", "{{.Names}}", "${{ i }}"];
    for text in same {
        assert_eq!(substitute(text, &grid, 0), text);
    }
    assert_eq!(substitute("{{i}} {i}", &grid, 0), "{i} 7");
    assert_eq!(substitute("${files.input.f_{i}}", &grid, 0), "${files.input.f_7}");
}
