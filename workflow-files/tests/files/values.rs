//! What jobs hand to each other, and where it arrives: outputs, conditions, files, data.

use serde_json::json;
use workflow_core::{Engine, Status};

use crate::{Folder, end, ended, ends, error, failed, run};

/// Values that a careless shell would read as code.
const HOSTILE: &str = "a'b\"c $(touch broken) `touch broken` ; touch broken & * \\ ${HOME}\n#end";

#[test]
fn outputs_reach_later_jobs_as_lines_and_as_json() {
    let folder = Folder::new("outputs");
    run(folder.jobs(
        r#"
  - name: lines
    command: printf 'cups=3\ntea=green leaf\n' > "$WORKFLOW_OUTPUT"
    outputs: [cups, tea]
  - name: json-too
    command: echo '{"heat":90.5,"steps":["boil","pour"],"hot":true}' > "$WORKFLOW_OUTPUT"
  - name: reader
    command: |
      echo ${{ jobs.lines.outputs.cups }} "${{ jobs.lines.outputs.tea }}" >> told
      echo ${{ jobs.json-too.outputs.heat }} ${{ jobs["json-too"].outputs.steps[1] }} >> told
      echo ${{ jobs.json-too.outputs.steps }} ${{ jobs.json-too.outputs.hot }} >> told
"#,
    ));
    assert_eq!(folder.lines("told"), ["3 green leaf", "90.5 pour", "[\"boil\",\"pour\"] true"]);
}

#[test]
fn an_output_that_is_promised_and_not_published_fails_the_job() {
    let folder = Folder::new("promised");
    let report = failed(folder.jobs("\n  - { name: boil, command: 'true', outputs: [heat] }\n"));
    assert!(error(&report, "boil").contains("the output `heat` was not published"));
}

#[test]
fn reading_a_missing_output_fails_the_job() {
    let folder = Folder::new("absent");
    let report = failed(folder.jobs(
        "\n  - { name: boil, command: 'true' }\n  - { name: pour, command: 'echo ${{ jobs.boil.outputs.heat }}' }\n",
    ));
    let told = error(&report, "pour");
    assert!(told.contains("`jobs.boil.outputs.heat` has no value"), "{told}");
}

#[test]
fn no_value_is_read_as_code() {
    let folder = Folder::new("hostile");
    let file = folder.jobs(
        r#"
  - name: everywhere
    command: |
      printf '%s' ${{ input.text }} > bare
      printf '%s' '${{ input.text }}' > single
      printf '%s' "${{ input.text }}" > double
      cat > document <<END
      ${{ input.text }}
      END
      printf '%s' "$FROM_ENV" > env
      cat > stdin
    env: { FROM_ENV: "${{ input.text }}" }
    stdin: ${{ input.text }}
"#,
    );
    ended(Engine::default().run(file).input(json!({ "text": HOSTILE })));
    for place in ["bare", "single", "double", "env", "stdin"] {
        assert_eq!(folder.read(place), HOSTILE, "{place}");
    }
    assert_eq!(folder.read("document"), format!("{HOSTILE}\n"));
    assert!(!folder.0.join("broken").exists());
}

/// Runs the one job `told` of a file with an input; its error, if it fails.
fn told(folder: &Folder, job: &str, input: serde_json::Value) -> Option<String> {
    let file = folder.jobs(&format!("\n  - name: told\n{job}"));
    let failed = Engine::default().run(file).input(input).wait().err()?;
    Some(error(&failed.into_report().expect("a report"), "told"))
}

#[test]
fn a_value_in_arithmetic_is_a_number_or_nothing_runs() {
    let folder = Folder::new("arithmetic");
    let sum = "    command: 'echo $(( ${{ input.n }} + 1 )) $((1<<2)) > sum'\n";
    assert_eq!(told(&folder, sum, json!({ "n": 41 })), None);
    assert_eq!(folder.read("sum"), "42 4\n");
    let told = told(&folder, sum, json!({ "n": "a[$(touch broken)]" })).expect("no number");
    assert_eq!(
        told,
        format!(
            "{}:5:24: `${{{{ input.n }}}}` is in arithmetic, which the shell evaluates, and is \
             not an integer; use `| int`, or pass it by `env:` and quote the variable",
            folder.0.join("tea.yaml").display()
        )
    );
    assert!(!folder.0.join("broken").exists());
}

