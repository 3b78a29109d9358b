//! Texts that are no YAML or no JSON, that are too much, or that cannot be read.

use std::io::Write;
use std::os::fd::AsRawFd;

use insta::assert_snapshot;
use workflow_files::WorkflowFile;

use crate::wrong;

#[test]
fn invalid_yaml_is_explained() {
    assert_snapshot!(wrong("name: tea\njobs:\n\t- name: boil\n"), @"
    error: invalid YAML: lines may not be indented with tabs
     --> tea.yaml:3:1
      |
    3 |     - name: boil
      | ^^^^
      |
      = help: indent with spaces
    ");
    assert_snapshot!(wrong("name: 'tea\njobs: []\n"), @"
    error: invalid YAML: the quote is not closed
     --> tea.yaml:1:7
      |
    1 | name: 'tea
      |       ^
      |
      = help: close the quotes; write a text that contains quotes below `name: |`
    ");
    assert_snapshot!(wrong("name: tea\njobs: &all\n  - name: boil\n    command: *none\n"), @"
    error: no anchor `&none` before this alias
     --> tea.yaml:4:14
      |
    4 |     command: *none
      |              ^^^^^
      |
      = help: define the anchor further up, or put the text in quotes
    ");
    assert_snapshot!(wrong("name: tea\njobs:\n  - name: boil\n    command: !run kettle\n"), @"
    error: the tag `!run` is not supported
     --> tea.yaml:4:19
      |
    4 |     command: !run kettle
      |                   ^^^^^^
      |
      = help: remove it
    ");
    assert_snapshot!(wrong("name: tea\njobs:\n  - name: boil\n    command: kettle\n---\nname: coffee\n"), @"
    error: a second document starts here
     --> tea.yaml:5:1
      |
    5 | ---
      | ^^^
      |
      = help: a file may contain only one document
    ");
    assert_snapshot!(wrong("name: tea\njobs:\n  - name: boil\n    command: kettle\n    env:\n      <<: 7\n"), @"
    error: `<<` needs a map, or a list of maps
     --> tea.yaml:6:11
      |
    6 |       <<: 7
      |           ^
      |
      = help: write `<<: *name`, with `&name` before a map
    ");
    assert_snapshot!(wrong("name: tea\njobs:\n  - name: boil\n    command: kettle\n    env:\n      [a, b]: 7\n"), @"
    error: a list cannot be a key
     --> tea.yaml:6:7
      |
    6 |       [a, b]: 7
      |       ^^^^^^
      |
      = help: put it in quotes if it is meant as text
    ");
    assert_snapshot!(wrong("- name: tea\n"), @"
    error: expected a workflow, as a map, found a list
     --> tea.yaml:1:1
      |
    1 | - name: tea
      | ^^^^^^^^^^^
    ");
}

/// The message and the place of the only error, and its help.
fn only(text: &str) -> String {
    let error = WorkflowFile::parse("tea.yaml", text).expect_err(text);
    assert_eq!(error.errors(), 1, "{error}");
    let found = error.iter().next().expect("an error");
    let (line, column) = (found.line().unwrap_or(0), found.column().unwrap_or(0));
    format!("{line}:{column} {}; {}", found.message(), found.help().unwrap_or("-"))
}

#[test]
fn mistakes_in_yaml_are_explained_at_their_place() {
    let job = |command: &str| format!("name: tea\njobs:\n  - name: boil\n    command: {command}\n");
    let quotes = "put the text in quotes, or write it below `command: |`";
    let open = "close it with `]`; if it is text, put it in quotes, or write it below `command: |`";
    for (text, expected) in [
        (job("echo a: b"), format!("4:20 invalid YAML: a `:` inside plain text; {quotes}")),
        (job("@kettle"), format!("4:14 invalid YAML: plain text may not begin with `@`; {quotes}")),
        (
            job("[ -f x ] && boil"),
            format!("4:23 invalid YAML: more text follows the closing bracket; {quotes}"),
        ),
        (job("[echo, x\n  - name: b"), format!("4:14 invalid YAML: `[` is not closed; {open}")),
        (job("[echo, x"), format!("4:14 invalid YAML: `[` is not closed; {open}")),
        (
            job("\"a \\q b\""),
            "4:17 invalid YAML: unknown escape `\\q` in double quotes; in double quotes `\\` begins an \
             escape: use single quotes, or write it below `command: |`"
                .to_owned(),
        ),
        (
            job("\"boil\" now"),
            "4:21 invalid YAML: more text follows the closing quote; put the whole text in quotes, or \
             write it below `command: |`"
                .to_owned(),
        ),
        (
            "name: tea\n\tjobs: []\n".to_owned(),
            "2:1 invalid YAML: lines may not be indented with tabs; indent with spaces".to_owned(),
        ),
        (
            "name: tea\njobs:\n  - name: boil\n   command: kettle\n".to_owned(),
            "4:4 invalid YAML: this line does not continue the lines above; start the entries of a \
             list or map in the same column"
                .to_owned(),
        ),
        (
            "name: tea\njobs: *all\n".to_owned(),
            "2:7 no anchor `&all` before this alias; define the anchor further up, or put the text in \
             quotes"
                .to_owned(),
        ),
        ("# tea\n".to_owned(), "1:1 the file is empty; begin with `name:` and `jobs:`".to_owned()),
    ] {
        assert_eq!(only(&text), expected);
    }
}

#[test]
fn invalid_json_is_explained() {
    let wrong = |text: &str| WorkflowFile::parse("tea.json5", text).expect_err("no JSON");
    assert_snapshot!(wrong("{ name: 'tea', jobs: [ }"), @"
    error: invalid JSON: unexpected `}`
     --> tea.json5:1:24
      |
    1 | { name: 'tea', jobs: [ }
      |                        ^
      |
      = help: remove it, or close the `[` before it with `]`
    ");
    assert_snapshot!(wrong("{ name: 'tea' jobs: [] }"), @"
    error: invalid JSON: expected a `,`
     --> tea.json5:1:14
      |
    1 | { name: 'tea' jobs: [] }
      |              ^
      |
      = help: write `,` between the values, and put texts in quotes
    ");
    assert_snapshot!(wrong("{ name: 'tea', 'name': 'coffee', jobs: [] }"), @"
    error: the key `name` is given twice
     --> tea.json5:1:16
      |
    1 | { name: 'tea', 'name': 'coffee', jobs: [] }
      |   ----         ^^^^^^ duplicate
      |   |
      |   first here
      |
      = help: remove one of them, or rename it

    error: the workflow has no jobs
     --> tea.json5:1:40
      |
    1 | { name: 'tea', 'name': 'coffee', jobs: [] }
      |                                        ^^
      |
      = help: add one: `- name: hello`, and below it `command: echo hello`
    ");
    assert_snapshot!(wrong("{ name: 'tea', priority: 1e999, jobs: [] }"), @"
    error: a workflow has no field `priority`
     --> tea.json5:1:16
      |
    1 | { name: 'tea', priority: 1e999, jobs: [] }
      |                ^^^^^^^^ unknown field
      |
      = help: a workflow may have: name, description, project, domain, metadata, user, schedule, concurrency, rate_limit, debounce, singleton, fairness, jobs, env, variables, parameters, files, user_data, resource_requirements, failure_handlers, actions, on_failure, max_parallel, timeout, limits

    error: the number `1e999` cannot be represented
     --> tea.json5:1:26
      |
    1 | { name: 'tea', priority: 1e999, jobs: [] }
      |                          ^^^^^
      |
      = help: put it in quotes if it is meant as text

    error: the workflow has no jobs
     --> tea.json5:1:39
      |
    1 | { name: 'tea', priority: 1e999, jobs: [] }
      |                                       ^^
      |
      = help: add one: `- name: hello`, and below it `command: echo hello`
    ");
}

#[test]
fn hostile_texts() {
    let bomb = (1..9).fold("a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned(), |text, level| {
        let one = format!("*a{}, ", level - 1);
        text + &format!("a{level}: &a{level} [{}]\n", one.repeat(9).trim_end_matches(", "))
    });
    assert_snapshot!(wrong(&bomb), @"
    error: anchors and aliases copy more than 200000 values
     --> tea.yaml:6:10
      |
    6 | a5: &a5 [*a4, *a4, *a4, *a4, *a4, *a4, *a4, *a4, *a4]
      |          ^^^ the limit is exceeded here
      |
      = help: use `parameters` to make many jobs from one, or a smaller anchor
    ");
    assert_snapshot!(wrong(&format!("deep: {}{}", "[".repeat(200), "]".repeat(200))), @"
    error: lists and maps are nested more than 64 levels deep
     --> tea.yaml:1:70
      |
    1 | deep: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[...
      |                                                                      ^
      |
      = help: flatten the value, or pass the inner part as text
    ");
    let json = WorkflowFile::parse("tea.json", &("[".repeat(200) + &"]".repeat(200)));
    let json = json.expect_err("too deep");
    assert_snapshot!(json, @"
    error: lists and maps are nested more than 64 levels deep
     --> tea.json:1:65
      |
    1 | [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[...
      |                                                                 ^
      |
      = help: flatten the value, or pass the inner part as text
    ");
}

#[test]
fn files_that_cannot_be_read() {
    let told = |path: &str| WorkflowFile::load(path).expect_err("it cannot be read").to_string();
    assert_snapshot!(told("nowhere/tea.yaml"), @"error: cannot read `nowhere/tea.yaml`: no such file or folder; check the path");
    assert_snapshot!(told("tests"), @"error: cannot read `tests`: it is a folder");
    assert_snapshot!(told("/dev/zero"), @"error: cannot read `/dev/zero`: it is a device or a pipe; name a file, or `/dev/stdin`");
    let pipe = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("pipe.yaml");
    let _ = std::fs::remove_file(&pipe);
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    assert!(told(&pipe.display().to_string()).contains("it is a device or a pipe"));
    let (read, mut write) = std::io::pipe().expect("a pipe");
    write.write_all(b"name: tea\njobs: [{ name: boil, command: kettle }]\n").expect("it is open");
    drop(write);
    let opened = WorkflowFile::load(format!("/dev/fd/{}", read.as_raw_fd()));
    assert_eq!(opened.expect("what the shell writes").graph().len(), 1);
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("latin.yaml");
    std::fs::write(&path, b"name: th\xe9\n").expect("a file");
    let told = told(&path.display().to_string());
    assert_snapshot!(told.replace(&path.display().to_string(), "latin.yaml"), @"error: cannot read `latin.yaml`: it is not UTF-8 text, from byte 8 on");
}
