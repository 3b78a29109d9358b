//! How a command ended, and its resource usage.

use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::Signal;
use serde::{Deserialize, Serialize};

/// The result of a command that exited with code 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Finished {
    /// How it ended.
    pub exit: Exit,
    /// Its outputs, from `$WORKFLOW_OUTPUT`.
    pub outputs: serde_json::Map<String, serde_json::Value>,
    /// Its resource usage.
    #[serde(flatten)]
    pub usage: ResourceUsage,
}

/// The resource usage of a command and the processes that it waited for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ResourceUsage {
    /// The largest resident set of any one of its processes, in bytes.
    ///
    /// Linux includes the memory of the host in the peak of its child processes. If the command's
    /// own peak cannot be separated from that, this is the largest of several samples, the last one
    /// taken in the second half of the command's life or its last second; `None` if the command
    /// ended before the first sample.
    pub peak_memory_bytes: Option<u64>,
    /// CPU time in user code and in the system; in JSON a number of seconds.
    #[serde(with = "seconds", rename = "cpu_seconds")]
    pub cpu_time: Duration,
    /// The bytes of output beyond the limit, which were dropped.
    pub dropped_output_bytes: u64,
}

/// How a process ended: with an exit code, or by a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// It exited with this code.
    Code(i32),
    /// It was killed by this signal.
    Signal(i32),
}

impl Exit {
    /// The exit code; `None` if a signal killed it.
    pub fn code(self) -> Option<i32> {
        match self {
            Self::Code(code) => Some(code),
            Self::Signal(_) => None,
        }
    }

    /// The signal that killed it; `None` if it exited.
    pub fn signal(self) -> Option<i32> {
        match self {
            Self::Code(_) => None,
            Self::Signal(signal) => Some(signal),
        }
    }

    pub(super) fn is_success(self) -> bool {
        self == Self::Code(0)
    }
}

impl From<ExitStatus> for Exit {
    fn from(status: ExitStatus) -> Self {
        match status.signal() {
            Some(signal) => Self::Signal(signal),
            None => Self::Code(status.code().unwrap_or_default()),
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Code(126) => f.write_str("exited with code 126 (found, but not executable)"),
            Self::Code(127) => f.write_str("exited with code 127 (command not found)"),
            Self::Code(code) => {
                write!(f, "exited with code {code}")?;
                // How shells report the signal that killed a child.
                signal_name(code - 128).map_or(Ok(()), |name| write!(f, " (128 + {name})"))
            }
            Self::Signal(signal) => match signal_name(signal) {
                Some(name) => write!(f, "was killed by {name}"),
                None => write!(f, "was killed by signal {signal}"),
            },
        }
    }
}

fn signal_name(number: i32) -> Option<&'static str> {
    NAMES.iter().find(|(signal, _)| signal.as_raw() == number).map(|(_, name)| *name)
}

const NAMES: [(Signal, &str); 19] = [
    (Signal::HUP, "SIGHUP"),
    (Signal::INT, "SIGINT"),
    (Signal::QUIT, "SIGQUIT"),
    (Signal::ILL, "SIGILL"),
    (Signal::TRAP, "SIGTRAP"),
    (Signal::ABORT, "SIGABRT"),
    (Signal::BUS, "SIGBUS"),
    (Signal::FPE, "SIGFPE"),
    (Signal::KILL, "SIGKILL"),
    (Signal::USR1, "SIGUSR1"),
    (Signal::SEGV, "SIGSEGV"),
    (Signal::USR2, "SIGUSR2"),
    (Signal::PIPE, "SIGPIPE"),
    (Signal::ALARM, "SIGALRM"),
    (Signal::TERM, "SIGTERM"),
    (Signal::XCPU, "SIGXCPU"),
    (Signal::XFSZ, "SIGXFSZ"),
    (Signal::VTALARM, "SIGVTALRM"),
    (Signal::SYS, "SIGSYS"),
];

/// A duration as a number of seconds.
mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(span: &Duration, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_f64(span.as_secs_f64())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Duration, D::Error> {
        Duration::try_from_secs_f64(f64::deserialize(d)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exits_are_described_in_words() {
        assert_eq!(Exit::Code(3).to_string(), "exited with code 3");
        assert_eq!(Exit::Code(137).to_string(), "exited with code 137 (128 + SIGKILL)");
        assert_eq!(Exit::Code(200).to_string(), "exited with code 200");
        assert_eq!(Exit::Signal(15).to_string(), "was killed by SIGTERM");
        assert_eq!(Exit::Signal(40).to_string(), "was killed by signal 40");
    }

    #[test]
    fn a_finished_command_survives_json() {
        let usage = ResourceUsage {
            peak_memory_bytes: Some(4096),
            cpu_time: Duration::from_millis(1500),
            dropped_output_bytes: 0,
        };
        let finished = Finished { exit: Exit::Code(0), outputs: serde_json::Map::new(), usage };
        let json = serde_json::to_value(&finished).expect("it serialises");
        assert_eq!(
            json,
            serde_json::json!({
                "exit": {"code": 0},
                "outputs": {},
                "peak_memory_bytes": 4096,
                "cpu_seconds": 1.5,
                "dropped_output_bytes": 0,
            })
        );
        assert_eq!(serde_json::from_value::<Finished>(json).expect("it reads back"), finished);
    }
}
