//! What a workflow makes of dbt that ends in unusual ways, with a script as dbt.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use workflow_core::store::Store as _;
use workflow_core::{Engine, Report, RetryPolicy, Run as _, Status, Workflow};
use workflow_dbt::{BuildSummary, DbtProject, DbtWorkflow, NodeStatus, Program, ProjectError};
use workflow_store::{RetryRequest, RetrySource, retry_run};

use super::support::{Shop, is_alive, until, write_program};

/// Lists what is in `ls.txt`, and builds as `build.sh` says. `$run` is the number of the build.
const DBT: &str = r#"#!/bin/sh
case " $* " in
    *" --version "*) printf 'Core:\n  - installed: 1.11.0\n'; exit ;;
    *" ls "*) cat ls.txt; exit "$(cat ls.code)" ;;
esac
while [ $# -gt 0 ]; do
    case $1 in --log-path) log=$2 ;; --state) state=$2 ;; esac
    shift
done
finish() {
    printf '{"info":{"name":"NodeFinished","level":"debug","msg":"","invocation_id":"i"},"data":%s}\n' \
        "{\"node_info\":{\"unique_id\":\"$1\"},\"run_result\":{\"status\":\"$2\",\"message\":\"$3\"}}" \
        >>"$log/dbt.log"
}
results() {
    echo "{\"metadata\":{\"invocation_id\":\"i\"},\"elapsed_time\":1.5,\"results\":[$1]}" \
        >target/run_results.json
}
selected() { grep -o '"unique_id":"[^"]*"' "$state/run_results.json" | cut -d'"' -f4; }
all() { for id in $(selected); do finish "$id" success OK; done; }
echo "$(selected | tr '\n' ' ')" >>builds.txt
run=$(wc -l <builds.txt)
. ./build.sh
"#;

const MANIFEST: &str = r#"{
    "metadata": {"dbt_schema_version": "https://schemas.getdbt.com/dbt/manifest/v12.json"},
    "nodes": {
        "model.s.a": {"resource_type": "model", "name": "a", "original_file_path": "models/a.sql"},
        "model.s.b": {"resource_type": "model", "name": "b", "original_file_path": "models/b.sql",
            "depends_on": {"nodes": ["model.s.a"]}}
    }
}"#;

/// A project of two models whose dbt builds in this way.
fn project(folder: &Path, build: &str) -> DbtProject {
    let dbt = folder.join(".venv/bin/dbt");
    write_program(&dbt, DBT);
    fs::create_dir_all(folder.join("target")).expect("a folder");
    let ids =
        "{\"unique_id\": \"model.s.a\"}\nprinted by a macro\n{\"unique_id\": \"model.s.b\"}\n";
    for (file, text) in [
        ("dbt_project.yml", "name: s\n"),
        ("build.sh", build),
        ("ls.txt", ids),
        ("ls.code", "0"),
        ("target/manifest.json", MANIFEST),
    ] {
        fs::write(folder.join(file), text).expect("a file");
    }
    DbtProject::open(folder).expect("a project")
}

/// The report of a run that fails.
fn failed(project: &DbtProject) -> Report {
    let workflow = project.workflow("scripted").expect("a workflow");
    let error = Engine::default().run(workflow).wait().expect_err("it fails");
    error.into_report().expect("a report")
}

fn error(report: &Report, job: &str) -> String {
    report.job(job).and_then(|job| job.error).expect("an error").message
}

#[test]
fn a_retry_policy_builds_failed_and_skipped_nodes_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let build = "results ''
        [ $run != 1 ] || { finish model.s.a error 'no file'; finish model.s.b skipped; exit 1; }
        all";
    let policy = RetryPolicy::attempts(3).initial_interval(Duration::from_millis(1));
    let workflow =
        project(folder.path(), build).retry(policy).workflow("late").expect("a workflow");
    let report = Engine::default().run(workflow).wait().expect("it completes");
    let attempts = |job: &str| report.job(job).expect("a job").attempts;
    assert_eq!((attempts("model.s.a"), attempts("model.s.b")), (2, 1));
    let summary: BuildSummary = report.output().expect("a summary");
    assert_eq!((summary.processes, summary.seconds), (2, Some(1.5)));
    assert_eq!(summary.statuses.into_iter().collect::<Vec<_>>(), [(NodeStatus::Success, 2)]);
    let builds = fs::read_to_string(folder.path().join("builds.txt")).expect("builds");
    assert_eq!(builds.lines().map(str::trim).collect::<Vec<_>>(), ["model.s.a model.s.b"; 2]);
}

