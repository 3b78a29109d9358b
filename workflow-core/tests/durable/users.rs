//! The user that requested a run.

use std::sync::Mutex;

use super::*;

static SEEN: Mutex<Vec<Option<String>>> = Mutex::new(Vec::new());

#[job]
fn note(ctx: &JobContext) -> u32 {
    let user = ctx.user().map(|user| user.to_string());
    SEEN.lock().expect("no test panics here").push(user);
    1
}

#[register_workflow(name = "users: inner")]
fn inner(flow: &mut Flow, _: Handle<u32>) -> Handle<u32> {
    flow.job(note())
}

#[register_workflow(name = "users: outer")]
fn outer(flow: &mut Flow) -> Handle<u32> {
    let noted = flow.job(note());
    flow.job(registry::call("users: inner", noted))
}

#[test]
fn child_runs_have_the_user_of_their_parent() {
    let store = Arc::new(MemoryStore::new());
    let engine = Engine::builder().store(store.clone()).build();
    engine.run("users: outer").user("alice").workflow_id(7).wait().expect("it completes");
    assert_eq!(store.runs().len(), 2);
    for (run, _) in store.runs() {
        let stored = block_on(store.run(run)).expect("memory can be read").expect("there");
        assert_eq!(stored.user.as_deref(), Some("alice"));
    }
    // Also after another engine resumed it.
    let store = Arc::new(MemoryStore::new());
    let enqueuer = Engine::builder().store(store.clone()).build();
    block_on(enqueuer.run("users: outer").user("bob").enqueue()).expect("kept");
    take_up(&store).expect("it completes");
    let seen = SEEN.lock().expect("no test panics here").clone();
    let seen: Vec<_> = seen.iter().map(Option::as_deref).collect();
    assert_eq!(seen, [Some("alice"), Some("alice"), Some("bob"), Some("bob")]);
}
