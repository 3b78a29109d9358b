//! A process that serves a store. It is killed when this is dropped.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// The variables of the environment that tell a process to serve which store, and where to note
/// what it does.
pub(super) const URL: &str = "WORKFLOW_FLEET_URL";
pub(super) const LOG: &str = "WORKFLOW_FLEET_LOG";

pub(super) struct Server(Child);

impl Server {
    pub(super) fn start(url: &str, log: &Path, arguments: &[String]) -> Self {
        let program = std::env::current_exe().expect("this program has a path");
        let mut command = Command::new(program);
        command.args(arguments).env(URL, url).env(LOG, log);
        // Its input ends when this process does; what it says beside errors is of no interest.
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        Self(command.spawn().expect("a process can be started"))
    }

    pub(super) fn kill(&mut self) {
        self.0.kill().expect("it is ours");
        self.0.wait().expect("it is dead");
    }

    /// Asks it to end, and waits for that. False when it takes longer, or ends badly.
    pub(super) fn terminate(mut self, patience: Duration) -> bool {
        self.signal(Signal::TERM);
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            match self.0.try_wait() {
                Ok(None) => std::thread::sleep(Duration::from_millis(1)),
                Ok(Some(status)) => return status.success(),
                Err(_) => return false,
            }
        }
        false
    }

    pub(super) fn stop(&self) {
        self.signal(Signal::STOP);
    }

    pub(super) fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).expect("it is ours");
    }

    /// Whether it has ended by itself, which it must not.
    pub(super) fn has_ended(&mut self) -> bool {
        !matches!(self.0.try_wait(), Ok(None))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only where it is dead already.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}
