//! A host whose workflow has a configuration of a declared type.

use crate::support::{command, example, folder};

#[test]
fn a_host_begins_nothing_with_a_wrong_configuration() {
    let wrong = "count: 0\n";
    let folder = folder("configured_wrong", &[("workflows/prices/config.yaml", wrong)]);
    let serve = ["serve", "--address", "127.0.0.1:0"];
    for arguments in [&serve[..], &["worker"], &["run", "prices"]] {
        let mut host = command(&example("configured"));
        let output = host.args(arguments).current_dir(&folder).output().expect("it starts");
        let said = String::from_utf8(output.stderr).expect("text");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains("workflows/prices/config.yaml:1:8"), "{arguments:?}: {said}");
        assert!(said.contains("must be 1 or more"), "{arguments:?}: {said}");
    }
    assert!(!folder.join(".workflow").exists());
}

#[test]
fn the_spelling_of_the_documents_runs_a_workflow() {
    let folder = folder("configured", &[("workflows/prices/config.yaml", "count: 3\n")]);
    let mut host = command(&example("configured"));
    host.args(["workflow", "run", "prices", "-f", "json"]).current_dir(&folder);
    let output = host.output().expect("it starts");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["output"], 3);
}
