//! The resources of this machine, as limits that jobs count against. Knows sizes, and not who uses
//! them.

#[cfg(target_os = "linux")]
mod cgroup;

use std::sync::LazyLock;

/// The name of the limit on processors.
pub const CPUS: &str = "machine.cpus";
/// The name of the limit on memory, in MiB.
pub const MEMORY: &str = "machine.memory_mib";
/// The name of the limit on GPUs. Its size is 1 if no GPU is found.
pub const GPUS: &str = "machine.gpus";

/// Returns the names and sizes of the machine's limits. To be called once: it reads a dozen files,
/// which takes as long as planning a thousand jobs.
pub(super) fn limits() -> impl Iterator<Item = (String, usize)> {
    let own = [(CPUS.to_owned(), processors()), (GPUS.to_owned(), gpus().max(1))];
    own.into_iter().chain(memory_mib().map(|memory| (MEMORY.to_owned(), memory)))
}

/// Whether this is the name of a limit of the machine.
pub(super) fn is_of(limit: &str) -> bool {
    limit.starts_with("machine.")
}

/// The number of processors that the process may use, by its affinity and its control group.
pub(super) fn processors() -> usize {
    static PROCESSORS: LazyLock<usize> =
        LazyLock::new(|| std::thread::available_parallelism().map_or(1, usize::from));
    *PROCESSORS
}

/// The memory that the process may use: that of the machine (proc(5), `MemTotal`), or less if its
/// control group has a limit.
#[cfg(target_os = "linux")]
fn memory_mib() -> Option<usize> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    let limit =
        cgroup::memory_limit(std::path::Path::new("/")).map_or(u64::MAX, |bytes| bytes / 1024);
    usize::try_from((kib.min(limit) / 1024).max(1)).ok()
}

/// Unknown on other systems.
#[cfg(not(target_os = "linux"))]
fn memory_mib() -> Option<usize> {
    None
}

/// The number of devices of NVIDIA's driver, `/dev/nvidia0` and so on.
fn gpus() -> usize {
    let Ok(devices) = std::fs::read_dir("/dev") else { return 0 };
    let names = devices.filter_map(|device| device.ok()?.file_name().into_string().ok());
    let numbered = names.filter_map(|name| name.strip_prefix("nvidia")?.parse::<u32>().ok());
    numbered.count()
}