#[test]
fn dbt_that_fails_itself_is_named_with_its_last_words() {
    let folder = tempfile::tempdir().expect("a folder");
    let report = failed(&project(folder.path(), "echo 'no profile' >&2; exit 2"));
    let text = error(&report, "model.s.a");
    assert!(text.starts_with("dbt ended early (exit status: 2): no profile; its log is"), "{text}");
    assert_eq!(report.job("model.s.b").expect("a job").status, Status::Skipped);
    assert!(error(&report, DbtWorkflow::RESULTS).starts_with("dbt ended early"));
}

#[test]
fn dbt_that_fails_itself_is_named_in_spite_of_its_results() {
    let folder = tempfile::tempdir().expect("a folder");
    let build = "all; echo '{' >target/run_results.json; printf 'no \\377 room\\n' >&2; exit 2";
    let text = error(&failed(&project(folder.path(), build)), DbtWorkflow::RESULTS);
    let start = "dbt ended early (exit status: 2): no \u{fffd} room; its log is";
    assert!(text.starts_with(start), "{text}");
}

#[test]
fn hooks_that_failed_or_are_missing_stay_failures_in_a_retry() {
    let hook = r#"{"unique_id":"operation.s.end","status":"error","message":"no rights"}"#;
    let failed_hook = format!("all; results '{hook}'; exit 1");
    for (build, first) in [
        (failed_hook.as_str(), "the hook `operation.s.end` ended with error: no rights"),
        ("all; results ''; exit 2", "dbt ended early (exit status: 2)"),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let workflow = project(folder.path(), build).workflow("hooks").expect("a workflow");
        let workflow = Arc::new(workflow);
        pollster::block_on(async {
            let store = Shop::at(folder.path()).store().await;
            let engine = Shop::engine(&store, &workflow);
            let ended = engine.run(Arc::clone(&workflow) as Arc<dyn Workflow>).await;
            let report = ended.expect_err("it fails").into_report().expect("a report");
            assert_eq!(report.job("model.s.b").expect("a job").status, Status::Completed);
            let text = error(&report, DbtWorkflow::RESULTS);
            assert!(text.starts_with(first), "{text}");

            let old = store.run(report.id()).await.expect("is read").expect("a run");
            let (left, request) = (RetrySource::Failed, RetryRequest::default());
            retry_run(&store, &old, &*workflow, left, request).await.expect("a new run");
            let recovery = engine.recover().await.expect("a recovery");
            let ended = recovery.runs.first().expect("the new run").outcome().await;
            let report = ended.expect_err("it fails again").into_report().expect("a report");
            let text = error(&report, DbtWorkflow::RESULTS);
            assert!(text.starts_with("this run has no record of the end of dbt"), "{text}");
        });
        let builds = fs::read_to_string(folder.path().join("builds.txt")).expect("builds");
        assert_eq!(builds.lines().count(), 1, "all nodes are built");
    }
}

#[test]
fn nodes_that_fail_fast_leaves_out_agree_with_the_log() {
    let results = r#"{"unique_id":"model.s.a","status":"error"},
        {"unique_id":"model.s.b","status":"skipped"}"#;
    // The result of a node that ends while dbt stops the others is lost.
    for (ended, status) in [("", Status::Failed), ("finish model.s.b success", Status::Completed)] {
        let folder = tempfile::tempdir().expect("a folder");
        let build =
            format!("finish model.s.a error 'no file'; {ended}\nresults '{results}'; exit 1");
        let project = project(folder.path(), &build);
        let apart = MANIFEST.replace("[\"model.s.a\"]", "[]");
        fs::write(folder.path().join("target/manifest.json"), apart).expect("a file");
        let report = failed(&project);
        assert_eq!(report.job("model.s.b").expect("a job").status, status);
        assert_eq!(report.job(DbtWorkflow::RESULTS).expect("a job").status, Status::Completed);
        if status == Status::Failed {
            let text = error(&report, "model.s.b");
            assert!(text.starts_with("dbt ended without this node, as it does after"), "{text}");
        }
    }
}

