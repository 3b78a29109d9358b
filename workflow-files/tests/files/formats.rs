//! The same workflow in every form that files have.

use workflow_core::Workflow;

use crate::{odd, sound, wrong};

/// A job, which every workflow needs.
const JOB: &str = "jobs:\n  - name: \"bake\"\n    command: \"oven --bake\"\n";

#[test]
fn metadata_is_an_object_in_every_form() {
    let forms = [
        r#"metadata: '{"owner":"ada","ovens":2}'"#,
        "metadata: |\n  {\n    \"owner\": \"ada\",\n    \"ovens\": 2\n  }",
        "metadata: >\n  {\"owner\": \"ada\",\n  \"ovens\": 2}",
        "metadata: { owner: ada, ovens: 2 }",
        "metadata:\n  owner: ada\n  ovens: 2",
    ];
    for form in forms {
        let file = sound("bakery.yaml", &format!("name: \"bakery\"\n{form}\n{JOB}"));
        assert!(file.warnings().is_empty(), "{form}: {}", file.warnings());
        let metadata = serde_json::to_value(file.metadata()).expect("JSON");
        assert_eq!(metadata, serde_json::json!({ "owner": "ada", "ovens": 2 }), "{form}");
    }
}

#[test]
fn keys_beside_the_metadata_are_merged_into_it() {
    let file = sound(
        "bakery.yaml",
        &format!("name: bakery\nproject: \"bread-shop\"\ndescription: \"Bakes\"\nuser: ada\n{JOB}"),
    );
    let metadata = serde_json::to_value(file.metadata()).expect("JSON");
    let expected =
        serde_json::json!({ "project": "bread-shop", "description": "Bakes", "owner": "ada" });
    assert_eq!(metadata, expected);
}

#[test]
fn a_schedule_in_words_is_accepted_with_a_warning() {
    let daily = format!("name: bakery\nmetadata: '{{\"schedule\": \"daily\"}}'\n{JOB}");
    let told = odd(&daily).to_string();
    assert!(told.contains("\"daily\" is not a cron expression"), "{told}");
    let cron = format!("name: bakery\nmetadata: '{{\"schedule\": \"0 * * * *\"}}'\n{JOB}");
    assert!(odd(&cron).is_empty());
}

#[test]
fn a_file_without_jobs_is_reported() {
    let parts = [
        "name: bakery\nproject: bread-shop\n",
        "metadata: '{\"team\":\"ovens\"}'\n",
        "name: bakery\nproject: bread-shop  # the shop\nmetadata: |   # more\n  {\"tier\": 1}\n",
    ];
    for part in parts {
        let told = wrong(part);
        let lacks = |one: &workflow_files::Diagnostic| one.message().contains("needs `jobs`");
        assert!(told.iter().any(lacks), "{told}");
    }
}

#[test]
fn repeated_keys_are_reported_once() {
    let projects = "# Like this\nproject: \"bread-shop\"\nproject: \"cake-shop\"\n# Not this\n\
                    project: \"Cake Shop\"\n";
    let told = wrong(projects);
    let lines: Vec<_> = told
        .iter()
        .filter(|one| one.message() == "the key `project` is given twice")
        .filter_map(|one| one.line())
        .collect();
    assert_eq!(lines, [3, 5]);
    let metadata = "metadata: '{\"a\":1}'\nmetadata: 'a=1, b=2'\n";
    assert!(wrong(metadata).to_string().contains("the key `metadata` is given twice"));
}

#[test]
fn yaml_json_and_json5_say_the_same() {
    let yaml = "name: bakery\njobs:\n  - &first\n    name: mix\n    command: mixer\n  - name: bake\n    \
                command: oven\n    depends_on: [mix]\n";
    let json = r#"{"name":"bakery","jobs":[{"name":"mix","command":"mixer"},
        {"name":"bake","command":"oven","depends_on":["mix"]}]}"#;
    let json5 = "// Bread\n{ name: 'bakery', jobs: [{ name: 'mix', command: 'mixer', },\n  \
                 { name: 'bake', command: \"oven\", depends_on: ['mix'] },], /* all */ }";
    let drawn = |name: &str, text: &str| sound(name, text).graph().mermaid();
    assert_eq!(drawn("a.yaml", yaml), drawn("a.json", json));
    assert_eq!(drawn("a.yml", yaml), drawn("a.json5", json5));
    assert_eq!(drawn("a.yaml", json), drawn("a.jsonc", json5));
}

