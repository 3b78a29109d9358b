//! A command's process group, and what was asked of it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal, kill_process_group};

/// What a command is asked. Later wishes outweigh earlier ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) enum Wish {
    #[default]
    Run,
    Stop,
    Kill,
}

/// Shared by who waits for the command and the thread that looks after it.
///
/// Signals are sent under the lock, and only until the group's leader is waited for: until then
/// its number is that of no other group.
#[derive(Default)]
pub(super) struct Group(Mutex<State>);

#[derive(Default)]
struct State {
    wish: Wish,
    stage: Stage,
}

#[derive(Default)]
enum Stage {
    #[default]
    Waiting,
    Running(Pid),
    Over,
}

impl Group {
    /// Passes on a wish: at once, or as soon as the command runs.
    pub(super) fn ask(&self, wish: Wish) {
        let mut state = self.lock();
        if wish > state.wish {
            state.wish = wish;
            state.pass_on();
        }
    }

    /// What was asked last.
    pub(super) fn wish(&self) -> Wish {
        self.lock().wish
    }

    pub(super) fn begin(&self, leader: Pid) {
        let mut state = self.lock();
        state.stage = Stage::Running(leader);
        state.pass_on();
    }

    /// Kills whoever is left. After this the leader may be waited for.
    pub(super) fn end(&self) {
        let mut state = self.lock();
        if let Stage::Running(leader) = state.stage {
            send(leader, Signal::KILL);
        }
        state.stage = Stage::Over;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn pass_on(&self) {
        let Stage::Running(leader) = self.stage else { return };
        match self.wish {
            Wish::Run => {}
            Wish::Stop => {
                send(leader, Signal::TERM);
                // Who is stopped would not get to see it.
                send(leader, Signal::CONT);
            }
            Wish::Kill => send(leader, Signal::KILL),
        }
    }
}

fn send(leader: Pid, signal: Signal) {
    // Fails for a group of none but the dead, and for processes that have become another user's:
    // neither can be helped.
    let _ = kill_process_group(leader, signal);
}
