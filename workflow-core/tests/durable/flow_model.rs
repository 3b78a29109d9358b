//! The store in memory against a model of limits: whatever happens in whatever order, no key has
//! more runs than its limit, and no run waits while its key has a free slot.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;
use workflow_core::event::Event;
use workflow_core::flow_control::{Concurrency, FlowControl, RateLimit};
use workflow_core::store::{
    BeginOutcome, ClaimRequest, Lease, LimitWait, NewRun, Owner, OwnerId, Queues, WorkflowSnapshot,
};

use super::*;

/// The limit of each key.
const LIMITS: [u32; 3] = [1, 2, 3];

const RATE: u32 = 3;
const PERIOD: Duration = Duration::from_secs(3600);

#[derive(Debug, Clone)]
enum Action {
    /// Requests a run with a key.
    Begin(usize),
    /// Claims up to this many runs.
    Claim(usize),
    /// Ends, or releases, one of the claimed runs.
    End(usize),
    Release(usize),
    /// Moves the clock ahead, in minutes.
    Advance(u64),
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let action = prop_oneof![
        3 => (0..LIMITS.len()).prop_map(Action::Begin),
        3 => (1..4_usize).prop_map(Action::Claim),
        2 => (0..100_usize).prop_map(Action::End),
        1 => (0..100_usize).prop_map(Action::Release),
        1 => (1..40_u64).prop_map(Action::Advance),
    ];
    prop::collection::vec(action, 1..80)
}

/// What the limits allow, told in the simplest way.
#[derive(Default)]
struct Model {
    key_of: BTreeMap<RunId, usize>,
    /// Runs that have begun and not ended.
    begun: Vec<RunId>,
    ended: Vec<RunId>,
    /// Times of beginnings, in minutes.
    begins: Vec<u64>,
    minute: u64,
    held: Vec<Lease>,
}

impl Model {
    fn in_progress(&self, key: usize) -> usize {
        self.begun.iter().filter(|run| self.key_of[run] == key).count()
    }

    fn claimed(&mut self, lease: Lease) {
        if !self.begun.contains(&lease.run) {
            self.begun.push(lease.run);
            self.begins.push(self.minute);
        }
        self.held.push(lease);
    }

    fn check(&self, store: &MemoryStore, has_rate: bool) {
        for (key, limit) in LIMITS.iter().enumerate() {
            assert!(self.in_progress(key) <= *limit as usize, "key {key}");
        }
        for run in self.key_of.keys().filter(|run| !self.ended.contains(run)) {
            let key = self.key_of[run];
            let is_full = self.in_progress(key) >= LIMITS[key] as usize;
            let has_begun = self.begun.contains(run);
            match block_on(store.waits_for(*run)).expect("memory can be read") {
                Some(LimitWait::Concurrency { holders, .. }) => {
                    assert!(is_full && !has_begun, "{run} waits for {holders:?}");
                    assert!(holders.iter().all(|holder| self.begun.contains(holder)));
                }
                Some(LimitWait::Rate { .. }) => assert!(has_rate && !is_full && !has_begun),
                Some(other) => panic!("{other:?}"),
                None => assert!(has_begun || !is_full),
            }
        }
        if has_rate {
            for window in self.begins.windows(RATE as usize + 1) {
                let [first, .., last] = window else { unreachable!("of four") };
                assert!(last - first >= 60, "{:?}", self.begins);
            }
        }
    }
}

fn perform(store: &MemoryStore, model: &mut Model, action: &Action, has_rate: bool) {
    let owner = Owner { id: OwnerId::random(), lifetime: Duration::from_secs(1000) };
    match action {
        Action::Begin(key) => {
            let mut control = FlowControl::default();
            control.concurrency = Some(Concurrency::new(LIMITS[*key]).key(key.to_string()));
            control.rate_limit = has_rate.then(|| RateLimit::new(RATE, PERIOD));
            let snapshot = WorkflowSnapshot::external("model", 1, json!({}));
            let snapshot = WorkflowSnapshot { fingerprint: "f".into(), ..snapshot };
            let run = NewRun { flow_control: control, ..NewRun::new(snapshot) };
            model.key_of.insert(run.id, *key);
            let begun = block_on(store.begin(run, Vec::new())).expect("it begins");
            assert_eq!(begun, BeginOutcome::New(None));
        }
        Action::Claim(limit) => {
            let request = ClaimRequest { queues: Queues::all(), except: Vec::new(), limit: *limit };
            let claimed = block_on(store.claim_next(owner, &request)).expect("answered");
            assert!(claimed.len() <= *limit);
            claimed.into_iter().for_each(|claimed| model.claimed(claimed.lease));
        }
        Action::End(which) if !model.held.is_empty() => {
            let lease = model.held.swap_remove(*which % model.held.len());
            let kinds = [json!("run_started"), json!("run_completed")];
            let events = (0_u64..).zip(kinds).map(|(sequence, kind)| {
                let at = "2026-01-02T03:04:05Z";
                let json = json!({ "sequence": sequence, "at": at, "event": kind });
                serde_json::from_value::<Event>(json).expect("an event")
            });
            block_on(store.append(&lease, &events.collect::<Vec<_>>())).expect("it ends");
            model.begun.retain(|run| *run != lease.run);
            model.ended.push(lease.run);
        }
        Action::Release(which) if !model.held.is_empty() => {
            let lease = model.held.swap_remove(*which % model.held.len());
            block_on(store.release(&[lease])).expect("released");
        }
        Action::Advance(minutes) => {
            store.advance(Duration::from_secs(60 * minutes));
            model.minute += minutes;
        }
        Action::End(_) | Action::Release(_) => {}
    }
}

proptest! {
    #[test]
    fn the_store_does_what_the_model_says(actions in actions(), has_rate: bool) {
        let store = MemoryStore::new();
        let mut model = Model::default();
        for action in &actions {
            perform(&store, &mut model, action, has_rate);
            model.check(&store, has_rate);
        }
        // Everything ends in the end.
        for _ in 0..model.key_of.len() {
            perform(&store, &mut model, &Action::Advance(60), has_rate);
            perform(&store, &mut model, &Action::Claim(100), has_rate);
            model.check(&store, has_rate);
            while !model.held.is_empty() {
                perform(&store, &mut model, &Action::End(0), has_rate);
            }
        }
        prop_assert_eq!(model.ended.len(), model.key_of.len());
    }
}
