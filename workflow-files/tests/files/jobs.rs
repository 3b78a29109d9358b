//! What jobs ask for, and what becomes of them: attempts, order, limits, handlers, actions.

use workflow_core::prelude::*;
use workflow_core::run_log::RunLog;

use crate::{Folder, end, ends, error, failed, run};

#[test]
fn registered_jobs_take_values_from_the_file_and_from_other_jobs() {
    let folder = Folder::new("registered");
    run(folder.jobs(
        r#"
  - { name: count, command: 'echo cups=3 > "$WORKFLOW_OUTPUT"' }
  - { name: static, job: brew, with: { cups: 2, tea: green } }
  - { name: read, job: brew, with: { cups: '${{ jobs.count.outputs.cups|int }}', tea: 'b${{ 1 }}' } }
  - { name: nested, workflow: breakfast, with: { guests: 4 } }
  - name: told
    command: |
      echo ${{ jobs.static.outputs.value }} >> told
      echo ${{ jobs.read.outputs.value }} >> told
      echo ${{ jobs.nested.outputs.value }} >> told
"#,
    ));
    assert_eq!(folder.lines("told"), ["2 cups of green", "3 cups of b1", "4 eggs"]);
}

#[test]
fn a_value_that_does_not_fit_fails_the_job() {
    let folder = Folder::new("misfit");
    let report =
        failed(folder.jobs(
            "\n  - { name: read, job: brew, with: { cups: '${{ \"many\" }}', tea: green } }\n",
        ));
    assert!(error(&report, "read").contains("invalid value for parameter `cups`"));
}

#[test]
fn a_timeout_ends_a_job() {
    let folder = Folder::new("timeout");
    let report = failed(folder.file(
        r#"
name: tea
resource_requirements:
  - { name: quick, runtime: PT0.1S }
jobs:
  - { name: own, command: sleep 600, timeout: 100ms }
  - { name: by_need, command: sleep 600, resource_requirements: quick }
"#,
    ));
    for job in ["own", "by_need"] {
        let told = error(&report, job);
        assert!(told.contains("100ms") || told.contains("0.1"), "{told}");
    }
}

#[test]
fn a_job_is_tried_again() {
    let folder = Folder::new("retry");
    let report = run(folder.jobs(
        r#"
  - name: boil
    command: echo $WORKFLOW_ATTEMPT >> tries; test $WORKFLOW_ATTEMPT = 3
    retry: { maximum_attempts: 5, initial_interval: 0 }
"#,
    ));
    assert_eq!(report.job("boil").expect("the job").attempts, 3);
    assert_eq!(folder.lines("tries"), ["1", "2", "3"]);
}

#[test]
fn trigger_rules_depend_on_how_jobs_ended() {
    let folder = Folder::new("triggers");
    let report = failed(folder.jobs(
        r#"
  - { name: good, command: 'true' }
  - { name: bad, command: 'false' }
  - { name: success, command: 'true', depends_on: [good, bad] }
  - { name: done, command: 'true', depends_on: [good, bad], trigger: all_done }
  - { name: one_failed, command: 'true', depends_on: [good, bad], trigger: one_failed }
  - { name: none_failed, command: 'true', depends_on: [good], trigger: none_failed }
  - { name: keeps_on, command: 'true', depends_on: [bad], cancel_on_blocking_job_failure: false }
"#,
    ));
    assert_eq!(end(&report, "success"), Status::Skipped);
    for job in ["done", "one_failed", "none_failed", "keeps_on"] {
        assert_eq!(end(&report, job), Status::Completed, "{job}");
    }
}

#[test]
fn a_failure_stops_the_run_where_the_file_says_so() {
    let folder = Folder::new("stop");
    let report = failed(folder.file(
        "name: tea\non_failure: stop\nmax_parallel: 1\njobs:\n  - { name: bad, command: 'false', priority: 1 }\n  - { name: other, command: 'touch other' }\n",
    ));
    assert_ne!(end(&report, "other"), Status::Completed);
    assert!(!folder.0.join("other").exists());
}

#[test]
fn the_highest_priority_starts_first() {
    let folder = Folder::new("priority");
    run(folder.file(
        r#"
name: tea
max_parallel: 1
jobs:
  - { name: low, command: 'echo low >> order', priority: -1 }
  - { name: plain, command: 'echo plain >> order' }
  - { name: high, command: 'echo high >> order', priority: 5 }
"#,
    ));
    assert_eq!(folder.lines("order"), ["high", "plain", "low"]);
}

/// Notes when a command begins and ends; in between it gives others the time to get in its way.
const SPAN: &str = "echo in >> spans; for turn in 1 2 3 4 5 6 7 8; do (:); done; echo out >> spans";

fn never_at_once(folder: &Folder, jobs: usize) {
    let expected: Vec<_> = ["in", "out"].into_iter().cycle().take(jobs * 2).collect();
    assert_eq!(folder.lines("spans"), expected);
}

