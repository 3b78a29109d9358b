//! The command line with the real binaries: `workflow`, and a host with registered workflows.

use insta::assert_snapshot;
use serde_json::Value as Json;

use crate::support::{Outcome, host, same, workflow};

#[test]
fn a_list_as_table() {
    let Outcome { code, out, err } = host(&["list"]);
    assert_eq!((code, &*err), (Some(0), ""));
    assert_snapshot!(out, @"
    WORKFLOW        DOMAIN  PROJECT   TAGS             DESCRIPTION
    orders/approve  orders  -         -                Waits for a signal
    orders/print    orders  -         -                Fails at the printer
    orders/report   orders  web-shop  nightly, report  Adds up the orders of a day
    stock/count     stock   -         -                Needs a tokio runtime
    stock/watch     stock   -         -                Goes on until it is cancelled

    JOB              DOMAIN  INPUTS                      OUTPUT
    approve          shared  -                           Approval
    archive          shared  _sent: ()                   ()
    connect          orders  -                           ()
    fetch            orders  wanted: Wanted              Vec<u32>
    price            shared  order: u32                  u32
    send             shared  _connected: ()              ()
    total            shared  prices: Vec<u32>            u32
    wait_with_tokio  shared  -                           String
    watch            stock   watch: Option<Watch>        ()
    write            shared  wanted: Wanted, total: u32  String
    ");
}

#[test]
fn a_list_in_detail() {
    assert_snapshot!(host(&["list", "--tag", "nightly", "--detailed"]).out, @r#"
    orders/report
      description   Adds up the orders of a day
      domain        orders
      project       web-shop
      owner         ada
      tags          nightly, report
      schedule      0 3 * * *
      input         Wanted
      input schema  {
                      "$schema": "https://json-schema.org/draft/2020-12/schema",
                      "description": "The input of the report.",
                      "properties": {
                        "day": {
                          "description": "The day, as 2026-01-02.",
                          "type": "string"
                        },
                        "orders": {
                          "default": 3,
                          "description": "How many orders to look at.",
                          "format": "uint32",
                          "minimum": 0,
                          "type": "integer"
                        }
                      },
                      "required": [
                        "day"
                      ],
                      "title": "Wanted",
                      "type": "object"
                    }
      output        String
      task queue    default-orders
      policies      fetch: start_to_close 30s
      location      workflow-cli/examples/host.rs:52
    "#);
    let jobs =
        host(&["list_workflows", "--activities-only", "--domain", "orders", "--detailed"]).out;
    let shown: Vec<&str> = jobs.split("\n\n").collect();
    assert_snapshot!(shown[2..4].join("\n\n"), @"
    connect
      domain    orders
      inputs    -
      output    ()
      retry     2 attempts, after 1ms, times 2, at most 100ms
      module    host
      location  workflow-cli/examples/host.rs:68

    fetch
      description  Fetches the orders of the day.
      domain       orders
      inputs       wanted: Wanted
      output       Vec<u32>
      timeouts     start_to_close 30s
      module       host
      location     workflow-cli/examples/host.rs:32
    ");
}

#[test]
fn a_list_as_json() {
    let all: Json = host(&["list", "-f", "json"]).json();
    let all = all.as_array().expect("a list");
    let names = |kind: &str| -> Vec<_> {
        let fit = all.iter().filter(|row| row["kind"] == *kind);
        fit.map(|row| row["name"].as_str().expect("a name")).collect()
    };
    assert_eq!(
        names("workflow"),
        ["orders/approve", "orders/print", "orders/report", "stock/count", "stock/watch"]
    );
    assert!(names("job").contains(&"price"));
    let report = all.iter().find(|row| row["name"] == "orders/report").expect("it is listed");
    assert_eq!(report["metadata"]["owner"], "ada");
    assert_eq!(report["input_schema"]["required"][0], "day");
    let keys = |row: &Json| row.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
    for row in all {
        let same_kind = all.iter().find(|other| other["kind"] == row["kind"]).expect("at least it");
        assert_eq!(keys(row), keys(same_kind));
    }
}

#[test]
fn a_list_is_filtered() {
    let names = |args: &[&str]| -> Vec<String> {
        let rows = host(&[&["list", "-f", "json"], args].concat()).json();
        let rows = rows.as_array().expect("a list").iter();
        rows.map(|row| row["name"].as_str().expect("a name").to_owned()).collect()
    };
    let orders = ["orders/approve", "orders/print", "orders/report"];
    assert_eq!(names(&["--domain", "orders", "--workflows-only"]), orders);
    assert_eq!(names(&["--domain", "orders", "--project", "web-shop"]), ["orders/report"]);
    let jobs = ["connect", "fetch", "approve", "archive", "price", "send", "total"];
    let of_domain = names(&["--domain", "orders", "--activities-only"]);
    assert!(jobs.iter().all(|job| of_domain.iter().any(|name| name == job)), "{of_domain:?}");
    assert!(!of_domain.contains(&"watch".to_owned()), "{of_domain:?}");
    assert_eq!(
        names(&["--domain", "orders"]),
        [&orders.map(str::to_owned)[..], &of_domain].concat()
    );
    let rows = host(&["list", "-f", "json", "--domain", "orders", "--jobs-only"]).json();
    let row = |name: &str| {
        let rows = rows.as_array().expect("a list");
        rows.iter().find(|row| row["name"] == name).expect("it is listed").clone()
    };
    assert_eq!(row("fetch")["domain"], "orders");
    assert_eq!((&row("price")["domain"], &row("price")["shared"]), (&Json::Null, &true.into()));
    assert_eq!(names(&["--tag", "report", "--tag", "nightly"]), ["orders/report"]);
    assert_eq!(names(&["--domain", "elsewhere"]), [""; 0]);
    assert_eq!(names(&["--workflows-only"]).len(), 5);
    let nothing = host(&["list", "--domain", "elsewhere"]);
    assert_snapshot!(nothing.err, @"no registered workflow or job has the domain `elsewhere`; use orders, stock");
    let nothing_tagged = host(&["list", "--tag", "elsewhere"]).err;
    assert_snapshot!(nothing_tagged, @"no match among 5 registered workflows; use `list` without filters to show all");
    assert_eq!((nothing.code, &*nothing.out), (Some(0), ""));
    assert_snapshot!(host(&["list", "--jobs-only", "--tag", "nightly"]).err, @"
    error: the argument '--jobs-only' cannot be used with '--tag <TAG>'

    Usage: host list --jobs-only

    For more information, try '--help'.
    ");
    assert_snapshot!(workflow(&["list"]).err, @"this program has no registered workflows or jobs");
}

#[test]
fn a_plan_as_text() {
    let Outcome { code, out, err } = host(&["plan", "orders/report"]);
    assert_eq!((code, &*err), (Some(0), ""));
    assert_snapshot!(out, @"
    orders/report: 4 jobs in 4 waves
      1  fetch
      2  price
      3  total
      4  write
    ");
}

#[test]
fn a_plan_as_json_and_as_graph() {
    let plan = host(&["plan", "orders/report", "-f", "json"]);
    assert_snapshot!(serde_json::to_string(&plan.json()).expect("it is JSON"), @r#"{"entries":null,"jobs":4,"waves":[["fetch"],["price"],["total"],["write"]],"workflow":"orders/report"}"#);
    assert_snapshot!(host(&["plan", "orders/report", "--graph", "tree"]).out, @"
    fetch
    └── price
        └── total
            └── write
    ");
    assert_snapshot!(host(&["plan", "orders/report", "--graph", "mermaid"]).out, @r#"
    flowchart TD
        j0["fetch"]
        j1["price"]
        j2["total"]
        j3["write"]
        j0 --> j1
        j1 --> j2
        j2 --> j3
    "#);
    assert!(host(&["plan", "orders/report", "--graph", "dot"]).out.starts_with("digraph"));
}

#[test]
fn a_plan_for_an_input_that_does_not_fit() {
    let Outcome { code, out, err } = host(&["plan", "orders/report", "--param", "day=1"]);
    assert_eq!((code, &*out), (Some(2), ""));
    assert_snapshot!(err, @"error: workflow `orders/report`: invalid input: `Wanted` cannot be read from this JSON at `day`: expected a string, found the number 1");
}

#[test]
fn a_run_that_completes() {
    let Outcome { code, out, err } = host(&["run", "orders/report", "--param", "day=2026-01-02"]);
    assert_eq!(code, Some(0));
    same().bind(|| {
        assert_snapshot!(out, @r#"
    orders/report completed in <time> (run <id>)
      job       status     attempts       time
      fetch     completed         1 <time>
      price     completed         1 <time>
      total     completed         1 <time>
      write     completed         1 <time>
      price[0]  completed         1 <time>
      price[1]  completed         1 <time>
      price[2]  completed         1 <time>
    output: "2026-01-02: 60"
    "#)
    });
    let begin = "orders/report: 4 jobs\n  fetch started\n  fetch completed in ";
    assert!(err.starts_with(begin), "{err}");
    assert!(err.ends_with("(7 of 7)\norders/report completed\n"), "{err}");
}

#[test]
fn a_run_that_fails() {
    let Outcome { code, out, err } = host(&["run", "orders/print"]);
    assert_eq!(code, Some(1));
    same().bind(|| {
        assert_snapshot!(out, @"
        orders/print failed in <time> (run <id>)
          job      status     attempts       time
          connect  completed         2 <time>
          send     failed            1 <time>  no paper in the printer
          archive  skipped           0          -  `send` did not complete
        ");
        assert_snapshot!(err, @"
        orders/print: 3 jobs
          connect started
          connect failed in attempt 1, retry in <time>: the line is busy
          connect started, attempt 2
          connect completed in <time> (1 of 3)
          send started
          send failed in <time> (2 of 3): no paper in the printer
          archive skipped (3 of 3): `send` did not complete
        orders/print failed
        ");
    });
}

#[test]
fn a_report_as_json() {
    let input = r#"{"day": "today", "orders": 2}"#;
    let args = ["run", "orders/report", "-f", "json", "-q", "--input", input];
    let Outcome { code, out, err } = host(&args);
    assert_eq!((code, &*err), (Some(0), ""));
    let report: Json = serde_json::from_str(&out).expect("the report is JSON");
    assert_eq!(report["status"], "completed");
    assert_eq!(report["output"], "today: 30");
    assert_eq!(report["jobs"].as_array().map(Vec::len), Some(6));
}

#[test]
fn events_as_json() {
    let Outcome { code, out, err } = host(&["run", "orders/print", "-f", "jsonl"]);
    assert_eq!((code, &*err), (Some(1), ""));
    let lines: Vec<Json> =
        out.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect();
    let (report, events) = lines.split_last().expect("at least the report");
    assert_eq!(report["report"]["status"], "failed");
    let kinds = events.iter().map(|event| event["event"].as_str().expect("a word"));
    assert_snapshot!(kinds.collect::<Vec<_>>().join("\n"), @"
    run_started
    job_started
    attempt_failed
    job_started
    job_completed
    job_started
    job_failed
    job_skipped
    run_failed
    ");
    let numbers: Vec<_> = events.iter().map(|event| event["sequence"].as_u64()).collect();
    assert_eq!(numbers, (0..events.len() as u64).map(Some).collect::<Vec<_>>());
}

#[test]
fn input_comes_from_a_file_or_from_standard_input() {
    let folder = crate::support::folder("input", &[("day.json", r#"{"day": "from a file"}"#)]);
    let file = folder.join("day.json");
    let from = format!("@{}", file.display());
    let run = host(&["run", "orders/report", "-q", "-f", "json", "-i", &from, "-p", "orders=1"]);
    assert_eq!(run.json()["output"], "from a file: 10");
    let args = ["run", "orders/report", "-q", "-f", "json", "-i", "@-"];
    let run = crate::support::host_reads(&args, r#"{"day": "read"}"#);
    assert_eq!(run.json()["output"], "read: 60");
}

#[test]
fn input_that_does_not_fit_is_wrong_usage() {
    let wrong = |args: &[&str]| {
        let Outcome { code, out, err } = host(&[&["run"], args].concat());
        assert_eq!((code, &*out), (Some(2), ""), "{err}");
        err
    };
    assert_snapshot!(wrong(&["orders/report"]), @"error: workflow `orders/report` requires an input of type `Wanted`; pass it with --input JSON, or key by key with --param day=VALUE");
    assert_snapshot!(wrong(&["orders/print", "-p", "day=1"]), @"error: workflow `orders/print` takes no input; remove --input and --param");
    assert_snapshot!(wrong(&["orders/report", "-i", r#"{"day": "x", "orders": "many"}"#]), @r#"error: workflow `orders/report`: invalid input: `Wanted` cannot be read from this JSON at `orders`: expected a non-negative integer, found the string "many""#);
    assert_snapshot!(wrong(&["orders/report", "-i", "{"]), @"error: invalid JSON in --input: the text ends inside an object (line 1, column 2)");
    assert_snapshot!(wrong(&["orders/report", "-i", "Ada"]), @r#"error: invalid JSON in --input: `Ada` is neither in double quotes nor a JSON value (line 1, column 1); a JSON string needs its own quotes, such as '"Ada"'"#);
    for (input, told) in [
        ("", "the text is empty"),
        ("{\"day\": \"x\",}", "trailing comma before `}` (line 1, column 13)"),
        ("{'day': 'x'}", "keys need double quotes, not single quotes (line 1, column 2)"),
        ("{day: \"x\"}", "the key `day` needs double quotes (line 1, column 2)"),
        ("{\"orders\": NaN}", "JSON has no number `NaN` (line 1, column 12)"),
        ("{} x", "unexpected `x` after the JSON value (line 1, column 4)"),
    ] {
        let told = format!("error: invalid JSON in --input: {told}");
        assert!(wrong(&["orders/report", "-i", input]).starts_with(&told), "{input}");
    }
    assert_snapshot!(wrong(&["orders/report", "-i", "[]", "-p", "day=1"]), @"error: --param needs an object, but --input is not an object; remove one of the two");
    assert_snapshot!(wrong(&["orders/report", "-i", r#"{"day": [1]}"#, "-p", "day.first=1"]), @r#"error: --param sets `day.first`, but `day` is a list, not an object; write a dot inside a key as `\.`"#);
    assert_snapshot!(wrong(&["orders/report", "-p", "dya=today"]), @"
    warning: the input of `orders/report` has no key `dya`; did you mean `day`?
    error: workflow `orders/report`: invalid input: `Wanted` cannot be read from this JSON: the field `day` is missing
    ");
    assert_snapshot!(wrong(&["orders/report", "-p", "a..b=1"]), @r#"
    error: invalid value 'a..b=1' for '--param <KEY=VALUE>': `a..b` has an empty key; write a dot inside a key as `\.`

    For more information, try '--help'.
    "#);
    assert_snapshot!(wrong(&["orders/report", "-p", "day"]), @"
    error: invalid value 'day' for '--param <KEY=VALUE>': expected KEY=VALUE, such as day=2026-01-02

    For more information, try '--help'.
    ");
    assert_snapshot!(wrong(&["orders/report", "--max-parallel", "0"]), @"
    error: invalid value '0' for '--max-parallel <N>': expected an integer of at least 1

    For more information, try '--help'.
    ");
}

#[test]
fn an_unknown_workflow() {
    assert_snapshot!(host(&["run", "orders/raport"]).err, @"error: no workflow or file `orders/raport`; did you mean `orders/report`?");
    assert_snapshot!(host(&["plan", "zzz"]).err, @"error: no workflow or file `zzz`; `list` shows the registered workflows");
    let Outcome { code, err, .. } = workflow(&["run", "etl"]);
    assert_snapshot!(err, @"error: no workflow or file `etl`; this program has no registered workflows, so name a file such as `etl.yaml`");
    assert_eq!(code, Some(2));
}

#[test]
fn jobs_find_a_tokio_runtime() {
    let args = ["run", "stock/count", "-q", "-f", "json", "--max-parallel", "1"];
    let Outcome { code, out, err } = host(&args);
    assert_eq!(code, Some(0), "{out}{err}");
}
