//! Texts that nobody would write: the reader says what is wrong, and neither panics nor takes long.

use proptest::prelude::*;
use workflow_files::WorkflowFile;

const FORMATS: [&str; 2] = ["tea.yaml", "tea.json5"];

/// A workflow that uses most of the format.
const FULL: &str = r#"
name: tea
metadata: '{"owner": "ada"}'
schedule: { cron: "0 5 * * *", timezone: UTC }
variables: { leaf: green }
parameters: { cups: "1:3" }
files:
  - { name: "cup_{cups}", path: "cup_{cups}.txt", use_parameters: [cups] }
failure_handlers:
  - { name: mop, rules: [{ exit_codes: [1, 2], max_retries: 2 }] }
resource_requirements:
  - { name: stove, num_cpus: 1, memory: 512m, runtime: PT5M }
actions:
  - { trigger_type: on_jobs_ready, action_type: run_commands, commands: [date], jobs: [boil] }
jobs:
  - &boil
    name: boil
    command: echo heat=90 > "$WORKFLOW_OUTPUT"
    resource_requirements: stove
  - name: "pour_{cups:02d}"
    command: |
      cat > ${files.output.cup_{cups}} <<END
      ${{ jobs.boil.outputs.heat }}
      END
    when: ${{ jobs.boil.outputs.heat|int > 80 }}
    use_parameters: [cups]
    failure_handler: mop
    retry: { maximum_attempts: 3, jitter: 0.5 }
  - <<: *boil
    name: serve
    depends_on_regexes: ["^pour_"]
"#;

fn read(text: &str) {
    for format in FORMATS {
        if let Err(told) = WorkflowFile::parse(format, text) {
            assert!(told.errors() > 0 && !told.to_string().is_empty());
        }
    }
}