#[test]
fn a_named_limit_keeps_jobs_apart() {
    let folder = Folder::new("limits");
    let file = folder.file(&format!(
        "name: tea\nmax_parallel: 8\nlimits: {{ stove: 1 }}\njobs:\n  - {{ name: 'cook_{{i}}', command: '{SPAN}', limits: [stove], parameters: {{ i: '1:6' }} }}\n"
    ));
    let limits: Vec<_> = file.limits().collect();
    assert_eq!(limits, [("stove", 1)]);
    run(file);
    never_at_once(&folder, 6);
}

/// Two files, each in an engine of its own, have one machine, and runs of one file its limits.
#[test]
fn files_share_the_machine_and_their_limits() {
    let most = std::thread::available_parallelism().map_or(1, usize::from) / 2 + 1;
    let limits = "limits: { stove: 1 }";
    let needs = format!("resource_requirements:\n  - {{ name: most, num_cpus: {most} }}");
    let job = |asks| {
        format!(
            "jobs:\n  - {{ name: 'cook_{{i}}', command: '{SPAN}', {asks}, parameters: {{ i: '1:3' }} }}\n"
        )
    };
    let by_machine = job("resource_requirements: most");
    let by_machine =
        |name| format!("name: {name}\nmax_parallel: 8\n{limits}\n{needs}\n{by_machine}");
    let by_name = job("limits: [stove]");
    let by_name = format!("name: shared\nmax_parallel: 8\n{limits}\n{by_name}");
    for (test, texts) in [
        ("machine", [by_machine("tea"), by_machine("coffee")]),
        ("versions", [by_name.clone(), by_name]),
    ] {
        let folder = Folder::new(test);
        let runs = texts.map(|text| {
            Engine::default()
                .run(folder.file(&text))
                .start()
                .unwrap_or_else(|error| panic!("{error}"))
        });
        for run in runs {
            run.wait().unwrap_or_else(|error| panic!("{error}"));
        }
        never_at_once(&folder, 6);
    }
}

#[test]
fn jobs_that_need_more_than_half_of_the_machine_never_overlap() {
    let folder = Folder::new("packing");
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    run(folder.file(&format!(
        "name: tea\nmax_parallel: 8\nresource_requirements:\n  - {{ name: most, num_cpus: {} }}\njobs:\n  - {{ name: 'cook_{{i}}', command: '{SPAN}', resource_requirements: most, parameters: {{ i: '1:6' }} }}\n",
        processors / 2 + 1
    )));
    never_at_once(&folder, 6);
}

#[test]
fn a_job_larger_than_the_machine_runs_alone() {
    let folder = Folder::new("too_large");
    let report = run(folder.file(
        "name: tea\nresource_requirements:\n  - { name: huge, num_cpus: 4096, memory: 900t }\njobs:\n  - { name: cook, command: 'true', resource_requirements: huge }\n",
    ));
    assert_eq!(ends(&report), ["cook completed"]);
}

#[test]
fn failure_handlers_recover_by_exit_code() {
    let folder = Folder::new("handlers");
    let report = run(folder.file(
        r#"
name: tea
failure_handlers:
  - name: mop
    rules:
      - { exit_codes: [3], recovery_script: 'echo "code $WORKFLOW_EXIT_CODE $TORC_RETURN_CODE" >> told', max_retries: 2 }
      - { match_all_exit_codes: true, max_retries: 1 }
jobs:
  - name: boil
    failure_handler: mop
    command: |
      case $WORKFLOW_ATTEMPT in 1|3) exit 3;; 2) exit 9;; esac
"#,
    ));
    assert_eq!(report.job("boil").expect("the job").attempts, 4);
    assert_eq!(folder.lines("told"), ["code 3 3", "code 3 3"]);
}

#[test]
fn each_rule_of_a_failure_handler_has_its_own_count() {
    let folder = Folder::new("handler_counts");
    let report = failed(folder.file(
        r#"
name: tea
failure_handlers:
  - name: mop
    rules:
      - { exit_codes: [3], max_retries: 2 }
      - { exit_codes: [4], max_retries: 5 }
  - name: broken
    rules:
      - { match_all_exit_codes: true, recovery_script: exit 7 }
jobs:
  - { name: third, command: exit 3, failure_handler: mop }
  - { name: other, command: exit 5, failure_handler: mop }
  - { name: unmended, command: exit 1, failure_handler: broken }
"#,
    ));
    let attempts = |job| report.job(job).expect("the job").attempts;
    assert_eq!([attempts("third"), attempts("other"), attempts("unmended")], [3, 1, 1]);
    let told = error(&report, "unmended");
    assert!(told.contains("then the recovery script failed"), "{told}");
}

#[test]
fn recovery_scripts_read_what_other_jobs_left() {
    let folder = Folder::new("handler_reads");
    let report = run(folder.file(
        r#"
name: tea
env: { LEAF: "${{ input or 'green' }}" }
failure_handlers:
  - name: mop
    rules:
      - match_all_exit_codes: true
        recovery_script: echo "${{ jobs.count.outputs.cups }} $LEAF" >> told
jobs:
  - { name: boil, failure_handler: mop, command: 'test $WORKFLOW_ATTEMPT = 2' }
  - { name: count, command: 'echo cups=3 > "$WORKFLOW_OUTPUT"' }
"#,
    ));
    assert_eq!(report.job("boil").expect("the job").attempts, 2);
    assert_eq!(folder.lines("told"), ["3 green"]);
}

