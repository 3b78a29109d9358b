//! Files that were handled.

use workflow_core::store::{BeginOutcome, FileStore, HandledFile, ScheduledWorkflow};

use super::fixtures::*;

fn file(name: &str, version: &str) -> HandledFile {
    HandledFile { name: name.to_owned(), version: version.to_owned() }
}

fn named(name: &str) -> ScheduledWorkflow {
    ScheduledWorkflow::Registered(name.to_owned())
}

/// The two handles, with a workflow `load` of code; `None` for a store that remembers no files.
async fn both(stores: &Stores) -> Option<(&dyn FileStore, &dyn FileStore)> {
    let both = stores.one.file_store().zip(stores.other.file_store())?;
    let mut run = new_run("load", Some(owner()));
    run.workflow.source = None;
    let begun = stores.one.begin(run, vec![started(0)]).await.expect("it begins");
    assert!(matches!(begun, BeginOutcome::New(Some(_))));
    Some(both)
}

pub(crate) async fn handled_files_are_remembered_until_they_are_forgotten(stores: Stores) {
    let Some((one, other)) = both(&stores).await else { return };
    let load = named("load");
    assert_eq!(one.handled_files(&load).await.expect("readable"), []);
    for file in [file("inbox/b", "1"), file("inbox/a \u{1f980}", "1"), file("inbox/b", "2")] {
        one.add_handled_file(&load, &file).await.expect("recorded");
        other.add_handled_file(&load, &file).await.expect("recorded again");
    }
    let all = [file("inbox/a \u{1f980}", "1"), file("inbox/b", "2")];
    assert_eq!(other.handled_files(&load).await.expect("readable"), all);
    other.forget_files(&load, &["inbox/c".to_owned(), "inbox/b".to_owned()]).await.expect("gone");
    assert_eq!(one.handled_files(&load).await.expect("readable"), all[..1]);
    one.forget_files(&load, &[]).await.expect("nothing to do");
    assert_eq!(one.handled_files(&named("other")).await.expect("readable"), []);
}
