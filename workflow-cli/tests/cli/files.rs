//! Workflow files and configurations with the real binary.

use insta::assert_snapshot;
use serde_json::{Value as Json, json};

use crate::support::{Outcome, folder, same, workflow, workflow_in};

const ETL: &str = r#"
name: etl
limits: { db: 1 }
jobs:
  - name: extract
    command: |
      echo "reading ${{ input.day }}"
      printf 'no line break'
      echo "rows=3" >> "$WORKFLOW_OUTPUT"
    outputs: [rows]
  - name: load_{table}
    command: "true"
    parameters: { table: "1:12" }
    depends_on: [extract]
    limits: [db]
  - name: report
    command: echo "${{ jobs.extract.outputs.rows }} rows" >&2
    depends_on_regexes: ["load_.*"]
"#;

const BAD: &str = "\
name: bad
jobs:
  - name: a
    comand: echo
  - name: b
    command: echo
    depends_on: [aa]
";

const SLURM: &str = "\
name: cluster
slurm_schedulers: [{ name: big, account: lab }]
jobs:
  - { name: a, command: 'true' }
";

#[test]
fn a_plan_of_a_file() {
    let folder = folder("plan", &[("etl.yaml", ETL)]);
    let Outcome { code, out, err } = workflow_in(&folder, &["plan", "etl.yaml"]);
    assert_eq!((code, &*err), (Some(0), ""));
    assert_snapshot!(out, @"
    etl: 14 jobs in 3 waves
      1  extract
      2  load_1 .. 12 (12 jobs)
      3  report

    expanded from
      load_{table}  12 jobs
    ");
    let plan = workflow_in(&folder, &["plan", "./etl.yaml", "-f", "json"]).json();
    assert_eq!(plan["entries"][1]["name"], "load_{table}");
    assert_eq!(plan["entries"][1]["jobs"], 12);
    assert_eq!(plan["waves"][1].as_array().map(Vec::len), Some(12));
}

#[test]
fn a_run_of_a_file() {
    let folder = folder("run", &[("etl.yaml", ETL)]);
    let args = ["run", "etl.yaml", "--param", "day=2026-01-02", "--max-parallel", "1"];
    let Outcome { code, out, err } = workflow_in(&folder, &args);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.starts_with("etl completed in "), "{out}");
    let about = |job: &str| {
        let lines = err.lines().filter(|line| line.trim_start().starts_with(job));
        lines.collect::<Vec<_>>().join("\n")
    };
    same().bind(|| {
        assert_snapshot!(about("extract"), @"
        extract started
        extract | reading 2026-01-02
        extract | no line break
        extract completed in <time> (1 of 14)
        ");
        assert_snapshot!(about("report"), @"
        report started
        report | 3 rows
        report completed in <time> (14 of 14)
        ");
        assert_snapshot!(err.lines().last().expect("the log"), @"log: .workflow/runs/<id>/output.log");
    });
}

#[test]
fn parameters_reach_into_the_input() {
    let text = "name: fetch\njobs: [{ name: a, command: 'echo \"${{ input.source[\"a.b\"] }} ${{ input.source.tries + 1 }}\" > told' }]";
    let folder =
        folder("dotted", &[("fetch.yaml", text), ("input.json", r#"{"source": {"tries": 1}}"#)]);
    let params = ["-p", r"source.a\.b=x", "-p", "source.tries=2"];
    let args = [&["run", "fetch.yaml", "-q", "-i", "@input.json"], &params[..]].concat();
    let Outcome { code, err, .. } = workflow_in(&folder, &args);
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(std::fs::read_to_string(folder.join("told")).expect("it is written"), "x 3\n");
}

/// Numbers as typed, and as they are shown or why they are invalid.
const NUMBERS: [(&str, Result<&str, &str>); 14] = [
    ("9007199254740993", Ok("9007199254740993")),
    ("9223372036854775808", Ok("9223372036854775808")),
    ("18446744073709551615", Ok("18446744073709551615")),
    ("-9223372036854775808", Ok("-9223372036854775808")),
    ("0.1", Ok("0.1")),
    ("1.10", Ok("1.1")),
    ("3.10", Ok("3.1")),
    ("\"007\"", Ok("\"007\"")),
    ("\"1e400\"", Ok("\"1e400\"")),
    ("18446744073709551616", Err("has more than 64 bits")),
    ("-9223372036854775809", Err("has more than 64 bits")),
    ("1e400", Err("is too large for a 64-bit float")),
    ("1e-400", Err("is too small for a 64-bit float")),
    ("99999999999999999999.5", Err("has more digits than a 64-bit float can hold")),
];

#[test]
fn numbers_keep_their_digits() {
    let text = "name: numbers\njobs:\n- { name: tell, command: \"echo '<${{ input.n }}>'\" }\n";
    let folder = folder("numbers", &[("numbers.yaml", text)]);
    let run = |option: &str, value: &str| {
        let args = ["run", "numbers.yaml", "--db", "runs.db", "--idempotency-key", value];
        workflow_in(&folder, &[&args[..], &[option, value]].concat())
    };
    for (number, expected) in NUMBERS {
        let json = format!("{{\"n\": {number}}}");
        std::fs::write(folder.join(format!("{number}.json")), &json).expect("written");
        std::fs::write(folder.join(format!("{number}.yaml")), format!("n: {number}\n"))
            .expect("written");
        let list = format!("n=[{number}]");
        for (option, value) in [("-i", &json), ("-i", &format!("@{number}.json")), ("-p", &list)] {
            let Outcome { code, out, err } = run(option, value);
            let shown = match expected {
                Ok(shown) => shown,
                Err(reason) => {
                    let told = format!("the number {number} {reason}; write it as text, in quotes");
                    assert!(code == Some(2) && err.contains(&told), "{value}: {out}{err}");
                    continue;
                }
            };
            assert_eq!(code, Some(0), "{value}: {out}{err}");
            let bare = shown.trim_matches('"');
            assert!(
                err.contains(&format!("<{bare}>")) || err.contains(&format!("<[{shown}]>")),
                "{err}"
            );
            let listed = workflow_in(&folder, &["runs", "list", "--db", "runs.db", "-f", "json"]);
            let id = listed.json()["items"][0]["id"].as_str().expect("an id").to_owned();
            let saved =
                workflow_in(&folder, &["runs", "get", &id, "--db", "runs.db", "-f", "json"]);
            assert!(saved.out.contains(shown), "{value}: {}", saved.out);
        }
        // A number of more than 64 bits is a string in YAML, as in workflow files, and in `-p`.
        for (option, value) in [("-i", format!("@{number}.yaml")), ("-p", format!("n={number}"))] {
            let Outcome { code, err, .. } = run(option, &value);
            let bare = number.trim_matches('"');
            let shown = if option == "-p" {
                bare
            } else {
                expected.map_or(bare, |shown| shown.trim_matches('"'))
            };
            assert!(code == Some(0) && err.contains(&format!("<{shown}>")), "{value}: {err}");
        }
    }
    let signal = [
        "runs",
        "signal",
        "01980000-0000-7000-8000-000000000000",
        "go",
        "[1e400]",
        "--db",
        "runs.db",
    ];
    let refused = workflow_in(&folder, &signal).err;
    assert!(refused.contains("`[0]`: the number 1e400 is too large"), "{refused}");
    let update = ["workflows", "update", "numbers", "--db", "runs.db", "--metadata"];
    let refused =
        workflow_in(&folder, &[&update[..], &["{\"n\": 18446744073709551616}"]].concat()).err;
    assert!(refused.contains("`n`: the number 18446744073709551616 has"), "{refused}");
}

#[test]
fn parameters_and_outputs_keep_their_text() {
    let text = r#"
name: text
jobs:
  - name: count
    command: printf 'rows=0\npy=3.10\n' > "$WORKFLOW_OUTPUT"
  - { name: load, command: 'true', when: '${{ jobs.count.outputs.rows > 0 }}' }
  - name: told_{v}
    command: echo "<{v}> <${{ input.v }}> <${{ input.n }}> <${{ jobs.count.outputs.py }}>" >&2
    parameters: { v: [3.10] }
"#;
    let folder = folder("text", &[("text.yaml", text)]);
    let n = "n=18446744073709551615";
    let Outcome { code, out, err } =
        workflow_in(&folder, &["run", "text.yaml", "-p", "v=007", "-p", n]);
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(err.contains("<3.10> <007> <18446744073709551615> <3.10>"), "{err}");
    assert!(out.contains("load       skipped"), "{out}");
}

#[test]
fn a_value_that_a_shell_would_run_fails_its_job() {
    let text = "name: inj\njobs:\n  - name: check\n    command: if [[ ${{ input.n }} -gt 5 ]]; then echo many; fi\n";
    let folder = folder("injection", &[("inj.yaml", text)]);
    let args = ["run", "inj.yaml", "-q", "-i", r#"{"n": "a[$(touch PWNED)]"}"#];
    let Outcome { code, out, .. } = workflow_in(&folder, &args);
    assert_eq!(code, Some(1), "{out}");
    let told = "inj.yaml:4:20: `${{ input.n }}` is compared as a number, which the shell evaluates, \
                and is not an integer; use `| int`, or pass it by `env:`";
    assert!(out.contains(told), "{out}");
    assert!(!folder.join("PWNED").exists());
    let Outcome { code, .. } = workflow_in(&folder, &["run", "inj.yaml", "-q", "-p", "n=7"]);
    assert_eq!(code, Some(0));
}

#[test]
fn runs_dir_receives_the_log() {
    let folder =
        folder("runs_dir", &[("one.yaml", "name: one\njobs: [{ name: a, command: echo hi }]")]);
    let said = workflow_in(&folder, &["run", "one.yaml", "-q", "-f", "json", "--runs-dir", "kept"]);
    let report: Json = said.json();
    let id = report["id"].as_str().expect("an id");
    assert!(folder.join("kept").join(id).join("output.log").is_file());
    assert_eq!(said.err, "");
}

#[test]
fn output_of_commands_is_part_of_the_events() {
    let text =
        "name: say\njobs:\n  - { name: a, command: 'echo hot; echo steam >&2; printf tea' }\n";
    let folder = folder("jsonl", &[("say.yaml", text)]);
    let Outcome { code, out, err } =
        workflow_in(&folder, &["run", "say.yaml", "-q", "-f", "jsonl"]);
    assert_eq!((code, &*err), (Some(0), ""));
    let lines = out.lines().map(|line| serde_json::from_str(line).expect("a line is JSON"));
    let lines: Vec<Json> = lines.collect();
    let names: Vec<_> = lines.iter().filter_map(|line| line["event"].as_str()).collect();
    assert_eq!(names[..2], ["run_started", "job_started"]);
    assert_eq!(names[5..], ["job_completed", "run_completed"]);
    let printed = |stream: &str| -> String {
        let lines = lines.iter().filter(|line| line["stream"] == stream);
        lines.filter_map(|line| line["text"].as_str()).collect()
    };
    assert_eq!((printed("stdout"), printed("stderr")), ("hot\ntea".into(), "steam\n".into()));
    let first = &lines[2];
    assert_eq!(first["log"]["offset"], 19, "after the first line of the log");
    let expected = json!({ "sequence": 1, "event": "job_output", "job": "a", "attempt": 1 });
    for (key, value) in expected.as_object().expect("an object") {
        assert_eq!(&first[key], value);
    }
}

#[test]
fn a_file_that_fails() {
    let text = "name: fail\njobs:\n  - { name: a, command: 'echo no disk >&2; exit 3' }\n";
    let folder = folder("fails", &[("fail.yml", text)]);
    let Outcome { code, out, err } = workflow_in(&folder, &["run", "fail.yml"]);
    assert_eq!(code, Some(1));
    assert!(out.starts_with("fail failed in "), "{out}");
    assert!(out.ends_with("  no disk\n  a: the command exited with code 3\n"), "{out}");
    assert_eq!(out.matches("no disk").count(), 1, "a failure is said once: {out}");
    same().bind(|| {
        assert_snapshot!(err, @"
        fail: 1 job
          a started
          a | no disk
          a failed in <time> (1 of 1): the command exited with code 3
        fail failed
        log: .workflow/runs/<id>/output.log
        ");
    });
}

#[test]
fn a_file_on_standard_input() {
    let Outcome { code, out, err } = crate::support::workflow_reads(&["plan", "-"], ETL);
    assert_eq!((code, &*err), (Some(0), ""));
    assert!(out.starts_with("etl: 14 jobs in 3 waves"), "{out}");
    let Outcome { code, err, .. } = crate::support::workflow_reads(&["validate", "-"], BAD);
    assert_eq!(code, Some(1));
    assert!(err.contains("--> <standard input>:4:5"), "{err}");
}

#[test]
fn a_file_with_mistakes_is_not_run() {
    let folder = folder("mistakes", &[("bad.yaml", BAD)]);
    for command in ["run", "plan"] {
        let Outcome { code, out, err } = workflow_in(&folder, &[command, "bad.yaml"]);
        assert_eq!((code, &*out), (Some(2), ""));
        assert!(err.contains("did you mean `command`?"), "{err}");
    }
    assert_snapshot!(workflow_in(&folder, &["run", "none.yaml"]).err, @"error: cannot read `none.yaml`: no such file or folder; check the path");
}

#[test]
fn validation_for_people() {
    let folder = folder("validate", &[("etl.yaml", ETL), ("bad.yaml", BAD), ("slurm.yaml", SLURM)]);
    let good = workflow_in(&folder, &["validate", "etl.yaml"]);
    assert_eq!((good.code, &*good.out, &*good.err), (Some(0), "", "etl.yaml: valid, 14 jobs\n"));
    let Outcome { code, out, err } = workflow_in(&folder, &["validate", "etl.yaml", "bad.yaml"]);
    assert_eq!((code, &*out), (Some(1), ""));
    assert_snapshot!(err, @"
    etl.yaml: valid, 14 jobs
    error: a job has no field `comand`
     --> bad.yaml:4:5
      |
    4 |     comand: echo
      |     ^^^^^^ unknown field
      |
      = help: did you mean `command`?

    error: job `b` waits for `aa`, which is not defined
     --> bad.yaml:7:18
      |
    7 |     depends_on: [aa]
      |                  ^^ no job has this name
      |
      = help: did you mean `a`?

    bad.yaml: invalid, 2 errors
    ");
    let warned = workflow_in(&folder, &["validate", "slurm.yaml"]);
    assert_eq!(warned.code, Some(0));
    assert!(warned.err.ends_with("slurm.yaml: valid, 1 job, 1 warning\n"), "{}", warned.err);
    assert_eq!(workflow_in(&folder, &["validate", "--strict", "slurm.yaml"]).code, Some(1));
}

#[test]
fn validation_for_programs() {
    let folder = folder("validate_json", &[("bad.yaml", BAD)]);
    let said = workflow_in(&folder, &["validate", "bad.yaml", "-f", "json"]);
    assert_eq!((said.code, &*said.err), (Some(1), ""));
    let problems = said.json();
    assert_eq!(problems.as_array().map(Vec::len), Some(2));
    assert_snapshot!(serde_json::to_string_pretty(&problems[0]).expect("it is JSON"), @r#"
    {
      "column": 5,
      "file": "bad.yaml",
      "help": "did you mean `command`?",
      "line": 4,
      "message": "a job has no field `comand`",
      "severity": "error"
    }
    "#);
    let schema = workflow(&["validate", "--schema"]).json();
    assert_eq!(schema["title"], "Workflow");
}

const CONFIG: [(&str, &str); 3] = [
    (
        "workflows/etl/config.yaml",
        "source:\n  url: https://${HOST:-here}/x\n  token: ${secret:TOKEN}\nsize: 3\n",
    ),
    ("workflows/etl/config.production.yaml", "size: 10\n"),
    ("secrets/TOKEN", "hunter2\n"),
];

/// Runs the command line in a directory with a configuration and its secret.
fn config(folder: &std::path::Path, args: &[&str]) -> Outcome {
    let binary = assert_cmd::cargo::cargo_bin!("workflow");
    let mut command = crate::support::command(binary);
    command.arg("config").args(args).current_dir(folder);
    command.env("WORKFLOW_SECRETS_DIR", folder.join("secrets")).env_remove("HOST");
    command.output().expect("it starts").into()
}

#[test]
fn configurations_are_listed() {
    let folder = folder("config_list", &CONFIG);
    assert_snapshot!(config(&folder, &["list"]).out, @"
    WORKFLOW  FILE                       PROFILES
    etl       workflows/etl/config.yaml  production
    ");
    let rows = config(&folder, &["list", "-f", "json"]).json();
    assert_eq!(rows[0]["profiles"][0], "production");
    assert_snapshot!(workflow_in(&folder.join("secrets"), &["config", "list"]).err, @"no configuration found; `help config` lists the folders that are searched");
}

#[test]
fn a_configuration_is_shown_without_its_secrets() {
    let folder = folder("config_show", &CONFIG);
    assert_snapshot!(config(&folder, &["show", "etl"]).out, @r#"
    source:
      url: "https://here/x" # workflows/etl/config.yaml:2:8
      token: "***" # workflows/etl/config.yaml:3:10
    size: 3 # workflows/etl/config.yaml:4:7
    "#);
    let production =
        config(&folder, &["show", "etl", "--profile", "production", "--format", "json"]).json();
    assert_eq!((&production["size"], &production["source"]["token"]), (&10.into(), &"***".into()));
    assert_eq!(config(&folder, &["show", "etl", "--raw"]).out, CONFIG[0].1);
    assert_snapshot!(config(&folder, &["show", "etl", "--raw", "--profile", "production"]).out, @"
    # workflows/etl/config.yaml
    source:
      url: https://${HOST:-here}/x
      token: ${secret:TOKEN}
    size: 3
    # workflows/etl/config.production.yaml
    size: 10
    ");
}

#[test]
fn a_configuration_is_checked() {
    let folder = folder("config_validate", &CONFIG);
    let good = config(&folder, &["validate"]);
    assert_eq!((good.code, &*good.err), (Some(0), "etl: valid\n"));
    std::fs::remove_file(folder.join("secrets/TOKEN")).expect("it is there");
    let bad = config(&folder, &["validate", "etl"]);
    assert_eq!(bad.code, Some(1));
    assert!(bad.err.contains("--> workflows/etl/config.yaml:3:10"), "{}", bad.err);
    let Outcome { code, err, .. } = config(&folder, &["show", "elt"]);
    assert_eq!(code, Some(2));
    assert_snapshot!(err, @"error: `elt` has no configuration (did you mean `etl`?); searched for `config.yaml` in `workflows/elt`; create `workflows/elt/config.yaml`, or set `WORKFLOW_CONFIG_DIR` to the folder with `elt/config.yaml`");
    assert_snapshot!(config(&folder, &["show", "../etl"]).err, @"error: `../etl` cannot be the name of a folder, so its configuration cannot be found; rename the workflow, or load the file by its path");
}

#[test]
fn commands_run_in_the_directory_of_cwd() {
    let file = "\
name: torc
files: [{ name: raw, path: raw.csv }]
jobs:
  - { name: work, command: 'cat tools/words.txt ${files.input.raw}' }
";
    let files =
        [("examples/torc.yaml", file), ("tools/words.txt", "found\n"), ("raw.csv", "raw\n")];
    let folder = folder("cwd", &files);
    let refused = workflow_in(&folder, &["run", "examples/torc.yaml"]);
    assert_eq!((refused.code, &*refused.out), (Some(2), ""));
    assert_eq!(
        refused.err,
        "hint: `tools/words.txt` is not in the folder of the file, where commands run; `--cwd .` \
         runs them where it is\n\
         error: workflow `torc`: no job writes the file `raw`, and `examples/raw.csv` does not exist; \
         create what is missing, or let a job write it\n"
    );
    let hinted = workflow_in(&folder, &["validate", "examples/torc.yaml"]);
    assert_eq!(hinted.code, Some(0));
    assert!(hinted.err.contains("hint: no job writes the file `raw`"), "{}", hinted.err);
    assert!(hinted.err.contains("`--cwd .` runs them"), "{}", hinted.err);
    for database in [&[][..], &["--db", "runs.db"]] {
        let arguments = [&["run", "examples/torc.yaml", "--cwd", "."], database].concat();
        let run = workflow_in(&folder, &arguments);
        assert_eq!(run.code, Some(0), "{}", run.err);
        assert!(run.err.contains("found") && run.err.contains("raw"), "{}", run.err);
        assert!(!run.err.contains("hint"), "{}", run.err);
    }
}
