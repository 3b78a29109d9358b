//! `assets`: three assets with a partition for each day, made by a real program.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use insta::assert_snapshot;
use serde_json::Value as Json;

use crate::support::{Outcome, Worker, command, example, folder, same, tables, workflow};

/// Runs a version of the program in a directory.
fn run(program: &str, folder: &Path, args: &[&str]) -> Outcome {
    command(&example(program)).args(args).current_dir(folder).output().expect("it starts").into()
}

fn assets(folder: &Path, args: &[&str]) -> Outcome {
    run("assets", folder, &[&["assets"], args].concat())
}

/// A backfill of 30 days of all assets, with further arguments.
fn backfill<'a>(further: &[&'a str]) -> Vec<&'a str> {
    let days = ["assets", "backfill", "--from", "2026-01-01", "--to", "2026-01-30"];
    [&days, further].concat()
}

/// The steps of a plan, with the kind of the first reason.
fn steps(plan: &Outcome) -> Vec<String> {
    let plan = plan.json();
    let steps = plan["steps"].as_array().expect("steps").iter();
    let text = |value: &Json| value.as_str().expect("a text").to_owned();
    steps
        .map(|step| {
            format!(
                "{} {} {}",
                text(&step["asset"]),
                text(&step["partition"]),
                text(&step["reasons"][0]["kind"])
            )
        })
        .collect()
}

/// The files of a partition with their values.
fn value(folder: &Path, asset: &str, day: &str) -> String {
    let place = folder.join(".workflow/assets").join(asset).join(day);
    let files: Vec<PathBuf> = std::fs::read_dir(place)
        .expect("made")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    assert_eq!(files.len(), 1, "{files:?}");
    std::fs::read_to_string(&files[0]).expect("a file")
}

