//! The default names of workers.

/// The ID of this process and the name of its machine, as `4711@build-3`.
pub(super) fn default_name() -> String {
    format!("{}@{}", std::process::id(), host_name().as_deref().unwrap_or("localhost"))
}

/// The name of this machine, if the system or the environment tells it.
fn host_name() -> Option<String> {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let environment =
        || ["HOSTNAME", "COMPUTERNAME"].iter().find_map(|name| std::env::var(name).ok());
    let name = kernel.or_else(environment)?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}
