//! The modules of the library and the one way in which they may name each other; and what some of
//! them must not contain.

#[path = "../../tests-support/layers.rs"]
mod support;

use std::path::Path;

use support::layers;

/// From the base to the top.
const ORDER: [&str; 29] = [
    "guard",
    "bounds",
    "error_text",
    "id",
    "json",
    "sparse_map",
    "value",
    "flow_control",
    "retry",
    "run_log",
    "job",
    "printing",
    "definition",
    "graph",
    "workflow",
    "scheduler",
    "event",
    "store",
    "run",
    "engine",
    "registry",
    "table",
    "downstream",
    "asset",
    "schedule",
    "recover",
    "executor",
    "worker",
    "private",
];

/// Modules that decide and do nothing.
const PURE: [&str; 4] = ["flow_control", "graph", "scheduler", "engine/permits/pool"];

/// What has no place in them.
const IMPURE: [&str; 11] = [
    "async ",
    ".await",
    "Instant",
    "SystemTime",
    "Mutex",
    "RwLock",
    "Atomic",
    "std::fs",
    "std::io",
    "std::net",
    "std::thread",
];

#[test]
fn pure_modules_hold_no_async_code_clock_lock_or_io() {
    let is_in = |pure: &str, path: &Path| path.with_extension("").starts_with(pure);
    let all = layers().containing("");
    for pure in PURE {
        assert!(all.iter().any(|path| is_in(pure, path)), "there is no {pure}");
    }
    let is_pure =
        |path: &Path| PURE.iter().any(|pure| is_in(pure, path)) && !path.ends_with("tests.rs");
    let mut wrong = Vec::new();
    for impure in IMPURE {
        let found = layers().containing(impure).into_iter().filter(|path| is_pure(path));
        wrong.extend(found.map(|path| format!("{}: {impure}", path.display())));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn unsafe_code_is_in_one_file() {
    assert_eq!(layers().containing("unsafe {"), [Path::new("value/slot/cell.rs")]);
}
