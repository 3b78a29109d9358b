//! The rooms of the library and the one way in which they may name each other.

use std::fs;
use std::path::{Path, PathBuf};

/// A room names only rooms to its left.
const ROOMS: [&str; 22] = [
    "guard",
    "bounds",
    "json",
    "sparse_map",
    "id",
    "value",
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
    "schedule",
    "recover",
    "private",
];

/// Rooms that decide and do nothing.
const PURE: [&str; 2] = ["graph", "scheduler"];

/// Files of other rooms that do so.
const PURE_FILES: [&str; 1] = ["engine/permits/pool.rs"];

/// What has no place in a pure room.
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

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the source folder can be read") {
        let path = entry.expect("an entry can be read").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Every source file with its room, except the map of the rooms itself.
fn files() -> Vec<(String, PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    sources(&root, &mut paths);
    let with_room = paths.into_iter().filter_map(|path| {
        let inside = path.strip_prefix(&root).expect("a file of the folder").to_owned();
        let first = inside.components().next()?.as_os_str().to_str()?.to_owned();
        let room = first.trim_end_matches(".rs").to_owned();
        let text = fs::read_to_string(&path).expect("a source file can be read");
        (room != "lib").then_some((room, inside, code(&text)))
    });
    with_room.collect()
}

/// The text without comments.
fn code(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

fn place(room: &str) -> usize {
    ROOMS.iter().position(|known| *known == room).unwrap_or_else(|| panic!("unknown room {room}"))
}

#[test]
fn a_room_names_only_rooms_to_its_left() {
    let mut wrong = Vec::new();
    for (room, path, text) in files() {
        for (at, _) in text.match_indices("crate::") {
            let rest = &text[at + "crate::".len()..];
            let named: String =
                rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let inside_macro = named.is_empty() || named.starts_with("__");
            if !inside_macro && place(&named) > place(&room) {
                wrong.push(format!("{}: {room} names {named}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn pure_rooms_hold_no_async_code_clock_lock_or_io() {
    let mut wrong = Vec::new();
    for (room, path, text) in files() {
        let pure =
            PURE.contains(&room.as_str()) || PURE_FILES.contains(&path.to_string_lossy().as_ref());
        if pure && !path.ends_with("tests.rs") {
            let found = IMPURE.iter().filter(|impure| text.contains(**impure));
            wrong.extend(found.map(|impure| format!("{}: {impure}", path.display())));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_room_is_on_the_map() {
    for (room, ..) in files() {
        place(&room);
    }
}

#[test]
fn unsafe_code_is_in_one_file() {
    let with_unsafe = files().into_iter().filter(|(_, _, text)| text.contains("unsafe {"));
    let paths: Vec<_> = with_unsafe.map(|(_, path, _)| path).collect();
    assert_eq!(paths, [Path::new("value/slot.rs")]);
}