#[test]
fn actions_run_around_the_jobs() {
    let folder = Folder::new("actions");
    let action = |trigger: &str, more: &str| {
        format!(
            "  - {{ trigger_type: {trigger}, action_type: run_commands, commands: ['echo {trigger} >> order']{more} }}\n"
        )
    };
    let actions = [
        action("on_workflow_start", ""),
        action("on_worker_start", ""),
        action("on_jobs_ready", ", jobs: [pour]"),
        action("on_jobs_complete", ", job_name_regexes: ['^pour$']"),
        action("on_worker_complete", ""),
        action("on_workflow_complete", ""),
    ];
    let text = format!(
        "name: tea\nactions:\n{}jobs:\n  - {{ name: boil, command: 'echo boil >> order' }}\n  - {{ name: pour, command: 'echo pour >> order; exit 1', depends_on: [boil] }}\n",
        actions.concat()
    );
    failed(folder.file(&text));
    let expected = [
        "on_workflow_start",
        "on_worker_start",
        "boil",
        "on_jobs_ready",
        "pour",
        "on_jobs_complete",
        "on_worker_complete",
        "on_workflow_complete",
    ];
    assert_eq!(folder.lines("order"), expected);
}

#[test]
fn actions_get_the_environment_of_all_jobs() {
    let folder = Folder::new("actions-env");
    run(folder.file(
        r#"name: tea
env: { CUPS: "${{ 1 + 1 }}" }
actions:
  - { trigger_type: on_workflow_start, action_type: run_commands, commands: ['echo "$CUPS cups" > said'] }
jobs:
  - { name: boil, command: 'true' }
"#,
    ));
    assert_eq!(folder.lines("said"), ["2 cups"]);
}

#[test]
fn parameters_make_copies() {
    let folder = Folder::new("parameters");
    let file = folder.file(
        r#"
name: tea
variables: { pot: brown }
parameters: { leaf: [green, black] }
jobs:
  - name: 'product_{leaf}_{i:02d}'
    command: echo "{pot} {leaf} {i}" >> product
    parameters: { i: '1:2' }
    use_parameters: [leaf]
  - name: 'zip_{a}_{b:.2f}'
    command: echo "{a} {b}" >> zip
    parameters: { a: "['x', 'y']", b: '0.1:0.2:0.1' }
    parameter_mode: zip
"#,
    );
    let entries: Vec<_> = file.entries().collect();
    assert_eq!(entries, [("product_{leaf}_{i:02d}", 4), ("zip_{a}_{b:.2f}", 2)]);
    let names: Vec<_> = run(file.max_parallel(1)).jobs().into_iter().map(|job| job.name).collect();
    let expected = [
        "product_green_01",
        "product_green_02",
        "product_black_01",
        "product_black_02",
        "zip_x_0.10",
        "zip_y_0.20",
    ];
    assert_eq!(names, expected);
    let lines = ["brown green 1", "brown green 2", "brown black 1", "brown black 2"];
    assert_eq!(folder.lines("product"), lines);
    assert_eq!(folder.lines("zip"), ["x 0.1", "y 0.2"]);
}

#[test]
fn patterns_wait_for_all_at_the_price_of_the_sum() {
    let folder = Folder::new("patterns");
    let file = folder.jobs(
        "\n  - { name: 'a_{i}', command: ':', parameters: { i: '1:1000' } }\n  - { name: 'b_{i}', command: ':', parameters: { i: '1:1000' }, depends_on_regexes: ['^a_'] }\n",
    );
    assert_eq!(file.graph().len(), 2000);
    let folder = Folder::new("patterns_run");
    let report = run(folder.jobs(
        "\n  - { name: 'a_{i}', command: 'echo a >> order', parameters: { i: '1:4' } }\n  - { name: b, command: 'echo b >> order', depends_on_regexes: ['^a_'] }\n",
    ));
    assert_eq!(report.jobs().len(), 5);
    assert_eq!(folder.lines("order"), ["a", "a", "a", "a", "b"]);
}

#[test]
fn a_run_keeps_one_log() {
    let folder = Folder::new("log");
    let report = run(folder.jobs(
        "\n  - { name: boil, command: 'echo hot; echo steam >&2' }\n  - { name: pour, command: 'echo cup' }\n",
    ));
    let runs = folder.0.join("runs").join(report.id().to_string());
    let log = runs.join("output.log");
    let boiled = RunLog::read(&log, "boil", 1).expect("the job's output");
    assert_eq!((boiled.stdout(), boiled.stderr()), (b"hot\n".to_vec(), b"steam\n".to_vec()));
    assert_eq!(RunLog::attempts(&log).expect("all attempts").len(), 2);
    assert_eq!(std::fs::read_dir(&runs).expect("the run's folder").count(), 1);
}
