//! Mistakes that beginners make: each is told with a cure that names what to write.

use workflow_files::{Diagnostic, Diagnostics, Severity};

use crate::{odd, wrong};

/// A job with this written in the place of its command.
fn command(written: &str) -> String {
    format!("name: tea\njobs:\n  - name: boil\n    command: {written}\n")
}

/// The first thing that is said, and the cure: `.. => ..`.
fn told(found: &Diagnostics) -> String {
    let one: &Diagnostic = found.iter().next().expect("something is said");
    let message = one.message().replace("invalid YAML: ", "");
    format!("{message} => {}", one.help().unwrap_or("no cure"))
}

#[test]
fn commands_that_yaml_misreads_need_quotes() {
    let cases = [
        (r#"echo "a: b""#, "a `:` inside plain text", "quotes"),
        ("@echo hi", "plain text may not begin with `@`", "quotes"),
        ("`date`", "plain text may not begin with ```", "quotes"),
        ("%x y", "plain text may not begin with `%`", "quotes"),
        ("[[ -f x ]] && echo y", "more text follows the closing bracket", "quotes"),
        (r#""echo" && x"#, "more text follows the closing quote", "whole"),
        ("'it's'", "more text follows the closing quote", "whole"),
        ("- x", "plain text may not begin with `- `", "quotes"),
        ("> out echo", "text follows the `|` or `>`", "below"),
        (r#""grep \d+ f""#, r"unknown escape `\d` in double quotes", "escape"),
    ];
    for (written, message, cure) in cases {
        let help = match cure {
            "quotes" => "put the text in quotes, or write it below `command: |`",
            "whole" => "put the whole text in quotes, or write it below `command: |`",
            "below" => {
                "put the text into the lines below, or in quotes: write it below `command: |`"
            }
            _ => {
                "in double quotes `\\` begins an escape: use single quotes, or write it below `command: |`"
            }
        };
        assert_eq!(told(&wrong(&command(written))), format!("{message} => {help}"), "{written}");
    }
}

#[test]
fn wrong_indentation_is_explained() {
    assert_eq!(
        told(&wrong("name: tea\njobs:\n  - name: boil\n   command: kettle\n")),
        "this line does not continue the lines above => start the entries of a list or map in the \
         same column"
    );
    assert_eq!(
        told(&wrong("name: tea\njobs:\n  - name: boil\n    command kettle\n")),
        "expected a `:` after the key => write `key: value`, with `: ` between them"
    );
    assert_eq!(
        told(&wrong("name: tea\njobs:\n  - name: boil\n    command: [kettle\n  - name: pour\n")),
        "`[` is not closed => close it with `]`; if it is text, put it in quotes, or write it below \
         `command: |`"
    );
}

#[test]
fn a_list_in_place_of_a_map_is_explained() {
    assert_eq!(
        told(&wrong(&command("\n      - echo hi\n      - echo ho"))),
        "expected a string, found a list => write one text: its lines, without `-`, below `|`"
    );
    assert_eq!(
        told(&wrong(&command("{ echo: hi }"))),
        "expected a string, found a map => put it in quotes, or write it below `|`"
    );
    assert_eq!(
        told(&wrong(&command("\n      echo: hi"))),
        "expected a string, found a map => put the text in quotes"
    );
    let env = |written: &str| wrong(&command(&format!("kettle\n    env:{written}")));
    assert_eq!(
        told(&env("\n      - CUPS=3")),
        "expected a map, found a list => write `CUPS: 3`, without `-`"
    );
    assert_eq!(
        told(&env("\n      - CUPS: 3")),
        "expected a map, found a list => write `CUPS: ..`, without `-`"
    );
    assert_eq!(told(&env(" CUPS=3")), "expected a map, found a string => write `CUPS: 3` below it");
}

#[test]
fn zero_timeouts_are_rejected() {
    let limits = |written: &str| {
        told(&wrong(&format!("name: tea\n{written}\njobs: [{{ name: a, command: b }}]\n")))
    };
    let cure = "write more than 0, such as `30s`, or remove it";
    for zero in ["0", "0s", "PT0S", "0.0"] {
        let said = limits(&format!("timeout: {zero}"));
        assert_eq!(said, format!("a timeout of 0 lets nothing run => {cure}"), "{zero}");
    }
    let job = wrong(&command("kettle\n    timeout: 0"));
    assert_eq!(told(&job), format!("a timeout of 0 lets nothing run => {cure}"));
}

#[test]
fn copies_that_share_a_name_are_counted() {
    let named = |name: &str, values: &str| {
        odd(&format!(
            "name: tea\njobs: [{{ name: '{name}', command: c, parameters: {{ {values} }} }}]\n"
        ))
    };
    assert_eq!(
        told(&named("a_{c}", "c: [no, NO, 'on', 'on', 'off']")),
        "2 jobs share the name `a_on` => different values make the same text here: remove one, or \
         write it differently"
    );
    let several = "4 jobs share 2 names, such as `a_1` => different values make the same text here: \
                   remove one, or write it differently";
    assert_eq!(told(&named("a_{c}", "c: ['1', '2', '1', '2', '3']")), several);
    assert_eq!(
        told(&named("a_{c}", "c: [1, 2], d: [x, y, z]")),
        "6 jobs share 2 names, such as `a_1` => put `{d}` into the name; or, if one job should wait for all others, \
         remove `parameters` and use `depends_on_regexes`"
    );
}

#[test]
fn fields_of_newer_torc() {
    let label = odd(&command("kettle\n    label: windows"));
    assert_eq!(told(&label), "these fields have no effect here: `label` => no cure");
    let table = "`parameters_file` is not supported: a workflow file reads no other file => write \
                 each column as a list under `parameters`, with `parameter_mode: zip`: each row is \
                 a copy";
    assert_eq!(told(&wrong(&command("kettle\n    parameters_file: cups.csv"))), table);
    let dynamic = "`dynamic_jobs` is not supported: the jobs of a file are known before it runs => \
                   list them under `jobs`; a workflow in Rust can start jobs while it runs";
    assert_eq!(told(&wrong(&command("kettle\n    dynamic_jobs: true"))), dynamic);
    let top = wrong("name: tea\ndynamic_jobs: true\njobs: [{ name: a, command: b }]\n");
    assert_eq!(told(&top), dynamic);
    assert!(top.iter().all(|one| one.severity() == Severity::Error));
}
