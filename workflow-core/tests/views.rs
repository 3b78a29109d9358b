//! Renderings of graphs and runs: Mermaid, DOT, trees, tables and JSON, also with hostile names.

use std::time::Duration;

use futures::executor::block_on;
use insta::assert_snapshot;
use workflow_core::definition::Metadata;
use workflow_core::engine::ManualClock;
use workflow_core::event::Event;
use workflow_core::job::OnFailure;
use workflow_core::prelude::*;
use workflow_core::workflow::{FunctionWorkflow, OutputOf, Plan};

fn plan(draw: impl FnOnce(&mut Flow)) -> Plan {
    let mut flow = Flow::new();
    draw(&mut flow);
    flow.plan().expect("the graph can run")
}

#[job(inline)]
fn load(rows: u32) -> u32 {
    rows
}

#[job(inline)]
fn sum(parts: Each<'_, u32>) -> u32 {
    parts.iter().sum()
}

fn diamond(flow: &mut Flow) -> Handle<u32> {
    let extract = flow.job(load::draw(3).name("extract"));
    let left = flow.job(load(extract).name("left"));
    let right = flow.job(load(extract).name("right"));
    let sum = flow.job(sum([left, right]));
    flow.job(load(sum).name("report"))
}

/// Names with a meaning in the formats.
const HOSTILE: [&str; 9] = [
    r#""]; j0 --> j1"#,
    "<script>alert('x')</script>",
    "a;b:c#d,e%%{init: 1}%%f",
    r"C:\new\table",
    "`code` & [link](http://x)",
    "section one",
    "2026-01-02",
    ":#;",
    "größe → 数量 🙂",
];

fn hostile(flow: &mut Flow) -> Handle<u32> {
    let mut last = flow.value(1);
    for name in HOSTILE {
        last = flow.job(load(last).name(name));
    }
    last
}

