//! The JSON Schema of workflow files, as committed.

use std::fs;
use std::path::Path;

use workflow_files::WorkflowFile;

#[test]
fn the_committed_schema_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/workflow.schema.json");
    let current = serde_json::to_string_pretty(&WorkflowFile::schema()).expect("JSON") + "\n";
    if std::env::var_os("WORKFLOW_SCHEMA").is_some_and(|value| value == "overwrite") {
        fs::write(&path, &current).expect("the schema can be written");
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == current,
        "docs/workflow.schema.json is out of date; write it with `WORKFLOW_SCHEMA=\
         overwrite cargo test -p workflow-files --test files schema`"
    );
}