#[test]
fn paths_with_equals_signs_and_the_path_of_dbt_are_no_obstacle() {
    let folder = tempfile::tempdir().expect("a folder");
    let other = folder.path().join("other");
    write_program(&other.join("env"), "#!/bin/sh\nexit 9\n");
    let path = std::env::var("PATH").expect("a PATH");
    let project = project(&folder.path().join("day=1"), "all; results ''")
        .env("PATH", format!("{}:{path}", other.display()));
    let workflow = project.workflow("partition").expect("a workflow");
    let report = Engine::default().run(workflow).wait().expect("it completes");
    let summary: BuildSummary = report.output().expect("a summary");
    assert_eq!(summary.statuses.into_iter().collect::<Vec<_>>(), [(NodeStatus::Success, 2)]);
}

#[test]
fn results_that_differ_from_the_log_are_errors() {
    let folder = tempfile::tempdir().expect("a folder");
    let cases = [
        (
            r#"{"unique_id":"model.s.a","status":"error"}"#,
            "has error for `model.s.a`, and the dbt log",
        ),
        (
            r#"{"unique_id":"operation.s.end","status":"error","message":"no rights"}"#,
            "the hook `operation.s.end` ended with error: no rights",
        ),
        (r#"{"unique_id": 7}"#, "is not what dbt writes: "),
    ];
    for (results, part) in cases {
        let report = failed(&project(folder.path(), &format!("all; results '{results}'")));
        assert_eq!(report.job("model.s.b").expect("a job").status, Status::Completed);
        let text = error(&report, DbtWorkflow::RESULTS);
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn a_cancelled_run_interrupts_dbt_and_kills_it_after_the_grace_period() {
    let wait = "echo $$ >pid.part; mv pid.part pid; while :; do sleep 0.02; done";
    for (trap, interrupted) in [("echo x >interrupted; exit 1", true), ("", false)] {
        let folder = tempfile::tempdir().expect("a folder");
        let project = project(folder.path(), &format!("trap '{trap}' INT\n{wait}"));
        let grace = Duration::from_millis(if interrupted { 60_000 } else { 50 });
        let workflow = project.grace(grace).workflow("waits").expect("a workflow");
        let handle = Engine::default().run(workflow).start().expect("it starts");
        let pid = folder.path().join("pid");
        until("dbt starts", || pid.exists());
        let pid = fs::read_to_string(pid).expect("a file").trim().parse().expect("a number");
        assert!(is_alive(pid));
        handle.cancel();
        let report = handle.wait().expect_err("it is cancelled").into_report().expect("a report");
        assert_eq!(report.job("model.s.a").expect("a job").status, Status::Cancelled);
        assert!(!is_alive(pid), "the job waits for the end of dbt");
        assert_eq!(folder.path().join("interrupted").exists(), interrupted);
    }
}

#[test]
fn what_dbt_cannot_list_is_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let project = project(folder.path(), "");
    let write = |file: &str, text: &str| fs::write(folder.path().join(file), text).expect("a file");
    let error = || project.workflow("none").err().expect("no workflow");
    write("ls.txt", "");
    assert!(matches!(error(), ProjectError::NothingSelected), "{}", error());
    write("ls.txt", "Could not find selector named none\n");
    write("ls.code", "2");
    let text = error().to_string();
    assert!(text.contains("(exit status: 2); it ended with:\nCould not find selector"), "{text}");
    write("ls.txt", "{\"unique_id\": \"model.s.b\"}\n{\"unique_id\": \"model.s.a\"}");
    write("ls.code", "0");
    let cycle = MANIFEST.replace(
        "\"name\": \"a\",",
        "\"name\": \"a\", \"depends_on\": {\"nodes\": [\"model.s.b\"]},",
    );
    write("target/manifest.json", &cycle);
    let text = error().to_string();
    assert!(text.contains("model.s.a") && text.contains("model.s.b"), "{text}");
    write("target/manifest.json", "{");
    assert!(matches!(error(), ProjectError::Manifest(_)), "{}", error());
    let program = Program::find(folder.path()).expect("the script");
    let text = DbtProject::open_with("/nowhere", program).expect_err("no project").to_string();
    assert!(text.contains("`/nowhere` has no dbt_project.yml"), "{text}");
}