#[test]
fn a_value_that_the_shell_would_evaluate_is_an_integer_or_nothing_runs() {
    let folder = Folder::new("evaluated");
    for job in [
        "    command: if [[ ${{ input.n }} -gt 5 ]]; then echo many; fi\n",
        "    command: 'let x=${{ input.n }}+1'\n",
        "    command: 'a=(1 2 3); echo ${a[${{ input.n }}]}'\n",
        "    command: 'rows=${{ input.n }}; (( rows > 5 )); true'\n",
        "    command: 'x=$(basename \"${{ input.n }}\"); echo $((x))'\n",
        "    command: |\n      cat <<END\n      total $(( ${{ input.n }} + 1 ))\n      END\n",
        "    command: 'bash -c \"echo ${{ input.n }}\"'\n",
        "    command: 'echo ${{ input.n }} | bash'\n",
        "    command: '[[ $N -gt 5 ]]; true'\n    env: { N: '${{ input.n }}' }\n",
        "    command: '(( N )); true'\n    invocation_script: 'N=${{ input.n }};'\n",
        "    command: |\n      #!/bin/zsh\n      echo '${{ input.n }}'\n",
        "    command: bash\n    stdin: 'echo ${{ input.n }}'\n",
        "    command: 'read -r rows; if (( rows > 5 )); then echo many; fi'\n    stdin: '${{ input.n }}'\n",
        "    command: git --version\n    env: { GIT_SSH_COMMAND: 'ssh -i ${{ input.n }}' }\n",
        "    command: bash -c 'true'\n    env: { BASH_ENV: '${{ input.n }}' }\n",
        "    command: 'BASH_ENV=${{ input.n }} bash -c true'\n",
        "    command: |\n      on_host() { bash; }\n      on_host <<END\n      echo ${{ input.n }}\n      END\n",
        "    command: |\n      exec 3<<END\n      echo ${{ input.n }}\n      END\n      bash <&3\n",
    ] {
        let told = told(&folder, job, json!({ "n": "a[$(touch broken)]" })).expect(job);
        assert!(told.contains("`${{ input.n }}`") && told.contains("`| int`"), "{told}");
        assert!(told.contains("tea.yaml:"), "{told}");
        assert!(!folder.0.join("broken").exists(), "{job}");
    }
    for job in [
        "    command: bash\n    stdin: 'echo ${{ input.n }} > seven'\n",
        "    command: 'true'\n    env: { GIT_SSH_COMMAND: 'ssh -p ${{ input.n }}' }\n",
    ] {
        assert_eq!(told(&folder, job, json!({ "n": 7 })), None, "{job}");
    }
    assert_eq!(folder.read("seven"), "7\n");
    let numeric = "    command: '[[ ${{ input.n }} -gt 5 ]] && echo many > many'\n";
    assert_eq!(told(&folder, numeric, json!({ "n": 7 })), None);
    assert_eq!(folder.read("many"), "many\n");
}

#[test]
fn the_environment_is_no_cure_for_variables_that_change_programs() {
    let folder = Folder::new("trusted");
    let place = folder.0.join("tea.yaml").display().to_string();
    let input = json!({ "key": "$(touch broken)" });
    for (job, at, cause) in [
        ("    command: 'GIT_SSH=${{ input.key }} git --version'\n", "5:23", ""),
        ("    command: 'true'\n    env: { GIT_SSH: '${{ 1 }} ${{ input.key }}' }\n", "6:31", ""),
        (
            "    command: 'k=${{ input.key }}; GIT_SSH=$k git --version'\n",
            "5:17",
            "is in `k`, which ",
        ),
    ] {
        let told = told(&folder, job, input.clone()).expect("it changes programs");
        let expected = format!(
            "{place}:{at}: `${{{{ input.key }}}}` {cause}is assigned to `GIT_SSH`, which changes \
             what programs do, and is not an integer; use `| int`"
        );
        assert_eq!(told, expected, "{job}");
    }
}

