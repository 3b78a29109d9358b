//! The peak memory of a command, without that of its host.
//!
//! On Linux, a process that calls `exec` inherits the memory peak from before, which was the
//! host's: `true`, started by a host of 2 GB, reports a peak of 2 GB. A peak well above the host's
//! own is the command's. For any other, samples are taken.

use rustix::process::Pid;

/// The largest resident set seen so far, in bytes.
#[cfg(target_os = "linux")]
#[derive(Default)]
pub(super) struct Peak(u64);

/// On other systems, the report is about the command alone.
#[cfg(not(target_os = "linux"))]
#[derive(Default)]
pub(super) struct Peak;

#[cfg(target_os = "linux")]
impl Peak {
    /// Samples a process and its descendants; those that end meanwhile are skipped.
    pub(super) fn sample(&mut self, leader: Pid) {
        let mut pids = vec![leader.to_string()];
        let mut seen = 0;
        while let Some(pid) = pids.pop()
            && seen < MOST_PROCESSES
        {
            seen += 1;
            self.0 = self.0.max(linux::peak_of(&pid).unwrap_or(0));
            linux::children_of(&pid, &mut pids);
        }
    }

    /// The peak, given the report of the system after the end.
    pub(super) fn settle(&self, reported: u64) -> Option<u64> {
        if linux::is_above_host(reported) {
            return Some(reported);
        }
        (self.0 > 0).then_some(self.0)
    }
}

#[cfg(not(target_os = "linux"))]
impl Peak {
    pub(super) fn sample(&mut self, _: Pid) {}

    pub(super) fn settle(&self, reported: u64) -> Option<u64> {
        Some(reported)
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs;
    use std::sync::atomic::{AtomicU64, Ordering};

    pub(super) fn peak_of(pid: &str) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kilobytes * 1024)
    }

    pub(super) fn children_of(pid: &str, found: &mut Vec<String>) {
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
        for task in tasks {
            let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            found.extend(children.split_whitespace().map(str::to_owned));
        }
    }

    /// Whether this cannot be the peak of the host. The kernel counts in steps, hence the margin.
    pub(super) fn is_above_host(bytes: u64) -> bool {
        static HOST: AtomicU64 = AtomicU64::new(0);

        let is_above = |host: u64| bytes > host + host / 8 + MARGIN;
        if !is_above(HOST.load(Ordering::Relaxed)) {
            return false;
        }
        let host = peak_of("self").unwrap_or(0);
        HOST.fetch_max(host, Ordering::Relaxed);
        is_above(host)
    }

    const MARGIN: u64 = 1024 * 1024;
}

/// The most processes in a sample.
#[cfg(target_os = "linux")]
const MOST_PROCESSES: usize = 256;