/// Where a character begins, near a share of a text's length.
fn place(text: &str, share: f64) -> usize {
    let mut at = (text.len() as f64 * share) as usize;
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_can_be_looked_at(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        read(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_marks_can_be_looked_at(text in "[-:\\[\\]{}&*!|>'\"#,$%@ \t\r\na0é]{0,80}") {
        read(&text);
    }

    #[test]
    fn what_is_cut_out_is_missed(from in 0.0..1.0_f64, length in 0.0..0.3_f64) {
        let (from, to) = (place(FULL, from), place(FULL, (from + length).min(1.0)));
        read(&format!("{}{}", &FULL[..from], &FULL[to..]));
    }

    #[test]
    fn what_is_put_in_is_noticed(at in 0.0..1.0_f64, text in "[-:\\[\\]{}&*!|>'\"#,$ \t\n0a\u{0}é]{1,6}") {
        let at = place(FULL, at);
        read(&format!("{}{text}{}", &FULL[..at], &FULL[at..]));
    }

    #[test]
    fn what_is_moved_is_read_anew(from in 0.0..1.0_f64, to in 0.0..1.0_f64, length in 0.0..0.2_f64) {
        let (start, end) = (place(FULL, from), place(FULL, (from + length).min(1.0)));
        let to = place(FULL, to);
        read(&format!("{}{}{}", &FULL[..to], &FULL[start..end], &FULL[to..]));
    }
}

#[test]
fn the_full_workflow_is_sound() {
    let file = crate::sound("tea.yaml", FULL);
    assert_eq!(file.graph().len(), 6);
}

#[test]
fn depth_is_limited_before_the_stack_is() {
    let deep = |open: &str, close: &str| open.repeat(100_000) + &close.repeat(100_000);
    for text in [deep("[", "]"), deep("{a: ", "}"), deep("[", ""), deep("- ", "")] {
        read(&text);
    }
}

#[test]
fn copies_by_yaml_aliases_are_limited() {
    let long = "x".repeat(1 << 20);
    let text = format!("a: &a {long}\nb: [{}]\n", "*a, ".repeat(1000).trim_end_matches(", "));
    let told = crate::wrong(&text).to_string();
    assert!(told.contains("copy more than 8388608 bytes"), "{}", &told[..told.len().min(400)]);
}

/// What a workflow is told whose one job has this `when`.
fn told_of_when(when: &str) -> String {
    let job = serde_json::json!({ "name": "a", "command": "true", "when": when });
    let text = serde_json::json!({ "name": "w", "jobs": [job] }).to_string();
    match WorkflowFile::parse("w.json", &text) {
        Ok(_) => String::new(),
        Err(told) => told.to_string(),
    }
}

#[test]
fn expressions_are_counted_before_they_are_parsed() {
    for (open, close) in [
        ("-", ""),
        ("not ", ""),
        ("(", ")"),
        ("[", "]"),
        ("", ".b"),
        ("", "+1"),
        ("", " and 1"),
        ("", "|int"),
        ("1 if 1 else ", ""),
    ] {
        let told = told_of_when(&(open.repeat(100_000) + "1" + &close.repeat(100_000)));
        assert!(told.contains("w.json:1:"), "{told}");
        assert!(told.contains("at most"), "{told}");
        assert!(told.contains("compute the value in a job"), "{told}");
    }
    assert!(told_of_when(&("-".repeat(5_000) + "..1")).contains("at most 24 levels"));
}

#[test]
fn patterns_are_counted_before_they_are_compiled() {
    let told = |pattern: &str| {
        let waits = serde_json::json!({
            "name": "b", "command": "true", "depends_on_regexes": [pattern],
        });
        let first = serde_json::json!({ "name": "a", "command": "true" });
        let text = serde_json::json!({ "name": "w", "jobs": [first, waits] }).to_string();
        WorkflowFile::parse("w.json", &text).expect_err(pattern).to_string()
    };
    assert!(told(&("(".repeat(1_000) + &")".repeat(1_000))).contains("nest"));
    assert!(told(&"x".repeat(5_000)).contains("it has 5000 bytes; the limit is 4096"));
    assert!(told("(\\w{100}){100}").contains("it takes more than 1048576 bytes"));
}

/// A workflow that a bomb of aliases would make of a few hundred bytes.
#[test]
fn aliases_do_not_multiply() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..8 {
        let last = level - 1;
        let aliases = vec![format!("*a{last}"); 10].join(", ");
        text += &format!("a{level}: &a{level} [{aliases}]\n");
    }
    assert!(text.len() < 700);
    let told = crate::wrong(&text).to_string();
    assert!(told.contains("copy more than 200000 values"), "{told}");
    assert!(told.contains("use `parameters`"), "{told}");
}

/// Files of a kilobyte that stand for more than a program can hold.
#[test]
fn copies_are_counted_before_they_are_made() {
    let jobs = |one: &str, times: usize| {
        let jobs = (0..times).map(|n| one.replace('#', &n.to_string())).collect::<String>();
        format!("name: w\nvariables: {{ n: 900000, long: {} }}\njobs:\n{jobs}", "x".repeat(5_000))
    };
    for (text, what) in [
        (
            jobs("  - {name: 'a#_{i}', command: 'true', parameters: {i: '1:900000'}}\n", 20),
            "more than 1000000 jobs",
        ),
        (
            jobs("  - {name: 'a#_{i}', command: 'true', parameters: {i: '1:{n}'}}\n", 20),
            "more than 1000000 jobs",
        ),
        (
            jobs(
                "  - {name: 'a#_{i}{k}', command: 'true', parameters: {i: '1:900000', k: '1:900000'}}\n",
                1,
            ),
            "these parameters make 810000000000 copies",
        ),
        (
            jobs("  - {name: a, command: 'true'}\n", 1)
                + "files: [{name: 'f{i}', path: '{long}{i}', parameters: {i: '1:900000'}}]\n",
            "the texts of files grow to more than",
        ),
        (
            jobs(&format!("  - {{name: a, command: '{}'}}\n", "{long}".repeat(30_000)), 1),
            "the texts of jobs grow to more than",
        ),
        (
            jobs(
                &format!(
                    "  - {{name: 'a{{i}}', command: 'echo ${{{{ 1 }}}} {}', parameters: {{i: '1:900000'}}}}\n",
                    "x".repeat(1_000)
                ),
                1,
            ),
            "the texts of jobs grow to more than",
        ),
    ] {
        let told = crate::wrong(&text).to_string();
        assert!(told.contains(what), "{}", &told[..told.len().min(600)]);
    }
}

/// Texts that are the same for all copies are looked at once: 600 MB of them would take minutes.
#[test]
fn texts_are_not_read_anew_for_each_copy() {
    let long = "{i}".repeat(2_000);
    let text = format!(
        "name: w\n\
         failure_handlers: [{{name: mend, rules: [{{exit_codes: [1], recovery_script: '{long}'}}]}}]\n\
         jobs: [{{name: 'a{{i}}', command: '{long}', env: {{A: '${{{{ 1 }}}}'}}, failure_handler: mend, parameters: {{i: '1:100000'}}}}]\n"
    );
    assert_eq!(crate::sound("w.yaml", &text).graph().len(), 100_000);
    let named = text.replace("failure_handler: mend", &format!("failure_handler: '{long}'"));
    assert!(crate::wrong(&named).to_string().contains("the texts of jobs grow to more than"));
}

#[test]
fn dependencies_are_counted_before_they_are_listed() {
    let text = "name: w\njobs:\n  - {name: a, command: 'true', parameters: {i: '1:50000'}}\n  \
        - {name: 'b{i}', command: 'true', depends_on: [a], parameters: {i: '1:50000'}}\n";
    let told = crate::wrong(text).to_string();
    assert!(told.contains("more than 20000000 dependencies between jobs"), "{told}");
    assert!(told.contains("add a job that waits for all of them"), "{told}");
}

#[test]
fn many_actions_are_named_quickly() {
    let action = "  - {trigger_type: on_jobs_ready, action_type: run_commands, commands: [date], jobs: [a]}\n";
    let text = format!(
        "name: w\njobs: [{{name: a, command: 'true'}}]\nactions:\n{}",
        action.repeat(20_000)
    );
    assert_eq!(crate::sound("w.yaml", &text).graph().len(), 20_001);
}