#[test]
fn the_second_value_of_a_command_is_named_with_its_place() {
    let folder = Folder::new("second");
    let job = "    command: |\n      echo '$${{ no }}' ${{ input.a }}\n      echo ${{ input.b }} \\\n        $(( ${{ input.b }} ))\n";
    let told = told(&folder, job, json!({ "a": "x", "b": "y" })).expect("no number");
    assert!(told.contains("tea.yaml:8:13: `${{ input.b }}` is in arithmetic"), "{told}");
}

#[test]
fn values_within_nested_quotes_arrive_whole() {
    let folder = Folder::new("nested");
    ended(
        Engine::default()
            .run(folder.jobs(
                r#"
  - { name: basename, command: 'x="$(basename "${{ input.p }}")"; echo "<$x>" > basename' }
  - { name: glob, command: 'echo "$(printf "%s," "${{ input.g }}")" > glob' }
  - { name: single, command: "echo \"$(printf '%s' '${{ input.p }}')\" > single" }
  - { name: backtick, command: 'echo "`printf "<%s>" "${{ input.p }}"`" > backtick' }
  - { name: ansi_c, command: "echo $'it\\'s ${{ input.p }}' > ansi_c" }
"#,
            ))
            .input(json!({ "p": "my dir/f x.txt", "g": "*" })),
    );
    for (name, expected) in [
        ("basename", "<f x.txt>\n"),
        ("glob", "*,\n"),
        ("single", "my dir/f x.txt\n"),
        ("backtick", "<my dir/f x.txt>\n"),
        ("ansi_c", "it's my dir/f x.txt\n"),
    ] {
        assert_eq!(folder.read(name), expected, "{name}");
    }
}

#[test]
fn the_environment_of_all_jobs_is_no_code_in_an_action() {
    let folder = Folder::new("action_env");
    let file = folder.file(
        "name: tea\nenv: { N: '${{ input.n }}' }\njobs:\n  - { name: boil, command: 'true' }\nactions:\n  - trigger_type: on_workflow_start\n    action_type: run_commands\n    commands: ['(( N > 5 ))']\n",
    );
    let request = Engine::default().run(file).input(json!({ "n": "a[$(touch broken)]" }));
    let report = request.wait().expect_err("no number").into_report().expect("a report");
    let told = error(&report, "on_workflow_start");
    assert!(told.contains("is in `N`, which is in arithmetic"), "{told}");
    assert!(!folder.0.join("broken").exists());
}

#[test]
fn a_value_in_a_literal_here_document_is_refused() {
    let folder = Folder::new("literal");
    let job = "    command: |\n      cat > told <<'END'\n      ${{ input.text }}\n      END\n";
    let refused = told(&folder, job, json!({ "text": "x" })).expect("it cannot be put in");
    assert!(refused.contains("a here-document whose end is quoted"), "{refused}");
    assert_eq!(told(&folder, job, json!({ "text": 5 })), None);
    assert_eq!(folder.read("told"), "5\n");
}

#[test]
fn conditions_decide_whether_a_job_runs() {
    let folder = Folder::new("when");
    let report = run(folder.jobs(
        r#"
  - { name: count, command: 'echo rows=7 > "$WORKFLOW_OUTPUT"' }
  - { name: many, command: 'true', when: '${{ jobs.count.outputs.rows|int > 5 }}' }
  - { name: few, command: 'true', when: jobs.count.outputs.rows|int < 5 }
  - { name: after_few, command: 'true', depends_on: [few] }
  - { name: copy_5, command: 'true', when: 'false' }
  - name: copy_{i}
    command: 'true'
    parameters: { i: '6:8' }
    when: jobs.count.outputs.rows|int == {i}
"#,
    ));
    assert_eq!(end(&report, "many"), Status::Completed);
    for skipped in ["few", "after_few", "copy_5", "copy_6", "copy_8"] {
        assert_eq!(end(&report, skipped), Status::Skipped, "{skipped}");
    }
    assert_eq!(end(&report, "copy_7"), Status::Completed);
}

