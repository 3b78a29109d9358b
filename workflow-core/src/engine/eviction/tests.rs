//! Cancellations that come while the store evicts a run.
#![expect(
    clippy::allow_attributes,
    reason = "`#[job]` is made for other crates, where it is not linted"
)]

#[path = "../../../tests/support/over_memory.rs"]
mod over_memory;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use pollster::block_on;
use workflow_core::prelude::*;

use self::over_memory::store_over_memory;
use super::*;
use crate::event::Event;
use crate::store::*;

/// Evicts two runs that are cancelled meanwhile. The first message to a run is refused.
#[derive(Default)]
struct Cancelling {
    store: MemoryStore,
    runs: Mutex<Vec<RunHandle>>,
    has_refused: AtomicBool,
}

store_over_memory!(Cancelling, only send {
    async fn send(&self, run: RunId, message: MessageKind) -> Result<u64, StoreError> {
        if !self.has_refused.swap(true, Ordering::SeqCst) {
            return Err(StoreError::Unavailable("the connection is gone".into()));
        }
        self.store.send(run, message).await
    }

    fn evicts(&self) -> bool {
        true
    }

    async fn evict(&self, evictions: &[Eviction]) -> Result<Vec<RunId>, StoreError> {
        if evictions.len() < 2 {
            return Ok(Vec::new());
        }
        let evicted = self.store.evict(evictions).await;
        let runs = std::mem::take(&mut *self.runs.lock().expect("no panic"));
        runs.iter().for_each(|run| run.cancel());
        evicted
    }
});

#[job]
async fn wait_for_go(ctx: &JobContext) -> Result<u32, JobError> {
    ctx.wait_signal("go").await
}

#[register_workflow(name = "eviction: waits alone")]
fn waits_alone(flow: &mut Flow) -> Handle<u32> {
    flow.job(wait_for_go::draw())
}

#[test]
fn an_unreachable_store_receives_each_cancellation_later() {
    let store = Arc::new(Cancelling::default());
    let engine = Engine::builder().store(store.clone()).build();
    let start = || engine.run("eviction: waits alone").start().expect("it starts");
    let runs = [start(), start()];
    store.runs.lock().expect("no panic").extend(runs.iter().cloned());
    while !store.runs.lock().expect("no panic").is_empty() {
        block_on(engine.evict(runs.iter(), 2)).expect("memory can be changed");
        std::thread::yield_now();
    }
    for run in &runs {
        let messages = block_on(store.store.messages(run.0.id)).expect("memory can be read");
        let kinds: Vec<_> = messages.into_iter().map(|message| message.kind).collect();
        assert_eq!(kinds, [MessageKind::Cancel]);
    }
}