#[test]
fn a_file_may_name_its_schema() {
    let json = r#"{"$schema": "../workflow.schema.json", "name": "bakery",
        "jobs": [{"name": "bake", "command": "oven"}]}"#;
    for name in ["bakery.json", "bakery.json5", "bakery.yaml"] {
        assert!(sound(name, json).warnings().is_empty(), "{name}");
    }
}

#[test]
fn a_byte_order_mark_and_other_line_ends_do_no_harm() {
    let text = format!("\u{feff}name: bakery\n{JOB}").replace('\n', "\r\n");
    assert_eq!(sound("bakery.yaml", &text).name().as_str(), "bakery");
}

#[test]
fn merge_keys_and_anchors_are_followed() {
    let text = "name: bakery\njobs:\n  - &mix\n    name: mix\n    command: mixer\n    env: { A: 1 }\n  \
                - <<: *mix\n    name: bake\n";
    assert_eq!(sound("bakery.yaml", text).graph().len(), 2);
}

#[test]
fn a_merge_key_in_quotes_is_a_key_like_any_other() {
    let with = |env: &str| format!("name: bakery\nenv: {{ {env} }}\n{JOB}");
    for key in ["'<<'", "\"<<\"", "!!str <<"] {
        assert!(sound("bakery.yaml", &with(&format!("{key}: 7"))).warnings().is_empty(), "{key}");
        let twice = wrong(&with(&format!("{key}: 7, '<<': 8"))).to_string();
        assert!(twice.contains("the key `<<` is given twice"), "{twice}");
    }
    let merged = wrong(&with("<<: { A: [] }")).to_string();
    assert!(merged.contains("expected a string, a number or a boolean"), "{merged}");
}

#[test]
fn a_schedule_with_a_policy_is_an_object_in_the_metadata() {
    let text = |options: &str| {
        let schedule = "cron: '0 4 * * *', timezone: Europe/Berlin, jitter: 30s";
        format!("name: bakery\nschedule: {{ {schedule}, {options} }}\n{JOB}")
    };
    let file = sound("bakery.yaml", &text("overlap: skip, catch_up: 6h"));
    let metadata = file.metadata();
    assert_eq!(metadata.schedule(), Some("0 4 * * *"));
    assert_eq!(metadata.timezone(), Some("Europe/Berlin"));
    let policy = metadata.schedule_policy();
    assert_eq!(policy.overlap.as_str(), "skip");
    assert_eq!((policy.catch_up.as_secs(), policy.jitter.as_secs()), (6 * 3600, 30));
    let errors = [
        ("overlap: never", "`never`"),
        ("catch_up: 9000h", "`catch_up` is longer than 366 days"),
        ("overlap: skip }\nconcurrency: { limit: 2", "remove one of them"),
    ];
    for (options, wanted) in errors {
        let error = wrong(&text(options)).to_string();
        assert!(error.contains(wanted), "{error}");
    }
}

#[test]
fn a_schedule_in_the_metadata_is_checked_like_the_field() {
    let text = |options: &str, field: &str| {
        let schedule = format!("{{ cron: '0 4 * * *', {options} }}");
        format!("name: bakery\nmetadata: {{ owner: ada, schedule: {schedule} }}\n{field}\n{JOB}")
    };
    let limits = [("concurrency: { limit: 2 }", "concurrency"), ("singleton: true", "singleton")];
    for (field, name) in limits {
        let error = wrong(&text("overlap: skip", field)).to_string();
        let wanted = format!("metadata `{name}` and `overlap: skip` of `schedule`");
        assert!(error.contains(&wanted) && error.contains("tea.yaml:2:11"), "{error}");
        sound("bakery.yaml", &text("overlap: allow", field));
    }
    let odd = crate::odd(&text("timezone: Berlin", "")).to_string();
    assert!(odd.contains("`Berlin` is not a time zone") && odd.contains(":2:"), "{odd}");
}
