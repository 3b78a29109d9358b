//! What is done to servers in the middle of their work.

use std::time::{Duration, Instant};

use workflow_core::event::EventKind;
use workflow_core::store::StoreError;

use super::{Fleet, LEASE, PATIENCE, Wanted};

/// What is done to one of the servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Harm {
    /// SIGKILL, and another starts.
    Kill,
    /// SIGTERM, and another starts once it has ended by itself.
    Terminate,
    /// SIGSTOP, and SIGCONT once others have had the time to take over.
    Stop,
}

/// What came of a round.
#[derive(Debug)]
pub(crate) struct Round {
    /// What is wrong, in words.
    pub(crate) violations: Vec<String>,
    /// The longest time from the harm until a run continued elsewhere.
    pub(crate) takeover: Option<Duration>,
}

impl Fleet {
    /// Asks for runs, does harm to a server while they are under way, and looks at the record
    /// once they have ended.
    pub(crate) fn round(&mut self, harm: Harm, each: u64) -> Result<Round, StoreError> {
        let runs = self.ask_for_runs(each)?;
        self.harm(harm, &runs)
    }

    /// Asks for runs with limits, and does harm while they are under way.
    pub(crate) fn limited_round(&mut self, harm: Harm, count: usize) -> Result<Round, StoreError> {
        let runs = self.ask_for_limited(count)?;
        self.harm(harm, &runs)
    }

    fn harm(&mut self, harm: Harm, runs: &[Wanted]) -> Result<Round, StoreError> {
        let (early, late) = runs.split_at(runs.len() / 2 + 1);
        early.iter().try_for_each(|wanted| self.send_signal(wanted))?;
        // The harm comes at any moment of the runs.
        std::thread::sleep(Duration::from_micros(self.chance.below(200_000)));
        let victim = self.chance.below(self.servers.len() as u64) as usize;
        let harmed = std::time::SystemTime::now();
        let mut violations = Vec::new();
        match harm {
            Harm::Kill => {
                self.servers.swap_remove(victim).kill();
                late.iter().try_for_each(|wanted| self.send_signal(wanted))?;
                self.add_server();
            }
            Harm::Terminate => {
                // A running job may wait for its signal; the others have to end in time.
                late.iter().try_for_each(|wanted| self.send_signal(wanted))?;
                if !self.servers.swap_remove(victim).terminate(PATIENCE) {
                    violations.push("a server did not stop gracefully".to_owned());
                }
                self.add_server();
            }
            Harm::Stop => {
                self.servers[victim].stop();
                let pause = LEASE * 2 + Duration::from_millis(self.chance.below(300));
                self.await_end(early, Instant::now() + pause)?;
                self.servers[victim].go_on();
                late.iter().try_for_each(|wanted| self.send_signal(wanted))?;
            }
        }
        let ended = self.await_end(runs, Instant::now() + PATIENCE)?;
        violations.extend(self.check(runs)?);
        if !ended {
            violations.push(format!("not all runs have ended after {PATIENCE:?}"));
        }
        if self.servers.iter_mut().any(super::Server::has_ended) {
            violations.push("a server has ended by itself".to_owned());
        }
        let takeover = self.longest_takeover(runs, harmed)?;
        Ok(Round { violations, takeover })
    }

    fn longest_takeover(
        &self,
        runs: &[Wanted],
        harmed: std::time::SystemTime,
    ) -> Result<Option<Duration>, StoreError> {
        let mut longest = None;
        for wanted in runs {
            let events = pollster::block_on(self.store.events(wanted.run, 0, super::ALL))?;
            let resumed = events.iter().find(|event| {
                event.at > harmed && matches!(event.kind, EventKind::RunResumed { .. })
            });
            longest = longest.max(resumed.and_then(|event| event.at.duration_since(harmed).ok()));
        }
        Ok(longest)
    }
}