#[test]
fn published_numbers_and_booleans_are_compared_as_such() {
    let folder = Folder::new("typed");
    let report = run(folder.jobs(
        r#"
  - name: count
    command: printf 'rows=0\nshare=2.5\ndeploy=false\nzip=007\npy=3.10\n' > "$WORKFLOW_OUTPUT"
  - { name: load, command: 'true', when: '${{ jobs.count.outputs.rows > 0 }}' }
  - { name: equal, command: 'true', when: '${{ jobs.count.outputs.rows == 0 }}' }
  - { name: deploy, command: 'true', when: '${{ jobs.count.outputs.deploy }}' }
  - { name: share, command: 'true', when: '${{ jobs.count.outputs.share > 2 }}' }
  - name: told
    command: >
      echo ${{ jobs.count.outputs.rows }} ${{ jobs.count.outputs.share }}
      ${{ jobs.count.outputs.deploy }} ${{ jobs.count.outputs.zip }}
      ${{ jobs.count.outputs.py }} $(( ${{ jobs.count.outputs.rows }} + 1 )) > told
"#,
    ));
    for (job, status) in [
        ("load", Status::Skipped),
        ("equal", Status::Completed),
        ("deploy", Status::Skipped),
        ("share", Status::Completed),
    ] {
        assert_eq!(end(&report, job), status, "{job}");
    }
    assert_eq!(folder.read("told"), "0 2.5 false 007 3.10 1\n");
}

#[test]
fn text_in_a_condition_is_not_taken_for_a_number_or_a_boolean() {
    for (output, when, cure) in [
        ("n=007", "jobs.told.outputs.n > 5", "`jobs.told.outputs.n | int`"),
        ("n=many", "jobs.told.outputs.n > 5", "is the text \"many\", and 5 is a number"),
        ("n=3.10", "jobs.told.outputs.n == 3.1", "`jobs.told.outputs.n | float`"),
        ("n=5", "jobs.told.outputs.n == \"5\"", "\"5\" is a text; remove the quotes"),
        ("n=yes", "jobs.told.outputs.n == true", "compare texts with texts"),
        ("n=false", "jobs.told.outputs.n == \"false\"", "remove the quotes"),
        ("n=False", "jobs.told.outputs.n", "`jobs.told.outputs.n == \"true\"`"),
        ("n=0.00", "jobs.told.outputs.n", "which would count as true"),
        ("n=no", "jobs.told.outputs.n", "which would count as true"),
    ] {
        let folder = Folder::new("untyped");
        let report = failed(folder.jobs(&format!(
            "\n  - {{ name: told, command: 'echo {output} > $WORKFLOW_OUTPUT' }}\n  - {{ name: next, command: 'true', when: '{when}' }}\n"
        )));
        let told = error(&report, "next");
        assert!(told.contains(cure), "{output}, {when}: {told}");
    }
}

#[test]
fn a_condition_without_a_value_fails_its_job() {
    let folder = Folder::new("when_fails");
    let report = failed(folder.jobs(
        "\n  - { name: count, command: 'true' }\n  - { name: many, command: 'true', when: jobs.count.outputs.rows > 5 }\n",
    ));
    assert_eq!(ends(&report), ["count completed", "many failed"]);
}

#[test]
fn parameters_keep_their_spelling() {
    let folder = Folder::new("verbatim");
    run(folder.file(
        r#"
name: versions
variables: { v: 3.10, zip: 00501, sha: 1234e8 }
jobs:
  - name: list_{py}_{id}_{sha}_{u}
    command: echo "{py} {id} {sha} {u}" > list
    parameter_mode: zip
    parameters: { py: [3.10], id: [007], sha: [1234e8], u: [18446744073709551615] }
  - name: quoted
    command: echo "{py} {id} {v} {zip} {sha}" > quoted
    parameters: { py: "3.10", id: "007" }
"#,
    ));
    assert_eq!(folder.read("list"), "3.10 007 1234e8 18446744073709551615\n");
    assert_eq!(folder.read("quoted"), "3.10 007 3.10 00501 1234e8\n");
    let json5 = r#"{ name: "v", jobs: [{ name: "job_{py}_{u}", command: "true",
        parameters: { py: [3.10, "007"], u: [18446744073709551615, 184467440737095516160] } }] }"#;
    let file = crate::sound("v.json5", json5.replace(", 184467440737095516160", "").as_str());
    let mut names: Vec<_> = file.graph().job_names().collect();
    names.sort_unstable();
    assert_eq!(names, ["job_007_18446744073709551615", "job_3.10_18446744073709551615"]);
    let told = workflow_files::WorkflowFile::parse("v.json5", json5).expect_err("too many digits");
    assert!(told.to_string().contains("put it in quotes"), "{told}");
}

