//! `data`: the tables that a workflow has written.

use std::path::Path;

use serde_json::json;

use crate::support::{Outcome, command, example};

fn tables(folder: &Path, args: &[&str]) -> Outcome {
    let mut command = command(&example("tables"));
    command.args(args).args(["--db", "sqlite://runs.db"]).current_dir(folder);
    command.output().expect("it starts").into()
}

#[test]
fn the_tables_of_the_newest_run_are_shown() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    tables(folder, &["migrate"]);
    let none = tables(folder, &["data", "lines"]);
    assert_eq!(none.code, Some(2), "{}{}", none.out, none.err);
    assert!(none.err.contains("no saved run"), "{}", none.err);

    // A line break and a control code stay in their cell.
    let run =
        tables(folder, &["run", "lines", "--input", r#"["one", "two\nlines\u001b[2J", "3"]"#]);
    assert_eq!(run.code, Some(0), "{}{}", run.out, run.err);
    let shown = tables(folder, &["data", "lines", "--limit", "2"]);
    assert_eq!(shown.code, Some(0), "{}", shown.err);
    let expected = "lines  lines.txt, 3 rows\nline\ntext\none\ntwo\\nlines\\u{1b}[2J\n";
    assert_eq!(shown.out, expected);

    let document = tables(folder, &["data", "lines", "-f", "json"]).json();
    assert_eq!(document[0]["rows"][2], json!(["3"]));
    assert_eq!(
        (&document[0]["name"], &document[0]["job"]),
        (&json!("lines"), &json!("write_lines"))
    );

    let unknown = tables(folder, &["data", "lines", "--table", "rows"]);
    assert_eq!(unknown.code, Some(2), "{}", unknown.err);
    assert!(unknown.err.contains("`lines` has written no table `rows`"), "{}", unknown.err);

    std::fs::remove_file(folder.join("lines.txt")).expect("it is there");
    let missing = tables(folder, &["data", "lines"]);
    assert_eq!((missing.code, missing.out.as_str()), (Some(1), ""));
    assert!(missing.err.starts_with("error: cannot read `lines.txt`: "), "{}", missing.err);
}
