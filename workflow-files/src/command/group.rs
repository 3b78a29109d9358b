//! The process group of a command, and requests to stop it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal, kill_process_group};

/// The state that the engine requests of a command. Later variants override earlier ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) enum Requested {
    #[default]
    Run,
    Stop,
    Kill,
}

/// Shared by the caller that waits for the command and the thread that supervises it.
///
/// Signals are sent under the lock, and only until the leader of the group is waited for: until
/// then no other group can have its number.
#[derive(Default)]
pub(super) struct Group(Mutex<State>);

#[derive(Default)]
struct State {
    requested: Requested,
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
    /// Sends a request at once, or as soon as the command runs.
    pub(super) fn request(&self, requested: Requested) {
        let mut state = self.lock();
        if requested > state.requested {
            state.requested = requested;
            state.pass_on();
        }
    }

    /// The last request.
    pub(super) fn requested(&self) -> Requested {
        self.lock().requested
    }

    pub(super) fn begin(&self, leader: Pid) {
        let mut state = self.lock();
        state.stage = Stage::Running(leader);
        state.pass_on();
    }

    /// Kills the processes that remain. After this the leader may be waited for.
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
        match self.requested {
            Requested::Run => {}
            Requested::Stop => {
                send(leader, Signal::TERM);
                // A stopped process would not receive it.
                send(leader, Signal::CONT);
            }
            Requested::Kill => send(leader, Signal::KILL),
        }
    }
}

fn send(leader: Pid, signal: Signal) {
    // Fails for a group of dead processes, and for processes of another user. Nothing can be done
    // about either.
    let _ = kill_process_group(leader, signal);
}
