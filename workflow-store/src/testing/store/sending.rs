//! Messages for runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::join_all;
use serde_json::json;
use workflow_core::Status;
use workflow_core::id::RunId;
use workflow_core::store::{
    MOST_UNREAD_SIGNALS, MessageKind, NewRun, StoreError, WorkflowSnapshot,
};

use super::fixtures::*;

fn signal(name: &str) -> MessageKind {
    MessageKind::Signal { name: name.to_owned(), payload: json!({ "by": "ann\0" }) }
}

pub(crate) async fn messages_reach_their_run(stores: Stores) {
    let owner = owner();
    let (one, other) = (begin(&*stores.one, owner).await, begin(&*stores.one, owner).await);
    let first = stores.other.send(one.run, signal("approved")).await.expect("sent");
    let second = stores.one.send(other.run, MessageKind::Cancel).await.expect("sent");
    let third = stores.other.send(one.run, MessageKind::Cancel).await.expect("sent");
    assert!(first < second && second < third);
    let found = stores.one.messages(one.run).await.expect("readable");
    let found: Vec<_> = found.into_iter().map(|m| (m.number, m.run, m.kind)).collect();
    assert_eq!(
        found,
        [(first, one.run, signal("approved")), (third, one.run, MessageKind::Cancel),]
    );
    let unknown = RunId::random();
    let error = stores.one.send(unknown, MessageKind::Cancel).await;
    assert!(matches!(error, Err(StoreError::NoRun { run }) if run == unknown), "{error:?}");
}

pub(crate) async fn an_inbox_has_what_an_owner_drives(stores: Stores) {
    let (ann, ben) = (owner(), owner());
    let (hers, his) = (begin(&*stores.one, ann).await, begin(&*stores.other, ben).await);
    let first = stores.one.send(hers.run, signal("a")).await.expect("sent");
    stores.one.send(his.run, signal("b")).await.expect("sent");
    let last = stores.one.send(hers.run, signal("c")).await.expect("sent");
    let inbox = |after| {
        let store = stores.other.clone();
        async move {
            let inbox = store.inbox(ann.id, after).await.expect("readable");
            inbox.into_iter().map(|message| message.number).collect::<Vec<_>>()
        }
    };
    assert_eq!(inbox(0).await, [first, last]);
    assert_eq!(inbox(first).await, [last]);
    assert!(inbox(last).await.is_empty());
}

pub(crate) async fn numbers_appear_in_order(stores: Stores) {
    let owner = owner();
    let lease = begin(&*stores.one, owner).await;
    let done = Arc::new(AtomicBool::new(false));
    let (reader, is_done) = (stores.one.clone(), done.clone());
    let reader = std::thread::spawn(move || {
        let (mut seen, mut after) = (Vec::new(), 0);
        loop {
            let last = is_done.load(Ordering::SeqCst);
            let inbox = pollster::block_on(reader.inbox(owner.id, after)).expect("readable");
            seen.extend(inbox.iter().map(|message| message.number));
            after = seen.last().copied().unwrap_or(0);
            if last {
                return seen;
            }
        }
    });
    let sends = (0..200).map(|at| {
        let store = if at % 2 == 0 { stores.one.clone() } else { stores.other.clone() };
        async move { store.send(lease.run, MessageKind::Cancel).await.expect("sent") }
    });
    let mut sent = join_all(sends).await;
    done.store(true, Ordering::SeqCst);
    sent.sort_unstable();
    assert_eq!(reader.join().expect("no panic"), sent);
}

pub(crate) async fn another_programs_run_takes_no_signals(stores: Stores) {
    let new = NewRun::new(WorkflowSnapshot::external("theirs", 1, json!({})));
    let run = new.id;
    stores.one.begin(new, Vec::new()).await.expect("it begins");
    let error = stores.other.send(run, signal("go")).await;
    assert!(matches!(error, Err(StoreError::External { run: of }) if of == run), "{error:?}");
    assert_eq!(stores.one.messages(run).await.expect("readable"), []);
    stores.other.send(run, MessageKind::Cancel).await.expect("it may be asked to stop");
}

pub(crate) async fn finished_runs_take_no_messages(stores: Stores) {
    let lease = begin(&*stores.one, owner()).await;
    stores.one.append(&lease, &[completed(1, json!(null))]).await.expect("kept");
    let error = stores.other.send(lease.run, MessageKind::Cancel).await;
    assert!(matches!(error, Err(StoreError::Ended { status: Status::Completed, .. })), "{error:?}");
}

pub(crate) async fn signals_have_bounds(stores: Stores) {
    let lease = begin(&*stores.one, owner()).await;
    for name in ["", &"é".repeat(256), "a\0", "a\u{1b}[2K", "a\nb"] {
        let error = stores.other.send(lease.run, signal(name)).await;
        assert!(matches!(error, Err(StoreError::InvalidSignal(_))), "{name:?}: {error:?}");
    }
    stores.other.send(lease.run, signal(&"é".repeat(255))).await.expect("sent");
    for _ in 1..MOST_UNREAD_SIGNALS {
        stores.other.send(lease.run, signal("go")).await.expect("sent");
    }
    let many = stores.one.send(lease.run, signal("go")).await;
    assert!(
        matches!(many, Err(StoreError::TooManySignals { run }) if run == lease.run),
        "{many:?}"
    );
    stores.one.send(lease.run, MessageKind::Cancel).await.expect("it may be asked to stop");
}
