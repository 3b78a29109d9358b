//! Texts that nobody would write: the reader says what is wrong, and neither panics nor takes long.

use proptest::prelude::*;
use workflow_core::WorkflowFile;

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
fn copies_by_alias_are_limited() {
    let long = "x".repeat(1 << 20);
    let text = format!("a: &a {long}\nb: [{}]\n", "*a, ".repeat(1000).trim_end_matches(", "));
    let told = crate::wrong(&text).to_string();
    assert!(told.contains("aliases repeat more than"), "{}", &told[..told.len().min(400)]);
}
