//! Any text, read as YAML and as JSON5: what is wrong is said, and nothing panics.
#![no_main]

use libfuzzer_sys::fuzz_target;
use workflow_files::WorkflowFile;

fuzz_target!(|text: &str| {
    for name in ["fuzz.yaml", "fuzz.json5"] {
        if let Err(told) = WorkflowFile::parse(name, text) {
            assert!(told.errors() > 0);
            assert!(!told.to_string().is_empty());
        }
    }
});
