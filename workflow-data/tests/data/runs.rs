//! How a run is cancelled, and what a killed one leaves behind.

use crate::folder::Folder;

const YAML: &str = "
source: {type: mock, mock: {records: 10}}
processing: {batch_size: 3}
output: {type: file, path: '${DIR}/out.csv'}
";

#[test]
fn a_cancelled_run_writes_nothing() {
    let (folder, mut batches) = (Folder::new(), 0);
    let cancelled = folder.build(YAML).unwrap().run_until(|| {
        batches += 1;
        batches == 3
    });
    let text = cancelled.unwrap_err().to_string();
    assert_eq!(text, "cancelled after 9 records; nothing is written");
    assert_eq!(folder.names(), ["config.yaml"]);
}

/// What a killed process has written so far is read by no pattern.
#[test]
fn records_of_a_killed_run_are_no_table() {
    let folder = Folder::with("a.csv", "id\n1\n");
    folder.write(".a.csv.1-2-3.partial", "id\n2\n");
    let yaml = "source: {type: file, file: {path: '${DIR}/*a.csv*', format: csv}}";
    assert_eq!(folder.run(yaml).unwrap().read, 1);
}

#[cfg(unix)]
#[test]
fn links_and_permissions_stay() {
    use std::os::unix::fs::{PermissionsExt, symlink};

    let folder = Folder::with("real.csv", "old\n");
    let real = folder.path("real.csv");
    std::fs::set_permissions(&real, PermissionsExt::from_mode(0o640)).unwrap();
    symlink(&real, folder.path("out.csv")).unwrap();
    folder.run(YAML).unwrap();
    assert!(folder.path("out.csv").is_symlink());
    assert_eq!(folder.read("real.csv").lines().count(), 11);
    assert_eq!(std::fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o640);
}
