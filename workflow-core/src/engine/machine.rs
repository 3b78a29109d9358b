//! What this machine has, as limits that jobs are packed into.

#[cfg(target_os = "linux")]
mod cgroup;

use std::sync::LazyLock;

/// The limit of processors.
pub const CPUS: &str = "machine.cpus";
/// The limit of memory, in MiB.
pub const MEMORY: &str = "machine.memory_mib";
/// The limit of graphics processors; 1 where none are seen.
pub const GPUS: &str = "machine.gpus";

/// What there is of each. To be asked once: the answers come out of a dozen files, which take as
/// long as the plan of a thousand jobs.
pub(super) fn limits() -> impl Iterator<Item = (String, usize)> {
    let own = [(CPUS.to_owned(), processors()), (GPUS.to_owned(), gpus().max(1))];
    own.into_iter().chain(memory_mib().map(|memory| (MEMORY.to_owned(), memory)))
}

/// Whether this is the name of something that the machine has.
pub(super) fn is_of(limit: &str) -> bool {
    limit.starts_with("machine.")
}

/// How many processors the process may use: those that it is bound to, and no more than a control
/// group leaves to it.
pub(super) fn processors() -> usize {
    static PROCESSORS: LazyLock<usize> =
        LazyLock::new(|| std::thread::available_parallelism().map_or(1, usize::from));
    *PROCESSORS
}

/// The memory that the process may use: all of the machine, as the kernel tells it (proc(5),
/// `MemTotal`), and no more than a control group leaves to it.
#[cfg(target_os = "linux")]
fn memory_mib() -> Option<usize> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    let limit =
        cgroup::memory_limit(std::path::Path::new("/")).map_or(u64::MAX, |bytes| bytes / 1024);
    usize::try_from((kib.min(limit) / 1024).max(1)).ok()
}

/// Nothing is known of it elsewhere.
#[cfg(not(target_os = "linux"))]
fn memory_mib() -> Option<usize> {
    None
}

/// The devices of NVIDIA's driver, `/dev/nvidia0` and so on.
fn gpus() -> usize {
    let Ok(devices) = std::fs::read_dir("/dev") else { return 0 };
    let names = devices.filter_map(|device| device.ok()?.file_name().into_string().ok());
    let numbered = names.filter_map(|name| name.strip_prefix("nvidia")?.parse::<u32>().ok());
    numbered.count()
}