#[test]
fn exactly_what_is_missing_or_changed_is_made_each_with_its_reason() {
    let folder = folder("assets_acceptance", &[]);
    let first = run("assets", &folder, &backfill(&["-q", "-f", "json"]));
    assert_eq!(first.code, Some(0), "{}", first.err);
    let jobs = first.json()["jobs"].as_array().expect("jobs").len();
    assert_eq!(jobs, 90);
    assert_eq!(value(&folder, "revenue", "2026-01-07"), r#"{"day":"2026-01-07","sum":7}"#);

    // Again: nothing.
    let again = run("assets", &folder, &backfill(&[]));
    assert_eq!((again.code, &*again.out), (Some(0), ""));
    assert_snapshot!(again.err, @"nothing to materialize; skips 90 partitions, which are current");

    // 4 are missing.
    for (asset, day) in [("raw", "04"), ("orders", "09"), ("orders", "10"), ("revenue", "30")] {
        let lost = folder.join(format!(".workflow/assets/{asset}/2026-01-{day}"));
        std::fs::remove_dir_all(lost).expect("it was made");
    }
    let plan = run("assets", &folder, &backfill(&["--dry-run"]));
    assert_snapshot!(plan.out, @"
    ASSET    PARTITION   REASONS
    raw      2026-01-04  its file is missing
    orders   2026-01-04  input is materialized again: raw[2026-01-04]
    orders   2026-01-09  its file is missing
    orders   2026-01-10  its file is missing
    revenue  2026-01-04  input is materialized again: orders[2026-01-04]
    revenue  2026-01-09  input is materialized again: orders[2026-01-09]
    revenue  2026-01-10  input is materialized again: orders[2026-01-10]
    revenue  2026-01-30  its file is missing
    ");
    assert_snapshot!(plan.err, @"8 partitions to materialize; skips 82 partitions, which are current");
    let made = run("assets", &folder, &backfill(&["-f", "json"]));
    assert_eq!(made.code, Some(0), "{}", made.err);
    assert_eq!(made.json()["jobs"].as_array().expect("jobs").len(), 8);
    // Their values are as before, so that their readers were not made again.
    let unchanged = assets(
        &folder,
        &["show", "revenue", "--history", "--partition", "2026-01-09", "-f", "json"],
    )
    .json();
    assert_eq!(unchanged["items"].as_array().expect("records").len(), 1);
    let again = run("assets", &folder, &backfill(&["--dry-run", "-f", "json"]));
    assert_eq!(steps(&again), [""; 0]);

    // A changed function: its partitions and their descendants.
    let changed = run("assets_changed", &folder, &backfill(&["--dry-run", "-f", "json"]));
    let steps = steps(&changed);
    assert_eq!(steps.len(), 60);
    assert!(
        steps[..30].iter().all(|step| step.starts_with("orders") && step.ends_with("code_changed")),
        "{steps:?}"
    );
    assert!(
        steps[30..]
            .iter()
            .all(|step| step.starts_with("revenue") && step.ends_with("input_planned")),
        "{steps:?}"
    );
    let made = run("assets_changed", &folder, &backfill(&["-q", "-f", "json"]));
    assert_eq!(made.code, Some(0), "{}", made.err);
    assert_eq!(value(&folder, "revenue", "2026-01-07"), r#"{"day":"2026-01-07","sum":14}"#);
    let again = run("assets_changed", &folder, &backfill(&["--dry-run", "-f", "json"]));
    assert_eq!(again.json()["current"].as_array().expect("current").len(), 90);
}

#[test]
fn assets_are_listed_and_shown_with_what_checks_said() {
    let folder =
        folder("assets_shown", &[("source/2026-01-02", "2000"), ("source/2026-01-03", "9999999")]);
    let days = ["backfill", "revenue", "--from", "2026-01-01", "--to", "2026-01-03", "-q"];
    let made = assets(&folder, &days);
    assert_eq!(made.code, Some(1), "{}", made.out);
    assert!(
        made.out.contains(
            "check `plausible` refused the value of revenue[2026-01-03]: 9999999 is not plausible"
        ),
        "{}",
        made.out
    );

    let list = assets(&folder, &["list", "-f", "json"]).json();
    let names: Vec<&str> = list
        .as_array()
        .expect("a list")
        .iter()
        .map(|row| row["name"].as_str().expect("a name"))
        .collect();
    assert_eq!(names, ["raw", "orders", "revenue"]);
    assert_eq!((&list[2]["current"], &list[2]["stale"]), (&2.into(), &0.into()));
    assert_eq!((&list[1]["inputs"][0], &list[1]["readers"][0]), (&"raw".into(), &"revenue".into()));
    assert_eq!(list[0]["partitions"], "daily from 2026-01-01");
    assert_eq!(
        (&list[0]["period"], &list[0]["reasons"][0]["kind"]),
        (&"daily".into(), &"never_made".into())
    );
    let table = assets(&folder, &["list"]);
    assert!(
        table.out.lines().any(|line| line.starts_with("revenue") && line.contains("orders")),
        "{}",
        table.out
    );

    // The newest first; the pages end with the oldest.
    let total = list[2]["total"].as_u64().expect("a number");
    let page = assets(&folder, &["show", "revenue", "-f", "json", "-l", "1000"]).json();
    let items = page["items"].as_array().expect("partitions");
    assert_eq!(items.len() as u64, total.min(1000));
    let oldest = |page: &Json| -> Vec<Json> {
        page["items"].as_array().expect("items").iter().rev().take(2).cloned().collect()
    };
    let rest = assets(&folder, &["show", "revenue", "-f", "json", "--cursor", "2026-01-03"]).json();
    assert_eq!((rest["items"].as_array().map(Vec::len), &rest["next"]), (Some(2), &Json::Null));
    let [first, second] = &oldest(&rest)[..] else { panic!("two partitions") };
    assert_eq!(
        (&first["partition"], &first["standing"]),
        (&"2026-01-01".into(), &"current".into())
    );
    assert_eq!(second["made"]["checks"][1]["problem"], "2000 is unusual");
    assert_eq!(second["made"]["inputs"][0]["asset"], "orders");
    assert_eq!(second["made"]["schema"][0]["name"], "day");
    let third = &items[items.len() - 3];
    assert_eq!((&third["made"], &second["refused"]), (&Json::Null, &Json::Null));
    assert_eq!(third["refused"]["checks"][0]["problem"], "9999999 is not plausible");

    let history = assets(&folder, &["show", "revenue", "--history"]);
    let shown = tables().bind(|| {
        history
            .out
            .lines()
            .skip(11)
            .map(|line| line.trim_end().to_owned())
            .collect::<Vec<_>>()
            .join("\n")
    });
    assert!(
        shown.contains("refused: plausible: 9999999 is not plausible")
            && shown.contains("warning: unusual: 2000 is unusual"),
        "{}",
        history.out
    );
    let short = assets(&folder, &["show", "revenue", "--history", "-l", "2", "-f", "json"]).json();
    let next = short["next"].as_str().expect("a cursor");
    let rest =
        assets(&folder, &["show", "revenue", "--history", "-f", "json", "--cursor", next]).json();
    assert_eq!(rest["items"].as_array().map(Vec::len), Some(1));

    // The source is right by now.
    std::fs::write(folder.join("source/2026-01-03"), "3").expect("written");
    let forced =
        assets(&folder, &["materialize", "raw", "--partition", "2026-01-03", "--force", "-q"]);
    assert_eq!(forced.code, Some(0), "{}", forced.err);
    let plan = assets(&folder, &[&days[..], &["--dry-run", "-f", "json"]].concat());
    assert_eq!(steps(&plan), ["orders 2026-01-03 input_changed", "revenue 2026-01-03 never_made"]);
    assert_eq!(assets(&folder, &days).code, Some(0));
    // The run is one as any other.
    let runs = run("assets", &folder, &["runs", "list", "-f", "json"]).json();
    assert_eq!(runs["items"][0]["workflow"], "assets");
}

#[test]
fn mistakes_name_the_cure() {
    let folder = folder("assets_mistakes", &[]);
    let refused = |args: &[&str]| {
        let refused = assets(&folder, args);
        assert_eq!(refused.code, Some(2), "{args:?} {}", refused.out);
        refused.err
    };
    assert_snapshot!(refused(&["show", "order"]), @"error: no asset `order`; did you mean `orders`?");
    assert_snapshot!(refused(&["materialize", "orders", "--partition", "2026-02-30"]), @"error: asset `orders`: `2026-02-30` is not the start of a period; daily ones look like 2026-01-31");
    assert_snapshot!(refused(&["backfill", "orders", "--from", "2025-12-31"]), @"error: asset `orders`: `2025-12-31` is before the first period, which is 2026-01-01");
    assert_snapshot!(refused(&["backfill", "orders", "--from", "2026-02-01", "--to", "2026-01-01"]), @"error: the range from `2026-02-01` to `2026-01-01` is empty; name the earlier partition first");
    assert_snapshot!(refused(&["backfill", "orders", "--from", "2999-01-01"]), @"error: partition `2999-01-01` of asset `orders` ends at 2999-01-02T00:00:00Z; materialize it after that");
    // A run whose input is written by hand makes no partition too early, either.
    let early = r#"{"steps": [{"asset": "raw", "partition": "2999-01-01"}]}"#;
    let early = run("assets", &folder, &["run", "assets", "--db", "early.db", "--input", early]);
    let said = format!("{}{}", early.out, early.err);
    assert_ne!(early.code, Some(0), "{said}");
    assert!(
        said.contains("`raw` ends at 2999-01-02T00:00:00Z; materialize it after that"),
        "{said}"
    );
    assert_snapshot!(refused(&["materialize", "orders", "--partition", "2999-01-01"]), @"error: partition `2999-01-01` of asset `orders` ends at 2999-01-02T00:00:00Z; materialize it after that");
    assert_snapshot!(refused(&["show", "orders", "--cursor", "never"]), @"error: --cursor: asset `orders` has no partition `never`");
    assert_snapshot!(refused(&["show", "orders", "--history", "--cursor", "never"]), @"error: --cursor: not a cursor of this list; copy it from its page");
    let none = workflow(&["assets", "list"]);
    assert_eq!(none.code, Some(2));
    assert_snapshot!(none.err, @"error: this program has no assets; add `#[asset]` to a function, or run the command in the project that has them");
    // The folder is a file.
    std::fs::write(folder.join("taken"), "").expect("written");
    let args = ["materialize", "raw", "--partition", "2026-01-01", "--assets-dir", "taken", "-q"];
    let failed = assets(&folder, &args);
    assert_eq!(failed.code, Some(1));
    assert!(failed.out.contains("cannot create `taken/raw/2026-01-01`"), "{}", failed.out);
}

#[test]
fn looking_creates_no_database() {
    let folder = folder("assets_looking", &[]);
    let day = ["materialize", "raw", "--partition", "2026-01-01"];
    let list = assets(&folder, &["list", "-f", "json"]);
    assert_eq!((list.code, &list.json()[0]["current"]), (Some(0), &0.into()), "{}", list.err);
    assert_eq!(assets(&folder, &["show", "raw", "-l", "1"]).code, Some(0));
    let plan = assets(&folder, &[&day[..], &["--dry-run", "-q"]].concat());
    assert_eq!((plan.code, &*plan.err), (Some(0), ""));
    assert!(plan.out.contains("never materialized"), "{}", plan.out);
    let line = assets(&folder, &[&day[..], &["--dry-run", "-f", "jsonl"]].concat());
    assert_eq!((line.out.lines().count(), &*line.err), (1, ""), "{}", line.out);
    assert_eq!(steps(&line), ["raw 2026-01-01 never_made"]);
    assert!(!folder.join(".workflow").exists());
    // A database that is named must be there.
    for command in [&["list"][..], &["show", "raw"], &["materialize", "--dry-run"]] {
        let refused = assets(&folder, &[command, &["--db", "other.db"]].concat());
        assert_eq!(refused.code, Some(2));
        assert!(refused.err.contains("no database at `other.db`"), "{}", refused.err);
    }
    assert!(!folder.join("other.db").exists());

    assert_eq!(assets(&folder, &[&day[..], &["-q"]].concat()).code, Some(0));
    let again = assets(&folder, &[&day[..], &["-q"]].concat());
    assert_eq!((again.code, &*again.out, &*again.err), (Some(0), "", ""));
}

#[test]
fn a_killed_backfill_is_resumed_where_it_was() {
    let folder = folder("assets_killed", &[("source/2026-01-03", "wait")]);
    let days = ["backfill", "revenue", "--from", "2026-01-01", "--to", "2026-01-03", "-q"];
    let mut process = command(&example("assets"));
    process.arg("assets").args(days).current_dir(&folder);
    let killed = Worker::start(process);
    // The first two days are made, and the third one waits for its source.
    let is_made = |day: &str| {
        let place = folder.join(".workflow/assets/revenue").join(day);
        std::fs::read_dir(place).is_ok_and(|mut files| {
            files.any(|file| {
                file.is_ok_and(|file| file.path().extension().is_some_and(|end| end == "json"))
            })
        })
    };
    let since = Instant::now();
    while !(is_made("2026-01-01") && is_made("2026-01-02")) {
        assert!(since.elapsed() < Duration::from_secs(60), "nothing was made");
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(killed);
    std::fs::write(folder.join("source/2026-01-03"), "3").expect("written");
    let recovered = run("assets", &folder, &["recover"]);
    assert_eq!(recovered.code, Some(0), "{}", recovered.err);
    assert_eq!(value(&folder, "revenue", "2026-01-03"), r#"{"day":"2026-01-03","sum":3}"#);
    // Nothing was made twice, and nothing is left.
    for asset in ["raw", "orders", "revenue"] {
        let records = assets(&folder, &["show", asset, "--history", "-f", "json"]).json();
        assert_eq!(records["items"].as_array().map(Vec::len), Some(3), "{records}");
    }
    let plan = assets(&folder, &[&days[..6], &["--dry-run", "-f", "json"]].concat());
    assert_eq!(steps(&plan), [""; 0]);
    let settings = same();
    settings.bind(|| assert!(recovered.err.contains("of assets completed"), "{}", recovered.err));
}

#[test]
#[cfg(feature = "openlineage")]
fn the_environment_says_where_lineage_goes() {
    let folder = folder("assets_lineage", &[]);
    let args = ["assets", "materialize", "orders", "--partition", "2026-01-01", "-q"];
    let run = |transport: &str| -> Outcome {
        let mut command = command(&example("assets"));
        command.args(args).current_dir(&folder);
        command.env("OPENLINEAGE__TRANSPORT__TYPE", transport);
        command.env("OPENLINEAGE__TRANSPORT__LOG_FILE_PATH", "events.jsonl");
        command.env("OPENLINEAGE_NAMESPACE", "shop").output().expect("it starts").into()
    };
    let made = run("file");
    assert_eq!(made.code, Some(0), "{}", made.err);
    let events = std::fs::read_to_string(folder.join("events.jsonl")).expect("events");
    let events: Vec<Json> =
        events.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let kinds: Vec<_> =
        events.iter().map(|event| (&event["job"]["name"], &event["eventType"])).collect();
    let (raw, orders) = (Json::from("raw"), Json::from("orders"));
    let (start, complete) = (Json::from("START"), Json::from("COMPLETE"));
    let all = [(&raw, &start), (&raw, &complete), (&orders, &start), (&orders, &complete)];
    assert_eq!(kinds, all);
    assert!(events.iter().all(|event| event["job"]["namespace"] == "shop"), "{events:?}");
    let wrong = run("kafka");
    assert_eq!(wrong.code, Some(0), "{}", wrong.err);
    assert!(wrong.err.contains("sends no lineage: `OPENLINEAGE__TRANSPORT__TYPE` is `kafka`"));
}