#[test]
fn a_diamond() {
    let plan = plan(|flow| {
        diamond(flow);
    });
    assert_snapshot!(plan.graph().mermaid(), @r#"
    flowchart TD
        j0["extract"]
        j1["left"]
        j2["right"]
        j3["sum"]
        j4["report"]
        j0 --> j1
        j0 --> j2
        j1 --> j3
        j2 --> j3
        j3 --> j4
    "#);
    assert_snapshot!(plan.graph().dot(), @r#"
    digraph workflow {
        rankdir=TB;
        node [shape=box];
        j0 [label="extract"];
        j1 [label="left"];
        j2 [label="right"];
        j3 [label="sum"];
        j4 [label="report"];
        j0 -> j1;
        j0 -> j2;
        j1 -> j3;
        j2 -> j3;
        j3 -> j4;
    }
    "#);
    assert_snapshot!(plan.graph().tree(), @r"
    extract
    ├── left
    │   └── sum
    │       └── report
    └── right
        └── sum ^
    ");
}

/// Two stages of groups, and a direct edge beside them.
fn staged(flow: &mut Flow) {
    let loads = ["a", "b"].map(|name| flow.job(load::draw(1).name(name)));
    let loaded = flow.group(loads);
    let checks = ["c", "d"].map(|name| flow.job(load::draw(1).name(name).after_group(loaded)));
    let checked = flow.group(checks);
    flow.job(load(loads[0]).name("report").after_group(checked));
}

#[test]
fn groups_are_small_nodes() {
    let plan = plan(staged);
    let edges: Vec<_> = plan.graph().edges().collect();
    assert_eq!(edges, [("a", "report")]);
    let groups: Vec<_> = plan.graph().groups().collect();
    assert_eq!(groups, [(vec!["a", "b"], vec!["c", "d"]), (vec!["c", "d"], vec!["report"])]);
    assert_snapshot!(plan.graph().mermaid(), @r#"
    flowchart TD
        j0["a"]
        j1["b"]
        j2["c"]
        j3["d"]
        j4["report"]
        g0((" "))
        g1((" "))
        j0 --> j4
        j0 --> g0
        j1 --> g0
        j2 --> g1
        j3 --> g1
        g0 --> j2
        g0 --> j3
        g1 --> j4
    "#);
    assert_snapshot!(plan.graph().dot(), @r#"
    digraph workflow {
        rankdir=TB;
        node [shape=box];
        j0 [label="a"];
        j1 [label="b"];
        j2 [label="c"];
        j3 [label="d"];
        j4 [label="report"];
        g0 [shape=point];
        g1 [shape=point];
        j0 -> j4;
        j0 -> g0;
        j1 -> g0;
        j2 -> g1;
        j3 -> g1;
        g0 -> j2;
        g0 -> j3;
        g1 -> j4;
    }
    "#);
    assert_snapshot!(plan.graph().tree(), @r"
    a
    ├── report
    └── (group 1)
        ├── c
        │   └── (group 2)
        │       └── report
        └── d
            └── (group 2) ^
    b
    └── (group 1) ^
    ");
}

#[test]
fn groups_that_order_nothing_are_not_drawn() {
    let plan = plan(|flow| {
        let value = flow.value(1);
        let nothing = flow.group([value]);
        let first = flow.job(load::draw(1).name("first").after_group(nothing));
        flow.group([first]);
    });
    assert_eq!(plan.graph().groups().len(), 0);
    assert_eq!(plan.graph().tree(), "first\n");
}

#[test]
fn hostile_names_stay_text() {
    let plan = plan(|flow| {
        hostile(flow);
    });
    assert_snapshot!(plan.graph().mermaid(), @r##"
    flowchart TD
        j0["#34;]#59; j0 --#62; j1"]
        j1["#60;script#62;alert('x')#60;/script#62;"]
        j2["a#59;b#58;c#35;d,e#37;#37;{init#58; 1}#37;#37;f"]
        j3["C#58;#92;new#92;table"]
        j4["#96;code#96; #38; [link](http#58;//x)"]
        j5["section one"]
        j6["2026-01-02"]
        j7["#58;#35;#59;"]
        j8["größe → 数量 🙂"]
        j0 --> j1
        j1 --> j2
        j2 --> j3
        j3 --> j4
        j4 --> j5
        j5 --> j6
        j6 --> j7
        j7 --> j8
    "##);
    assert_snapshot!(plan.graph().dot(), @r#"
    digraph workflow {
        rankdir=TB;
        node [shape=box];
        j0 [label="\"]; j0 --> j1"];
        j1 [label="<script>alert('x')</script>"];
        j2 [label="a;b:c#d,e%%{init: 1}%%f"];
        j3 [label="C:\\new\\table"];
        j4 [label="`code` & [link](http://x)"];
        j5 [label="section one"];
        j6 [label="2026-01-02"];
        j7 [label=":#;"];
        j8 [label="größe → 数量 🙂"];
        j0 -> j1;
        j1 -> j2;
        j2 -> j3;
        j3 -> j4;
        j4 -> j5;
        j5 -> j6;
        j6 -> j7;
        j7 -> j8;
    }
    "#);
    assert_snapshot!(plan.graph().tree(), @r#"
    "]; j0 --> j1
    └── <script>alert('x')</script>
        └── a;b:c#d,e%%{init: 1}%%f
            └── C:\new\table
                └── `code` & [link](http://x)
                    └── section one
                        └── 2026-01-02
                            └── :#;
                                └── größe → 数量 🙂
    "#);
}

#[test]
fn a_tree_of_several_roots() {
    let plan = plan(|flow| {
        let [one, two] = ["one", "two"].map(|name| flow.job(load::draw(1).name(name)));
        let both = flow.job(sum([one, two]).name("both"));
        flow.job(load(both).name("last"));
        flow.job(load::draw(1).name("alone"));
    });
    assert_snapshot!(plan.graph().tree(), @r"
    one
    └── both
        └── last
    two
    └── both ^
    alone
    ");
}

/// The jobs of a chain are named `load`, `load_2`, and so on.
fn chain(flow: &mut Flow, jobs: usize) -> Handle<u32> {
    let first = flow.job(load::draw(1));
    (1..jobs).fold(first, |last, _| flow.job(load(last)))
}

#[test]
fn a_tree_ends_below_64_levels() {
    let shallow = plan(|flow| {
        chain(flow, 64);
    });
    let tree = shallow.graph().tree();
    assert_eq!(tree.lines().count(), 64);
    assert!(tree.ends_with("└── load_64\n"), "{tree}");

    let deep = plan(|flow| {
        chain(flow, 100_000);
    });
    let tree = deep.graph().tree();
    let lines: Vec<&str> = tree.lines().collect();
    assert_eq!(lines.len(), 65);
    assert_eq!(lines[63].trim_start(), "└── load_64");
    assert_eq!(lines[64].trim_start(), "└── ...");
    assert!(tree.len() < 64 * 64 * 4 * 2);
}

#[test]
fn a_job_below_64_levels_is_drawn_where_a_shorter_way_leads_to_it() {
    let plan = plan(|flow| {
        let bottom = chain(flow, 63);
        let root = flow.job(load::draw(1).name("root"));
        let join = flow.job(sum([bottom, root]).name("join"));
        flow.job(load(join).name("leaf"));
    });
    let tree = plan.graph().tree();
    let lines: Vec<&str> = tree.lines().map(str::trim_start).collect();
    assert_eq!(lines[62..], ["└── load_63", "└── join", "└── ...", "root", "└── join", "└── leaf"]);
}

#[test]
fn a_wide_graph_is_drawn_in_linear_space() {
    let plan = plan(|flow| {
        let parts: Vec<_> = (0..10_000).map(|number| flow.job(load::draw(number))).collect();
        let sum = flow.job(sum(&parts));
        flow.job(load(sum).name("report"));
    });
    let tree = plan.graph().tree();
    assert_eq!(tree.lines().count(), 2 * 10_000 + 1);
    assert_eq!(tree.matches("report").count(), 1);
}

#[job]
async fn wait(ctx: &JobContext, milliseconds: u64) -> u64 {
    ctx.sleep(Duration::from_millis(milliseconds)).await;
    milliseconds
}

#[job]
async fn flaky(ctx: &JobContext, bad: u32) -> Result<u32, JobError> {
    ctx.sleep(Duration::from_millis(250)).await;
    if ctx.attempt() <= bad {
        return Err(JobError::from(format!("attempt {}: no route to host", ctx.attempt())));
    }
    Ok(ctx.attempt())
}

/// Runs on a clock that jumps from one sleep to the next.
fn run<D: OutputOf>(
    draw: impl Fn(&mut Flow) -> D + Send + Sync + 'static,
) -> Result<Report, RunError> {
    let clock = ManualClock::new();
    let engine = Engine::builder().clock(clock.clone()).threads(1).build();
    let metadata: Metadata = r#"{ "owner": "web" }"#.parse().expect("metadata");
    let workflow = FunctionWorkflow::new("nightly: prices", draw).expect("a name");
    let request = engine.run(workflow.with_metadata(metadata));
    block_on(clock.drive(request.into_future()))
}

/// A run in which jobs complete, are retried, fail, and are skipped for both reasons.
fn mixed() -> Report {
    let error = run(|flow| {
        let first = flow.job(wait::draw(1500));
        let retried = flow.job(
            flaky::draw(1).after(first).retry(RetryPolicy::attempts(3).jitter(0.0)).name("retried"),
        );
        let failed = flow.job(flaky::draw(9).after(first).name("failed"));
        flow.job(load(failed).name("never"));
        let unlikely = load(retried).when(retried, |attempts| *attempts > 2).name("unlikely");
        flow.job(unlikely);
        retried
    });
    error.expect_err("a job fails").into_report().expect("the run began")
}

/// The text with a placeholder for the run's ID.
fn without_id(report: &Report, text: &str) -> String {
    text.replace(&report.id().to_string(), "[run]")
}

#[test]
fn a_report_is_a_table() {
    let completed = run(diamond).expect("it completes");
    assert_snapshot!(without_id(&completed, &completed.to_string()), @r"
    nightly: prices completed in <1ms (run [run])
      job      status     attempts       time
      extract  completed         1       <1ms
      left     completed         1       <1ms
      right    completed         1       <1ms
      sum      completed         1       <1ms
      report   completed         1       <1ms
    ");
    let mixed = mixed();
    assert_snapshot!(without_id(&mixed, &mixed.to_string()), @r"
    nightly: prices failed in 3.0s (run [run])
      job       status     attempts       time
      wait      completed         1       1.5s
      retried   completed         2       1.5s
      failed    failed            1    250.0ms  attempt 1: no route to host
      unlikely  skipped           0          -  its condition is false
      never     skipped           0          -  `failed` did not complete
    ");
}

#[test]
fn a_report_of_jobs_inside_jobs() {
    let report = run(|flow| {
        let list = flow.value(vec![10_u64, 3_600_000, 90_000]);
        flow.job(map(list, wait).name("naps"))
    });
    let report = report.expect("it completes");
    assert_snapshot!(without_id(&report, &report.to_string()), @r"
    nightly: prices completed in 1h (run [run])
      job      status     attempts       time
      naps     completed         1         1h
      naps[0]  completed         1     10.0ms
      naps[1]  completed         1         1h
      naps[2]  completed         1     1m 30s
    ");
    assert_snapshot!(report.gantt(), @r"
    gantt
        dateFormat x
        axisFormat %M:%S.%L
        title nightly  prices
        naps :done, j0, 0, 3600000
        naps[0] :done, j1, 0, 10
        naps[1] :done, j2, 0, 3600000
        naps[2] :done, j3, 0, 90000
    ");
}

#[test]
fn a_report_of_a_run_that_stopped() {
    let error = run(|flow| {
        flow.on_failure(OnFailure::Stop);
        flow.max_parallel(1);
        flow.job(flaky::draw(1));
        flow.job(wait::draw(1).name("later"));
    });
    let report = error.expect_err("a job fails").into_report().expect("the run began");
    assert_snapshot!(without_id(&report, &report.to_string()), @r"
    nightly: prices failed in 250.0ms (run [run])
      job    status     attempts       time
      flaky  failed            1    250.0ms  attempt 1: no route to host
      later  skipped           0          -  the run stopped after a failure
    ");
}

#[test]
fn a_report_is_a_gantt_chart() {
    assert_snapshot!(mixed().gantt(), @r"
    gantt
        dateFormat x
        axisFormat %M:%S.%L
        title nightly  prices
        wait :done, j0, 0, 1500
        retried :done, j1, 1500, 3000
        failed :crit, j2, 1500, 1750
    ");
}

#[test]
fn hostile_names_stay_text_in_reports() {
    let report = run(hostile).expect("it completes");
    assert_snapshot!(report.gantt().replace('\u{200b}', "[no width]"), @r#"
    gantt
        dateFormat x
        axisFormat %M:%S.%L
        title nightly  prices
        "]  j0 --  j1 :done, j0, 0, 1
        script alert('x') /script :done, j1, 0, 1
        a b c d e  {init  1}  f :done, j2, 0, 1
        C \new\table :done, j3, 0, 1
        `code` & [link](http //x) :done, j4, 0, 1
        [no width]section one :done, j5, 0, 1
        [no width]2026-01-02 :done, j6, 0, 1
        job 7 :done, j7, 0, 1
        größe → 数量 🙂 :done, j8, 0, 1
    "#);
    assert_snapshot!(without_id(&report, &report.to_string()), @r#"
    nightly: prices completed in <1ms (run [run])
      job                          status     attempts       time
      "]; j0 --> j1                completed         1       <1ms
      <script>alert('x')</script>  completed         1       <1ms
      a;b:c#d,e%%{init: 1}%%f      completed         1       <1ms
      C:\new\table                 completed         1       <1ms
      `code` & [link](http://x)    completed         1       <1ms
      section one                  completed         1       <1ms
      2026-01-02                   completed         1       <1ms
      :#;                          completed         1       <1ms
      größe → 数量 🙂                 completed         1       <1ms
    "#);
}

#[test]
fn a_report_is_json() {
    let report = mixed();
    let json = serde_json::to_string_pretty(&report).expect("a report has a JSON form");
    assert_snapshot!(without_id(&report, &json), @r#"
    {
      "id": "[run]",
      "workflow": "nightly: prices",
      "status": "failed",
      "started_at": "1970-01-01T00:00:00Z",
      "seconds": 3.0,
      "reason": "job `failed` failed: attempt 1: no route to host",
      "output": 2,
      "jobs": [
        {
          "name": "wait",
          "status": "completed",
          "attempts": 1,
          "started_at": "1970-01-01T00:00:00Z",
          "seconds": 1.5,
          "error": null,
          "skipped_because": null
        },
        {
          "name": "retried",
          "status": "completed",
          "attempts": 2,
          "started_at": "1970-01-01T00:00:01.5Z",
          "seconds": 1.5,
          "error": null,
          "skipped_because": null
        },
        {
          "name": "failed",
          "status": "failed",
          "attempts": 1,
          "started_at": "1970-01-01T00:00:01.5Z",
          "seconds": 0.25,
          "error": {
            "kind": "retryable",
            "message": "attempt 1: no route to host",
            "error_type": "alloc::string::String"
          },
          "skipped_because": null
        },
        {
          "name": "unlikely",
          "status": "skipped",
          "attempts": 0,
          "started_at": null,
          "seconds": null,
          "error": null,
          "skipped_because": "its condition is false"
        },
        {
          "name": "never",
          "status": "skipped",
          "attempts": 0,
          "started_at": null,
          "seconds": null,
          "error": null,
          "skipped_because": "`failed` did not complete"
        }
      ]
    }
    "#);
}

#[test]
fn events_are_json() {
    let lines = |report: &Report| {
        let line = |event: Event| serde_json::to_string(&event).expect("an event is JSON");
        report.events().map(line).collect::<Vec<_>>().join("\n")
    };
    assert_snapshot!(lines(&mixed()), @r#"
    {"sequence":0,"at":"1970-01-01T00:00:00Z","event":"run_started"}
    {"sequence":1,"at":"1970-01-01T00:00:00Z","event":"job_started","job":"wait","attempt":1}
    {"sequence":2,"at":"1970-01-01T00:00:01.5Z","event":"job_completed","job":"wait","attempt":1}
    {"sequence":3,"at":"1970-01-01T00:00:01.5Z","event":"job_started","job":"retried","attempt":1}
    {"sequence":4,"at":"1970-01-01T00:00:01.5Z","event":"job_started","job":"failed","attempt":1}
    {"sequence":5,"at":"1970-01-01T00:00:01.75Z","event":"attempt_failed","job":"retried","attempt":1,"error":{"kind":"retryable","message":"attempt 1: no route to host","error_type":"alloc::string::String"},"retry_in":1.0}
    {"sequence":6,"at":"1970-01-01T00:00:01.75Z","event":"job_failed","job":"failed","attempt":1,"error":{"kind":"retryable","message":"attempt 1: no route to host","error_type":"alloc::string::String"}}
    {"sequence":7,"at":"1970-01-01T00:00:01.75Z","event":"job_skipped","job":"never","reason":"`failed` did not complete"}
    {"sequence":8,"at":"1970-01-01T00:00:02.75Z","event":"job_started","job":"retried","attempt":2}
    {"sequence":9,"at":"1970-01-01T00:00:03Z","event":"job_completed","job":"retried","attempt":2}
    {"sequence":10,"at":"1970-01-01T00:00:03Z","event":"job_skipped","job":"unlikely","reason":"its condition is false"}
    {"sequence":11,"at":"1970-01-01T00:00:03Z","event":"run_failed","reason":"job `failed` failed: attempt 1: no route to host"}
    "#);
}

#[test]
fn events_are_lines() {
    let report = mixed();
    let lines: Vec<String> = report.events().map(|event| event.kind.to_string()).collect();
    assert_snapshot!(lines.join("\n"), @r"
    run started
    wait started
    wait completed
    retried started
    failed started
    retried failed in attempt 1, retry in 1.0s: attempt 1: no route to host
    failed failed: attempt 1: no route to host
    never skipped: `failed` did not complete
    retried started, attempt 2
    retried completed
    unlikely skipped: its condition is false
    run failed: job `failed` failed: attempt 1: no route to host
    ");
}

#[test]
fn a_status_has_other_names() {
    let read = |text: &str| serde_json::from_str::<Status>(&format!("\"{text}\"")).ok();
    let names = [
        (Status::Pending, "pending"),
        (Status::Running, "running"),
        (Status::Completed, "completed"),
        (Status::Failed, "failed"),
        (Status::Cancelled, "cancelled"),
        (Status::Skipped, "skipped"),
    ];
    for (status, name) in names {
        assert_eq!(status.to_string(), name);
        assert_eq!(read(name), Some(status));
        assert_eq!(serde_json::to_string(&status).ok(), Some(format!("\"{name}\"")));
    }
    assert_eq!(read("success"), Some(Status::Completed));
    assert_eq!(read("failure"), Some(Status::Failed));
    assert_eq!(read("canceled"), Some(Status::Cancelled));
    assert_eq!(read("done"), None);
    let last = [Status::Completed, Status::Failed, Status::Cancelled, Status::Skipped];
    assert!(last.into_iter().all(Status::is_final));
    assert!(!Status::Pending.is_final() && !Status::Running.is_final());
}

#[test]
fn waves_go_through_jobs_and_groups() {
    let plan = plan(|flow| {
        let first = [flow.job(load::draw(1).name("a")), flow.job(load::draw(2).name("b"))];
        let behind_a = flow.job(load(first[0]).name("behind a"));
        let group = flow.group([first[1], behind_a]);
        flow.job(load::draw(3).name("behind both").after_group(group));
    });
    let waves = [vec!["a", "b"], vec!["behind a"], vec!["behind both"]];
    assert_eq!(plan.graph().waves(), waves);
}