#[test]
fn files_set_the_order() {
    let folder = Folder::new("order");
    let file = folder.file(
        r#"
name: tea
files:
  - { name: water, path: water.txt }
  - { name: 'cup_{i}', path: 'cup {i}.txt', parameters: { i: '1:2' } }
  - { name: tray, path: tray.txt }
jobs:
  - name: serve
    command: cat "cup 1.txt" "cup 2.txt" > ${files.output.tray}
    input_file_regexes: ['^cup_']
  - name: pour_{i}
    command: cat ${files.input.water} > "${files.output.cup_{i}}"
    parameters: { i: '1:2' }
  - { name: boil, command: 'echo hot > ${files.output.water}' }
"#,
    );
    assert!(file.warnings().is_empty(), "{}", file.warnings());
    let report = run(file);
    assert_eq!(report.jobs().len(), 4);
    assert_eq!(folder.read("tray.txt"), "hot\nhot\n");
}

#[test]
fn data_is_json_and_sets_the_order() {
    let folder = Folder::new("data");
    run(folder.file(
        r#"
name: tea
variables: { leaf: green }
user_data:
  - { name: recipe, data: { tea: '{leaf}', cups: 2 } }
  - { name: stamp, is_ephemeral: true }
jobs:
  - { name: last, command: 'cat first > last', input_user_data: [stamp] }
  - name: first
    command: echo '${user_data.input.recipe}' > first
    output_user_data: [stamp]
"#,
    ));
    let told: serde_json::Value = serde_json::from_str(&folder.read("last")).expect("JSON");
    assert_eq!(told, json!({ "tea": "green", "cups": 2 }));
}

#[test]
fn a_command_knows_the_time_of_the_schedule() {
    let folder = Folder::new("scheduled_for");
    let file = || {
        folder.jobs("  - { name: tell, command: 'echo \"<$WORKFLOW_SCHEDULED_FOR>\" >> told' }\n")
    };
    let at = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_800_000_000);
    Engine::default().run(file()).scheduled_for(at).wait().expect("it runs");
    Engine::default().run(file()).wait().expect("it runs");
    assert_eq!(folder.lines("told"), ["<2027-01-15T08:00:00Z>", "<>"]);
}

#[test]
fn a_command_runs_beside_its_file_with_its_environment() {
    let folder = Folder::new("environment");
    std::fs::create_dir_all(folder.0.join("kitchen")).expect("a folder");
    run(folder.file(
        r#"
name: tea
env: { LEAF: green, CUPS: 2 }
jobs:
  - name: boil
    cwd: kitchen
    env: { LEAF: black }
    invocation_script: export POT=brown;
    command: |
      echo "$LEAF $CUPS $POT" > told
      echo "$WORKFLOW_NAME $WORKFLOW_JOB $WORKFLOW_ATTEMPT" >> told
      echo "$TORC_JOB_NAME $TORC_JOB_ID $TORC_ATTEMPT_ID" >> told
      test "$TORC_RUN_ID" = "$WORKFLOW_RUN_ID" && test -d "$WORKFLOW_RUN_DIR"
      case "$WORKFLOW_RUN_DIR" in /*) ;; *) exit 4 ;; esac
      test "$TORC_OUTPUT_DIR" = "$WORKFLOW_RUN_DIR" && test -n "$WORKFLOW_IDEMPOTENCY_KEY"
"#,
    ));
    assert_eq!(folder.lines("kitchen/told"), ["black 2 brown", "tea boil 1", "boil 1 1"]);
}
