//! Any text as the condition of a job: it is refused, or it is evaluated, on the stack that threads
//! have; nothing panics, overflows or takes long.
#![no_main]

use libfuzzer_sys::fuzz_target;
use workflow_core::prelude::*;
use workflow_files::WorkflowFile;

#[job]
fn nothing() {}

fuzz_target!(|text: &str| {
    for when in [text.to_owned(), format!("({text}) and false")] {
        let job = serde_json::json!({ "name": "a", "job": "nothing", "when": when });
        let file = serde_json::json!({ "name": "w", "jobs": [job] }).to_string();
        let work = move || match WorkflowFile::parse("fuzz.json", &file) {
            Err(told) => assert!(!told.to_string().is_empty()),
            // Whether it holds, or has no value, does not matter.
            Ok(file) => drop(Engine::default().run(file).input(input()).wait()),
        };
        let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(work);
        thread.expect("a thread").join().expect("no panic");
    }
});

fn input() -> serde_json::Value {
    serde_json::json!({ "n": 3, "text": "abc", "list": [1, 2, 3], "map": { "a": { "b": null } } })
}
